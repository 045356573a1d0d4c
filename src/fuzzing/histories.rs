//! Histories that others recorded, and histories of registers: imported, judged, never trusted.
//!
//! No bytes make an importer or a judge panic or hang. What zones and the search say of registers is
//! what all orders of their operations say, whatever order they are listed in, and evidence proves;
//! a history that is written and read again keeps its verdict. Histories of siblings get the same
//! verdict in short and in full.

use arbitrary::{Arbitrary, Unstructured};
use serde_json::json;
use sibcheck_checkers::{
    Claim, Outcome,
    format::read_history,
    import::{Content, import, write_registers},
    judge, judge_in_full,
    registers::{
        self, Budget, History, HistoryFault,
        history::{Action, Clock, Interner, Operation, Status, ValueId},
    },
};
use sibcheck_oracles::registers::brute_force;

/// A search that does not end within this says that it is unknown.
pub(super) const BUDGET: Budget = Budget {
    steps: 1_000_000,
    bytes: 8 << 20,
};

/// All orders of more operations than these take too long.
const MOST_OPERATIONS: usize = 7;

/// Reads the bytes as a file, and as choices of a small history.
///
/// # Panics
///
/// When a checker contradicts the definition, or a history changes its verdict by being saved.
pub fn run(data: &[u8]) {
    if let Ok(import) = import(data, "bytes of a fuzzer") {
        match &import.content {
            Content::Registers(history) => judge_registers(history),
            Content::Siblings(history) => judge_siblings(history),
        }
    }
    if let Ok(history) = read_history(data) {
        judge_siblings(&history);
    }
    if let Ok(history) = decode(&mut Unstructured::new(data)) {
        judge_registers(&history);
    }
}

/// The history that these bytes choose.
pub(super) fn decode(bytes: &mut Unstructured<'_>) -> arbitrary::Result<History> {
    let mut names = Interner::default();
    let text = bool::arbitrary(bytes)?;
    let initial = names.value(&if text { json!("") } else { json!(null) });
    let mut operations = Vec::new();
    for number in 0..bytes.int_in_range(1..=MOST_OPERATIONS)? {
        let mut value = |names: &mut Interner| {
            let choice = bytes.int_in_range(0..=5_u8)?;
            Ok(names.value(&match (choice, text) {
                (0, _) => json!(null),
                (_, true) => json!(&"abcabc"[..usize::from(choice)]),
                (_, false) => json!(choice),
            }))
        };
        let [first, second] = [value(&mut names)?, value(&mut names)?];
        let status = *bytes.choose(&[Status::Ok, Status::Ok, Status::Info, Status::Fail])?;
        let action = match bytes.int_in_range(0..=4)? {
            0 | 1 => Action::Read((status == Status::Ok).then_some(first)),
            2 => Action::Write(first),
            3 => Action::CompareAndSet {
                expected: first,
                new: second,
                swapped: status != Status::Ok || bool::arbitrary(bytes)?,
            },
            _ if text => Action::Append(names.value(&json!("c"))),
            _ => Action::Write(second),
        };
        let invoked = bytes.int_in_range(0..=15)?;
        let length: u64 = bytes.int_in_range(0..=7)?;
        operations.push(Operation {
            client: names.client(&number.to_string()),
            node: 0,
            key: names.key("x"),
            action,
            status,
            invoked,
            completed: (status == Status::Ok).then_some(invoked + length),
        });
    }
    while !bytes.is_empty() {
        change(bytes, &mut names, &mut operations)?;
    }
    Ok(names.history("bytes".to_owned(), Clock::Nanoseconds, initial, operations))
}

/// Changes one operation to something less tame.
fn change(
    bytes: &mut Unstructured<'_>,
    names: &mut Interner,
    operations: &mut [Operation],
) -> arbitrary::Result<()> {
    let last = operations.len() - 1;
    let [at, other] = [bytes.int_in_range(0..=last)?, bytes.int_in_range(0..=last)?];
    let other = operations[other];
    let operation = &mut operations[at];
    match bytes.int_in_range(0..=7)? {
        0 => operation.client = other.client,
        1 => operation.key = names.key(bytes.choose(&["x", "y"])?),
        2 => operation.status = *bytes.choose(&[Status::Ok, Status::Info, Status::Fail])?,
        3 => {
            if let Action::CompareAndSet { swapped, .. } = &mut operation.action {
                *swapped = !*swapped;
            }
        }
        choice @ (4 | 5) => {
            let value = odd_value(bytes, names)?;
            match &mut operation.action {
                Action::Read(returned) => *returned = Some(value),
                Action::Write(written) => *written = value,
                Action::CompareAndSet { expected, .. } if choice == 4 => *expected = value,
                Action::CompareAndSet { new, .. } => *new = value,
                // Of texts only.
                Action::Append(_) => {}
            }
        }
        6 => operation.invoked = other.completed.unwrap_or(other.invoked),
        _ => {
            let text = *bytes.choose(&["", "a", "b", "c", "ab", "bc"])?;
            operation.action = Action::Append(names.value(&json!(text)));
        }
    }
    make_sense(operation, names);
    Ok(())
}

