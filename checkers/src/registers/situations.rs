//! Situations of registers that are worth counting: where stores that are not linearizable go wrong.

use std::collections::BTreeSet;

use super::history::{Action, History, Operation, Status, Time};

/// Operations beside a concurrent write of their key.
pub const CONCURRENT: &str = "operations beside a concurrent write of the key";
/// Reads that returned what an operation wrote.
pub const RETURNED: &str = "reads that returned a value";
/// Writes that were acknowledged.
pub const WRITTEN: &str = "acknowledged writes";
/// Compare-and-sets that found what they expected.
pub const SWAPPED: &str = "compare-and-sets that succeeded";
/// Compare-and-sets that found something else.
pub const REFUSED: &str = "compare-and-sets that were refused";
/// Reads at another node than the last write before them.
pub const ELSEWHERE: &str = "reads at another node than the last write before them";

/// How often each situation arose. O(operations · (log operations + those under way at once)).
pub(super) fn of(history: &History) -> Vec<(&'static str, u64)> {
    let null = |value| history.value(value).is_null();
    let count = |arose: &dyn Fn(&Operation) -> bool| {
        let operations = history.operations.iter();
        operations.filter(|operation| arose(operation)).count() as u64
    };
    let ok = |operation: &Operation| operation.status == Status::Ok;
    let swaps = |operation: &Operation, took_effect: bool| matches!(operation.action, Action::CompareAndSet { swapped, .. } if swapped == took_effect);
    vec![
        (
            RETURNED,
            count(&|operation| {
                ok(operation)
                    && matches!(operation.action, Action::Read(Some(value)) if !null(value))
            }),
        ),
        (
            WRITTEN,
            count(&|operation| {
                ok(operation) && matches!(operation.action, Action::Write(value) if !null(value))
            }),
        ),
        (CONCURRENT, overlapping(history)),
        (
            SWAPPED,
            count(&|operation| ok(operation) && swaps(operation, true)),
        ),
        (
            REFUSED,
            count(&|operation| ok(operation) && swaps(operation, false)),
        ),
        (ELSEWHERE, elsewhere(history)),
        (
            "reads of an absent key",
            count(&|operation| {
                ok(operation)
                    && matches!(operation.action, Action::Read(Some(value)) if null(value))
            }),
        ),
        (
            "deletes, or writes of null",
            count(&|operation| matches!(operation.action, Action::Write(value) if null(value))),
        ),
        (
            "writes with an unknown outcome",
            count(&|operation| {
                operation.status == Status::Info && !matches!(operation.action, Action::Read(_))
            }),
        ),
        (
            "writes with an unknown outcome that a read returned",
            unknown_seen(history),
        ),
    ]
}

/// The operations of each key that count, by their invocation.
fn by_key(history: &History) -> Vec<Vec<&Operation>> {
    let mut keys = vec![Vec::new(); history.keys.len()];
    for operation in history
        .operations
        .iter()
        .filter(|operation| operation.counts())
    {
        keys[operation.key as usize].push(operation);
    }
    for operations in &mut keys {
        operations.sort_by_key(|operation| operation.invoked);
    }
    keys
}

const fn writes(operation: &Operation) -> bool {
    !matches!(operation.action, Action::Read(_))
}

/// Answered operations that overlap a write of their key by another client.
fn overlapping(history: &History) -> u64 {
    let mut found = 0;
    for operations in by_key(history) {
        // Whether one that was invoked before still goes on, and the same from behind.
        let mut met = vec![false; operations.len()];
        let mut until: Option<(Time, u32)> = None;
        for (place, operation) in operations.iter().enumerate() {
            let goes_on =
                |(end, client): (Time, u32)| end >= operation.invoked && client != operation.client;
            met[place] |= until.is_some_and(goes_on);
            if writes(operation) && until.is_none_or(|(end, _)| end < operation.effective_by()) {
                until = Some((operation.effective_by(), operation.client));
            }
        }
        for (place, operation) in operations.iter().enumerate() {
            let later = operations[place + 1..].iter();
            let mut later = later.take_while(|later| later.invoked <= operation.effective_by());
            met[place] |= later.any(|later| writes(later) && later.client != operation.client);
        }
        let answered = operations.iter().zip(met);
        found += answered
            .filter(|(operation, met)| *met && operation.status == Status::Ok)
            .count() as u64;
    }
    found
}

