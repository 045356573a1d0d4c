//! The clients of a run on registers: what they expect, and what is recorded of answers.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sibcheck_checkers::{
    history::{self, Header, Status},
    import::make_numbers_exact,
    registers::history::{Action, Clock, Interner, Tables, ValueId},
};

use super::{Act, Ask, Expectation, Registers};
use crate::workloads::{self, Begun, Call, Cast};

/// One operation, as it is recorded.
type Operation = history::Operation<Action>;

/// What a node answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// What the key holds; null where it is absent.
    Value(Json),
    /// It was carried out.
    Done,
    /// A compare-and-set found something else than it expected.
    Mismatch,
    /// It certainly did nothing.
    Failed,
    /// An error after which it may still take effect.
    Uncertain,
}

/// The clients of one run.
#[derive(Debug)]
pub struct Clients {
    values: Vec<Json>,
    names: Interner,
    initial: ValueId,
    /// What each client saw or put there, oldest first, by key.
    seen: Vec<BTreeMap<u32, Vec<ValueId>>>,
    /// The value that a client will put in place of what it is reading.
    updating: BTreeMap<usize, u32>,
}

impl workloads::Clients<Registers> for Clients {
    fn new(cast: Cast<'_>, (): ()) -> Self {
        let mut names = Interner::default();
        Self {
            values: cast.values.to_vec(),
            initial: names.value(&Json::Null),
            names,
            seen: Vec::new(),
            updating: BTreeMap::new(),
        }
    }

    fn describe(&self, _header: &mut Header) {}

    fn tables(&mut self) -> Tables {
        Tables {
            values: std::mem::take(&mut self.names).into_values(),
            initial: self.initial,
            clock: Clock::Nanoseconds,
        }
    }

    fn begin(&mut self, call: Call, act: Act, _log: &[Operation]) -> Begun<Registers> {
        match act {
            Act::Read => read(),
            Act::Write { value } => self.write(value),
            Act::Delete => Begun {
                action: Action::Write(self.initial),
                ask: Ask::Delete,
            },
            Act::Update { value } => {
                self.updating.insert(call.client, value);
                read()
            }
            Act::Cas { from, value } => match self.expected(call, from) {
                Some(expected) => self.compare_and_set(expected, value),
                None => read(),
            },
        }
    }

    fn final_read(&mut self, _call: Call) -> Begun<Registers> {
        read()
    }

    fn take_back(&self, _final_reads: &mut [Operation]) {}

    fn shown(&self, action: &Action) -> String {
        match action {
            Action::Read(value) => format!("{value:?}"),
            Action::Write(_) | Action::CompareAndSet { .. } | Action::Append(_) => String::new(),
        }
    }

    fn answered(&mut self, call: Call, reply: Reply, action: &mut Action) -> Option<Status> {
        let now_there = match (reply, action) {
            (Reply::Uncertain, _) => return None,
            (Reply::Value(value), Action::Read(returned)) => {
                let value = self.value(value);
                *returned = Some(value);
                value
            }
            (Reply::Mismatch, Action::CompareAndSet { swapped, .. }) => {
                *swapped = false;
                return Some(Status::Ok);
            }
            (Reply::Done, Action::Write(value) | Action::CompareAndSet { new: value, .. }) => {
                *value
            }
            // It did nothing; or it is another answer than to what was asked, which tells nothing that could
            // be recorded.
            (Reply::Failed | Reply::Value(_) | Reply::Done | Reply::Mismatch, _) => {
                return Some(Status::Fail);
            }
        };
        self.seen_by(call.client)
            .entry(call.key)
            .or_default()
            .push(now_there);
        Some(Status::Ok)
    }

    fn go_on(&mut self, call: Call, status: Status, log: &[Operation]) -> Option<Begun<Registers>> {
        let value = self.updating.remove(&call.client)?;
        let read = log.get(call.op as usize)?;
        match (status, read.action) {
            (Status::Ok, Action::Read(Some(found))) if self.is_absent(found) => {
                Some(self.write(value))
            }
            (Status::Ok, Action::Read(Some(found))) => Some(self.compare_and_set(found, value)),
            _ => None,
        }
    }

    /// As a process of Jepsen's does: what became of it is not known, so whoever asks next is another
    /// one.
    fn left_open(&mut self, call: Call, action: &Action) -> bool {
        let renamed = !matches!(action, Action::Read(_));
        if renamed {
            self.seen_by(call.client).clear();
        }
        renamed
    }
}

fn read() -> Begun<Registers> {
    Begun {
        action: Action::Read(None),
        ask: Ask::Read,
    }
}

impl Clients {
    fn seen_by(&mut self, client: usize) -> &mut BTreeMap<u32, Vec<ValueId>> {
        while self.seen.len() <= client {
            self.seen.push(BTreeMap::new());
        }
        &mut self.seen[client]
    }

    fn is_absent(&self, value: ValueId) -> bool {
        self.names.named(value).is_null()
    }

    /// The number of a value: equal numbers are one value, for some languages write 1 as 1.0.
    fn value(&mut self, mut value: Json) -> ValueId {
        make_numbers_exact(&mut value);
        self.names.value(&value)
    }

    fn planned(&self, position: u32) -> Json {
        self.values
            .get(position as usize)
            .cloned()
            .unwrap_or_default()
    }

    fn write(&mut self, position: u32) -> Begun<Registers> {
        let value = self.planned(position);
        Begun {
            action: Action::Write(self.value(value.clone())),
            ask: Ask::Write(value),
        }
    }

    fn compare_and_set(&mut self, expected: ValueId, position: u32) -> Begun<Registers> {
        let (from, to) = (self.names.named(expected).clone(), self.planned(position));
        Begun {
            action: Action::CompareAndSet {
                expected,
                new: self.value(to.clone()),
                swapped: true,
            },
            ask: Ask::CompareAndSet { from, to },
        }
    }

    /// What a client expects; `None` where that would be nothing.
    fn expected(&mut self, call: Call, from: Expectation) -> Option<ValueId> {
        let back = match from {
            Expectation::LastSeen => 0,
            Expectation::Stale(back) => back as usize,
            Expectation::Value(position) => {
                let value = self.planned(position);
                return (!value.is_null()).then(|| self.value(value));
            }
        };
        let seen = self.seen.get(call.client)?.get(&call.key)?;
        let seen = seen
            .iter()
            .rev()
            .copied()
            .filter(|value| !self.is_absent(*value));
        let mut distinct: Vec<ValueId> = Vec::new();
        for value in seen {
            if distinct.last() != Some(&value) {
                distinct.push(value);
            }
            if distinct.len() > back {
                break;
            }
        }
        distinct.last().copied()
    }
}
