//! A recorded history of registers: plain data, a sibling of [`crate::history`].

use std::collections::BTreeMap;

use serde_json::Value as Json;

pub use crate::history::{Clock, Name, OpId, Status};
use crate::{
    claim::Claim,
    history::{self, Actions, Header},
    interned::Interned,
};

/// A point in time: nanoseconds, or the position of an event in its file; see [`Clock`].
pub type Time = history::TimeNs;

/// Position of a value in [`Tables::values`].
pub type ValueId = u32;

/// Everything that was recorded of some registers: a map from keys to values. Its operations may
/// stand in any order.
pub type History = history::History<Action>;

/// One operation of one client on a register.
pub type Operation = history::Operation<Action>;

/// The values of a history, and what its registers hold at the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Tables {
    /// Every value that occurs, once. Null is the value of a key that is absent.
    pub values: Vec<Json>,
    /// What every register holds at the start, an index into [`Tables::values`].
    pub initial: ValueId,
    /// What the times of the history mean.
    pub clock: Clock,
}

impl Actions for Action {
    type Tables = Tables;
}

/// Registers that are absent at the start.
impl Default for Tables {
    fn default() -> Self {
        Self {
            values: vec![Json::Null],
            initial: 0,
            clock: Clock::Nanoseconds,
        }
    }
}

/// What an operation asked and was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A read, and what it returned where it was answered.
    Read(Option<ValueId>),
    /// A write of a value.
    Write(ValueId),
    /// A write of `new` that takes effect only where the register holds `expected`.
    CompareAndSet {
        /// What the register has to hold.
        expected: ValueId,
        /// What it holds afterwards.
        new: ValueId,
        /// Of an answered one: whether it took effect. `false` is an observation: the register
        /// held something else. True of all others: one of which only that is known that it did
        /// not take effect, for whatever reason, has the status `fail`.
        swapped: bool,
    },
    /// Adds a string to the end of what the register holds, where an absent value counts as the
    /// empty string. What comes of appending to anything else no operation can observe.
    Append(ValueId),
}

impl Operation {
    /// True when it may have taken effect, or observed something.
    pub(super) const fn counts(&self) -> bool {
        match self.status {
            Status::Ok => true,
            Status::Fail => false,
            Status::Info => !matches!(self.action, Action::Read(_)),
        }
    }

    /// When it had certainly taken effect; the end of time where that was never told.
    pub(super) fn effective_by(&self) -> Time {
        match self.status {
            Status::Ok => self.completed.unwrap_or(Time::MAX),
            _ => Time::MAX,
        }
    }
}

/// A history contradicts itself: whatever recorded or edited it is to blame, not the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryFault {
    /// More operations than can be numbered.
    #[error("the history has {operations} operations, and operation numbers end at {}; split it by key", OpId::MAX - 1)]
    TooLong {
        /// How many there are.
        operations: usize,
    },
    /// An index leads nowhere.
    #[error("operation {op} refers to {what} number {index}, and the history has only {names}")]
    NoSuch {
        /// The operation.
        op: OpId,
        /// `client`, `node`, `key` or `value`.
        what: &'static str,
        /// The index.
        index: u32,
        /// How many there are.
        names: usize,
    },
    /// The value at the start does not exist.
    #[error("the value at the start is number {index}, and the history has only {names} values")]
    NoInitial {
        /// The index.
        index: u32,
        /// How many there are.
        names: usize,
    },
    /// Completed before it was invoked.
    #[error("operation {op} completed before it was invoked")]
    CompletedTooEarly {
        /// The operation.
        op: OpId,
    },
    /// Acknowledged, but never completed.
    #[error("operation {op} is ok and has no completion; give it one, or make it info")]
    NeverCompleted {
        /// The operation.
        op: OpId,
    },
    /// A time at the end of time, which stands for never.
    #[error("operation {op} has a time of {}, which stands for never", Time::MAX)]
    EndOfTime {
        /// The operation.
        op: OpId,
    },
    /// A compare-and-set was refused, but never answered.
    #[error(
        "operation {op} is a compare-and-set that was refused and not ok; what certainly took no effect is fail"
    )]
    RefusedUnanswered {
        /// The operation.
        op: OpId,
    },
    /// A read was answered with nothing, not even with absence.
    #[error("operation {op} is a read that was answered without a value; null says absent")]
    NoAnswer {
        /// The operation.
        op: OpId,
    },
    /// Something other than a string was appended.
    #[error("operation {op} appends something that is not a string")]
    AppendsNoString {
        /// The operation.
        op: OpId,
    },
}

