//! Explanations: findings told in sentences with the names of the history.

mod answers;
mod clocks;
mod faults;
mod replica;
mod sessions;
mod siblings;
mod timeline;

use std::{
    borrow::Cow,
    fmt::{self, Display},
};

use serde_json::{Value as Json, json};

use crate::{
    history::{
        Action, Clock, History, Name, OpId, Operation, Read, ReportedClock, Sibling, Status,
        TimeNs, Version, Write,
    },
    object::{Numbers, Object},
    object_model::ObjectModel,
    relations::Link,
    shown,
    verdict::{Finding, Reason, Step, Unknown, Verdict, Violation},
};

pub use timeline::{Moment, Timeline, What};

/// So many siblings of one answer are told.
const SIBLINGS: usize = 10;

/// So many entries of one clock are told.
const ENTRIES: usize = 20;

/// So many operations of the evidence stand in JSON.
const MOST_STEPS: usize = 1_000;

impl<A: Object> Verdict<A> {
    /// The verdict as JSON, with names; the same content as its sentences.
    pub fn to_json(&self, history: &History<A>) -> Json {
        let violations: Vec<_> = self.violations.iter().map(|v| v.to_json(history)).collect();
        let unknown: Vec<_> = self.unknown.iter().map(|u| u.to_json(history)).collect();
        let exercised: serde_json::Map<_, _> = self
            .exercised
            .iter()
            .map(|(invariant, count)| (invariant.name().to_owned(), count.into()))
            .collect();
        let mut verdict = json!({
            "object": A::NAME,
            "outcome": self.outcome,
            "claim": self.claim.name(),
            "replica_monotonic": self.replica_monotonic,
            "violations": violations,
            "unknown": unknown,
            "exercised": exercised,
        });
        if let Some(figures) = A::figures_as_json(&self.figures) {
            verdict["figures"] = figures;
        }
        verdict
    }
}

/// Operations of a history as a report tells them, in the order in which they are given.
pub fn told_operations<A: Object>(history: &History<A>, operations: &[OpId]) -> Vec<Step> {
    let teller = Teller(history);
    operations.iter().map(|op| teller.step(*op)).collect()
}

impl<A: Object> Violation<A> {
    /// One sentence: what should have been returned, and why.
    pub fn sentence(&self, history: &History<A>) -> String {
        A::sentence(history, self)
    }

    /// The links of the proof, by the operation that comes after and then by the one before.
    /// O(operations² · siblings) of at most 30 operations.
    pub fn links(&self, history: &History<A>) -> Vec<Link> {
        A::links(history, self)
    }

    /// The operations of the evidence, in the order of their invocation.
    pub fn steps(&self, history: &History<A>) -> Vec<Step> {
        told_operations(history, &self.evidence)
    }

    /// The violation as JSON, with names.
    ///
    /// Of an answer and of the evidence it holds so much as there is room for, and says how much it
    /// leaves out.
    pub fn to_json(&self, history: &History<A>) -> Json {
        let evidence = self.evidence.iter().take(MOST_STEPS);
        let evidence: Vec<Step> = evidence.map(|op| Teller(history).step(*op)).collect();
        json!({
            "invariant": self.invariant,
            "key": history.key_name(self.key),
            "sentence": self.sentence(history),
            "evidence": evidence,
            "evidence_left_out": self.evidence.len() - evidence.len(),
            "links": self.links(history),
            "timeline": self.timeline_as_json(history),
            "more": self.more,
            "finding": self.finding,
        })
    }
}

impl Unknown {
    /// One sentence: what was not tested, and why.
    pub fn sentence<A: Object>(&self, history: &History<A>) -> String {
        let key = self.key.map_or("the history".into(), |key| {
            shown::key(history.key_name(key).as_str())
        });
        match self.reason {
            Reason::NothingTested => A::why_nothing_was_tested(history).to_owned(),
            Reason::NoFinalRead { write, left_out } => {
                let write = A::told(history, write);
                match left_out {
                    None => format!(
                        "no final read of {key} followed {write}, so a lost update would not show"
                    ),
                    Some(read) => format!(
                        "{} followed {write}, but tells nothing since its answer is wrong in itself, so a lost update would not show",
                        A::told(history, read)
                    ),
                }
            }
            Reason::HiddenTombstones => format!(
                "a read of {key} may or may not have seen a delete whose tombstone it leaves out, so linearizability of {key} cannot be decided"
            ),
            Reason::TooManyOperations => format!(
                "linearizability of {key} was not decided: its clients do not wait for answers, and it has \
                 too many operations to look for an order of them; judge a shorter history"
            ),
            Reason::NotExercised { invariant } => format!(
                "nothing in the history could have broken {invariant}: {}",
                invariant.statement()
            ),
            Reason::Steps { steps } => format!(
                "key {key}: the search was given up after {steps} steps; values that are written only once need no search"
            ),
            Reason::Memory { bytes } => format!(
                "key {key}: the search was given up at {bytes} bytes; values that are written only once need no search"
            ),
            Reason::CutShort { events } => format!(
                "the run was ended after {events} simulated events, which is more than its operations can need; make the times of the plan shorter, or anti-entropy less frequent"
            ),
            Reason::TooManyClients => {
                "causality was not tested: there are too many clients for so many operations; \
                 judge a shorter history"
                    .to_owned()
            }
        }
    }

