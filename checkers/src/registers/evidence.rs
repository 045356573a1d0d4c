//! The fewest operations that still prove a violation.
//!
//! A part of a history proves something about the whole only if what was left out cannot explain
//! it. Three ways of leaving out are sound, and nothing else is done:
//!
//! - *later*: what was invoked after the operation completed at which all orders had failed;
//! - *earlier*: what completed before some moment. Then the register may hold anything at first,
//!   and writes that were under way at that moment need not take effect afterwards;
//! - *reads*, and a write whose value no operation of the part observes, or every operation that
//!   names a value. A compare-and-set that expects what only they wrote is then taken for a write.

use super::{
    history::{Action, History, OpId, Operation, Time, ValueId},
    search::{Budget, Part, Searched, search},
    verdict::Start,
};

/// A part is shrunk operation by operation up to this size: each try is a search.
const MOST_SHRUNK: usize = 400;

/// A search on a part may take this much: evidence is a courtesy.
const EACH: Budget = Budget {
    steps: 2_000_000,
    bytes: 32 << 20,
};

/// All searches for evidence of one key together.
const ALL_STEPS: u64 = 50_000_000;

/// With appends, a start with anything tries every beginning of every string that was read.
const MOST_TEXT: usize = 20_000;

struct Shrinking<'h> {
    history: &'h History,
    steps_left: u64,
    whole: bool,
}

/// The fewest operations found that still prove that `part` cannot be put in order, and the
/// operation at which that shows.
pub(super) fn smallest(history: &History, mut part: Part, mut stuck: OpId) -> (Part, OpId) {
    let mut shrinking = Shrinking {
        history,
        steps_left: ALL_STEPS,
        whole: !short_texts(history, &part),
    };
    let end = shrinking.operation(stuck).effective_by();
    part.operations
        .retain(|op| shrinking.operation(*op).invoked <= end);
    if !shrinking.whole {
        shrinking.drop_earlier(&mut part, &mut stuck);
    }
    if !shrinking.whole
        && part.start == Start::Initial
        && let Some(free) = shrinking.free(&part)
    {
        (part, stuck) = free;
    }
    shrinking.leave_out(&mut part, &mut stuck);
    (part, stuck)
}

/// The same for a part that is a proof already; `None` where nothing can be left out.
pub(super) fn smaller(history: &History, part: &Part) -> Option<(Part, OpId)> {
    let mut shrinking = Shrinking {
        history,
        steps_left: ALL_STEPS,
        whole: false,
    };
    if part.operations.len() > MOST_SHRUNK || !short_texts(history, part) {
        return None;
    }
    let stuck = shrinking.violates(part)?;
    // What is needed where anything may have been there at first may not be needed otherwise.
    let free = shrinking.free(part);
    [free, Some((part.clone(), stuck))]
        .into_iter()
        .flatten()
        .find_map(|(mut shrunk, mut stuck)| {
            shrinking.leave_out(&mut shrunk, &mut stuck);
            (shrunk.operations.len() < part.operations.len()).then_some((shrunk, stuck))
        })
}

fn short_texts(history: &History, part: &Part) -> bool {
    let action = |op: &OpId| history.operations[*op as usize].action;
    let actions = || part.operations.iter().map(action);
    if !actions().any(|action| matches!(action, Action::Append(_))) {
        return true;
    }
    let length = |value: ValueId| history.value(value).as_str().map_or(0, str::len);
    let read = actions().map(|action| match action {
        Action::Read(Some(value)) => length(value),
        Action::Read(None)
        | Action::Write(_)
        | Action::CompareAndSet { .. }
        | Action::Append(_) => 0,
    });
    read.sum::<usize>() < MOST_TEXT
}