/// Answered reads that were sent to another node than the write of their key that was acknowledged
/// last before them.
fn elsewhere(history: &History) -> u64 {
    if history.nodes.len() < 2 {
        return 0;
    }
    let mut found = 0;
    for operations in by_key(history) {
        let mut acknowledged: Vec<(Time, u32)> = operations
            .iter()
            .filter(|operation| writes(operation) && operation.status == Status::Ok)
            .map(|operation| (operation.effective_by(), operation.node))
            .collect();
        acknowledged.sort_unstable();
        for read in operations.iter().filter(|operation| !writes(operation)) {
            let before = acknowledged.partition_point(|(end, _)| *end < read.invoked);
            let last = before.checked_sub(1).map(|last| acknowledged[last].1);
            found += u64::from(last.is_some_and(|node| node != read.node));
        }
    }
    found
}

/// Writes of unknown outcome whose value some answered read of the key returned.
fn unknown_seen(history: &History) -> u64 {
    let mut returned = BTreeSet::new();
    for operation in &history.operations {
        if let (Action::Read(Some(value)), Status::Ok) = (operation.action, operation.status) {
            returned.insert((operation.key, value));
        }
    }
    let seen = |operation: &&Operation| {
        let value = match operation.action {
            Action::Write(value) | Action::CompareAndSet { new: value, .. } => value,
            Action::Read(_) | Action::Append(_) => return false,
        };
        operation.status == Status::Info && returned.contains(&(operation.key, value))
    };
    history.operations.iter().filter(seen).count() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registers::history::{Clock, Interner};

    #[test]
    fn each_situation_is_counted() {
        let mut names = Interner::default();
        let (initial, one, two) = (
            names.value(&json!(null)),
            names.value(&json!(1)),
            names.value(&json!(2)),
        );
        let mut operations = Vec::new();
        let mut at =
            |names: &mut Interner, client: &str, node: &str, times: (u64, Option<u64>), action| {
                operations.push(Operation {
                    client: names.client(client),
                    node: names.node(node),
                    key: names.key("x"),
                    action,
                    status: if times.1.is_some() {
                        Status::Ok
                    } else {
                        Status::Info
                    },
                    invoked: times.0,
                    completed: times.1,
                });
            };
        let cas = |swapped| Action::CompareAndSet {
            expected: one,
            new: two,
            swapped,
        };
        at(
            &mut names,
            "c1",
            "n1",
            (0, Some(2)),
            Action::Read(Some(initial)),
        );
        at(&mut names, "c1", "n1", (3, Some(6)), Action::Write(one));
        at(
            &mut names,
            "c2",
            "n2",
            (4, Some(8)),
            Action::Read(Some(one)),
        );
        at(
            &mut names,
            "c2",
            "n2",
            (10, Some(12)),
            Action::Read(Some(one)),
        );
        at(&mut names, "c3", "n1", (13, None), cas(true));
        at(&mut names, "c1", "n1", (20, Some(22)), cas(false));
        at(
            &mut names,
            "c2",
            "n1",
            (23, Some(24)),
            Action::Read(Some(two)),
        );
        let history = names.history(String::new(), Clock::Nanoseconds, initial, operations);
        let counts: Vec<u64> = of(&history).into_iter().map(|(_, times)| times).collect();
        // The first read of the write, and what comes after the write of unknown outcome.
        assert_eq!(counts, [3, 1, 3, 0, 1, 1, 1, 0, 1, 1]);
    }
}
