//! The same questions answered straight from the definitions, slowly. For tests and fuzzing.
//!
//! Nothing here is shared with the checkers: values are looked up by comparing them with every
//! write, causality is a fixed point over a matrix, clocks are compared entry by entry by name, and
//! linearizability is a search over all orders. Where a checker and its brute force disagree, one
//! of them is wrong.

mod claims;

use std::collections::BTreeSet;

use crate::{
    claim::Promise,
    history::{
        Action, History, Operation, Read, ReportedClock, Sibling, Status, Tombstones, Version,
        Write,
    },
    object_model::ObjectModel,
    verdict::Invariant,
};

/// The most operations of one key that are searched through: 7! orders.
pub const LARGEST: usize = 7;

/// A key has more than [`LARGEST`] operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has {operations} operations, too many to try all orders of; the most is {LARGEST}")]
pub struct TooLarge {
    /// How many it has.
    pub operations: usize,
}

/// Every promised invariant that the history violates, with the key.
///
/// The history has to make sense (see [`HistoryFault`](crate::HistoryFault)), and its times have to
/// differ wherever they do not concern one client.
///
/// # Errors
///
/// When linearizability is promised and a key has more than [`LARGEST`] operations.
pub fn violations(
    history: &History,
    promise: impl Into<Promise>,
) -> Result<BTreeSet<(u32, Invariant)>, TooLarge> {
    let promise = promise.into();
    let keys = (0..).take(history.keys.len());
    let keys: Vec<_> = keys.map(|key| Naive::new(history, key)).collect();
    let hb = claims::happens_before(history, &keys);
    let mut violated = BTreeSet::new();
    for (key, naive) in (0..).zip(&keys) {
        for invariant in Invariant::ALL {
            let said = promise.includes(invariant) && history.header.model.has(invariant);
            let holds = match invariant {
                _ if !said => true,
                Invariant::Linearizability => naive.linearizable()?,
                other => naive.holds(other) && claims::keeps(naive, &hb, other),
            };
            if !holds {
                violated.insert((key, invariant));
            }
        }
    }
    Ok(violated)
}

/// Whether one order of a key's operations explains every answer, for every key. Keys with deletes
/// under hidden tombstones are not judged.
///
/// # Errors
///
/// When a key has more than [`LARGEST`] operations.
pub fn linearizable(history: &History) -> Result<bool, TooLarge> {
    for key in (0..).take(history.keys.len()) {
        let naive = Naive::new(history, key);
        let answers = [
            Invariant::NoThinAir,
            Invariant::NoDuplicateSibling,
            Invariant::Dominance,
        ];
        if !answers.iter().all(|invariant| naive.holds(*invariant)) || !naive.linearizable()? {
            return Ok(false);
        }
    }
    Ok(true)
}

type Relation = Vec<Vec<bool>>;

/// One key, with causality as matrices over all operations of the history.
struct Naive<'h> {
    history: &'h History,
    /// Operations of the key.
    ids: Vec<usize>,
    /// `must[a][b]`: `b` is in `Covers(a)` of a write, or in `V(a)` of a read.
    must: Relation,
    may: Relation,
    /// `may` without writes that take effect late.
    in_order: Relation,
    /// `may` as far as time alone tells, where provenance says nothing.
    in_time: Relation,
}

impl<'h> Naive<'h> {
    fn new(history: &'h History, key: u32) -> Self {
        let size = history.operations.len();
        let empty = vec![vec![false; size]; size];
        let ids = (0..size)
            .filter(|id| history.operations[*id].key == key)
            .collect();
        let mut naive = Self {
            history,
            ids,
            must: empty.clone(),
            may: empty.clone(),
            in_order: empty.clone(),
            in_time: empty,
        };
        if naive.is_replica() {
            return naive.of_replicas();
        }
        naive.must = naive.must();
        naive.may = naive.may(true);
        naive.in_time.clone_from(&naive.may);
        naive.in_order = naive.may(false);
        naive
    }

    fn is_replica(&self) -> bool {
        self.history.header.model == ObjectModel::Replica
    }

