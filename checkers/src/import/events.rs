//! From invocations and completions to operations of registers.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Fault, Note};
use crate::{
    history::Name,
    index::number,
    registers::history::{Action, Clock, History, Interner, OpId, Operation, Status, Time},
    shown,
};

/// What an event says of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// What an operation is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Read,
    Write,
    Delete,
    CompareAndSet,
    Append,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "read" | "get" => Self::Read,
            "write" | "put" | "set" => Self::Write,
            "cas" | "compare-and-set" => Self::CompareAndSet,
            "append" => Self::Append,
            "delete" => Self::Delete,
            _ => return None,
        })
    }
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) line: u64,
    pub(super) kind: Kind,
    pub(super) client: Name,
    /// Of an invocation.
    pub(super) function: Option<Function>,
    pub(super) key: Option<Name>,
    /// What is written or was read; of a compare-and-set the pair of what it expects and writes, of
    /// a refused one what it found.
    pub(super) value: Option<Json>,
    /// Of an answered compare-and-set: false where it was refused.
    pub(super) swapped: bool,
}

/// Operations that are put together event by event.
#[derive(Debug, Default)]
pub(super) struct Events {
    names: Interner,
    operations: Vec<Operation>,
    /// The operation under way at each client.
    open: BTreeMap<Name, OpId>,
    now: Time,
    asked_again: u64,
    failed_swaps: u64,
    /// Refused compare-and-sets that showed what they found.
    found: u64,
    /// Whether a read returned null.
    absent: bool,
}

const EVENT_REMEDY: &str = "record each invocation before its completion, with the client of both";

impl Events {
    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Takes the next event in order.
    pub(super) fn push(&mut self, event: &Event) -> Result<(), Fault> {
        self.now += 1;
        if event.kind == Kind::Invoke {
            return self.invoke(event);
        }
        let Some(op) = self.open.remove(&event.client) else {
            return Err(Fault {
                line: event.line,
                problem: format!(
                    "expected an invocation by {} before this completion, found none",
                    event.client
                ),
                remedy: EVENT_REMEDY,
            });
        };
        let (names, completed) = (&mut self.names, self.now);
        let operation = &mut self.operations[op as usize];
        match event.kind {
            Kind::Info | Kind::Invoke => return Ok(()),
            Kind::Fail => {
                operation.status = Status::Fail;
                let swap = matches!(operation.action, Action::CompareAndSet { .. });
                self.failed_swaps += u64::from(swap);
            }
            Kind::Ok => {
                operation.status = Status::Ok;
                match &mut operation.action {
                    Action::Read(returned) => {
                        let Some(value) = &event.value else {
                            operation.status = Status::Info;
                            return Err(Fault {
                                line: event.line,
                                problem: "expected the value that was read".to_owned(),
                                remedy: "record what each answered read found, null for nothing",
                            });
                        };
                        *returned = Some(names.value(value));
                        self.absent |= value.is_null();
                    }
                    Action::CompareAndSet {
                        expected,
                        new,
                        swapped,
                    } => {
                        *swapped = event.swapped;
                        if let Some(found) = event.value.as_ref().filter(|_| !event.swapped)
                            && ![*expected, *new].contains(&names.value(found))
                            && !pair_of(found, names.named(*expected), names.named(*new))
                        {
                            operation.action = Action::Read(Some(names.value(found)));
                            self.found += 1;
                        }
                    }
                    Action::Write(_) | Action::Append(_) => {}
                }
            }
        }
        operation.completed = Some(completed);
        Ok(())
    }

    fn invoke(&mut self, event: &Event) -> Result<(), Fault> {
        let fault = |problem: &str, remedy| Fault {
            line: event.line,
            problem: problem.to_owned(),
            remedy,
        };
        let Some(function) = event.function else {
            return Err(fault(
                "expected an operation, found none",
                "say what each invocation asks: read, write, cas, append or delete",
            ));
        };
        let value = event.value.as_ref();
        let action = match function {
            Function::Read => Action::Read(None),
            Function::Delete => Action::Write(self.names.value(&Json::Null)),
            Function::Write => match value {
                Some(value) => Action::Write(self.names.value(value)),
                None => return Err(fault("expected the value that is written", "give it")),
            },
            Function::Append => match value.filter(|value| value.is_string()) {
                Some(value) => Action::Append(self.names.value(value)),
                None => {
                    return Err(fault(
                        "expected an append of a string",
                        "appends to lists are not judged",
                    ));
                }
            },
            Function::CompareAndSet => match value.and_then(Json::as_array).map(Vec::as_slice) {
                Some([expected, new]) => Action::CompareAndSet {
                    expected: self.names.value(expected),
                    new: self.names.value(new),
                    swapped: true,
                },
                _ => {
                    return Err(fault(
                        "expected a compare-and-set with the pair of what it expects and what it writes",
                        "give both values",
                    ));
                }
            },
        };
        let op = number(self.operations.len());
        self.operations.push(Operation {
            client: self.names.client(event.client.as_str()),
            node: 0,
            key: self
                .names
                .key(event.key.as_ref().map_or("register", Name::as_str)),
            action,
            status: Status::Info,
            invoked: self.now,
            completed: None,
        });
        if self.open.insert(event.client.clone(), op).is_some() {
            self.asked_again += 1;
        }
        Ok(())
    }

    /// True when a read was answered with null.
    pub(super) const fn saw_absence(&self) -> bool {
        self.absent
    }

    /// The history, and what was assumed.
    pub(super) fn finish(mut self, origin: &str, initial: &Json) -> (History, Vec<Note>) {
        let mut notes = vec![Note::OrderOnly];
        if self.asked_again > 0 {
            let operations = self.asked_again;
            notes.push(Note::AskedAgain { operations });
        }
        if self.failed_swaps > 0 {
            let failed = self.failed_swaps;
            notes.push(Note::FailuresSayNothing { failed });
        }
        if self.found > 0 {
            let operations = self.found;
            notes.push(Note::Found { operations });
        }
        notes.push(Note::Initial {
            value: shown::value(&initial),
        });
        let initial = self.names.value(initial);
        let (origin, clock) = (origin.to_owned(), Clock::Positions);
        let history = self.names.history(origin, clock, initial, self.operations);
        (history, notes)
    }
}

/// True of an answer that only repeats what a compare-and-set was asked.
fn pair_of(found: &Json, expected: &Json, new: &Json) -> bool {
    matches!(found.as_array().map(Vec::as_slice), Some([first, second]) if first == expected && second == new)
}
