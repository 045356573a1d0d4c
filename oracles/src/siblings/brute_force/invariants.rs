//! The invariants of answers and final reads, each as its sentence says.

use super::{
    Relation, claims,
    clocks::{at_most, same_version},
    naive::Naive,
};
use sibcheck_checkers::{
    history::{Sibling, Status},
    verdict::Invariant,
};

impl Naive<'_> {
    /// Whether an invariant holds for the key. Linearizability, which may be too costly to ask for,
    /// counts as holding here: see `orders.rs`.
    pub(super) fn holds(&self, invariant: Invariant, before: &Relation) -> bool {
        match invariant {
            Invariant::NoThinAir => self.answered.into_iter().all(|read| self.no_thin_air(read)),
            Invariant::NoDuplicateSibling => self
                .answered
                .into_iter()
                .all(|read| self.no_duplicate(read)),
            Invariant::Dominance => self.sound.into_iter().all(|read| {
                let returned = self.returned[read];
                let superseding = |w: usize| !self.must[w].common(returned).is_empty();
                !returned.into_iter().any(superseding)
            }),
            Invariant::BoundedSiblings => self.bounded(),
            Invariant::SiblingPreservation => !self
                .missing()
                .any(|(read, write)| self.has_concurrent(read, write)),
            Invariant::NoLostUpdate => !self.missing().any(|(read, write)| {
                self.is_replica() || self.precedes(write, read) || !self.has_concurrent(read, write)
            }),
            Invariant::NoResurrection => !self.finals.into_iter().any(|last| {
                self.sound.into_iter().any(|read| {
                    let (seen, now) = (self.returned[read], self.returned[last]);
                    self.precedes(read, last) && !now.common(self.must[read]).is_within(seen)
                })
            }),
            Invariant::Convergence => self.converges(),
            Invariant::ClockSoundness | Invariant::ClockPrecision | Invariant::ClockIdentity => {
                self.clocks_hold(invariant)
            }
            Invariant::ClockAdvance => self
                .acknowledged
                .into_iter()
                .all(|write| self.advances(write)),
            Invariant::AnswerAntichain => self.sound.into_iter().all(|read| {
                let siblings = self.siblings(read);
                let versions: Vec<_> = siblings.iter().filter_map(|s| s.version.as_ref()).collect();
                (0..versions.len()).all(|a| {
                    (0..versions.len()).all(|b| a == b || !at_most(versions[a], versions[b]))
                })
            }),
            Invariant::ContextCovers => self.contexts_cover(),
            Invariant::DotDiscipline => self.dots_grow(),
            Invariant::ReadYourWrites
            | Invariant::MonotonicReads
            | Invariant::MonotonicWrites
            | Invariant::WritesFollowReads
            | Invariant::Causality
            | Invariant::RegularReads
            | Invariant::ReplicaMonotonicity => claims::keeps(self, before, invariant),
            Invariant::Linearizability => true,
        }
    }

    fn bounded(&self) -> bool {
        let mut chains: Vec<Vec<usize>> = Vec::new();
        for write in self.applied {
            let extends = |chain: &&mut Vec<usize>| {
                chain.last().is_some_and(|last| {
                    self.op(*last).client == self.op(write).client
                        && self.must[write].contains(*last)
                })
            };
            match chains.iter_mut().find(extends) {
                Some(chain) => chain.push(write),
                None => chains.push(vec![write]),
            }
        }
        self.sound.into_iter().all(|read| {
            let begun =
                |chain: &&Vec<usize>| Some(self.op(chain[0]).invoked) <= self.op(read).completed;
            self.siblings(read).len() <= chains.iter().filter(begun).count()
        })
    }

    /// Final reads, and the writes due in them that are in no way there.
    fn missing(&self) -> impl Iterator<Item = (usize, usize)> {
        self.finals.into_iter().flat_map(move |last| {
            let missing = self.applied.that(|write| {
                let seen =
                    |read: usize| self.returned[read].contains(write) && self.precedes(read, last);
                let due = self.precedes(write, last) || self.sound.into_iter().any(seen);
                due && !self.may[last].contains(write)
            });
            missing.into_iter().map(move |write| (last, write))
        })
    }

    fn has_concurrent(&self, read: usize, write: usize) -> bool {
        self.returned[read]
            .into_iter()
            .any(|s| !self.may[write].contains(s) && !self.may[s].contains(write))
    }

    fn converges(&self) -> bool {
        let over = |write: usize| match self.op(write).status {
            Status::Info => self.op(write).invoked,
            _ => self.op(write).completed.unwrap_or(0),
        };
        let over = self.applied.into_iter().map(over).max().unwrap_or(0);
        let finals = self.finals.that(|read| self.op(read).invoked >= over);
        let first = finals.into_iter().next();
        finals
            .into_iter()
            .all(|a| first.is_none_or(|b| self.agree(a, b)))
    }

    fn agree(&self, a: usize, b: usize) -> bool {
        let of = |read: usize| self.siblings(read).iter().zip(&self.origins[read]);
        let versions = of(a).all(|(one, origin): (&Sibling, _)| {
            let other = of(b).find(|(_, other)| *other == origin);
            let versions = one
                .version
                .as_ref()
                .zip(other.and_then(|(other, _)| other.version.as_ref()));
            versions.is_none_or(|(one, other)| same_version(one, other))
        });
        let left_out = self.applied.that(|write| self.hides(write));
        let [one, other] = [a, b].map(|read| self.returned[read].without(left_out));
        let contexts = self.read(a).and_then(|read| read.context.as_ref());
        let contexts = contexts.zip(self.read(b).and_then(|read| read.context.as_ref()));
        one == other && versions && (!left_out.is_empty() || contexts.is_none_or(|(a, b)| a == b))
    }
}
