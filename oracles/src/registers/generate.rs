//! Histories of registers with a known verdict, as large as wanted: to measure with.
//!
//! Clients take turns at random; an operation is invoked, takes effect and completes in three of
//! its client's turns, so that operations of different clients overlap and their order of effect is
//! an order that explains every answer. Chance is handed in, so that the same draws give the same
//! history.

use serde_json::Value as Json;

use sibcheck_checkers::{
    Claim,
    history::Header,
    registers::history::{Action, History, Name, OpId, Operation, Status, Tables, Time, ValueId},
};

use crate::number;

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Operations.
    pub operations: u32,
    /// Keys, at least 1; operations are spread evenly.
    pub keys: u32,
    /// Clients, at least 1: how many operations may be under way at once.
    pub clients: u32,
    /// Writes that are never answered; every other one takes effect.
    pub unknown: u32,
    /// How many values there are to write; 0 for a new one with every write.
    pub values: u32,
    /// Whether to plant one violation.
    pub broken: bool,
}

/// Nanoseconds between two events.
const STEP_NS: Time = 1_000;

/// Generates a history; `below(n)` draws a number below `n`.
///
/// It is linearizable, or, if it is to be broken, certainly not: one read returns a value that had
/// been replaced, or, where values repeat or no read is fit for that, one that was never written.
pub fn generate(shape: &Shape, below: &mut impl FnMut(u64) -> u64) -> History {
    let mut store = Store::new(shape);
    while store.invoked < shape.operations || store.open > 0 {
        let client = index(below(u64::from(shape.clients.max(1))));
        store.turn(client, below);
    }
    let mut history = store.history;
    if shape.broken {
        plant(&mut history, shape);
    }
    history
}

fn index(drawn: u64) -> usize {
    usize::try_from(drawn).unwrap_or(0)
}

/// What a client is at.
#[derive(Clone, Copy)]
enum Turn {
    Idle,
    Invoked(OpId),
    Effective(OpId),
}

struct Store<'s> {
    shape: &'s Shape,
    history: History,
    held: Vec<ValueId>,
    /// For each client its name now and its turn.
    turns: Vec<(u32, Turn)>,
    invoked: u32,
    open: u32,
    writes: u32,
    unknown: u32,
    now: Time,
}

impl<'s> Store<'s> {
    fn new(shape: &'s Shape) -> Self {
        let clients = shape.clients.max(1);
        let keys = shape.keys.max(1);
        let names = |letter: char, many: u32| (1..=many).map(move |n| name(letter, n)).collect();
        let mut values = vec![Json::Null];
        values.extend((1..=shape.values).map(Json::from));
        Self {
            shape,
            history: History {
                header: Header {
                    origin: "generated".to_owned(),
                    claim: Some(Claim::Linearizable),
                    ..Header::default()
                },
                clients: names('c', clients),
                nodes: Vec::new(),
                keys: names('k', keys),
                operations: Vec::with_capacity(shape.operations as usize),
                faults: Vec::new(),
                tables: Tables {
                    values,
                    ..Tables::default()
                },
            },
            held: vec![0; keys as usize],
            turns: (0..clients).map(|client| (client, Turn::Idle)).collect(),
            invoked: 0,
            open: 0,
            writes: 0,
            unknown: 0,
            now: 0,
        }
    }

    fn turn(&mut self, client: usize, below: &mut impl FnMut(u64) -> u64) {
        self.now += STEP_NS;
        let (name, turn) = self.turns[client];
        self.turns[client].1 = match turn {
            Turn::Idle if self.invoked == self.shape.operations => Turn::Idle,
            Turn::Idle => self.invoke(name, below),
            Turn::Invoked(op) => {
                self.take_effect(op);
                Turn::Effective(op)
            }
            Turn::Effective(op) => {
                self.open -= 1;
                let operation = &mut self.history.operations[op as usize];
                if operation.status == Status::Info {
                    // Whoever was not answered goes on under another name.
                    let fresh = number(self.history.clients.len());
                    self.history.clients.push(self::name('c', fresh + 1));
                    self.turns[client].0 = fresh;
                } else {
                    operation.completed = Some(self.now);
                }
                Turn::Idle
            }
        };
    }