    /// The same where writes supersede what their replica holds. An operation may follow what was
    /// invoked before it completed, as far as clocks allow.
    fn of_replicas(mut self) -> Self {
        let in_time = |naive: &Self, write: usize| -> Vec<usize> {
            let invoked = |other: &usize| !naive.over_before(write, *other);
            naive.applied().into_iter().filter(invoked).collect()
        };
        for by in self.applied() {
            for write in in_time(&self, by) {
                let clocks = self.version(write).zip(self.version(by));
                self.may[by][write] =
                    clocks.is_none_or(|(write, by)| below(write, by) != Some(false));
            }
        }
        for read in self.answered() {
            for write in self.returned(read) {
                self.must[read][write] = true;
                for earlier in in_time(&self, write) {
                    self.in_time[read][earlier] = true;
                }
                self.in_time[read][write] = true;
                self.may[read][write] = true;
                let superseded = self.may[write].clone();
                unite(&mut self.may[read], &superseded);
            }
            for delete in self.hidden_from(read) {
                for write in in_time(&self, delete) {
                    self.in_time[read][write] = true;
                    self.may[read][write] = true;
                }
            }
        }
        self.in_order.clone_from(&self.may);
        self
    }

    /// Whether a write had certainly taken effect when an operation was invoked.
    fn over_before(&self, write: usize, other: usize) -> bool {
        let write = self.op(write);
        let completed = write.completed.filter(|_| write.status != Status::Info);
        completed.is_some_and(|completed| completed < self.op(other).invoked)
    }

    /// What operations follow by their sources and answers alone.
    fn must(&self) -> Relation {
        let mut relation = self.must.clone();
        loop {
            let mut next = relation.clone();
            for &id in &self.ids {
                for direct in self.sources(id).into_iter().chain(self.returned(id)) {
                    next[id][direct] |= self.write(direct).is_some();
                    unite(&mut next[id], &relation[direct]);
                }
            }
            if next == relation {
                return relation;
            }
            relation = next;
        }
    }

    /// What operations may follow. A write that takes effect in time follows what its sources
    /// revealed and its client's earlier writes; one that takes effect late also its client's later
    /// writes, taken as in time, that were invoked before it is known to have taken effect.
    fn may(&self, late: bool) -> Relation {
        let (mut in_time, mut relation) = (self.must.clone(), self.must.clone());
        loop {
            let (mut next_in_time, mut next) = (in_time.clone(), relation.clone());
            for &id in &self.ids {
                if self.write(id).is_some() {
                    for source in self.sources(id) {
                        next_in_time[id][source] |= self.write(source).is_some();
                        unite(&mut next_in_time[id], &relation[source]);
                    }
                    for earlier in (0..id).filter(|w| self.same_writer(*w, id)) {
                        next_in_time[id][earlier] = true;
                        unite(&mut next_in_time[id], &in_time[earlier]);
                    }
                    next[id] = self.by(u64::MAX, id, &next_in_time, late);
                } else if self.answered().contains(&id) {
                    let completed = self.op(id).completed.unwrap_or(u64::MAX);
                    for write in self.returned(id).into_iter().chain(self.hidden_from(id)) {
                        next[id][write] = true;
                        let superseded = self.by(completed, write, &in_time, late);
                        unite(&mut next[id], &superseded);
                    }
                }
            }
            if (&next_in_time, &next) == (&in_time, &relation) {
                return self.without_the_impossible(relation);
            }
            (in_time, relation) = (next_in_time, next);
        }
    }

    /// The same without what a replica cannot have held when it answered as it did. Contexts
    /// joined from the answer may cover that all the same.
    fn without_the_impossible(&self, mut relation: Relation) -> Relation {
        for &read in self.ids.iter().filter(|id| self.write(**id).is_none()) {
            for write in (0..relation.len()).filter(|write| !self.must[read][*write]) {
                relation[read][write] &= !self.would_supersede(write, read);
            }
        }
        relation
    }

    /// What a write may have superseded by a moment.
    fn by(&self, moment: u64, write: usize, in_time: &Relation, late: bool) -> Vec<bool> {
        let mut superseded = in_time[write].clone();
        let after = write + 1..self.history.operations.len();
        for later in after.filter(|later| late && self.same_writer(*later, write)) {
            let seen =
                |read: &usize| self.returned(*read).contains(&write) && self.precedes(*read, later);
            let done = self.precedes(write, later) || self.answered().iter().any(seen);
            if !done && self.op(later).invoked <= moment {
                superseded[later] = true;
                unite(&mut superseded, &in_time[later]);
            }
        }
        superseded
    }

