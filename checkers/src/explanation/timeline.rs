//! The timeline of a proof: the operations that matter and, between them, the faults that did.
//!
//! What matters is the evidence and the operations that its contexts came from, and what those came
//! from. Faults are told, not judged: those that affected something while these operations went on, or
//! may have.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::Teller;
use crate::{
    format::fault_as_json,
    history::{Fault, History, OpId, TimeNs},
    object::Object,
    relations::{MOST_OPERATIONS, Relation},
    verdict::Violation,
};

/// So many faults are told at most.
const MOST_FAULTS: usize = 12;

/// A proof in the order of time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// What happened.
    pub moments: Vec<Moment>,
    /// What binds the operations together, by their numbers: `1 is before 2 in real time; 3 returned
    /// 1`. Empty where the answers speak for themselves.
    pub links: String,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `2` for an operation, `2a` for the first fault after it, empty for what is left out.
    pub label: String,
    /// What happened, with the time.
    pub text: String,
    /// What it was.
    pub what: What,
}

/// What a line of a timeline tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// This operation.
    Operation(OpId),
    /// A fault, by its position in [`History::faults`].
    Fault(usize),
    /// So many operations or faults that are not told.
    LeftOut(usize),
}

impl Moment {
    /// The line as it stands in reports: `2a. at 61 ms n3 crashed …`
    pub fn line(&self) -> String {
        match self.what {
            What::LeftOut(_) => self.text.clone(),
            _ => format!("{}. {}", self.label, self.text),
        }
    }
}

impl<A: Object> Violation<A> {
    /// The proof in the order of time. O(operations shown² × siblings + faults).
    pub fn timeline(&self, history: &History<A>) -> Timeline {
        let all = self.matters(history);
        let shown = self.shown(&all);
        let mut moments = Vec::new();
        let mut next = 0;
        for (place, op) in all.iter().enumerate().filter(|(_, op)| shown.contains(op)) {
            moments.extend(left_out(place - next, "operation"));
            next = place + 1;
            moments.push(Moment {
                label: number(&shown, *op).unwrap_or(0).to_string(),
                text: Teller(history).line(*op, &|source| number(&shown, source))
                    + A::part(self, history, *op),
                what: What::Operation(*op),
            });
        }
        moments.extend(left_out(all.len() - next, "operation"));
        add_faults(history, &shown, &mut moments);
        let links = self.told_links(history, &shown);
        Timeline { moments, links }
    }

    /// The timeline as JSON, with the faults as they stand in files.
    pub(super) fn timeline_as_json(&self, history: &History<A>) -> Json {
        let moments = self.timeline(history).moments.into_iter();
        let told = moments.map(|moment| match moment.what {
            What::Operation(op) => json!({"label": moment.label, "op": op, "text": moment.text}),
            What::Fault(at) => json!({
                "label": moment.label,
                "fault": fault_as_json(history, at),
                "text": moment.text,
            }),
            What::LeftOut(number) => json!({"left_out": number, "text": moment.text}),
        });
        told.collect()
    }

    /// The evidence and everything that its contexts came from, in the order of invocation.
    /// O(operations that matter · log).
    fn matters(&self, history: &History<A>) -> Vec<OpId> {
        let mut found: BTreeSet<OpId> = self.evidence.iter().copied().collect();
        let mut open = self.evidence.clone();
        while let Some(op) = open.pop() {
            let sources = history.operations[op as usize].action.sources();
            open.extend(sources.iter().filter(|source| found.insert(**source)));
        }
        found.into_iter().collect()
    }

    /// What is shown of the operations that matter, in their order.
    fn shown(&self, all: &[OpId]) -> Vec<OpId> {
        if all.len() <= MOST_OPERATIONS {
            all.to_vec()
        } else {
            self.told_evidence()
        }
    }

