//! What a seed draws: a small history of a register.
//!
//! Half of them are runs of a register in which operations take effect within their time, with few
//! or many unknown outcomes; a quarter are drawn one by one; a quarter hold a chain of unknown
//! outcomes that an answer shows. Most then suffer up to three changes. Whatever matters to a
//! checker is drawn in every combination, as `coverage.rs` tells: values that nothing wrote, or
//! several did, expected and read; equal times; what is absent; texts that repeat.
//!
//! Operations are listed in any order. A generator before this one listed them in the order in
//! which they took effect, so that a million of its histories could not tell a checker that relies
//! on that from one that does not.

use serde_json::{Value as Json, json};
use sibcheck_checkers::registers::{
    History,
    history::{Action, Clock, Interner, Operation, Status, ValueId},
};

use crate::support::model::Dice;

/// Enough moments for all operations to be apart, often.
const END: usize = 12;

/// What is drawn from.
struct Shape {
    operations: usize,
    /// How many values there are to write; 0 for a new one with every write.
    values: usize,
    appends: bool,
    swaps: bool,
    /// One in how many outcomes is not `ok`; 0 for none.
    unknown: usize,
    /// The moments at which operations are invoked: few make equal times.
    moments: usize,
    /// How long operations take at most.
    longest: usize,
    initial: Json,
}

impl Shape {
    fn draw(dice: &mut Dice) -> Self {
        let appends = dice.once_in(3);
        let initial = match dice.roll(6) {
            0 | 1 => Json::Null,
            2 => json!(""),
            3 if appends => json!("i"),
            _ => json!(0),
        };
        Self {
            operations: 1 + dice.roll(7),
            values: [0, 0, 0, 1, 2, 3][dice.roll(6)],
            appends,
            swaps: !dice.once_in(3),
            unknown: [0, 2, 3, 8][dice.roll(4)],
            moments: [2, 4, END, 4 * END][dice.roll(4)],
            longest: [1, 2, 4, END, 2 * END][dice.roll(5)],
            initial,
        }
    }

    /// A value to write: of operation `number` where all are new.
    fn value(&self, dice: &mut Dice, number: usize) -> Json {
        match dice.roll(12) {
            0 => return Json::Null,
            1 => return self.initial.clone(),
            _ => {}
        }
        let number = match self.values {
            0 => number + 1,
            values => 1 + dice.roll(values),
        };
        if self.appends && !dice.once_in(8) {
            return json!(text(number));
        }
        json!(number)
    }

    /// A text to append.
    fn added(&self, dice: &mut Dice, number: usize) -> Json {
        match self.values {
            0 => json!(text(number + 1)),
            // One is the beginning of another, or empty.
            _ => json!(["", "a", "b", "ab", "a", "i"][dice.roll(6)]),
        }
    }

    /// A kind of operation.
    fn kind(&self, dice: &mut Dice) -> Kind {
        match dice.roll(6) {
            0 | 1 => Kind::Read,
            2 | 3 if self.swaps => Kind::Swap,
            4 if self.appends => Kind::Append,
            _ => Kind::Write,
        }
    }

    fn status(&self, dice: &mut Dice) -> Status {
        if self.unknown == 0 || !dice.once_in(self.unknown) {
            return Status::Ok;
        }
        [Status::Info, Status::Info, Status::Fail][dice.roll(3)]
    }
}

/// Texts of which none is the beginning of another.
fn text(number: usize) -> &'static str {
    ["z", "a", "b", "c", "d", "e", "f", "g", "h"][number]
}

#[derive(Clone, Copy)]
enum Kind {
    Read,
    Write,
    Swap,
    Append,
}

/// What a register holds after an operation; `None` where that cannot take effect.
fn after(held: &Json, kind: Kind, expected: &Json, value: &Json) -> Option<Json> {
    match kind {
        Kind::Read => Some(held.clone()),
        Kind::Write => Some(value.clone()),
        Kind::Swap => (held == expected).then(|| value.clone()),
        Kind::Append => match (held, value.as_str()) {
            (Json::Null, Some(text)) => Some(json!(text)),
            (Json::String(held), Some(text)) => Some(json!(format!("{held}{text}"))),
            _ => None,
        },
    }
}

