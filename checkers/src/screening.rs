//! Screening: a key that is healthy is found so in a few passes over short records.
//!
//! Most keys of most histories show nothing wrong. Examining each invariant by itself asks every
//! operation a dozen times; here each is asked once or twice, and only whether anything *might* be
//! wrong. Where it might, or where the key is beyond what is looked at here, the answer is `None`,
//! and the key is examined invariant by invariant, which finds the evidence. So nothing is decided
//! here but that a key is healthy: the counts of what was tested, and of situations, are those that
//! the examination would have given (tests compare whole verdicts).
//!
//! What is beyond: the replica model, deletes that reads hide, answers out of thin air, clients
//! that overlap with themselves or go on writing after an unknown outcome, reads that refute what
//! `may` holds, and versions with very many entries.
//!
//! Writes with an unknown outcome that nobody saw have no number here, so that the set of what a
//! replica holds is nearly always a prefix of the writes with a few exceptions at its end, and takes
//! a few words. O(n) set operations on neighbouring sets.

mod causes;
mod clocks;
mod counts;
mod finals;
mod order;
mod scans;
mod sessions;

use crate::{
    happens_before::Causes,
    history::{OpId, Status, TimeNs},
    index::typed_index,
    object_model::ObjectModel,
    past::{Answer, Visible, refuted},
    provenance::{KeySummary, Kind, OpRecord, Provenance, Reporting},
    situations::Situations,
    telling::follows_two_writes,
    verdict::{Exercised, Invariant, Reason},
    write_chains::WriteChains,
    write_set::WriteSet,
};

use finals::Ends;
use scans::Scan;
use sessions::Past;

pub(crate) use scans::Scans;

/// What a healthy key shows.
pub(crate) struct Healthy {
    pub(crate) exercised: Exercised,
    pub(crate) situations: Situations,
    /// Why a lost update would not show.
    pub(crate) no_final_read: Option<Reason>,
    /// A read was answered after two writes of the key, or returned two.
    pub(crate) tells: bool,
}

typed_index! {
    /// Where an operation stands among those of its key.
    Place
}

typed_index! {
    /// The number of a write among those that somebody saw or that were acknowledged.
    WriteNumber
}

/// Scans a key for violations; `None` when there might be one.
pub(crate) fn screen(
    provenance: &Provenance<'_>,
    key: u32,
    causes: Option<&Causes<'_, '_>>,
    scans: &Scans,
) -> Option<Healthy> {
    let header = &provenance.history.header;
    let summary = provenance.summary(key);
    let (ids, ops) = provenance.records(key);
    let is_delete = |op: &OpRecord| op.kind == Kind::Write && op.is_special;
    let hides = header.tombstones.may_be_left_out() && ops.iter().any(is_delete);
    if hides || header.model == ObjectModel::Replica {
        return None;
    }
    let mut screen = Screen {
        provenance,
        summary,
        ids,
        ops,
        numbers: Vec::new(),
        unseen: Vec::new(),
        ends: Ends::NONE,
        before: vec![None; ops.len()],
        writes: Vec::new(),
        reads: Vec::new(),
        sessions: Vec::new(),
        begun: Vec::new(),
        extended_from: None,
        with_guarantees: scans.contains(Scan::Sessions),
        unfollowed: Vec::new(),
        tombstones: WriteSet::EMPTY,
        tombstone_ends: None,
        any_superseded: false,
        tells: false,
        exercised: Exercised::default(),
        situations: Situations::default(),
    };
    for scan in scans.iter() {
        match scan {
            Scan::SingleOperations => (!summary.doubtful).then_some(())?,
            Scan::VisibleSets => screen.look_at_operations()?,
            // This scan goes along with that of visible sets, operation by operation.
            Scan::Sessions => {}
            Scan::SiblingCounts => screen.look_at_reads()?,
            Scan::FinalReads => screen.look_at_final_reads()?,
            Scan::Versions => screen.look_at_clocks()?,
            Scan::Causality => screen.look_at_causes(key, causes?)?,
            Scan::RegularReads => screen.look_at_regular_reads()?,
            Scan::Replicas => screen.look_at_replicas()?,
            Scan::Order => screen.look_at_order()?,
        }
    }
    screen.count_values();
    Some(Healthy {
        no_final_read: screen.no_final_read(),
        exercised: screen.exercised,
        situations: screen.situations,
        tells: screen.tells,
    })
}

