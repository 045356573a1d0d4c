//! Whether reads can contradict the order in real time: regular reads, monotonic replicas, and
//! linearizability.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{Place, Screen};
use crate::{
    history::{Status, TimeNs},
    index::{Index, number},
    provenance::Kind,
    ranks::Ranks,
    verdict::Invariant,
    write_set::WriteSet,
};

/// What is under way, in the order of completion.
type Pending = BinaryHeap<Reverse<(TimeNs, u32)>>;

/// The next that was over before a time.
pub(super) fn over_before(pending: &mut Pending, time: TimeNs) -> Option<u32> {
    let Reverse((over, _)) = pending.peek()?;
    if *over >= time {
        return None;
    }
    pending.pop().map(|Reverse((_, what))| what)
}

impl Screen<'_, '_> {
    /// `None` when a read might lack a write that was acknowledged before it began.
    pub(super) fn look_at_regular_reads(&mut self) -> Option<()> {
        let mut pending = Pending::new();
        let (mut past, mut tested) = (WriteSet::EMPTY, 0);
        for (place, op) in self.ops.iter().enumerate() {
            if op.kind == Kind::Write && op.status == Status::Ok {
                pending.push(Reverse((op.over, number(self.number(op.slot)?))));
            }
            if op.kind != Kind::Read {
                continue;
            }
            while let Some(write) = over_before(&mut pending, op.invoked) {
                past.insert(write as usize);
            }
            let may = self.reads[op.slot as usize].may();
            let writes = self.own_at_once(place).map(|place| &self.ops[place]);
            let writes = writes.filter(|op| op.kind == Kind::Write);
            let mut at_once = writes.filter_map(|op| self.number(op.slot)).peekable();
            if past.is_empty() && at_once.peek().is_none() {
                continue;
            }
            tested += 1;
            if !past.is_subset(may) || !at_once.all(|write| may.contains(write)) {
                return None;
            }
        }
        self.exercised.add(Invariant::RegularReads, tested);
        Some(())
    }

    /// `None` when a node might have gone backwards.
    pub(super) fn look_at_replicas(&mut self) -> Option<()> {
        let mut tested = 0;
        let mut replicas: BTreeMap<u32, (Pending, WriteSet)> = BTreeMap::new();
        for op in self.ops.iter().filter(|op| op.kind == Kind::Read) {
            let (pending, past) = replicas.entry(op.node).or_default();
            while let Some(earlier) = over_before(pending, op.invoked) {
                past.union_with(&self.reads[earlier as usize].must);
            }
            // At one instant only a client's own order decides.
            let is_at_once = |next: &Reverse<(TimeNs, u32)>| next.0.0 == op.invoked;
            let read = &self.reads[op.slot as usize];
            if pending.peek().is_some_and(is_at_once) || !past.is_subset(read.may()) {
                return None;
            }
            tested += u64::from(!past.is_empty());
            pending.push(Reverse((op.over, op.slot)));
        }
        self.exercised.add(Invariant::ReplicaMonotonicity, tested);
        Some(())
    }

    /// The earlier operations of an operation's client that were answered the instant at which it
    /// began. Clients wait for what is answered, so none before that instant is among them.
    fn own_at_once(&self, place: usize) -> impl Iterator<Item = usize> + use<'_> {
        let invoked = self.ops[place].invoked;
        let before = |place: &usize| self.place_before(*place);
        let own = std::iter::successors(self.place_before(place), before);
        let unanswered = |place: usize| self.ops[place].status != Status::Ok;
        own.take_while(move |place| {
            let op = &self.ops[*place];
            op.over == invoked || unanswered(*place) && op.invoked == invoked
        })
        .filter(move |place| !unanswered(*place))
    }

    /// The place of the same client's operation before.
    fn place_before(&self, place: usize) -> Option<usize> {
        self.before[place].map(Place::at)
    }

    /// `None` when there might be no linearization. [`Ranks`] say why.
    pub(super) fn look_at_order(&mut self) -> Option<()> {
        let mut reads: Vec<(usize, u32)> = Vec::with_capacity(self.reads.len());
        reads.extend(
            self.reads
                .iter()
                .zip(0..)
                .map(|(read, slot)| (read.may().len(), slot)),
        );
        reads.sort_unstable();
        self.exercised
            .add(Invariant::Linearizability, reads.len() as u64);
        let seen = |slot: &u32| (*slot as usize, self.reads[*slot as usize].may());
        let ordered = reads.iter().map(|(_, slot)| seen(slot));
        let mut pairs = ordered.clone().zip(ordered.clone().skip(1));
        if pairs.any(|((_, smaller), (_, larger))| !smaller.is_subset(larger)) {
            return None;
        }
        let is_acknowledged = |write: usize| {
            let place = self.writes[write].place.at();
            self.ops[place].status == Status::Ok
        };
        let size = [self.writes.len(), self.reads.len()];
        let ranks = Ranks::of(ordered, size, is_acknowledged);
        self.sweep(&ranks)
    }

    /// No operation was invoked after the completion of one with a larger rank.
    fn sweep(&self, ranks: &Ranks) -> Option<()> {
        let mut pending = Pending::new();
        let mut latest = 0;
        for (place, op) in self.ops.iter().enumerate() {
            let Some(rank) = self.rank(ranks, place) else {
                continue;
            };
            while let Some(done) = over_before(&mut pending, op.invoked) {
                latest = latest.max(done);
            }
            // Earlier ones have no larger rank.
            let mut own = self.own_at_once(place);
            let at_once = own.find(|before| self.rank(ranks, *before).is_some());
            let sources = match op.kind {
                Kind::Write => self.summary.links_of(op),
                _ => &[],
            };
            let sources = sources.iter().map(|source| *source as usize);
            let mut nearby = at_once.into_iter().chain(sources);
            if latest > rank || nearby.any(|before| self.rank(ranks, before) > Some(rank)) {
                return None;
            }
            if op.status == Status::Ok {
                // The place in the heap is that of the rank: only the largest matters.
                pending.push(Reverse((op.over, rank)));
            }
        }
        Some(())
    }

    fn rank(&self, ranks: &Ranks, place: usize) -> Option<u32> {
        let op = &self.ops[place];
        let rank = match op.kind {
            Kind::Nothing => None,
            Kind::Read => ranks.read(op.slot as usize),
            Kind::Write => self.number(op.slot).and_then(|write| ranks.write(write)),
        };
        rank.map(Index::number)
    }
}