    fn to_json<A: Object>(&self, history: &History<A>) -> Json {
        json!({
            "key": self.key.map(|key| history.key_name(key)),
            "sentence": self.sentence(history),
            "reason": self.reason,
        })
    }
}

impl Reason {
    /// Why something could not be tested, without what differs from history to history. `nothing` says why
    /// a history shows nothing at all.
    pub(crate) fn briefly(&self, nothing: &str) -> String {
        match self {
            Self::NothingTested => nothing.to_owned(),
            Self::NoFinalRead { .. } => "an acknowledged write had no final read".to_owned(),
            Self::HiddenTombstones => "reads leave tombstones out".to_owned(),
            Self::TooManyOperations => {
                "clients did not wait for answers, and a key has too many operations".to_owned()
            }
            Self::NotExercised { invariant } => format!("nothing could have broken {invariant}"),
            Self::Steps { .. } => "the search for an order ran out of steps".to_owned(),
            Self::Memory { .. } => "the search for an order ran out of memory".to_owned(),
            Self::CutShort { .. } => "it came to more events than a run may have".to_owned(),
            Self::TooManyClients => "there are too many clients to test causality".to_owned(),
        }
    }
}

/// Tells of operations by the names in a history.
struct Teller<'h, A: Object = Action>(&'h History<A>);

impl<A: Object> Teller<'_, A> {
    fn step(&self, id: OpId) -> Step {
        let op = &self.0.operations[id as usize];
        Step {
            op: id,
            client: self.0.client_name(op.client).clone(),
            node: self.0.nodes.get(op.node as usize).cloned(),
            clock: A::clock(self.0),
            invoked: op.invoked,
            completed: op.completed,
            text: self.line(id, &|_| None),
        }
    }

    /// An operation: when, by whom and where, and what was asked and answered. Operations that have a
    /// number go by it.
    fn line(&self, id: OpId, numbers: Numbers<'_>) -> String {
        let op = &self.0.operations[id as usize];
        let when = moment(A::clock(self.0), op.invoked);
        format!("{when} {}: {}", self.who(id), A::step(self.0, id, numbers))
    }

    /// `c1 at n2`
    fn who(&self, id: OpId) -> String {
        let op = &self.0.operations[id as usize];
        let client = self.0.client_name(op.client);
        match self.0.nodes.get(op.node as usize) {
            Some(node) => format!("{client} at {node}"),
            None => client.to_string(),
        }
    }
}