/// A key while it is looked at.
struct Screen<'p, 'h> {
    provenance: &'p Provenance<'h>,
    summary: &'p KeySummary<'h>,
    ids: &'p [OpId],
    /// Operations are known by their places here, in the order of invocation.
    ops: &'p [OpRecord],
    /// For each write its number among those that somebody saw or that were acknowledged.
    numbers: Vec<Option<WriteNumber>>,
    /// The places of the others.
    unseen: Vec<Place>,
    ends: Ends,
    /// For each operation the place of its client's one before.
    before: Vec<Option<Place>>,
    /// By number.
    writes: Vec<Written>,
    /// By their numbers among the reads of the key.
    reads: Vec<Seen>,
    sessions: Vec<Session>,
    /// When each chain of writes of a client begins, each superseding the one before.
    begun: Vec<TimeNs>,
    /// When a write first made a chain longer.
    extended_from: Option<TimeNs>,
    /// Whether a session guarantee is promised.
    with_guarantees: bool,
    /// Writes that do not cover what their clients had read, with that.
    unfollowed: Vec<(usize, WriteSet)>,
    tombstones: WriteSet,
    /// The first and the last of them, of which most writes cover one.
    tombstone_ends: Option<(usize, usize)>,
    /// Some read showed that a write is superseded.
    any_superseded: bool,
    tells: bool,
    exercised: Exercised,
    situations: Situations,
}

/// A write that somebody saw, or that was acknowledged.
struct Written {
    place: Place,
    /// Its client's write before.
    previous: Option<WriteNumber>,
    /// What it must supersede.
    covers: WriteSet,
    /// What it may supersede, where that is more.
    may: Option<Box<WriteSet>>,
    /// The first write that must supersede it.
    first_above: Option<WriteNumber>,
    /// Its client had written before.
    is_second: bool,
    /// Its client had read before.
    follows: bool,
}

impl Written {
    fn may(&self) -> &WriteSet {
        self.may.as_deref().unwrap_or(&self.covers)
    }
}

/// What an answered read saw.
#[derive(Default)]
struct Seen {
    /// Certainly.
    must: WriteSet,
    /// Perhaps, where that is more.
    may: Option<Box<WriteSet>>,
    is_settled: bool,
}

impl Seen {
    fn may(&self) -> &WriteSet {
        self.may.as_deref().unwrap_or(&self.must)
    }
}

/// A client, which does one thing at a time.
#[derive(Default)]
struct Session {
    /// Its last operation.
    last: Option<Place>,
    /// Its last write.
    last_write: Option<WriteNumber>,
    /// It does not know the outcome of a write.
    is_unsure: bool,
    chains: WriteChains,
    past: Past,
}

impl Screen<'_, '_> {
    /// Settles what each operation covers or saw; with it, whether session guarantees hold.
    fn look_at_operations(&mut self) -> Option<()> {
        self.number_writes();
        for place in 0..self.ops.len() {
            self.take(place)?;
        }
        (0..self.sessions.len()).try_for_each(|session| self.finish(session))
    }

    fn number_writes(&mut self) {
        let mut reads = 0;
        for (place, op) in self.ops.iter().enumerate() {
            self.ends.take(place, op);
            match op.kind {
                Kind::Nothing => {}
                Kind::Read => reads += 1,
                Kind::Write => {
                    let version = self.summary.version(op.slot as usize);
                    let matters = op.status == Status::Ok
                        || version.is_returned
                        || version.kind != Reporting::Unknown;
                    let numbered = self.numbers.len() - self.unseen.len();
                    self.numbers
                        .push(matters.then(|| WriteNumber::new(numbered)));
                    if !matters {
                        self.unseen.push(Place::new(place));
                    }
                }
            }
        }
        self.writes
            .reserve_exact(self.numbers.len() - self.unseen.len());
        self.reads.resize_with(reads, Seen::default);
    }

    fn take(&mut self, place: usize) -> Option<()> {
        let op = &self.ops[place];
        if op.kind == Kind::Nothing {
            return Some(());
        }
        let session = op.session as usize;
        if session >= self.sessions.len() {
            self.sessions.resize_with(session + 1, Session::default);
        }
        let last = self.sessions[session].last;
        if let Some(last) = last {
            let last = &self.ops[last.at()];
            if last.status == Status::Ok && last.over > op.invoked {
                return None;
            }
            self.finish(session)?;
        }
        if op.kind == Kind::Write {
            self.take_write(place)?;
        }
        self.before[place] = self.sessions[session].last;
        self.sessions[session].last = Some(Place::new(place));
        Some(())
    }