/// Draws a history; `true` beside it where a register answered so.
pub(super) fn draw(seed: u64) -> (History, bool) {
    let mut dice = Dice(seed ^ 0x5eed_0000_0000);
    let shape = Shape::draw(&mut dice);
    let mut names = Interner::default();
    let initial = names.value(&shape.initial);
    let kind = dice.roll(4);
    let (run, draw) = match kind {
        0 | 1 => (
            true,
            run_of as fn(&mut Dice, &Shape, &mut Interner) -> Vec<Operation>,
        ),
        2 => (false, any as _),
        _ => (false, chained as _),
    };
    let mut operations = draw(&mut dice, &shape, &mut names);
    let changes = [0, 0, 1, 2, 3][dice.roll(5)];
    for _ in 0..changes {
        change(&mut dice, &shape, &mut operations, &mut names);
    }
    // Listed in any order.
    for end in (1..operations.len()).rev() {
        operations.swap(end, dice.roll(end + 1));
    }
    let origin = format!("seed {seed}");
    let history = names.history(origin, Clock::Nanoseconds, initial, operations);
    (history, run && changes == 0)
}

/// A register, whose operations take effect within their time.
fn run_of(dice: &mut Dice, shape: &Shape, names: &mut Interner) -> Vec<Operation> {
    let mut points: Vec<usize> = (0..shape.operations)
        .map(|_| dice.roll(shape.moments))
        .collect();
    points.sort_unstable();
    let mut held = shape.initial.clone();
    let mut seen = vec![held.clone()];
    let mut operations = Vec::new();
    for (number, point) in points.into_iter().enumerate() {
        let kind = shape.kind(dice);
        let value = match kind {
            Kind::Append => shape.added(dice, number),
            _ => shape.value(dice, number),
        };
        let expected = match dice.roll(6) {
            0 => json!("never"),
            1 => seen[dice.roll(seen.len())].clone(),
            _ => held.clone(),
        };
        let mut status = shape.status(dice);
        let next = after(&held, kind, &expected, &value);
        let refused = matches!(kind, Kind::Swap) && next.is_none();
        // What an append makes of a value that is no text, no operation can name.
        if matches!(kind, Kind::Append) && next.is_none() && status == Status::Ok {
            status = Status::Fail;
        }
        if refused && status == Status::Ok && dice.once_in(3) {
            status = Status::Fail;
        }
        let action = match kind {
            Kind::Read => Action::Read((status == Status::Ok).then(|| names.value(&held))),
            Kind::Write => Action::Write(names.value(&value)),
            Kind::Append => Action::Append(names.value(&value)),
            Kind::Swap => Action::CompareAndSet {
                expected: names.value(&expected),
                new: names.value(&value),
                swapped: !refused || status != Status::Ok,
            },
        };
        let applied = match status {
            Status::Ok => true,
            Status::Fail => false,
            Status::Info => !dice.once_in(3),
        };
        if let Some(next) = next.filter(|_| applied) {
            held = next;
            seen.push(held.clone());
        }
        let [early, late] = [(); 2].map(|()| dice.roll(shape.longest));
        let invoked = point.saturating_sub(early) as u64;
        let completed = (point + late) as u64;
        operations.push(Operation {
            client: names.client(&format!("c{}", number + 1)),
            node: 0,
            key: names.key("x"),
            action,
            status,
            invoked,
            completed: (status != Status::Info || dice.once_in(4)).then_some(completed),
        });
    }
    operations
}

/// Operations that are drawn one by one.
fn any(dice: &mut Dice, shape: &Shape, names: &mut Interner) -> Vec<Operation> {
    let draw = |number| {
        let status = shape.status(dice);
        let other = dice.roll(shape.operations);
        let expected = observable(dice, shape, other);
        let action = match shape.kind(dice) {
            Kind::Read => Action::Read((status == Status::Ok).then(|| names.value(&expected))),
            Kind::Write => Action::Write(names.value(&shape.value(dice, number))),
            Kind::Append => Action::Append(names.value(&shape.added(dice, number))),
            Kind::Swap => Action::CompareAndSet {
                expected: names.value(&expected),
                new: names.value(&shape.value(dice, number)),
                swapped: status != Status::Ok || !dice.once_in(3),
            },
        };
        operation(dice, shape, names, number, (action, status))
    };
    (0..shape.operations).map(draw).collect()
}

/// An operation at any time.
fn operation(
    dice: &mut Dice,
    shape: &Shape,
    names: &mut Interner,
    number: usize,
    (action, status): (Action, Status),
) -> Operation {
    let invoked = dice.roll(shape.moments) as u64;
    let length = dice.roll(shape.longest) as u64;
    Operation {
        client: names.client(&format!("c{}", number + 1)),
        node: 0,
        key: names.key("x"),
        action,
        status,
        invoked,
        completed: (status != Status::Info || dice.once_in(4)).then_some(invoked + length),
    }
}