/// A value that nothing writes, or one that is nearly another.
fn odd_value(bytes: &mut Unstructured<'_>, names: &mut Interner) -> arbitrary::Result<ValueId> {
    let values = [
        json!("never"),
        json!(null),
        json!(""),
        json!(1.0),
        json!(0.0),
        json!(-0.0),
        json!(u64::MAX),
        json!([[1, null], {"type": "invoke"}]),
    ];
    Ok(names.value(bytes.choose(&values)?))
}

/// What no history may hold becomes something near that it may.
fn make_sense(operation: &mut Operation, names: &mut Interner) {
    match &mut operation.action {
        Action::CompareAndSet { swapped, .. } => *swapped |= operation.status != Status::Ok,
        Action::Read(None) if operation.status == Status::Ok => {
            operation.action = Action::Read(Some(names.value(&json!(null))));
        }
        _ => {}
    }
    let known = operation.status == Status::Ok;
    let completed = operation.completed.or(known.then_some(operation.invoked));
    operation.completed = completed.map(|completed| completed.max(operation.invoked));
}

fn judge_siblings(history: &sibcheck_checkers::History) {
    for claim in Claim::ALL {
        let verdict = judge(history, claim);
        assert!(
            verdict == judge_in_full(history, claim),
            "in short and in full {claim} is judged differently of {history:?}"
        );
        if let Ok(verdict) = verdict {
            let told = verdict.to_json(history).to_string();
            assert!(!told.is_empty(), "a verdict has a report");
        }
    }
}

fn judge_registers(history: &History) {
    let verdict = match registers::judge(history, BUDGET) {
        Ok(verdict) => verdict,
        Err(fault) => panic!("an importer made a history that makes no sense: {fault}"),
    };
    let small = history.operations.len() <= MOST_OPERATIONS;
    if small {
        let linearizable = brute_force::linearizable(history);
        assert!(
            linearizable == Ok(verdict.violations.is_empty()),
            "all orders say {linearizable:?}, the checker {verdict:?} of {history:?}"
        );
    }
    for violation in &verdict.violations {
        assert!(!violation.evidence.is_empty(), "a violation has evidence");
        assert!(!violation.sentence(history).is_empty(), "and a sentence");
        assert!(
            !small || brute_force::proves(history, violation),
            "{violation:?} is not proved of {history:?}"
        );
    }
    let same = |how: &str, outcome: Result<Outcome, HistoryFault>| {
        // A search may end for lack of steps.
        let unknown = outcome == Ok(Outcome::Unknown) || verdict.outcome == Outcome::Unknown;
        assert!(
            unknown || outcome == Ok(verdict.outcome),
            "{:?} became {outcome:?} {how}: {history:?}",
            verdict.outcome
        );
    };
    let outcome =
        |history: &History| registers::judge(history, BUDGET).map(|verdict| verdict.outcome);
    if small {
        let searched = registers::judge_by_search(history, BUDGET);
        same("by search", searched.map(|verdict| verdict.outcome));
        let mut reversed = history.clone();
        reversed.operations.reverse();
        same("listed in another order", outcome(&reversed));
    }
    let mut saved = Vec::new();
    let written = write_registers(history, &mut saved);
    assert!(written.is_ok(), "failed to write: {written:?}");
    let again = match import(saved.as_slice(), "written") {
        Ok(import) => import.content,
        Err(_) if history.operations.is_empty() => return,
        Err(error) => panic!("what was written does not read back: {error}"),
    };
    let Content::Registers(again) = again else {
        panic!("registers became siblings by being written");
    };
    same("by being written", outcome(&again));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property_tests::drawing(2_000))]

        #[test]
        fn no_choice_contradicts_the_definition(data in proptest::collection::vec(any::<u8>(), 0..120)) {
            super::run(&data);
        }
    }
}