    /// Settles what a write covers.
    fn take_write(&mut self, place: usize) -> Option<()> {
        let op = &self.ops[place];
        let session = op.session as usize;
        if self.sessions[session].is_unsure {
            return None;
        }
        let sources = self.summary.links_of(op);
        let mut covers = WriteSet::EMPTY;
        let mut is_wider = false;
        let above = WriteNumber::new(self.writes.len());
        for &place in sources {
            let source = &self.ops[place as usize];
            if source.kind == Kind::Write {
                let number = self.number(source.slot)?;
                let written = &mut self.writes[number];
                Answer::Write(number, &written.covers).add_to(&mut covers);
                is_wider |= written.may.is_some();
                written.first_above.get_or_insert(above);
            } else {
                self.settle(place as usize)?;
                let seen = &self.reads[source.slot as usize];
                Answer::Read(&seen.must).add_to(&mut covers);
                is_wider |= seen.may.is_some();
                for slot in self.summary.links_of(source) {
                    let lower = self.number(*slot)?;
                    self.writes[lower].first_above.get_or_insert(above);
                }
            }
        }
        let previous = self.sessions[session].last_write;
        if let Some(own) = previous {
            is_wider |= !covers.contains(own.at()) || self.writes[own.at()].may.is_some();
        }
        let may = is_wider.then(|| self.may_cover(sources, previous, &covers));
        let may = may.flatten();
        self.count_write(place, op, sources, &covers);
        let write = self.numbers[op.slot as usize];
        self.extend_chain(op, write, &covers);
        let session = &mut self.sessions[session];
        session.is_unsure = op.status == Status::Info;
        let Some(write) = write else {
            return Some(());
        };
        session.last_write = Some(write);
        if op.is_special {
            self.tombstones.insert(write.at());
            let (first, _) = self.tombstone_ends.unwrap_or((write.at(), 0));
            self.tombstone_ends = Some((first, write.at()));
        }
        let mut written = Written {
            place: Place::new(place),
            previous,
            covers,
            may,
            first_above: None,
            is_second: session.past.has_written,
            follows: false,
        };
        if self.with_guarantees {
            let (follows, lacked) = session.past.is_followed_by(&written);
            written.follows = follows;
            self.unfollowed
                .extend(lacked.map(|seen| (write.at(), seen)));
        }
        self.writes.push(written);
        Some(())
    }

    /// What a write may supersede, where that is more than what it must.
    fn may_cover(
        &self,
        sources: &[u32],
        previous: Option<WriteNumber>,
        covers: &WriteSet,
    ) -> Option<Box<WriteSet>> {
        // What may be superseded holds what must be, so that is not added again: where a client
        // wrote blindly the two have little in common, and to unite them costs most.
        let mut may = WriteSet::EMPTY;
        for source in sources {
            let source = &self.ops[*source as usize];
            let answer = if source.kind == Kind::Write {
                let number = self.number(source.slot)?;
                Answer::Write(number, self.writes[number].may())
            } else {
                Answer::Read(self.reads[source.slot as usize].may())
            };
            answer.add_to(&mut may);
        }
        if let Some(own) = previous {
            may.union_with(self.writes[own.at()].may());
            may.insert(own.at());
        }
        (may.len() > covers.len()).then(|| Box::new(may))
    }

    /// Lets a write extend the first chain of its client that it can.
    ///
    /// A write that nobody saw, which has no number, is superseded by none.
    fn extend_chain(&mut self, op: &OpRecord, write: Option<WriteNumber>, covers: &WriteSet) {
        let chains = &mut self.sessions[op.session as usize].chains;
        if chains.extend(write.map(WriteNumber::at), covers) {
            self.extended_from.get_or_insert(op.invoked);
        } else {
            self.begun.push(op.invoked);
        }
    }

    /// The number of a write that somebody saw, or that was acknowledged.
    fn number(&self, slot: u32) -> Option<usize> {
        self.numbers[slot as usize].map(WriteNumber::at)
    }

    /// The numbers of the writes that a read returned; each has one, as it was seen.
    fn returned(&self, read: usize) -> impl Iterator<Item = usize> + Clone {
        let slots = self.summary.links_of(&self.ops[read]).iter();
        slots.filter_map(|slot| self.number(*slot))
    }

    /// Settles what a read saw; `None` when that rests on a write that is yet to be looked at, or
    /// anything is wrong.
    fn settle(&mut self, read: usize) -> Option<()> {
        let slot = self.ops[read].slot as usize;
        if self.reads[slot].is_settled {
            return Some(());
        }
        let mut visible = Visible::NOTHING;
        let (mut siblings, mut is_wider) = (0, false);
        for write in self.returned(read) {
            let written = self.writes.get(write)?;
            visible.cover(&written.covers);
            is_wider |= written.may.is_some();
            siblings += 1;
        }
        let (must, all_covered) = visible.with(self.returned(read));
        // An antichain: nothing that was returned is covered by anything that was.
        if must.len() != all_covered + siblings {
            return None;
        }
        if all_covered > 0 {
            self.exercised.add(Invariant::Dominance, 1);
            self.any_superseded = true;
        }
        let may = if is_wider {
            self.may_have_seen(read, &must)?
        } else {
            None
        };
        self.tells = self.tells || must.len() >= 2 || follows_two_writes(self.ops, read);
        let seen = Seen {
            must,
            may,
            is_settled: true,
        };
        self.count_answer(read, siblings, &seen)?;
        self.reads[slot] = seen;
        Some(())
    }

