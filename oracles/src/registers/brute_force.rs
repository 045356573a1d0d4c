//! Linearizability of registers from the definition: all orders of all choices. For tests.
//!
//! It shares no code with the checker: the register holds JSON, an order is built operation by
//! operation, and an operation may come next when nothing that is left completed before it was
//! invoked. Exponential: for a handful of operations of each key.

use serde_json::Value as Json;

use sibcheck_checkers::registers::{
    history::{Action, History, HistoryFault, OpId, Operation, Status},
    verdict::{Start, Violation},
};

/// True when the operations of every key can be put in order.
///
/// # Errors
///
/// When the history contradicts itself.
pub fn linearizable(history: &History) -> Result<bool, HistoryFault> {
    history.validate()?;
    let mut keys = (0..).take(history.keys.len());
    Ok(keys.all(|key| {
        let all = (0..).zip(&history.operations);
        let of_key = all.filter(|(_, operation)| operation.key == key);
        let operations: Vec<OpId> = of_key.map(|(op, _)| op).collect();
        let start = vec![Some(history.value(history.tables.initial).clone())];
        Orders::new(history, &operations, &[], start).exist()
    }))
}

/// True when the evidence of a violation, taken by itself, cannot be put in order: then neither can
/// the history.
pub fn proves(history: &History, violation: &Violation) -> bool {
    evidence_fails(history, violation, &violation.evidence)
}

/// The same of some of the evidence.
pub fn evidence_fails<'h>(
    history: &'h History,
    violation: &'h Violation,
    operations: &[OpId],
) -> bool {
    let start = match violation.finding.start {
        Start::Initial => vec![Some(history.value(history.tables.initial).clone())],
        Start::Anything => {
            let mut start = vec![None];
            for value in &history.tables.values {
                if let Json::String(text) = value {
                    let ends = text.char_indices().map(|(end, _)| end);
                    start.extend(ends.map(|end| Some(Json::from(&text[..end]))));
                }
                start.push(Some(value.clone()));
            }
            start
        }
    };
    let mut orders = Orders::new(history, operations, &violation.finding.optional, start);
    orders.waived = &violation.finding.waived;
    !orders.exist()
}

/// What a register holds; `None` for something that no operation can name.
type Held = Option<Json>;

struct Orders<'h> {
    history: &'h History,
    left: Vec<OpId>,
    optional: Vec<OpId>,
    start: Vec<Held>,
    /// Compare-and-sets that are taken for writes.
    waived: &'h [OpId],
}

impl<'h> Orders<'h> {
    fn new(history: &'h History, operations: &[OpId], optional: &[OpId], start: Vec<Held>) -> Self {
        let counts = |op: &&OpId| {
            let operation = &history.operations[**op as usize];
            match operation.status {
                Status::Ok => true,
                Status::Fail => false,
                Status::Info => !matches!(operation.action, Action::Read(_)),
            }
        };
        Self {
            history,
            left: operations.iter().filter(counts).copied().collect(),
            optional: optional.to_vec(),
            start,
            waived: &[],
        }
    }

    fn exist(&self) -> bool {
        self.start
            .iter()
            .any(|held| self.completes(&mut self.left.clone(), held))
    }

    fn operation(&self, op: OpId) -> &'h Operation {
        &self.history.operations[op as usize]
    }

    /// True when it has to take effect.
    fn required(&self, op: OpId) -> bool {
        self.operation(op).status == Status::Ok && !self.optional.contains(&op)
    }

    fn completes(&self, left: &mut Vec<OpId>, held: &Held) -> bool {
        if !left.iter().any(|op| self.required(*op)) {
            return true;
        }
        for at in 0..left.len() {
            let op = left[at];
            let must_wait = left.iter().any(|other| {
                self.required(*other)
                    && self.operation(*other).completed < Some(self.operation(op).invoked)
            });
            if must_wait {
                continue;
            }
            if let Some(next) = self.after(held, op) {
                left.remove(at);
                let found = self.completes(left, &next);
                left.insert(at, op);
                if found {
                    return true;
                }
            }
        }
        false
    }

    /// What an operation leaves behind; `None` where it cannot take place.
    fn after(&self, held: &Held, op: OpId) -> Option<Held> {
        let operation = self.operation(op);
        let value = |id| self.history.value(id).clone();
        let holds = |id| held.as_ref() == Some(self.history.value(id));
        match operation.action {
            Action::Read(None) => Some(held.clone()),
            Action::Read(Some(returned)) => holds(returned).then(|| held.clone()),
            Action::Write(written) => Some(Some(value(written))),
            Action::CompareAndSet {
                expected,
                swapped: false,
                ..
            } => (!holds(expected)).then(|| held.clone()),
            Action::CompareAndSet { expected, new, .. } => {
                (self.waived.contains(&op) || holds(expected)).then(|| Some(value(new)))
            }
            Action::Append(added) => Some(match (held, value(added)) {
                (Some(Json::Null), Json::String(added)) => Some(Json::String(added)),
                (Some(Json::String(text)), Json::String(added)) => {
                    Some(Json::String(text.clone() + &added))
                }
                _ => None,
            }),
        }
    }
}
