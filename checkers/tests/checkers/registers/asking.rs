//! What is asked of every small history of a register: both checkers beside the definition.

use std::collections::BTreeSet;

use sibcheck_checkers::{
    Outcome,
    import::{Content, import, write_registers},
    registers::{
        Budget, History, Verdict, Violation,
        history::{Action, OpId, Operation, Status},
        judge, judge_by_search,
        verdict::Finding,
    },
};
use sibcheck_oracles::registers::brute_force;

use super::notation::text;

/// Judges a history in every way.
///
/// The zones and the search say what all orders say; the order in which operations are listed, and
/// being written and read, change nothing; evidence proves, and can do without no read.
///
/// # Errors
///
/// Where that is not so, with the history.
pub(super) fn agree(history: &History) -> Result<Verdict, String> {
    let about = |what: &str| format!("{what}\n{}", text(history));
    let linearizable = brute_force::linearizable(history);
    let verdict = judge(history, Budget::default()).map_err(|fault| about(&fault.to_string()))?;
    let expected = Ok(verdict.violations.is_empty());
    if linearizable != expected {
        return Err(about(&format!("all orders {linearizable:?}: {verdict:?}")));
    }
    let observed = verdict.figures.observations > 0;
    if (verdict.outcome == Outcome::Unknown) == (observed || !verdict.violations.is_empty()) {
        return Err(about(&format!("given up, or nothing tested: {verdict:?}")));
    }
    let searched = judge_by_search(history, Budget::default());
    let searched = searched.map_err(|fault| about(&fault.to_string()))?;
    if searched.outcome != verdict.outcome {
        return Err(about(&format!("{verdict:?}, by search {searched:?}")));
    }
    let mut reversed = history.clone();
    reversed.operations.reverse();
    let outcome = |history: &History| judge(history, Budget::default()).map(|v| v.outcome);
    if outcome(&reversed) != Ok(verdict.outcome) {
        return Err(about(&format!("{verdict:?} listed in another order")));
    }
    let again = written_and_read(history).map_err(|what| about(&what))?;
    if outcome(&again) != Ok(verdict.outcome) {
        return Err(about(&format!("{verdict:?} written and read")));
    }
    for violation in verdict.violations.iter().chain(&searched.violations) {
        minimal(history, violation).map_err(|what| {
            let sentence = violation.sentence(history);
            about(&format!("{what}: {violation:?}\n{sentence}"))
        })?;
    }
    Ok(verdict)
}

/// The history after the way to a file and back, which keeps the operations and their order.
///
/// # Errors
///
/// Where it does not.
pub(super) fn written_and_read(history: &History) -> Result<History, String> {
    if history.operations.is_empty() {
        return Ok(history.clone());
    }
    let mut bytes = Vec::new();
    write_registers(history, &mut bytes).map_err(|error| error.to_string())?;
    let written = || String::from_utf8_lossy(&bytes).into_owned();
    let again = match import(bytes.as_slice(), "again").map(|import| import.content) {
        Ok(Content::Registers(again)) => again,
        other => return Err(format!("read back as {other:?}:\n{}", written())),
    };
    let (before, after) = (Ordered::of(history), Ordered::of(&again));
    if before == after && history.value(history.tables.initial) == again.value(again.tables.initial)
    {
        return Ok(again);
    }
    Err(format!("read back as {after:?}\n{}", written()))
}

/// What is judged of a history: its operations in some order, and which precede which.
#[derive(Debug, PartialEq)]
struct Ordered {
    operations: Vec<String>,
    precede: BTreeSet<(usize, usize)>,
}

impl Ordered {
    fn of(history: &History) -> Self {
        // In the order of the lines in a file, which numbers operations by their invocations.
        let mut listed: Vec<&Operation> = history.operations.iter().collect();
        listed.sort_by_key(|operation| operation.invoked);
        let value = |id| history.value(id).to_string();
        let tell = |operation: &&Operation| {
            let key = history.key_name(operation.key);
            let action = match operation.action {
                Action::Read(Some(returned)) if operation.status == Status::Ok => value(returned),
                Action::Read(_) => "read".to_owned(),
                Action::Write(written) => format!("write {}", value(written)),
                Action::Append(added) => format!("append {}", value(added)),
                Action::CompareAndSet {
                    expected,
                    new,
                    swapped,
                } => format!("cas {} {} {swapped}", value(expected), value(new)),
            };
            format!("{key}: {:?} {action}", operation.status)
        };
        let mut precede = BTreeSet::new();
        for (one, before) in listed.iter().enumerate() {
            for (other, after) in listed.iter().enumerate() {
                let over = before.completed.is_some_and(|over| over < after.invoked);
                if before.status == Status::Ok && over {
                    precede.insert((one, other));
                }
            }
        }
        let operations = listed.iter().map(tell).collect();
        Self {
            operations,
            precede,
        }
    }
}

/// The evidence fails by itself, and no longer without any read of it.
fn minimal(history: &History, violation: &Violation) -> Result<(), String> {
    if !brute_force::proves(history, violation) {
        return Err("the evidence proves nothing".to_owned());
    }
    if violation.sentence(history).is_empty() {
        return Err("no sentence".to_owned());
    }
    let action = |op: &OpId| history.operations[*op as usize].action;
    // What a string says of the appends before it takes them to be left out.
    let appends = (0..).zip(&history.operations);
    let appends = appends.filter(|(_, op)| matches!(op.action, Action::Append(_)));
    if appends.count() > 0 && !matches!(violation.finding.what, Finding::NoOrder { .. }) {
        return Ok(());
    }
    let reads = |op: &&OpId| matches!(action(op), Action::Read(_));
    for left_out in violation.evidence.iter().filter(reads) {
        let rest = violation.evidence.iter().copied();
        let rest: Vec<OpId> = rest.filter(|op| op != left_out).collect();
        if brute_force::evidence_fails(history, violation, &rest) {
            return Err(format!("operation {left_out} is not needed"));
        }
    }
    Ok(())
}