    /// What a read may have seen, where that is more than what it must; `None` when something of
    /// that cannot have been seen.
    #[expect(
        clippy::option_option,
        reason = "doubt, and nothing more, are two answers"
    )]
    fn may_have_seen(&self, read: usize, must: &WriteSet) -> Option<Option<Box<WriteSet>>> {
        // What may be superseded holds what must be.
        let mut visible = Visible::NOTHING;
        for write in self.returned(read) {
            visible.cover(self.writes[write].may());
        }
        let (may, _) = visible.with(self.returned(read));
        if may.len() == must.len() {
            return Some(None);
        }
        let above = self.returned(read);
        let above = above.filter_map(|write| self.writes[write].first_above);
        let above = above.min().map(WriteNumber::at);
        let contradicted = |write: usize| {
            let covers = &self.writes[write].covers;
            self.returned(read).any(|sibling| covers.contains(sibling))
        };
        let is_refuted = refuted(&may, must, above, contradicted).next().is_some();
        (!is_refuted).then(|| Some(Box::new(may)))
    }

    /// True when one operation certainly was over before another was invoked.
    fn precedes(&self, first: usize, second: usize) -> bool {
        self.ops[first].precedes(&self.ops[second], first < second)
    }

    /// Finishes the last operation of a client before it goes on.
    fn finish(&mut self, session: usize) -> Option<()> {
        let last = self.sessions[session].last;
        let Some(last) = last else {
            return Some(());
        };
        let op = &self.ops[last.at()];
        match op.kind {
            Kind::Read => {
                self.settle(last.at())?;
                if self.with_guarantees {
                    let past = &mut self.sessions[session].past;
                    past.read(&self.reads[op.slot as usize], &mut self.exercised)?;
                }
            }
            Kind::Write if op.status == Status::Ok => {
                let write = self.number(op.slot)?;
                self.sessions[session].past.wrote(write);
            }
            _ => {}
        }
        Some(())
    }

    /// Siblings are no more than there are chains.
    fn look_at_reads(&mut self) -> Option<()> {
        let Some(extended_from) = self.extended_from else {
            return Some(());
        };
        for op in self.ops.iter().filter(|op| op.kind == Kind::Read) {
            if op.over < extended_from {
                continue;
            }
            self.exercised.add(Invariant::BoundedSiblings, 1);
            if let Some(last) = op.linked().checked_sub(1) {
                self.begun.get(last).filter(|begun| **begun <= op.over)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claim, format::read_history, history::History, index::number};
    use sibcheck_oracles::siblings::generate::{Shape, SiblingHistory, Versions};

    /// The names of the keys that have to be examined.
    fn doubtful_keys(history: &History, claim: Claim) -> Vec<&str> {
        let provenance = Provenance::of(history).unwrap();
        let causes = (claim == Claim::Causal).then(|| Causes::of(&provenance, true));
        let keys = 0..number(history.keys.len());
        let scans = Scans::of(&[claim.into()]);
        let doubtful =
            keys.filter(|key| screen(&provenance, *key, causes.as_ref(), &scans).is_none());
        doubtful.map(|key| history.key_name(key).as_str()).collect()
    }

    #[test]
    fn healthy_keys_need_no_examination_and_others_do() {
        for (versions, nodes, claim) in [
            (Versions::Dots, 1, Claim::Linearizable),
            (Versions::Dots, 3, Claim::Session),
            (Versions::Dots, 3, Claim::Causal),
            (Versions::Clocks, 1, Claim::Quorum),
            (Versions::Clocks, 3, Claim::Eventual),
        ] {
            for broken in [false, true] {
                let shape = Shape {
                    operations: 5_000,
                    keys: 4,
                    clients: 6,
                    nodes,
                    versions,
                    roaming: false,
                    seed: 7,
                    broken,
                };
                let lines = SiblingHistory::new(shape).unwrap().collect_lines().unwrap();
                let history = read_history(&lines[..]).unwrap();
                let expected: &[&str] = if broken { &["k4"] } else { &[] };
                assert_eq!(doubtful_keys(&history, claim), expected, "{shape:?}");
            }
        }
    }
}