    fn invoke(&mut self, client: u32, below: &mut impl FnMut(u64) -> u64) -> Turn {
        let key = number(index(below(self.held.len() as u64)));
        let kind = below(20);
        let action = if kind < 10 {
            Action::Read(None)
        } else {
            let new = self.new_value(below);
            if kind < 18 {
                Action::Write(new)
            } else {
                Action::CompareAndSet {
                    expected: self.held[key as usize],
                    new,
                    swapped: true,
                }
            }
        };
        let mut status = Status::Ok;
        if matches!(action, Action::Write(_)) {
            // Spread over the history, which has two writes in five operations.
            let due = u64::from(self.invoked) * u64::from(self.shape.unknown);
            let all = u64::from(self.shape.operations);
            if self.unknown < self.shape.unknown && u64::from(self.unknown) * all <= due {
                self.unknown += 1;
                status = Status::Info;
            }
        }
        let op = number(self.history.operations.len());
        self.history.operations.push(Operation {
            client,
            node: 0,
            key,
            action,
            status,
            invoked: self.now,
            completed: None,
        });
        self.invoked += 1;
        self.open += 1;
        Turn::Invoked(op)
    }

    fn new_value(&mut self, below: &mut impl FnMut(u64) -> u64) -> ValueId {
        if self.shape.values > 0 {
            return 1 + number(index(below(u64::from(self.shape.values))));
        }
        self.writes += 1;
        self.history.tables.values.push(Json::from(self.writes));
        self.writes
    }

    fn take_effect(&mut self, op: OpId) {
        let operation = &mut self.history.operations[op as usize];
        let held = &mut self.held[operation.key as usize];
        match &mut operation.action {
            Action::Read(returned) => *returned = Some(*held),
            Action::Write(_)
                if operation.status == Status::Info && self.unknown.is_multiple_of(2) => {}
            Action::Write(written) => *held = *written,
            Action::CompareAndSet { expected, new, .. } if held == expected => *held = *new,
            Action::CompareAndSet { .. } => operation.status = Status::Fail,
            Action::Append(_) => {}
        }
    }
}

fn name(letter: char, number: u32) -> Name {
    Name::from(format!("{letter}{number}"))
}

/// Lets one read of the later half return what had been replaced when it was invoked.
fn plant(history: &mut History, shape: &Shape) {
    // For each key a value and when its successor had certainly replaced it.
    let mut replaced: Vec<Option<(ValueId, Time)>> = vec![None; history.keys.len()];
    let mut last: Vec<Option<(ValueId, Time)>> = vec![None; history.keys.len()];
    let half = history.operations.len() / 2;
    for op in 0..history.operations.len() {
        let operation = &mut history.operations[op];
        let (key, invoked) = (operation.key as usize, operation.invoked);
        match (&mut operation.action, operation.status) {
            (Action::Write(written), Status::Ok) => {
                let Some(completed) = operation.completed else {
                    continue;
                };
                if let Some((before, done)) = last[key]
                    && done < invoked
                    && replaced[key].is_none()
                {
                    replaced[key] = Some((before, completed));
                }
                if last[key].is_none_or(|(_, done)| done < invoked) {
                    last[key] = Some((*written, completed));
                }
            }
            (Action::Read(returned), Status::Ok) if op >= half && shape.values == 0 => {
                if let Some((value, done)) = replaced[key]
                    && done < invoked
                {
                    *returned = Some(value);
                    return;
                }
            }
            _ => {}
        }
    }
    let never = number(history.tables.values.len());
    history.tables.values.push(Json::from("never written"));
    let reads = |operation: &&mut Operation| {
        operation.status == Status::Ok && matches!(operation.action, Action::Read(_))
    };
    if let Some(read) = history.operations.iter_mut().rev().find(reads) {
        read.action = Action::Read(Some(never));
        return;
    }
    let end = history
        .operations
        .iter()
        .map(|op| op.completed.unwrap_or(op.invoked))
        .max();
    let end = end.unwrap_or(0);
    history.operations.push(Operation {
        client: 0,
        node: 0,
        key: 0,
        action: Action::Read(Some(never)),
        status: Status::Ok,
        invoked: end + STEP_NS,
        completed: Some(end + 2 * STEP_NS),
    });
}