    fn same_writer(&self, a: usize, b: usize) -> bool {
        let applied = self.applied();
        applied.contains(&a) && applied.contains(&b) && self.op(a).client == self.op(b).client
    }

    fn sources(&self, id: usize) -> Vec<usize> {
        let sources = self.write(id).map_or(&[][..], |write| &write.sources);
        sources.iter().map(|source| *source as usize).collect()
    }

    /// Deletes that a read may hide.
    fn hidden_from(&self, read: usize) -> Vec<usize> {
        let hidden = |delete: &usize| {
            self.hides(*delete)
                && Some(self.op(*delete).invoked) <= self.op(read).completed
                && !self.would_supersede(*delete, read)
        };
        self.applied().into_iter().filter(hidden).collect()
    }

    /// Whether a replica that holds the write could not have returned what the read did.
    fn would_supersede(&self, write: usize, read: usize) -> bool {
        self.write(write).is_some()
            && self
                .returned(read)
                .iter()
                .any(|sibling| self.must[write][*sibling])
    }

    fn op(&self, id: usize) -> &'h Operation {
        &self.history.operations[id]
    }

    fn write(&self, id: usize) -> Option<&'h Write> {
        match &self.op(id).action {
            Action::Write(write) => Some(write),
            Action::Read(_) => None,
        }
    }

    fn read(&self, id: usize) -> Option<&'h Read> {
        match &self.op(id).action {
            Action::Read(read) => Some(read),
            Action::Write(_) => None,
        }
    }

    /// Writes that may have been applied.
    fn applied(&self) -> Vec<usize> {
        let applied = |id: &usize| self.write(*id).is_some() && self.op(*id).status != Status::Fail;
        self.ids.iter().copied().filter(applied).collect()
    }

    fn hides(&self, id: usize) -> bool {
        self.history.header.tombstones == Tombstones::Hidden
            && self.write(id).is_some_and(|write| write.tombstone)
    }

    fn answered(&self) -> Vec<usize> {
        let answered = |id: &usize| self.read(*id).is_some() && self.op(*id).status == Status::Ok;
        self.ids.iter().copied().filter(answered).collect()
    }

    fn siblings(&self, read: usize) -> &'h [Sibling] {
        self.read(read).map_or(&[], |read| &read.siblings)
    }

    /// The write of a sibling, where one explains it.
    fn origin(&self, read: usize, sibling: &Sibling) -> Option<usize> {
        let wrote = |id: &usize| {
            let Some(write) = self.write(*id) else {
                return false;
            };
            let same_name = match sibling.value.tag {
                Some(tag) => write.value.tag == Some(tag),
                None => write.value.tag.is_none(),
            };
            same_name
                && write.tombstone == sibling.tombstone
                && (write.tombstone || write.value.data == sibling.value.data)
                && Some(self.op(*id).invoked) <= self.op(read).completed
        };
        self.applied().into_iter().find(wrote)
    }

    fn returned(&self, read: usize) -> Vec<usize> {
        self.siblings(read)
            .iter()
            .filter_map(|sibling| self.origin(read, sibling))
            .collect()
    }

    fn no_thin_air(&self, read: usize) -> bool {
        self.siblings(read)
            .iter()
            .all(|sibling| self.origin(read, sibling).is_some())
    }

    fn no_duplicate(&self, read: usize) -> bool {
        let siblings = self.siblings(read);
        (0..siblings.len()).all(|a| {
            (0..a).all(|b| {
                let same = siblings[a].value == siblings[b].value;
                let same_write = self.origin(read, &siblings[a]).is_some()
                    && self.origin(read, &siblings[a]) == self.origin(read, &siblings[b]);
                !same_write && (!same || siblings[a].tombstone != siblings[b].tombstone)
            })
        })
    }

    fn sound(&self) -> Vec<usize> {
        let sound = |read: &usize| self.no_thin_air(*read) && self.no_duplicate(*read);
        self.answered().into_iter().filter(sound).collect()
    }

    fn finals(&self) -> Vec<usize> {
        let last = |read: &usize| self.read(*read).is_some_and(|read| read.last);
        self.sound().into_iter().filter(last).collect()
    }

    fn precedes(&self, a: usize, b: usize) -> bool {
        let (first, second) = (self.op(a), self.op(b));
        let completed = first.completed.filter(|_| first.status != Status::Info);
        completed.is_some_and(|completed| {
            completed < second.invoked
                || completed == second.invoked && a < b && first.client == second.client
        })
    }

    fn holds(&self, invariant: Invariant) -> bool {
        match invariant {
            Invariant::NoThinAir => self.answered().iter().all(|read| self.no_thin_air(*read)),
            Invariant::NoDuplicateSibling => {
                self.answered().iter().all(|read| self.no_duplicate(*read))
            }
            Invariant::Dominance => self.sound().iter().all(|read| {
                let returned = self.returned(*read);
                !returned
                    .iter()
                    .any(|w| returned.iter().any(|s| self.must[*w][*s]))
            }),
            Invariant::BoundedSiblings => self.bounded(),
            Invariant::SiblingPreservation => !self
                .missing()
                .iter()
                .any(|(read, write)| self.has_concurrent(*read, *write)),
            Invariant::NoLostUpdate => !self.missing().iter().any(|(read, write)| {
                self.is_replica()
                    || self.precedes(*write, *read)
                    || !self.has_concurrent(*read, *write)
            }),
            Invariant::NoResurrection => !self.finals().iter().any(|last| {
                self.sound().iter().any(|read| {
                    let (seen, now) = (self.returned(*read), self.returned(*last));
                    self.precedes(*read, *last)
                        && now
                            .iter()
                            .any(|w| self.must[*read][*w] && !seen.contains(w))
                })
            }),
            Invariant::Convergence => self.converges(),
            Invariant::ClockSoundness | Invariant::ClockPrecision | Invariant::ClockIdentity => {
                self.clocks_hold(invariant)
            }
            Invariant::ClockAdvance => self
                .acknowledged()
                .iter()
                .all(|write| self.advances(*write)),
            Invariant::AnswerAntichain => self.sound().iter().all(|read| {
                let siblings = self.siblings(*read);
                let versions: Vec<_> = siblings.iter().filter_map(|s| s.version.as_ref()).collect();
                (0..versions.len()).all(|a| {
                    (0..versions.len()).all(|b| a == b || !at_most(versions[a], versions[b]))
                })
            }),
            Invariant::ContextCovers => self.contexts_cover(),
            Invariant::DotDiscipline => self.dots_grow(),
            _ => true,
        }
    }

    fn acknowledged(&self) -> Vec<usize> {
        self.applied()
            .into_iter()
            .filter(|write| self.op(*write).status == Status::Ok)
            .collect()
    }

    fn bounded(&self) -> bool {
        let mut chains: Vec<Vec<usize>> = Vec::new();
        for write in self.applied() {
            let extends = |chain: &&mut Vec<usize>| {
                chain.last().is_some_and(|last| {
                    self.op(*last).client == self.op(write).client && self.must[write][*last]
                })
            };
            match chains.iter_mut().find(extends) {
                Some(chain) => chain.push(write),
                None => chains.push(vec![write]),
            }
        }
        self.sound().iter().all(|read| {
            let begun =
                |chain: &&Vec<usize>| Some(self.op(chain[0]).invoked) <= self.op(*read).completed;
            self.siblings(*read).len() <= chains.iter().filter(begun).count()
        })
    }

    /// Final reads, and the writes due in them that are in no way there.
    fn missing(&self) -> Vec<(usize, usize)> {
        let mut missing = Vec::new();
        for last in self.finals() {
            for write in self.applied() {
                let seen = |read: &usize| {
                    self.returned(*read).contains(&write) && self.precedes(*read, last)
                };
                let due = self.precedes(write, last) || self.sound().iter().any(seen);
                if due && !self.may[last][write] {
                    missing.push((last, write));
                }
            }
        }
        missing
    }

    fn has_concurrent(&self, read: usize, write: usize) -> bool {
        self.returned(read)
            .iter()
            .any(|s| !self.may[write][*s] && !self.may[*s][write])
    }

    fn converges(&self) -> bool {
        let over = |write: &usize| match self.op(*write).status {
            Status::Info => self.op(*write).invoked,
            _ => self.op(*write).completed.unwrap_or(0),
        };
        let over = self.applied().iter().map(over).max().unwrap_or(0);
        let finals: Vec<_> = self
            .finals()
            .into_iter()
            .filter(|r| self.op(*r).invoked >= over)
            .collect();
        finals
            .iter()
            .all(|a| finals.first().is_none_or(|b| self.agree(*a, *b)))
    }

    fn agree(&self, a: usize, b: usize) -> bool {
        let set = |read| self.returned(read).into_iter().collect::<BTreeSet<_>>();
        let versions = self.siblings(a).iter().all(|one| {
            let same = |other: &&Sibling| self.origin(a, one) == self.origin(b, other);
            let other = self.siblings(b).iter().find(same);
            let versions = one
                .version
                .as_ref()
                .zip(other.and_then(|other| other.version.as_ref()));
            versions.is_none_or(|(one, other)| same_version(one, other))
        });
        let reaped = self.applied().iter().any(|w| self.hides(*w));
        let contexts = self.read(a).and_then(|read| read.context.as_ref());
        let contexts = contexts.zip(self.read(b).and_then(|read| read.context.as_ref()));
        set(a) == set(b) && versions && (reaped || contexts.is_none_or(|(a, b)| a == b))
    }

    /// The version of a write: as acknowledged, else as first returned.
    fn version(&self, write: usize) -> Option<&'h Version> {
        self.write(write)?.version.as_ref().or_else(|| {
            self.answered().into_iter().find_map(|read| {
                let shown =
                    |s: &&Sibling| s.version.is_some() && self.origin(read, s) == Some(write);
                self.siblings(read).iter().find(shown)?.version.as_ref()
            })
        })
    }

    fn clocks_hold(&self, invariant: Invariant) -> bool {
        let writes = self.applied();
        let pairs = writes.iter().all(|upper| {
            writes.iter().filter(|lower| *lower != upper).all(|lower| {
                let Some((low, up)) = self.version(*lower).zip(self.version(*upper)) else {
                    return true;
                };
                match invariant {
                    Invariant::ClockSoundness => {
                        !self.generates(*lower, *upper) || below(low, up) != Some(false)
                    }
                    Invariant::ClockPrecision => {
                        self.may[*upper][*lower] || below(low, up) != Some(true)
                    }
                    _ => !same_identity(low, up),
                }
            })
        });
        pairs && (invariant != Invariant::ClockIdentity || self.versions_stay())
    }

    /// Whether `upper`'s context was made of an answer that was or held `lower`.
    fn generates(&self, lower: usize, upper: usize) -> bool {
        self.write(upper).is_some_and(|write| {
            write
                .sources
                .iter()
                .map(|source| *source as usize)
                .any(|source| {
                    source == lower
                        || self.read(source).is_some() && self.returned(source).contains(&lower)
                })
        })
    }

    fn versions_stay(&self) -> bool {
        self.answered().iter().all(|read| {
            self.siblings(*read).iter().all(|sibling| {
                let known = self
                    .origin(*read, sibling)
                    .and_then(|write| self.version(write));
                let versions = known.zip(sibling.version.as_ref());
                versions.is_none_or(|(known, shown)| same_version(known, shown))
            })
        })
    }

    fn advances(&self, write: usize) -> bool {
        let Some(write) = self.write(write) else {
            return true;
        };
        match (&write.version, &write.context) {
            (Some(Version::Clock(clock)), Some(context)) => {
                leq(context, clock) && !leq(clock, context)
            }
            (
                Some(Version::Dotted {
                    actor,
                    counter,
                    past,
                }),
                Some(context),
            ) => {
                context.get(actor) < *counter && past.as_ref().is_none_or(|past| leq(context, past))
            }
            _ => true,
        }
    }

    fn contexts_cover(&self) -> bool {
        let context = |read: usize| self.read(read).and_then(|read| read.context.as_ref());
        let dots = self.sound().into_iter().all(|read| {
            self.siblings(read)
                .iter()
                .all(|sibling| match (&sibling.version, context(read)) {
                    (Some(Version::Dotted { actor, counter, .. }), Some(context)) => {
                        context.get(actor) >= *counter
                    }
                    _ => true,
                })
        });
        let hidden = self.applied().iter().any(|write| self.hides(*write));
        dots && self.finals().into_iter().all(|last| {
            hidden
                || self
                    .sound()
                    .into_iter()
                    .filter(|read| self.precedes(*read, last))
                    .all(|read| {
                        context(read)
                            .zip(context(last))
                            .is_none_or(|(before, now)| leq(before, now))
                    })
        })
    }

    fn dots_grow(&self) -> bool {
        let dot = |write: usize| match self.write(write)?.version.as_ref()? {
            Version::Dotted {
                actor,
                counter,
                past,
            } => Some((actor, *counter, past)),
            Version::Clock(_) => None,
        };
        self.applied().into_iter().all(|later| {
            let Some((actor, counter, past)) = dot(later) else {
                return true;
            };
            past.as_ref().is_none_or(|past| past.get(actor) < counter)
                && self.acknowledged().into_iter().all(|earlier| {
                    let before = self.op(earlier).completed < Some(self.op(later).invoked);
                    !before
                        || dot(earlier)
                            .is_none_or(|(other, less, _)| other != actor || less < counter)
                })
        })
    }

    /// Searches all orders in which operations follow those that completed before them.
    fn linearizable(&self) -> Result<bool, TooLarge> {
        if self.applied().iter().any(|write| self.hides(*write)) {
            return Ok(true);
        }
        let mut reads = self.sound();
        reads.retain(|read| self.may[*read] == self.in_order[*read]);
        let operations: Vec<_> = self.applied().into_iter().chain(reads).collect();
        if operations.len() > LARGEST {
            return Err(TooLarge {
                operations: operations.len(),
            });
        }
        Ok(self.search(&operations, &mut Vec::new()))
    }

    fn search(&self, operations: &[usize], placed: &mut Vec<usize>) -> bool {
        let mut left = operations.to_vec();
        left.retain(|op| !placed.contains(op));
        if left.iter().all(|op| self.op(*op).status == Status::Info) {
            return true;
        }
        for next in left {
            let waits = operations
                .iter()
                .any(|op| !placed.contains(op) && self.goes_before(*op, next));
            if waits || !self.explains(placed, next) {
                continue;
            }
            placed.push(next);
            if self.search(operations, placed) {
                return true;
            }
            placed.pop();
        }
        false
    }

    fn goes_before(&self, a: usize, b: usize) -> bool {
        self.precedes(a, b)
            || self
                .write(b)
                .is_some_and(|write| write.sources.iter().any(|source| *source as usize == a))
    }

    /// Whether an operation can take effect after those placed: a read returns writes that are
    /// applied, none superseded by another, and every applied write is one of them or may be
    /// superseded by one.
    fn explains(&self, placed: &[usize], next: usize) -> bool {
        if self.read(next).is_none() {
            return true;
        }
        let returned = self.returned(next);
        let mut applied = placed.iter().filter(|op| self.write(**op).is_some());
        if self.is_replica() {
            let last: Vec<_> = applied.next_back().copied().into_iter().collect();
            return returned == last;
        }
        returned.iter().all(|write| placed.contains(write))
            && applied.all(|write| self.may[next][*write])
    }
}

