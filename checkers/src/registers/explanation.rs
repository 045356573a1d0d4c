//! Violations of registers told in sentences and as JSON, both from the same data.

use serde_json::{Value as Json, json};

use super::{
    history::{Action, Clock, History, OpId, Operation, Status, Time},
    verdict::{Finding, Reason, Start, Unknown, Verdict, Violation},
};
use crate::{history::NAMELESS, outside::Name, shown};

impl Verdict {
    /// The verdict for programs.
    pub fn to_json(&self, history: &History) -> Json {
        let violations: Vec<Json> = self
            .violations
            .iter()
            .map(|violation| violation.to_json(history))
            .collect();
        let unknown: Vec<Json> = self
            .unknown
            .iter()
            .map(|unknown| {
                json!({
                    "key": unknown.key.map(|key| history.key_name(key)),
                    "reason": unknown.reason,
                    "sentence": unknown.sentence(history),
                })
            })
            .collect();
        json!({
            "outcome": self.outcome,
            "claim": "linearizable",
            "object": "register",
            "violations": violations,
            "unknown": unknown,
            "figures": self.figures,
        })
    }
}

impl Violation {
    /// The violation for programs.
    pub fn to_json(&self, history: &History) -> Json {
        let steps: Vec<Json> = self
            .evidence
            .iter()
            .map(|op| {
                let operation = &history.operations[*op as usize];
                let unit = match history.clock {
                    Clock::Nanoseconds => "ns",
                    Clock::Positions => "position",
                };
                json!({
                    "op": op,
                    "client": history.client_name(operation.client),
                    (format!("invoked_{unit}")): operation.invoked,
                    (format!("completed_{unit}")): operation.completed,
                    "optional": self.optional.contains(op),
                    "text": history.step(*op),
                })
            })
            .collect();
        json!({
            "invariant": "linearizability",
            "key": history.key_name(self.key),
            "sentence": self.sentence(history),
            "start": self.start,
            "finding": self.finding,
            "evidence": steps,
        })
    }

    /// What is wrong, in a sentence.
    pub fn sentence(&self, history: &History) -> String {
        let told = |op: OpId| history.told(op);
        let value = |op: OpId| history.observed(op);
        match &self.finding {
            Finding::NeverWritten {
                op,
                value,
                failed: None,
            } => format!(
                "{} found {}, which nothing wrote",
                told(*op),
                shown::value(history.value(*value))
            ),
            Finding::NeverWritten {
                op,
                value,
                failed: Some(failed),
            } => format!(
                "{} found {}, and the only write of it, {}, failed",
                told(*op),
                shown::value(history.value(*value)),
                told(*failed)
            ),
            Finding::BeforeItsWrite { op, write } => format!(
                "{} had completed before {} was invoked, without which it cannot have come about",
                told(*op),
                told(*write)
            ),
            Finding::ReplacedTwice {
                ops: [first, second],
            } => format!(
                "{} and {} each replaced the same value, which was written only once",
                told(*first),
                told(*second)
            ),
            Finding::Circle { op } => format!(
                "{} found a value that could only come about after it",
                told(*op)
            ),
            Finding::Stale { op, gone_by } => format!(
                "{} found {}, which had been replaced: {} had completed before",
                told(*op),
                value(*op),
                told(*gone_by)
            ),
            Finding::Garbled { op, against: None } => format!(
                "{} found {}, which no appends to what was written can have made",
                told(*op),
                value(*op)
            ),
            Finding::Garbled {
                op,
                against: Some(other),
            } => format!(
                "{} found {}, and {} found the same appends in another order",
                told(*op),
                value(*op),
                told(*other)
            ),
            Finding::CameBack {
                before: Some(before),
                after,
                between: [first, second],
            } => format!(
                "{} shows a value before another one that {}, and {} shows it again; it was written only once",
                told(*before),
                shown(history, *first, *second),
                told(*after)
            ),
            Finding::CameBack {
                before: None,
                after,
                between: [first, second],
            } => format!(
                "{} still found the value at the start, after another one that {}",
                told(*after),
                shown(history, *first, *second)
            ),
            Finding::NoOrder { op } => {
                let start = match self.start {
                    Start::Initial => {
                        format!("from {} on", shown::value(history.value(history.initial)))
                    }
                    Start::Anything => "whatever was there before".to_owned(),
                };
                format!(
                    "no order of these {} operations explains what they were told, {start}: all have failed when {} completes, and nothing else was under way that wrote what they found",
                    self.evidence.len(),
                    told(*op)
                )
            }
        }
    }