/// Unknown outcomes, each of which shows the one before, an answer that shows the last, and others.
fn chained(dice: &mut Dice, shape: &Shape, names: &mut Interner) -> Vec<Operation> {
    let mut actions = Vec::new();
    let swaps = 1 + dice.roll(4);
    let written = json!("w");
    let (mut held, writes) = match dice.roll(6) {
        0 => (json!("never"), &[][..]),
        1 => (shape.initial.clone(), &[][..]),
        2 => (written, &[Status::Ok][..]),
        3 => (written, &[Status::Info][..]),
        4 => (written, &[Status::Ok, Status::Info][..]),
        // What the chain ends with.
        _ => (json!(swaps), &[][..]),
    };
    for status in writes {
        actions.push((Action::Write(names.value(&held)), *status));
    }
    for number in 1..=swaps {
        let new = json!(number);
        let swap = Action::CompareAndSet {
            expected: names.value(&held),
            new: names.value(&new),
            swapped: true,
        };
        actions.push((swap, Status::Info));
        held = new;
    }
    let shown = names.value(&held);
    actions.push((Action::Read(Some(shown)), Status::Ok));
    if dice.once_in(3) {
        let swap = Action::CompareAndSet {
            expected: shown,
            new: names.value(&shape.value(dice, 7)),
            swapped: !dice.once_in(3),
        };
        actions.push((swap, Status::Ok));
    }
    let mut operations = Vec::new();
    for (number, drawn) in actions.into_iter().enumerate() {
        operations.push(operation(dice, shape, names, number, drawn));
    }
    // Half of the chains had time to take effect.
    if dice.once_in(2) {
        for operation in &mut operations {
            operation.invoked = match operation.status {
                Status::Ok => operation.invoked,
                _ => dice.roll(2) as u64,
            };
            let completed = operation.completed.map(|at| at.max(operation.invoked));
            operation.completed = completed;
        }
    }
    let more = any(dice, shape, names);
    let room = 7_usize.saturating_sub(operations.len());
    operations.extend(more.into_iter().take(room));
    operations
}

/// What an operation may observe: most often what operation `other` may have written, sometimes
/// with more at its end.
fn observable(dice: &mut Dice, shape: &Shape, other: usize) -> Json {
    if dice.once_in(12) {
        return json!("never");
    }
    let value = shape.value(dice, other);
    if !shape.appends || !dice.once_in(2) {
        return value;
    }
    let mut text = match (value, dice.once_in(2)) {
        (Json::String(text), true) => text,
        _ => shape.initial.as_str().unwrap_or_default().to_owned(),
    };
    for _ in 0..=dice.roll(2) {
        let another = dice.roll(shape.operations);
        text += shape.added(dice, another).as_str().unwrap_or_default();
    }
    json!(text)
}

/// Changes one operation.
fn change(dice: &mut Dice, shape: &Shape, operations: &mut [Operation], names: &mut Interner) {
    let [at, other] = [(); 2].map(|()| dice.roll(operations.len()));
    let other = operations[other];
    let observed = names.value(&observable(dice, shape, at));
    let operation = &mut operations[at];
    match dice.roll(8) {
        0 | 1 => match &mut operation.action {
            Action::Read(Some(value)) => *value = observed,
            Action::CompareAndSet { expected, .. } => *expected = observed,
            _ => operation.action = other.action,
        },
        2 => match (&mut operation.action, written(other.action)) {
            (Action::Read(Some(value)), Some(new)) => *value = new,
            (Action::CompareAndSet { expected, .. }, Some(new)) => *expected = new,
            _ => {}
        },
        3 => operation.completed = Some(operation.invoked + dice.roll(3) as u64),
        4 => {
            let length = operation.completed.map(|c| c - operation.invoked);
            operation.invoked = dice.roll(shape.moments) as u64;
            operation.completed = length.map(|length| operation.invoked + length);
        }
        5 => {
            operation.invoked = other.completed.unwrap_or(other.invoked);
            let completed = operation.completed.map(|at| at.max(operation.invoked));
            operation.completed = completed;
        }
        6 => {
            let statuses = [Status::Ok, Status::Info, Status::Info, Status::Fail];
            operation.status = statuses[dice.roll(4)];
        }
        _ => {
            if let Action::CompareAndSet { swapped, .. } = &mut operation.action {
                *swapped = !*swapped;
            }
        }
    }
    // What no history may hold becomes something near that it may.
    let answered = operation.status == Status::Ok;
    match &mut operation.action {
        Action::CompareAndSet { swapped, .. } => *swapped |= !answered,
        Action::Read(value) if answered && value.is_none() => *value = Some(observed),
        _ => {}
    }
    if answered && operation.completed.is_none() {
        operation.completed = Some(operation.invoked + dice.roll(3) as u64);
    }
}

fn written(action: Action) -> Option<ValueId> {
    match action {
        Action::Write(value) | Action::CompareAndSet { new: value, .. } => Some(value),
        Action::Read(_) | Action::Append(_) => None,
    }
}
