//! Registers as an object: how they are judged and how their findings are told.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::{
    Budget,
    history::{Action, Clock, History, HistoryFault, OpId, Operation, Status},
    verdict::{Figures, Finding, Start, Verdict, Violation},
};
use crate::{
    claim::Promise,
    explanation::moment,
    object::{Numbers, Object},
    relations::{Link, Relation, precedes},
    shown,
    verdict::Invariant,
};

impl Object for Action {
    type Fault = HistoryFault;

    const NAME: &'static str = "register";

    const INVARIANTS: &'static [Invariant] = &[Invariant::Linearizability];

    /// Registers are judged for linearizability whatever is promised.
    fn judge(history: &History, _promise: Promise) -> Result<Verdict, HistoryFault> {
        super::judge(history, Budget::default())
    }

    fn clock(history: &History) -> Clock {
        history.tables.clock
    }

    fn is_write(&self) -> bool {
        !matches!(self, Self::Read(_))
    }

    fn sentence(history: &History, violation: &Violation) -> String {
        sentence(history, violation)
    }

    fn told(history: &History, op: OpId) -> String {
        history.told(op)
    }

    fn step(history: &History, op: OpId, _numbers: Numbers<'_>) -> String {
        history.asked_and_answered(op)
    }

    fn part(violation: &Violation, history: &History, op: OpId) -> &'static str {
        let answered = history.operations[op as usize].status == Status::Ok;
        if answered && violation.finding.optional.contains(&op) {
            " (may have taken effect before the others)"
        } else {
            ""
        }
    }

    fn links(history: &History, violation: &Violation) -> Vec<Link> {
        links(history, violation)
    }

    fn why_nothing_was_tested(_history: &History) -> &'static str {
        "no operation observed anything, so nothing was tested"
    }

    fn situations(history: &History, _verdict: &Verdict) -> Vec<(&'static str, u64)> {
        super::situations::of(history)
    }

    fn how_decided(verdict: &Verdict) -> Option<String> {
        let figures = &verdict.figures;
        let (zones, search, steps) = (
            figures.keys_by_zones,
            figures.keys_by_search,
            figures.search_steps,
        );
        Some(format!(
            "{zones} registers by zones, as their values are unique, {search} by a search of {steps} steps"
        ))
    }

    fn write_history(history: &History, writer: &mut dyn Write) -> io::Result<()> {
        crate::format::write_registers(history, writer)
    }

    fn figures_as_json(figures: &Figures) -> Option<Json> {
        Some(json!(figures))
    }
}

/// The links that the finding rests on: which operation saw what another wrote, and which came first in
/// time.
fn links(history: &History, violation: &Violation) -> Vec<Link> {
    let in_time = |from: OpId, to: OpId| {
        let relation = precedes(history, from, to)?;
        Some(Link { from, to, relation })
    };
    let saw = |from: OpId, to: OpId| Link {
        from,
        to,
        relation: Relation::Visibility,
    };
    let mut links: Vec<Link> = match &violation.finding.what {
        Finding::BeforeItsWrite { op, write } => in_time(*op, *write)
            .into_iter()
            .chain([saw(*write, *op)])
            .collect(),
        Finding::Stale { op, gone_by } => in_time(*gone_by, *op).into_iter().collect(),
        Finding::CameBack {
            before,
            after,
            between: [first, second],
        } => {
            let before = before.and_then(|before| in_time(before, *first));
            before.into_iter().chain(in_time(*second, *after)).collect()
        }
        Finding::NeverWritten { .. }
        | Finding::ReplacedTwice { .. }
        | Finding::Circle { .. }
        | Finding::Garbled { .. }
        | Finding::NoOrder { .. } => Vec::new(),
    };
    links.sort_by_key(|link| (link.to, link.from));
    links
}

/// What is wrong, in a sentence.
fn sentence(history: &History, violation: &Violation) -> String {
    let told = |op: OpId| history.told(op);
    let value = |op: OpId| history.observed(op);
    match &violation.finding.what {
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
            "{} found {}, which had been replaced: {} another value after {}, and {} was written only once",
            told(*after),
            value(*after),
            shown(history, *first, *second),
            told(*before),
            value(*after)
        ),
        Finding::CameBack {
            before: None,
            after,
            between: [first, second],
        } => format!(
            "{} found {}, as at the start, although it had been replaced: {} another value",
            told(*after),
            value(*after),
            shown(history, *first, *second)
        ),
        Finding::NoOrder { op } => {
            without_order_of_two(history, violation, *op).unwrap_or_else(|| {
                let start = match violation.finding.start {
                    Start::Initial => format!(
                        "beginning with {}",
                        shown::value(history.value(history.tables.initial))
                    ),
                    Start::Anything => "whatever the key held before".to_owned(),
                };
                format!(
                    "no order of these {} operations that respects real time gives each of them its answer, {start}; the first that fits into none is {}",
                    violation.evidence.len(),
                    told(*op)
                )
            })
        }
    }
}

/// The sentence where a completed write alone contradicts an operation after it.
fn without_order_of_two(history: &History, violation: &Violation, op: OpId) -> Option<String> {
    let [write, last] = violation.evidence[..] else {
        return None;
    };
    let [earlier, later] = [write, last].map(|op| &history.operations[op as usize]);
    let follows = last == op && precedes(history, write, op).is_some();
    let certain = earlier.status == Status::Ok && !violation.finding.optional.contains(&write);
    let (Action::Write(written)
    | Action::CompareAndSet {
        new: written,
        swapped: true,
        ..
    }) = earlier.action
    else {
        return None;
    };
    if !follows || !certain {
        return None;
    }
    let [told, before] = [op, write].map(|op| history.told(op));
    let nothing = |value| {
        let value = shown::value(history.value(value));
        format!("{before} had completed before, and nothing between them wrote {value}")
    };
    match later.action {
        Action::Read(Some(value)) if value != written => {
            let returned = shown::value(history.value(value));
            Some(format!(
                "{told} returned {returned}, but {}",
                nothing(value)
            ))
        }
        Action::CompareAndSet {
            expected,
            swapped: true,
            ..
        } if expected != written => Some(format!("{told} succeeded, but {}", nothing(expected))),
        Action::CompareAndSet {
            expected,
            swapped: false,
            ..
        } if expected == written => Some(format!(
            "{told} was refused, but {before} had completed before, and nothing between them replaced it"
        )),
        _ => None,
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
    /// What an operation observed.
    fn observed(&self, op: OpId) -> String {
        match self.operations[op as usize].action {
            Action::Read(Some(value))
            | Action::CompareAndSet {
                expected: value, ..
            } => shown::value(self.value(value)),
            Action::Read(None) | Action::Write(_) | Action::Append(_) => "its value".to_owned(),
        }
    }

    /// An operation within a sentence: `the read of 3 by c1 at 5 ns`.
    fn told(&self, op: OpId) -> String {
        let operation = &self.operations[op as usize];
        let client = self.client_name(operation.client);
        let when = moment(self.tables.clock, operation.invoked);
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

    /// `read → ok 3 at 9 ns`
    fn asked_and_answered(&self, op: OpId) -> String {
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
            format!(" {}", moment(self.tables.clock, completed))
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
        format!("{asked} → {answered}")
    }
}