impl Teller<'_> {
    /// A finding as a sentence. Each kind has a function in the file of its family.
    fn finding(&self, finding: &Finding) -> String {
        match *finding {
            Finding::ThinAir {
                read,
                sibling,
                origin,
            } => self.thin_air(read, sibling, origin),
            Finding::Duplicate {
                read,
                siblings: [first, _],
            } => self.duplicate(read, first),
            Finding::Dominated {
                read,
                superseded,
                by,
            } => self.dominated(read, superseded, by),
            Finding::TooManySiblings { read, chains } => self.too_many_siblings(read, chains),
            Finding::SiblingDropped {
                read,
                write,
                seen_by,
                beside,
            } => self.sibling_dropped(read, write, seen_by, beside),
            Finding::UpdateLost {
                read,
                write,
                seen_by,
                ignored,
            } => self.update_lost(read, write, seen_by, ignored),
            Finding::Resurrected {
                read,
                write,
                by,
                seen_by,
            } => self.resurrected(read, write, by, seen_by),
            Finding::Diverged {
                reads,
                ref difference,
            } => self.diverged(reads, difference),
            Finding::ClockNotAbove {
                lower,
                through,
                upper,
            } => self.clock_not_above(lower, through, upper),
            Finding::FalseDominance { lower, upper } => self.false_dominance(lower, upper),
            Finding::NotAdvanced { write } => self.not_advanced(write),
            Finding::SharedVersion { writes } => self.shared_version(writes),
            Finding::VersionChanged {
                write,
                known_from,
                read,
            } => self.version_changed(write, known_from, read),
            Finding::OrderedAnswer { read, siblings } => self.ordered_answer(read, siblings),
            Finding::ContextOmitsDot { read, sibling } => self.context_omits_dot(read, sibling),
            Finding::ContextShrank { earlier, read } => self.context_shrank(earlier, read),
            Finding::DotInOwnPast { write } => self.dot_in_own_past(write),
            Finding::CounterNotGrown { earlier, later } => self.counter_not_grown(earlier, later),
            Finding::ReadsCross { reads, writes } => self.reads_cross(reads, writes),
            Finding::WriteMissed {
                read,
                write,
                ignored,
            } => self.write_missed(read, write, ignored),
            Finding::ReadWentBack {
                earlier,
                read,
                write,
                ignored,
            } => self.read_went_back(earlier, read, write, ignored),
            Finding::WritesReordered {
                read,
                missed,
                saw,
                ignored,
            } => self.writes_reordered(read, missed, saw, ignored),
            Finding::ReadNotFollowed {
                read,
                missed,
                seen_by,
                saw,
                ignored,
            } => self.read_not_followed(read, missed, seen_by, saw, ignored),
            Finding::CauseMissed {
                read,
                ref chain,
                ignored,
            } => self.cause_missed(read, chain, ignored),
            Finding::CausalCycle { read, ref chain } => self.causal_cycle(read, chain),
            Finding::RegisterSplit { read } => self.register_split(read),
            Finding::RegisterWentBack {
                read,
                first_done,
                replaced_by,
                begun,
                done,
            } => self.register_went_back(read, first_done, replaced_by, begun, done),
            Finding::RegisterCircle { ref steps } => self.register_circle(steps),
        }
    }

    /// What an operation asked and was answered.
    fn asked_and_answered(&self, id: OpId, number: Numbers<'_>) -> String {
        let op = self.op(id);
        let asked = match &op.action {
            Action::Write(write) => {
                let what = if write.tombstone {
                    "delete".to_owned()
                } else {
                    format!("write {}", self.value(id))
                };
                match self.carried(write, number) {
                    None => what,
                    Some(carried) => format!("{what} {carried}"),
                }
            }
            Action::Read(read) if read.last => "final read".to_owned(),
            Action::Read(_) => "read".to_owned(),
        };
        let answered = match (&op.action, op.status) {
            (_, Status::Fail) => "failed".to_owned(),
            (_, Status::Info) => "unknown outcome".to_owned(),
            (Action::Write(write), Status::Ok) => match &write.version {
                Some(version) => format!("ok {}", Shown(version)),
                None => "ok".to_owned(),
            },
            (Action::Read(read), Status::Ok) => {
                let siblings = elided(read.siblings.len(), |at| {
                    let version = read.siblings[at].version.as_ref();
                    let version =
                        version.map_or(String::new(), |version| format!(" {}", Shown(version)));
                    format!("{}{version}", self.sibling(id, at))
                });
                match &read.context {
                    Some(context) => format!("ok [{siblings}] with context {}", Shown(context)),
                    None => format!("ok [{siblings}]"),
                }
            }
        };
        format!("{asked} → {answered}")
    }

    /// Where a write's context came from, and what it says.
    fn carried(&self, write: &Write, number: Numbers<'_>) -> Option<String> {
        let nothing = write.sources.is_empty() && write.context.is_none();
        if nothing && self.0.header.model == ObjectModel::Replica {
            return None;
        }
        let sources = write.sources.iter().map(|source| match number(*source) {
            Some(number) => number.to_string(),
            None => self.source(*source),
        });
        let sources: Vec<_> = sources.collect();
        let context = write
            .context
            .as_ref()
            .map_or(String::new(), |c| format!(" {}", Shown(c)));
        Some(match sources.as_slice() {
            [] if write
                .context
                .as_ref()
                .is_some_and(|c| !c.entries().is_empty()) =>
            {
                format!("with a context of unknown origin{context}")
            }
            [] => "with no context".to_owned(),
            [source] => format!("with the context of {source}{context}"),
            several => format!(
                "with the joined contexts of {}{context}",
                several.join(" and ")
            ),
        })
    }

    /// An answer as the source of a context, with the time that its step begins with.
    fn source(&self, id: OpId) -> String {
        let what = match &self.op(id).action {
            Action::Read(_) => "read".to_owned(),
            Action::Write(write) if write.tombstone => "delete".to_owned(),
            Action::Write(_) => format!("write of {}", self.value(id)),
        };
        format!("the {what} at {}", time(self.op(id).invoked))
    }

    fn op(&self, id: OpId) -> &Operation {
        &self.0.operations[id as usize]
    }

    fn answered(&self, id: OpId) -> Option<&Read> {
        match &self.op(id).action {
            Action::Read(read) => Some(read),
            Action::Write(_) => None,
        }
    }

    fn key(&self, id: OpId) -> Cow<'_, str> {
        shown::key(self.0.keys[self.op(id).key as usize].as_str())
    }

    /// `the final read by c1 at n2`; other reads with the time that their step begins with, since a client makes many.
    fn read(&self, id: OpId) -> String {
        if self.answered(id).is_some_and(|read| read.last) {
            format!("the final read by {}", self.who(id))
        } else {
            format!(
                "the read by {} at {}",
                self.who(id),
                time(self.op(id).invoked)
            )
        }
    }

    fn client(&self, id: OpId) -> &Name {
        &self.0.clients[self.op(id).client as usize]
    }

    fn is_delete(&self, id: OpId) -> bool {
        matches!(&self.op(id).action, Action::Write(write) if write.tombstone)
    }

    /// Why a write is missing from an answer.
    fn not_superseded(&self, read: OpId, write: OpId, ignored: Option<OpId>) -> String {
        match ignored {
            Some(sibling) => format!(
                "it returned {}, which {} supersedes",
                self.value(sibling),
                self.again(write)
            ),
            None => self.nothing_covers(read, write),
        }
    }

    /// Why a clock has no business to be above another.
    fn cannot_know(&self, upper: OpId, lower: OpId) -> String {
        match self.0.header.model {
            ObjectModel::Context => format!(
                "nothing that {} had seen by then covers {}",
                self.client(upper),
                self.again(lower)
            ),
            ObjectModel::Replica => self.over_before(upper, lower),
        }
    }

    /// Why a write is in no way in an answer.
    fn nothing_covers(&self, read: OpId, write: OpId) -> String {
        let siblings = self.siblings(read);
        if siblings.is_empty() {
            return "it returned nothing".to_owned();
        }
        if self.0.header.model == ObjectModel::Replica {
            return self.nothing_replaced(read, write);
        }
        format!(
            "nothing it returned ({siblings}) was written with a context that covers {}",
            self.again(write)
        )
    }

    /// `"a"`, or `c1's delete`
    fn value(&self, id: OpId) -> String {
        match &self.op(id).action {
            Action::Write(write) if write.tombstone => {
                format!("{}'s delete", self.client(id))
            }
            Action::Write(write) => shown::value(&write.value.data),
            Action::Read(_) => self.read(id),
        }
    }

    /// `"a", written by c1 at n2` or `the delete by c1 at n2`
    fn described_write(&self, id: OpId) -> String {
        if self.is_delete(id) {
            return format!("the delete by {}", self.who(id));
        }
        format!("{}, written by {}", self.value(id), self.who(id))
    }

    /// The same, before a verb: `"a", written by c1 at n2,` or `the delete by c1 at n2`
    fn subject(&self, id: OpId) -> String {
        let comma = if self.is_delete(id) { "" } else { "," };
        format!("{}{comma}", self.described_write(id))
    }

    /// A write that was described before: `"a"`, or `that delete`
    fn again(&self, id: OpId) -> String {
        if self.is_delete(id) {
            "that delete".to_owned()
        } else {
            self.value(id)
        }
    }

    /// A write and how it is known to have been applied.
    fn known_write(&self, id: OpId, seen_by: Option<OpId>) -> String {
        let write = self.described_write(id);
        let and = if self.is_delete(id) { "," } else { " and" };
        match seen_by {
            Some(read) => format!("{write}{and} returned by {}", self.read(read)),
            None if self.op(id).status == Status::Ok => {
                format!("{write}{and} acknowledged at {}", self.completed(id))
            }
            None => write,
        }
    }

    fn sibling(&self, read: OpId, at: usize) -> String {
        match self.answered(read).and_then(|read| read.siblings.get(at)) {
            Some(sibling) if sibling.tombstone => "a tombstone".to_owned(),
            Some(sibling) => shown::value(&sibling.value.data),
            None => "nothing".to_owned(),
        }
    }

    fn siblings(&self, read: OpId) -> String {
        let siblings = self.answered(read).map_or(0, |read| read.siblings.len());
        elided(siblings, |at| self.sibling(read, at))
    }

    fn sibling_version(&self, read: OpId, at: usize) -> String {
        let sibling = self.answered(read).and_then(|read| read.siblings.get(at));
        shown_version(sibling.and_then(|sibling| sibling.version.as_ref()))
    }

    /// The version of a write, wherever it was first reported.
    fn version(&self, write: OpId) -> String {
        let reads = (0..).zip(&self.0.operations).map(|(id, _)| id);
        let mut reports = std::iter::once(write).chain(reads);
        shown_version(reports.find_map(|op| self.reported(op, write)))
    }

    /// The version of a write that an operation reported.
    fn version_in(&self, op: OpId, write: OpId) -> String {
        shown_version(self.reported(op, write))
    }

    fn reported(&self, op: OpId, write: OpId) -> Option<&Version> {
        match &self.op(op).action {
            Action::Write(original) => original.version.as_ref().filter(|_| op == write),
            Action::Read(read) => self.returned_as(op, read, write)?.version.as_ref(),
        }
    }

    /// The sibling as which a read returned a write.
    fn returned_as<'r>(&self, id: OpId, read: &'r Read, write: OpId) -> Option<&'r Sibling> {
        let Action::Write(original) = &self.op(write).action else {
            return None;
        };
        read.siblings.iter().find(|sibling| {
            let value = &sibling.value;
            sibling.tombstone == original.tombstone
                && value.tag == original.value.tag
                && (original.tombstone || value.data == original.value.data)
                && self.op(id).key == self.op(write).key
        })
    }

    /// The context that an answer or a write carried.
    fn context(&self, id: OpId) -> String {
        let context = match &self.op(id).action {
            Action::Write(write) => write.context.as_ref(),
            Action::Read(read) => read.context.as_ref(),
        };
        context.map_or("no context".to_owned(), |context| {
            Shown(context).to_string()
        })
    }

    fn completed(&self, id: OpId) -> String {
        self.op(id)
            .completed
            .map_or("an unknown time".to_owned(), time)
    }
}