fn unite(row: &mut [bool], other: &[bool]) {
    for (held, also) in row.iter_mut().zip(other) {
        *held |= also;
    }
}

fn leq(a: &ReportedClock, b: &ReportedClock) -> bool {
    a.entries()
        .iter()
        .all(|(name, counter)| *counter <= b.get(name))
}

/// Whether the first version is strictly below the second; `None` where they do not tell.
fn below(a: &Version, b: &Version) -> Option<bool> {
    match (a, b) {
        (Version::Clock(a), Version::Clock(b)) => Some(leq(a, b) && !leq(b, a)),
        (
            Version::Dotted { actor, counter, .. },
            Version::Dotted {
                past: Some(past), ..
            },
        ) => Some(past.get(actor) >= *counter),
        _ => None,
    }
}

fn at_most(a: &Version, b: &Version) -> bool {
    same_identity(a, b) || below(a, b) == Some(true)
}

fn same_identity(a: &Version, b: &Version) -> bool {
    match (a, b) {
        (Version::Clock(a), Version::Clock(b)) => a == b,
        (
            Version::Dotted {
                actor: a,
                counter: m,
                ..
            },
            Version::Dotted {
                actor: b,
                counter: n,
                ..
            },
        ) => a == b && m == n,
        _ => false,
    }
}

fn same_version(a: &Version, b: &Version) -> bool {
    match (a, b) {
        (Version::Dotted { past: Some(p), .. }, Version::Dotted { past: Some(q), .. }) => {
            same_identity(a, b) && p == q
        }
        _ => same_identity(a, b),
    }
}
