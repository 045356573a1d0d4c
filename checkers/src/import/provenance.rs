//! Provenance for histories that do not record it: which answers a context was made of.
//!
//! A context is matched to the earlier answer of the same key that carried it, the client's own
//! before others', the latest before earlier ones. A context that no answer carried may be the join
//! of several: of the client's own answers, else of anyone's. Of a correct store's answers with the
//! same context all revealed the same writes, so that it does not matter which one is taken.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::history::{Action, Name, OpId, Operation, ReportedClock, Status};

/// A joined context is looked for among this many of the latest answers of a key.
const MOST_JOINED: usize = 256;

/// What an operation sent and was answered.
pub(super) struct Carried {
    /// The line of its invocation.
    pub(super) line: u64,
    /// The context of a write; null for none.
    pub(super) sent: Json,
    /// The context that its answer carried, or that its clocks make.
    pub(super) answered: Option<Json>,
}

/// What came of matching.
#[derive(Default)]
pub(super) struct Matched {
    /// Contexts that one answer carried.
    pub(super) carried: u64,
    /// Contexts that are the join of several answers.
    pub(super) joined: u64,
    /// Keys with a context that matches nothing, and its line.
    pub(super) unmatched: BTreeMap<u32, u64>,
}

/// The answers of one key so far.
#[derive(Default)]
struct Answers {
    /// The latest by context, and by context and client.
    latest: BTreeMap<String, OpId>,
    own: BTreeMap<(String, u32), OpId>,
    /// Those that are clocks, in the order of their completion.
    clocks: Vec<(u32, ReportedClock, OpId)>,
}

/// Fills in the sources of every write.
pub(super) fn resolve(operations: &mut [Operation], carried: &[Carried]) -> Matched {
    let mut events: Vec<(u64, bool, OpId)> = Vec::with_capacity(2 * operations.len());
    for (op, operation) in (0..).zip(operations.iter()) {
        events.push((operation.invoked, false, op));
        let completed = operation
            .completed
            .filter(|_| operation.status == Status::Ok);
        events.extend(completed.map(|completed| (completed, true, op)));
    }
    events.sort_unstable();
    let mut answers: BTreeMap<u32, Answers> = BTreeMap::new();
    let mut matched = Matched::default();
    for (_, completes, op) in events {
        let operation = &mut operations[op as usize];
        let of_key = answers.entry(operation.key).or_default();
        let Carried {
            line,
            sent,
            answered,
        } = &carried[op as usize];
        if completes {
            if let Some(context) = answered {
                of_key.add(operation.client, context, op);
            }
            continue;
        }
        let client = operation.client;
        let Action::Write(write) = &mut operation.action else {
            continue;
        };
        write.context = clock(sent);
        if is_blind(sent) {
            continue;
        }
        if let Some(source) = of_key.carrying(client, sent) {
            matched.carried += 1;
            write.sources = [source].as_slice().into();
        } else if let Some(sources) = of_key.joining(client, sent) {
            matched.joined += 1;
            write.sources = sources.into();
        } else {
            matched.unmatched.entry(operation.key).or_insert(*line);
        }
    }
    matched
}

/// True of a context that covers nothing.
fn is_blind(context: &Json) -> bool {
    match context {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        other => clock(other).is_some_and(|clock| clock.entries().is_empty()),
    }
}

/// One text for equal contexts: entries of zero mean the same as none.
fn canonical(context: &Json) -> String {
    clock(context).map_or_else(
        || context.to_string(),
        |clock| format!("{:?}", clock.entries()),
    )
}

impl Answers {
    fn add(&mut self, client: u32, context: &Json, op: OpId) {
        let text = canonical(context);
        self.latest.insert(text.clone(), op);
        self.own.insert((text, client), op);
        self.clocks
            .extend(clock(context).map(|clock| (client, clock, op)));
    }

    /// The answer that carried a context.
    fn carrying(&self, client: u32, context: &Json) -> Option<OpId> {
        let text = canonical(context);
        let latest = self.latest.get(&text).copied();
        self.own.get(&(text, client)).copied().or(latest)
    }

    /// The answers whose join a context is.
    fn joining(&self, client: u32, context: &Json) -> Option<Vec<OpId>> {
        let wanted = clock(context)?;
        let own = self.clocks.iter().rev().filter(|(by, ..)| *by == client);
        let all = self.clocks.iter().rev();
        join_to(&wanted, own).or_else(|| join_to(&wanted, all))
    }
}

/// Those of the answers, latest first, whose join is `wanted`.
fn join_to<'a>(
    wanted: &ReportedClock,
    answers: impl Iterator<Item = &'a (u32, ReportedClock, OpId)>,
) -> Option<Vec<OpId>> {
    let mut joined = ReportedClock::default();
    let mut sources = Vec::new();
    for (_, clock, op) in answers.take(MOST_JOINED) {
        if &join(clock, wanted) != wanted {
            continue;
        }
        let more = join(&joined, clock);
        if more != joined {
            joined = more;
            sources.push(*op);
        }
        if &joined == wanted {
            sources.sort_unstable();
            return Some(sources);
        }
    }
    None
}

/// The least clock above two.
pub(super) fn join(one: &ReportedClock, other: &ReportedClock) -> ReportedClock {
    let entries = one.entries().iter().chain(other.entries());
    ReportedClock::from_entries(entries.map(|(name, counter)| (name.clone(), *counter)))
}

/// A clock as it stands in a context; `None` for what is none.
pub(super) fn clock(context: &Json) -> Option<ReportedClock> {
    let entries = context.as_object()?.iter();
    let entries: Option<Vec<_>> = entries
        .map(|(name, counter)| Some((Name::from(name.as_str()), counter.as_u64()?)))
        .collect();
    entries.map(ReportedClock::from_entries)
}
