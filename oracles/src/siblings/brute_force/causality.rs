//! What operations must and may follow, as fixed points.

use super::{Relation, Set, clocks::below, naive::Naive};
use sibcheck_checkers::history::Status;

impl Naive<'_> {
    pub(super) fn relate(&mut self) {
        self.must = self.must();
        self.may = self.may(true);
        self.in_time.clone_from(&self.may);
        self.in_order = self.may(false);
    }

    /// The same where writes supersede what their replica holds. An operation may follow what was
    /// invoked before it completed, as far as clocks allow.
    pub(super) fn relate_replicas(&mut self) {
        let in_time = |naive: &Self, write: usize| {
            let invoked = |other: usize| !naive.over_before(write, other);
            naive.applied.that(invoked)
        };
        for by in self.applied {
            self.may[by] = in_time(self, by).that(|write| {
                let clocks = self.versions[write].zip(self.versions[by]);
                clocks.is_none_or(|(write, by)| below(write, by) != Some(false))
            });
        }
        for read in self.answered {
            for write in self.returned[read] {
                self.must[read].insert(write);
                let (earlier, superseded) = (in_time(self, write), self.may[write]);
                self.in_time[read] |= earlier;
                self.in_time[read].insert(write);
                self.may[read] |= superseded;
                self.may[read].insert(write);
            }
            for delete in self.hidden_from(read) {
                let earlier = in_time(self, delete);
                self.in_time[read] |= earlier;
                self.may[read] |= earlier;
            }
        }
        self.in_order.clone_from(&self.may);
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
            for id in self.ids {
                for direct in self.sources(id).chain(self.returned[id]) {
                    if self.write(direct).is_some() {
                        next[id].insert(direct);
                    }
                    next[id] |= relation[direct];
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
        let earlier: Relation =
            self.each(|id| (0..id).filter(|w| self.same_writer(*w, id)).collect());
        let later: Relation = self.each(|id| {
            if late {
                self.undone_by(id)
            } else {
                Set::default()
            }
        });
        let hidden: Relation = self.each(|id| self.hidden_from(id));
        let (mut in_time, mut relation) = (self.must.clone(), self.must.clone());
        loop {
            let (mut next_in_time, mut next) = (in_time.clone(), relation.clone());
            for id in self.ids {
                if self.write(id).is_some() {
                    for source in self.sources(id) {
                        if self.write(source).is_some() {
                            next_in_time[id].insert(source);
                        }
                        next_in_time[id] |= relation[source];
                    }
                    for earlier in earlier[id] {
                        next_in_time[id].insert(earlier);
                        next_in_time[id] |= in_time[earlier];
                    }
                    next[id] = self.by(u64::MAX, id, &next_in_time, later[id]);
                } else if self.answered.contains(id) {
                    let completed = self.op(id).completed.unwrap_or(u64::MAX);
                    for write in self.returned[id] | hidden[id] {
                        next[id].insert(write);
                        next[id] |= self.by(completed, write, &in_time, later[write]);
                    }
                }
            }
            if (&next_in_time, &next) == (&in_time, &relation) {
                return self.without_the_impossible(relation);
            }
            (in_time, relation) = (next_in_time, next);
        }
    }

    fn each(&self, row: impl Fn(usize) -> Set) -> Relation {
        let all = 0..self.history.operations.len();
        all.map(|id| {
            if self.ids.contains(id) {
                row(id)
            } else {
                Set::default()
            }
        })
        .collect()
    }

    /// The same without what a replica cannot have held when it answered as it did. Contexts
    /// joined from the answer may cover that all the same.
    fn without_the_impossible(&self, mut relation: Relation) -> Relation {
        for read in self.ids.that(|id| self.write(id).is_none()) {
            let impossible =
                |write| !self.must[read].contains(write) && self.would_supersede(write, read);
            let impossible = relation[read].that(impossible);
            relation[read] = relation[read].without(impossible);
        }
        relation
    }

    /// What a write may have superseded by a moment, its client's `later` writes among it.
    fn by(&self, moment: u64, write: usize, in_time: &Relation, later: Set) -> Set {
        let mut superseded = in_time[write];
        for later in later.that(|later| self.op(later).invoked <= moment) {
            superseded.insert(later);
            superseded |= in_time[later];
        }
        superseded
    }

    /// Its client's later writes that were invoked before a write is known to have taken effect.
    fn undone_by(&self, write: usize) -> Set {
        let after = (write + 1..self.history.operations.len()).collect::<Set>();
        after.that(|later| {
            let seen =
                |read: usize| self.returned[read].contains(write) && self.precedes(read, later);
            self.same_writer(later, write)
                && !self.precedes(write, later)
                && !self.answered.into_iter().any(seen)
        })
    }

    /// Whether no write may take effect after a later one of its client.
    pub(super) fn has_no_late_write(&self) -> bool {
        let mut writes = self.applied.into_iter();
        writes.all(|write| self.undone_by(write).is_empty())
    }

    fn same_writer(&self, a: usize, b: usize) -> bool {
        self.applied.contains(a)
            && self.applied.contains(b)
            && self.op(a).client == self.op(b).client
    }

    /// Deletes that a read may hide.
    pub(super) fn hidden_from(&self, read: usize) -> Set {
        self.applied.that(|delete| {
            self.hides(delete)
                && Some(self.op(delete).invoked) <= self.op(read).completed
                && !self.had(read, delete)
                && !self.would_supersede(delete, read)
        })
    }

    /// Whether a replica that holds the write could not have returned what the read did.
    fn would_supersede(&self, write: usize, read: usize) -> bool {
        let superseded = self.must[write].common(self.returned[read]);
        self.write(write).is_some() && !superseded.is_empty()
    }
}