impl<'h> Shrinking<'h> {
    fn operation(&self, op: OpId) -> &'h Operation {
        &self.history.operations[op as usize]
    }

    /// The operation at which the part proves a violation; `None` if it does not.
    fn violates(&mut self, part: &Part) -> Option<OpId> {
        let budget = Budget {
            steps: EACH.steps.min(self.steps_left),
            ..EACH
        };
        let (searched, steps) = search(self.history, part, budget);
        // So that parts without a step to make end too.
        self.steps_left = self
            .steps_left
            .saturating_sub(steps + part.operations.len() as u64);
        match searched {
            Searched::Stuck(op) => Some(op),
            _ => None,
        }
    }

    /// Keeps the last few operations, if they suffice.
    fn drop_earlier(&mut self, part: &mut Part, stuck: &mut OpId) {
        let mut invocations: Vec<Time> = part
            .operations
            .iter()
            .map(|op| self.operation(*op).invoked)
            .collect();
        invocations.sort_unstable_by(|a, b| b.cmp(a));
        let mut size = 2;
        while size < invocations.len() && self.steps_left > 0 {
            let late = self.later_than(part, invocations[size - 1]);
            if let Some(op) = self.violates(&late) {
                *part = late;
                *stuck = op;
                return;
            }
            size += size.div_ceil(2);
        }
    }

    /// The part that had not completed before `moment`.
    fn later_than(&self, part: &Part, moment: Time) -> Part {
        let mut late = Part {
            operations: Vec::new(),
            optional: Vec::new(),
            waived: Vec::new(),
            start: Start::Anything,
        };
        for &op in &part.operations {
            let operation = self.operation(op);
            let under_way = operation.invoked < moment;
            if operation.effective_by() < moment || under_way && observes_only(operation) {
                continue;
            }
            late.operations.push(op);
            if under_way || part.optional.binary_search(&op).is_ok() {
                late.optional.push(op);
            }
        }
        late
    }

    /// The part where anything may have been there at first, if it still violates.
    fn free(&mut self, part: &Part) -> Option<(Part, OpId)> {
        let free = Part {
            start: Start::Anything,
            ..part.clone()
        };
        self.violates(&free).map(|op| (free, op))
    }

    /// Leaves out what can be left out until nothing more can.
    fn leave_out(&mut self, part: &mut Part, stuck: &mut OpId) {
        if part.operations.len() > MOST_SHRUNK {
            return;
        }
        loop {
            let before = part.operations.len();
            let mut values: Vec<ValueId> = part
                .operations
                .iter()
                .flat_map(|op| names(self.operation(*op)))
                .collect();
            values.sort_unstable();
            values.dedup();
            for value in values {
                let named = |op: &OpId| names(self.operation(*op)).contains(&value);
                let group: Vec<OpId> = part.operations.iter().copied().filter(named).collect();
                self.try_without(part, stuck, &group);
            }
            for op in part.operations.clone() {
                self.try_without(part, stuck, &[op]);
            }
            if part.operations.len() == before || self.steps_left == 0 {
                return;
            }
        }
    }

    fn try_without(&mut self, part: &mut Part, stuck: &mut OpId, group: &[OpId]) {
        if self.steps_left == 0 {
            return;
        }
        let Some(without) = without(self.history, part, group) else {
            return;
        };
        if let Some(op) = self.violates(&without) {
            *part = without;
            *stuck = op;
        }
    }
}

fn observes_only(operation: &Operation) -> bool {
    matches!(
        operation.action,
        Action::Read(_) | Action::CompareAndSet { swapped: false, .. }
    )
}

/// The values that an operation names.
fn names(operation: &Operation) -> Vec<ValueId> {
    match operation.action {
        Action::Read(value) => value.into_iter().collect(),
        Action::Write(value) | Action::Append(value) => vec![value],
        Action::CompareAndSet { expected, new, .. } => vec![expected, new],
    }
}

/// The part without these operations, where leaving them out is sound.
pub(super) fn without(history: &History, part: &Part, group: &[OpId]) -> Option<Part> {
    let operation = |op: &OpId| &history.operations[*op as usize];
    let rest: Vec<OpId> = part
        .operations
        .iter()
        .copied()
        .filter(|op| !group.contains(op))
        .collect();
    let sound = group.iter().all(|op| match operation(op).action {
        Action::Read(_) | Action::CompareAndSet { swapped: false, .. } => true,
        Action::Append(value) => !rest
            .iter()
            .any(|other| may_contain(history, operation(other), value)),
        Action::Write(value) | Action::CompareAndSet { new: value, .. } => {
            let written_else = rest.iter().any(|other| writes(operation(other), value));
            !rest.iter().any(|other| match operation(other).action {
                Action::Read(seen) => seen == Some(value),
                // Anything might follow from what the register no longer holds.
                Action::CompareAndSet { swapped: false, .. } | Action::Append(_) => true,
                Action::CompareAndSet { expected, .. } => expected == value && written_else,
                Action::Write(_) => false,
            })
        }
    });
    let lost: Vec<ValueId> = group
        .iter()
        .filter_map(|op| match operation(op).action {
            Action::Write(value) | Action::CompareAndSet { new: value, .. } => Some(value),
            Action::Read(_) | Action::Append(_) => None,
        })
        .collect();
    let mut waived = part.waived.clone();
    waived.retain(|op| rest.contains(op));
    waived.extend(rest.iter().filter(|op| match operation(op).action {
        Action::CompareAndSet { expected, .. } => lost.contains(&expected),
        Action::Read(_) | Action::Write(_) | Action::Append(_) => false,
    }));
    waived.sort_unstable();
    waived.dedup();
    sound.then(|| Part {
        waived,
        optional: part
            .optional
            .iter()
            .copied()
            .filter(|op| rest.contains(op))
            .collect(),
        operations: rest,
        start: part.start,
    })
}

fn writes(operation: &Operation, value: ValueId) -> bool {
    match operation.action {
        Action::Write(written) => written == value,
        Action::CompareAndSet { new, swapped, .. } => swapped && new == value,
        Action::Read(_) | Action::Append(_) => false,
    }
}

/// False where an append of `value` certainly left no trace in what the operation observed.
fn may_contain(history: &History, operation: &Operation, value: ValueId) -> bool {
    let observed = match operation.action {
        Action::Read(Some(observed)) => observed,
        Action::CompareAndSet { expected, .. } => expected,
        Action::Read(None) | Action::Write(_) | Action::Append(_) => return false,
    };
    match (
        history.value(observed).as_str(),
        history.value(value).as_str(),
    ) {
        (Some(observed), Some(value)) => observed.contains(value),
        _ => false,
    }
}

/// The number of operations as evidence is sorted: by invocation.
pub(super) fn sort_by_invocation(history: &History, evidence: &mut Vec<OpId>) {
    evidence.sort_unstable_by_key(|op| (history.operations[*op as usize].invoked, *op));
    evidence.dedup();
}