/// The first of so many, and how many more there are.
fn elided(number: usize, tell: impl Fn(usize) -> String) -> String {
    let told: Vec<String> = (0..number.min(SIBLINGS)).map(tell).collect();
    let told = told.join(", ");
    match number.saturating_sub(SIBLINGS) {
        0 => told,
        more => format!("{told}, … and {} more", grouped(more)),
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let (first, others) = digits.split_at((digits.len() - 1) % 3 + 1);
    let others = others.as_bytes().chunks(3).map(String::from_utf8_lossy);
    others.fold(first.to_owned(), |grouped, digits| {
        format!("{grouped},{digits}")
    })
}

fn counted(siblings: usize) -> String {
    format!("{siblings} sibling{}", if siblings == 1 { "" } else { "s" })
}

fn shown_version(version: Option<&Version>) -> String {
    match version {
        Some(version @ Version::Clock(_)) => format!("the clock {}", Shown(version)),
        Some(version @ Version::Dotted { .. }) => format!("the {}", Shown(version)),
        None => "an unreported clock".to_owned(),
    }
}

/// `at 2 ms`
pub(crate) fn moment(clock: Clock, at: TimeNs) -> String {
    match clock {
        Clock::Nanoseconds => format!("at {}", time(at)),
        Clock::Positions => format!("at {at}"),
    }
}

/// A time with the unit that suits it, to three places.
fn time(at: TimeNs) -> String {
    let (unit, name) = match at {
        0..1_000 => return format!("{at} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..10_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let thousandths = at % unit * 1_000 / unit;
    let fraction = format!(".{thousandths:03}");
    format!(
        "{}{} {name}",
        at / unit,
        fraction.trim_end_matches(['0']).trim_end_matches('.')
    )
}

/// Writes a version or context in the notation of the field.
struct Shown<'a, T>(&'a T);

impl Display for Shown<'_, ReportedClock> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let entries = self.0.entries();
        for (at, (name, counter)) in entries.iter().take(ENTRIES).enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name}:{counter}")?;
        }
        match entries.len().saturating_sub(ENTRIES) {
            0 => f.write_str("}"),
            more => write!(f, ", … and {} more}}", grouped(more)),
        }
    }
}

impl Display for Shown<'_, Version> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Version::Clock(clock) => Shown(clock).fmt(f),
            Version::Dotted {
                actor,
                counter,
                past: None,
            } => write!(f, "dot ({actor}, {counter})"),
            Version::Dotted {
                actor,
                counter,
                past: Some(past),
            } => {
                write!(f, "dot ({actor}, {counter}) over {}", Shown(past))
            }
        }
    }
}