impl History {
    /// Does the history make sense?
    ///
    /// # Errors
    ///
    /// When an index leads nowhere, times run backwards or an answer is missing.
    pub fn validate(&self) -> Result<(), HistoryFault> {
        let names = self.operations.len();
        if names >= OpId::MAX as usize {
            return Err(HistoryFault::TooLong { operations: names });
        }
        if self.tables.initial as usize >= self.tables.values.len() {
            let (index, names) = (self.tables.initial, self.tables.values.len());
            return Err(HistoryFault::NoInitial { index, names });
        }
        for (op, operation) in (0..).zip(&self.operations) {
            self.validate_operation(op, operation)?;
        }
        Ok(())
    }

    fn validate_operation(&self, op: OpId, operation: &Operation) -> Result<(), HistoryFault> {
        let within = |what, index: u32, names: usize| {
            if (index as usize) < names {
                return Ok(());
            }
            Err(HistoryFault::NoSuch {
                op,
                what,
                index,
                names,
            })
        };
        within("client", operation.client, self.clients.len())?;
        if !self.nodes.is_empty() {
            within("node", operation.node, self.nodes.len())?;
        }
        within("key", operation.key, self.keys.len())?;
        let value = |index| within("value", index, self.tables.values.len());
        match operation.action {
            Action::Read(None) if operation.status == Status::Ok => {
                return Err(HistoryFault::NoAnswer { op });
            }
            Action::Read(None) => {}
            Action::Read(Some(returned)) => value(returned)?,
            Action::Write(written) => value(written)?,
            Action::CompareAndSet {
                expected,
                new,
                swapped,
            } => {
                value(expected)?;
                value(new)?;
                if !swapped && operation.status != Status::Ok {
                    return Err(HistoryFault::RefusedUnanswered { op });
                }
            }
            Action::Append(added) => {
                value(added)?;
                if !self.tables.values[added as usize].is_string() {
                    return Err(HistoryFault::AppendsNoString { op });
                }
            }
        }
        if operation.completed.unwrap_or(operation.invoked) == Time::MAX {
            return Err(HistoryFault::EndOfTime { op });
        }
        match operation.completed {
            Some(completed) if completed < operation.invoked => {
                Err(HistoryFault::CompletedTooEarly { op })
            }
            None if operation.status == Status::Ok => Err(HistoryFault::NeverCompleted { op }),
            _ => Ok(()),
        }
    }

    /// The value of this number; null for none.
    pub fn value(&self, id: ValueId) -> &Json {
        self.tables.values.get(id as usize).unwrap_or(&Json::Null)
    }
}

/// Numbers names and values while a history is put together.
#[derive(Debug, Default)]
pub struct Interner {
    names: Interned,
    numbers: BTreeMap<i64, ValueId>,
    texts: BTreeMap<String, ValueId>,
    values: Vec<Json>,
}

impl Interner {
    /// The number of a client.
    pub fn client(&mut self, name: &str) -> u32 {
        self.names.clients.number(name)
    }

    /// The number of a node.
    pub fn node(&mut self, name: &str) -> u32 {
        self.names.nodes.number(name)
    }

    /// The number of a key.
    pub fn key(&mut self, name: &str) -> u32 {
        self.names.keys.number(name)
    }

    /// The number of a value. Equal JSON is one value: `-0.0` and `0.0` are one, `1` and `1.0` two.
    pub fn value(&mut self, value: &Json) -> ValueId {
        let next = crate::index::number(self.values.len());
        let number = match value.as_i64() {
            Some(integer) => *self.numbers.entry(integer).or_insert(next),
            None => *self.texts.entry(text(value)).or_insert(next),
        };
        if number == next {
            self.values.push(value.clone());
        }
        number
    }

    /// The values, by their numbers.
    pub fn into_values(self) -> Vec<Json> {
        self.values
    }

    /// The value of a number that was given; null for none.
    pub fn named(&self, id: ValueId) -> &Json {
        self.values.get(id as usize).unwrap_or(&Json::Null)
    }

    /// The history that these operations make.
    pub fn history(
        self,
        origin: String,
        clock: Clock,
        initial: ValueId,
        operations: Vec<Operation>,
    ) -> History {
        History {
            header: Header {
                origin,
                claim: Some(Claim::Linearizable),
                ..Header::default()
            },
            clients: self.names.clients.names,
            nodes: self.names.nodes.names,
            keys: self.names.keys.names,
            operations,
            faults: Vec::new(),
            tables: Tables {
                values: self.values,
                initial,
                clock,
            },
        }
    }
}

/// A text that equal values have in common and others do not.
fn text(value: &Json) -> String {
    let text = value.to_string();
    if text.contains("-0.0") {
        let mut value = value.clone();
        make_zeros_positive(&mut value);
        return value.to_string();
    }
    text
}

fn make_zeros_positive(value: &mut Json) {
    match value {
        Json::Number(number) if number.is_f64() && number.as_f64() == Some(0.0) => {
            *value = Json::from(0.0);
        }
        Json::Array(items) => items.iter_mut().for_each(make_zeros_positive),
        Json::Object(fields) => fields.values_mut().for_each(make_zeros_positive),
        _ => {}
    }
}
