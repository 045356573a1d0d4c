//! What is counted of each operation: situations, and what the session guarantees had to test.

use super::{Place, Screen, Seen};
use crate::{
    history::{Action, Status},
    provenance::{Kind, OpRecord},
    situations::{Corners, MOST_COMPARED, Situation, observed::Values},
    verdict::Invariant,
    write_set::WriteSet,
};

impl Screen<'_, '_> {
    /// Counts what a write shows, given what it covers. Its client's last operation is settled.
    pub(super) fn count_write(
        &mut self,
        place: usize,
        op: &OpRecord,
        sources: &[u32],
        covers: &WriteSet,
    ) {
        let unseen = self.unseen.partition_point(|unseen| unseen.at() < place);
        let earlier = self.writes.len();
        let is_concurrent = unseen > 0 || covers.len() < earlier;
        let at_its_node =
            is_concurrent && self.concurrent_at(op.node, &self.unseen[..unseen], covers);
        let session = &self.sessions[op.session as usize];
        let last = session.last.map(|last| &self.ops[last.at()]);
        let stale = !sources.is_empty()
            && last.is_some_and(|last| match (last.kind, session.last_write) {
                (Kind::Read, _) => !self.reads[last.slot as usize].must.is_subset(covers),
                (_, write) => write.is_none_or(|write| !covers.contains(write.at())),
            });
        let again = sources.is_empty() && session.last_write.is_some();
        let sources = || sources.iter().map(|source| &self.ops[*source as usize]);
        let merges = sources().any(|source| source.kind == Kind::Read && source.linked() > 1);
        let own = sources().any(|source| source.kind == Kind::Write);
        let recreates = !op.is_special
            && self.tombstone_ends.is_some_and(|(first, last)| {
                covers.contains(first)
                    || covers.contains(last)
                    || covers.intersects(&self.tombstones)
            });
        self.situations.note_write(Corners {
            is_concurrent,
            at_one_node: at_its_node,
            is_blind_again: again,
            is_stale: stale,
            merges,
            joins: sources().len() > 1,
            follows_own: own,
            recreates,
        });
        let is_returned = self.summary.version(op.slot as usize).is_returned;
        let unknown_seen = op.status == Status::Info && is_returned;
        self.situations.note(Situation::Deletes, op.is_special);
        self.situations.note(Situation::UnknownSeen, unknown_seen);
    }

    /// True when one of the first writes that are not covered was sent to a node.
    fn concurrent_at(&self, node: u32, unseen: &[Place], covers: &WriteSet) -> bool {
        let mut unseen = unseen.iter().copied().peekable();
        let numbered = covers.missing(self.writes.len());
        let mut numbered = numbered.map(|write| self.writes[write].place).peekable();
        let places = std::iter::from_fn(|| match (unseen.peek(), numbered.peek()) {
            (Some(one), Some(other)) if one > other => numbered.next(),
            (Some(_), _) => unseen.next(),
            (None, _) => numbered.next(),
        });
        let mut nodes = places.take(MOST_COMPARED);
        nodes.any(|place| self.ops[place.at()].node == node)
    }

    /// Counts what an answer of so many siblings shows; `None` when it lacks what a client had read
    /// before a write that it holds.
    pub(super) fn count_answer(&mut self, place: usize, many: usize, seen: &Seen) -> Option<()> {
        self.exercised.add(Invariant::NoThinAir, many as u64);
        if many > 1 {
            self.exercised.add(Invariant::NoDuplicateSibling, 1);
            self.situations.note(Situation::TwoSiblings, many == 2);
            self.situations.note(Situation::ManySiblings, many > 2);
        }
        if !self.with_guarantees {
            return Some(());
        }
        let (mut second, mut follow) = (0, 0);
        for write in self.returned(place) {
            second += u64::from(self.writes[write].is_second);
            follow += u64::from(self.writes[write].follows);
            let numbers = &self.unfollowed;
            if let Ok(at) = numbers.binary_search_by_key(&write, |(write, _)| *write)
                && !numbers[at].1.is_subset(seen.may())
            {
                return None;
            }
        }
        self.exercised.add(Invariant::MonotonicWrites, second);
        self.exercised.add(Invariant::WritesFollowReads, follow);
        Some(())
    }

    /// Counts the writes of values that another client had written.
    pub(super) fn count_values(&mut self) {
        if !self.summary.is_tagged {
            return;
        }
        let operations = &self.provenance.history.operations;
        let mut values = Values::default();
        for (id, op) in self
            .ids
            .iter()
            .zip(self.ops)
            .filter(|(_, op)| op.kind == Kind::Write)
        {
            if let Action::Write(write) = &operations[*id as usize].action {
                let equal = !write.tombstone && values.is_of_another(&write.value, op.client);
                self.situations.note(Situation::EqualValues, equal);
            }
        }
    }
}
