//! Linearizability: all orders in which operations follow those that completed before them.

use std::collections::BTreeSet;

use super::{LARGEST, Relation, Set, TooLarge, naive::Naive};
use sibcheck_checkers::history::Status;

/// How an order begins, as far as it matters for how it can go on: orders that have placed the same
/// operations, and as the last write the same, go on in the same ways.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Begun {
    placed: Set,
    /// Told apart only where it matters: where a write supersedes all before it.
    last_write: Option<usize>,
}

impl Naive<'_> {
    pub(super) fn linearizable(&self) -> Result<bool, TooLarge> {
        let reads = self
            .sound
            .that(|read| self.may[read] == self.in_order[read]);
        if reads.into_iter().any(|read| self.is_open(read)) {
            return Ok(true);
        }
        let all = self.applied | reads;
        if all.len() > LARGEST {
            let operations = all.len();
            return Err(TooLarge::Key { operations });
        }
        let earlier = |op: usize| all.that(|earlier| self.goes_before(earlier, op));
        let earlier: Relation = (0..self.history.operations.len()).map(earlier).collect();
        Ok(self.search(all, &earlier, Begun::default(), &mut BTreeSet::new()))
    }

    /// Whether an order that has begun can go on to its end: to where all that is left has an
    /// unknown outcome, and never took effect.
    fn search(
        &self,
        all: Set,
        earlier: &Relation,
        begun: Begun,
        tried: &mut BTreeSet<Begun>,
    ) -> bool {
        let left = all.without(begun.placed);
        let unknown = |op: usize| self.op(op).status == Status::Info;
        if left.into_iter().all(unknown) {
            return true;
        }
        tried.insert(begun)
            && left.into_iter().any(|next| {
                earlier[next].is_within(begun.placed)
                    && self.explains(begun, next)
                    && self.search(all, earlier, self.then(begun, next), tried)
            })
    }

    fn goes_before(&self, a: usize, b: usize) -> bool {
        self.precedes(a, b) || self.sources(b).any(|source| source == a)
    }

    fn then(&self, mut begun: Begun, next: usize) -> Begun {
        begun.placed.insert(next);
        if self.is_replica() && self.write(next).is_some() {
            begun.last_write = Some(next);
        }
        begun
    }

    /// Whether nothing tells if a read saw some delete that it may hide, which is not judged.
    fn is_open(&self, read: usize) -> bool {
        let hidden = self.hidden_from(read);
        if self.is_replica() {
            return self.returned[read].is_empty() && !hidden.is_empty();
        }
        let mut seen = self.must[read];
        if self.has_no_late_write() {
            for write in self.returned[read] {
                seen |= self.may[write];
            }
        }
        let told = |delete| seen.contains(delete) || self.precedes(delete, read);
        !hidden.that(|delete| !told(delete)).is_empty()
    }

    /// Whether an operation can take effect after those placed: a read returns writes that are
    /// applied, none superseded by another, and every applied write is one of them, or a delete that
    /// it may hide, or may be superseded by one.
    fn explains(&self, begun: Begun, next: usize) -> bool {
        if self.read(next).is_none() {
            return true;
        }
        let returned = self.returned[next];
        if self.is_replica() {
            return returned == begun.last_write.into_iter().collect();
        }
        let applied = self.applied.common(begun.placed);
        let mut explained = self.must[next];
        for write in returned | self.hidden_from(next).common(applied) {
            explained.insert(write);
            explained |= self.in_order[write];
        }
        returned.is_within(applied) && applied.is_within(explained.common(self.may[next]))
    }
}