    /// The operations of the evidence, told one by one.
    pub fn steps(&self, history: &History) -> Vec<String> {
        self.evidence
            .iter()
            .map(|op| {
                let mut text = history.step(*op);
                let operation = &history.operations[*op as usize];
                if self.optional.contains(op) && operation.status == Status::Ok {
                    text += " (may have taken effect before the others)";
                }
                text
            })
            .collect()
    }
}

impl Unknown {
    /// What could not be decided, and what to do.
    pub fn sentence(&self, history: &History) -> String {
        let key = self.key.map_or("no key".into(), |key| {
            shown::key(history.key_name(key).as_str())
        });
        match self.reason {
            Reason::NothingTested => {
                "no operation observed anything, so nothing was tested".to_owned()
            }
            Reason::Steps { steps } => format!(
                "key {key}: the search was given up after {steps} steps; values that are written only once need no search"
            ),
            Reason::Memory { bytes } => format!(
                "key {key}: the search was given up at {bytes} bytes; values that are written only once need no search"
            ),
        }
    }
}

fn shown(history: &History, first: OpId, second: OpId) -> String {
    if first == second {
        format!("{} shows", history.told(first))
    } else {
        format!("{} and {} show", history.told(first), history.told(second))
    }
}

impl History {
    /// The name of a key.
    pub fn key_name(&self, key: u32) -> &Name {
        self.keys.get(key as usize).unwrap_or(&NAMELESS)
    }

    /// The name of a client.
    pub fn client_name(&self, client: u32) -> &Name {
        self.clients.get(client as usize).unwrap_or(&NAMELESS)
    }

    /// What an operation observed.
    fn observed(&self, op: OpId) -> String {
        match self.operations[op as usize].action {
            Action::Read(Some(value))
            | Action::CompareAndSet {
                expected: value, ..
            } => shown::value(self.value(value)),
            _ => "its value".to_owned(),
        }
    }

    /// An operation within a sentence: `the read of 3 by c1 at 5 ns`.
    fn told(&self, op: OpId) -> String {
        let operation = &self.operations[op as usize];
        let client = self.client_name(operation.client);
        let when = self.moment(operation.invoked);
        format!("{} by {client} {when}", self.asked(operation))
    }

    fn asked(&self, operation: &Operation) -> String {
        let value = |id| shown::value(self.value(id));
        match operation.action {
            Action::Read(None) => "the read".to_owned(),
            Action::Read(Some(returned)) => format!("the read of {}", value(returned)),
            Action::Write(written) => format!("the write of {}", value(written)),
            Action::CompareAndSet { expected, new, .. } => {
                format!(
                    "the compare-and-set from {} to {}",
                    value(expected),
                    value(new)
                )
            }
            Action::Append(added) => format!("the append of {}", value(added)),
        }
    }

    fn moment(&self, time: Time) -> String {
        match self.clock {
            Clock::Nanoseconds => format!("at {time} ns"),
            Clock::Positions => format!("at {time}"),
        }
    }

    /// An operation by itself: `at 5 ns c1: write 3 → ok at 9 ns`.
    fn step(&self, op: OpId) -> String {
        let operation = &self.operations[op as usize];
        let value = |id| shown::value(self.value(id));
        let asked = match operation.action {
            Action::Read(_) => "read".to_owned(),
            Action::Write(written) => format!("write {}", value(written)),
            Action::CompareAndSet { expected, new, .. } => {
                format!("compare {} and set {}", value(expected), value(new))
            }
            Action::Append(added) => format!("append {}", value(added)),
        };
        let done = operation.completed.map_or(String::new(), |completed| {
            format!(" {}", self.moment(completed))
        });
        let answered = match (operation.status, operation.action) {
            (Status::Ok, Action::Read(Some(returned))) => format!("ok {}{done}", value(returned)),
            (Status::Ok, Action::CompareAndSet { swapped: false, .. }) => {
                format!("ok, refused{done}")
            }
            (Status::Ok, _) => format!("ok{done}"),
            (Status::Fail, _) => format!("failed{done}"),
            (Status::Info, _) => "unknown".to_owned(),
        };
        format!(
            "{} {}: {asked} → {answered}",
            self.moment(operation.invoked),
            self.client_name(operation.client)
        )
    }
}