    /// The links of the proof in words, but for contexts, which their operations tell themselves.
    fn told_links(&self, history: &History<A>, shown: &[OpId]) -> String {
        let told = self.links(history).into_iter().filter_map(|link| {
            let (from, to) = (number(shown, link.from)?, number(shown, link.to)?);
            match link.relation {
                Relation::Visibility => Some(format!("{to} returned {from}")),
                Relation::Context => None,
                Relation::ProgramOrder => Some(format!("{from} is before {to} in program order")),
                Relation::RealTime => Some(format!("{from} is before {to} in real time")),
            }
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

/// The number of an operation among those that are shown, from 1.
fn number(shown: &[OpId], op: OpId) -> Option<usize> {
    shown.binary_search(&op).ok().map(|place| place + 1)
}

fn left_out(number: usize, what: &str) -> Option<Moment> {
    let plural = if number == 1 { "" } else { "s" };
    (number > 0).then(|| Moment {
        label: String::new(),
        text: format!("… {number} more {what}{plural}"),
        what: What::LeftOut(number),
    })
}

/// Puts the faults that affected something, or may have, from the first of these operations until the last had
/// ended, behind the operation that each of them followed.
fn add_faults<A: Object>(history: &History<A>, shown: &[OpId], moments: &mut Vec<Moment>) {
    let operations = shown.iter().map(|op| &history.operations[*op as usize]);
    let ends = operations
        .clone()
        .map(|op| op.completed.unwrap_or(op.invoked));
    let begin = operations.map(|op| op.invoked).min();
    let (Some(begin), Some(end)) = (begin, ends.max()) else {
        return;
    };
    let mut faults: Vec<(TimeNs, usize, String)> = (0..)
        .zip(&history.faults)
        .filter(|(_, fault)| fault.may_have_affected())
        .filter_map(|(at, fault)| {
            let within = Within { fault, begin, end };
            Some((within.shows_at()?, at, Teller(history).fault(&within)))
        })
        .collect();
    faults.sort_by_key(|(time, at, _)| (*time, *at));
    let more = faults.len().saturating_sub(MOST_FAULTS);
    faults.truncate(MOST_FAULTS);
    for (time, at, text) in faults {
        let earlier = |moment: &Moment| match moment.what {
            What::Operation(op) => history.operations[op as usize].invoked <= time,
            What::Fault(_) => true,
            What::LeftOut(_) => false,
        };
        let place = moments
            .iter()
            .rposition(earlier)
            .map_or(0, |before| before + 1);
        let number = shown.partition_point(|op| history.operations[*op as usize].invoked <= time);
        let same = |moment: &&Moment| {
            let of_fault = matches!(moment.what, What::Fault(_));
            of_fault && moment.label.trim_end_matches(char::is_alphabetic) == number.to_string()
        };
        let letter = moments.iter().filter(same).count();
        let letter = char::from(b'a' + u8::try_from(letter).unwrap_or(25).min(25));
        let moment = Moment {
            label: format!("{number}{letter}"),
            text,
            what: What::Fault(at),
        };
        moments.insert(place, moment);
    }
    moments.extend(left_out(more, "fault"));
}

/// A fault during a span of time.
pub(super) struct Within<'h> {
    pub(super) fault: &'h Fault,
    begin: TimeNs,
    end: TimeNs,
}

impl Within<'_> {
    /// The messages that it affected during the span, or all that are known where not all are.
    pub(super) fn messages(&self) -> (u64, &[crate::history::AffectedMessage]) {
        let first = self.fault.first.as_slice();
        if self.fault.messages > first.len() as u64 {
            return (self.fault.messages, first);
        }
        let from = first.partition_point(|message| message.at < self.begin);
        let to = first.partition_point(|message| message.at <= self.end);
        let within = first.get(from..to).unwrap_or_default();
        (within.len() as u64, within)
    }

    /// When it showed first during the span; `None` where it did not.
    fn shows_at(&self) -> Option<TimeNs> {
        use crate::history::FaultKind as Kind;

        let (messages, known) = self.messages();
        let lost =
            self.fault.may_have_forgotten() && (self.begin..=self.end).contains(&self.fault.began);
        let lasts = self.fault.ended.is_none_or(|ended| ended >= self.begin);
        if self.fault.began > self.end || !lasts || (messages == 0 && !lost) {
            return None;
        }
        match self.fault.kind {
            Kind::Reorder | Kind::Loss | Kind::ClientLoss | Kind::Duplicate => {
                Some(known.first().map_or(self.fault.began, |message| message.at))
            }
            Kind::Partition(_)
            | Kind::Crash(_)
            | Kind::PowerLoss(_)
            | Kind::Stop(_)
            | Kind::Pause(_)
            | Kind::Leave(_)
            | Kind::Clock { .. } => Some(self.fault.began),
        }
    }
}
