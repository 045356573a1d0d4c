//! Planted bugs: positive controls that every campaign must catch.
//!
//! Each [`Flaw`] is a small, named change to a correct store, modelled on a bug that a real store
//! had, and names the invariant under which it must be caught.

use sibcheck_checkers::{Claim, Invariant};

use crate::{
    clocks::{Actor, Causality, DottedVersionVector, VectorClock},
    simulation::FaultName,
};

use super::{
    DotCounter, DottedRules, ReplicaRules, Sibling, Siblings, Stamp, StoreError, VersionedRules,
    dotted::dot_after,
    dynamo::{Durable, Hints, Quorums, Reaping, Rules, Trees, Views},
    versioned::{ClientWrite, advance_entry, join},
};

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Concurrent writes are not kept: the version that arrives last replaces all others, in the
    /// manner of a last-writer-wins register.
    LastWriterWins,
    /// The coordinator's entry advances also on a blind write, so the new clock dominates a
    /// concurrent sibling written through the same node, which is then dropped
    /// (Preguiça et al. 2010, §3).
    ServerIdClock,
    /// Superseded versions are never removed: sibling explosion.
    NeverSupersede,
    /// The new dot comes from the client's context instead of the coordinator's counter: two
    /// writes from one context get the same dot, and merging keeps only one of them.
    DotFromContext,
    /// Reconciling several versions keeps the clock of the first one only, so the joined version
    /// does not supersede the others.
    ReconcileOneParent,
    /// Writes are acknowledged before they are durable, and a crash forgets them.
    AckBeforeDurable,
    /// A replica's message overwrites what is there instead of being merged with it.
    OverwriteOnReplication,
    /// Siblings with equal values are taken for one, although different clients wrote them.
    MergeEqualValues,
    /// The counter of a new dot is what the node's wall clock shows: when it jumps back, dots are made
    /// again that were made before.
    WallClockDots,
    /// A write is acknowledged when one node less than asked for has it.
    WriteQuorumShort,
    /// Others than the owners of a key count, and it is promised that every read sees every acknowledged
    /// write.
    SloppyQuorumStrict,
    /// What a node sends replaces what another one has, instead of being merged with it.
    RepairOverwrites,
    /// What is kept for an owner that cannot be reached is not durable.
    HintInMemory,
    /// What is kept for an owner is written anew, under another dot, when the owner is back.
    HintWrittenAnew,
    /// A node that has handed a key off and gets it back begins again with the same dots.
    ActorReused,
    /// A coordinator has its own copy on storage after others have heard of its dot.
    CounterLost,
    /// While nodes join and leave each goes by the members of whom it has heard last.
    ViewsDisagree,
    /// A node drops a tombstone that others may still need.
    ReapedEarly,
    /// A delete leaves the tree that is compared as it was.
    TreeWithoutDeletes,
}

/// Which correct store a flaw changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// [`super::VersionedStore`].
    Versioned,
    /// [`super::DottedStore`].
    Dotted,
    /// [`super::dynamo`].
    Dynamo,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 19] = [
        Self::LastWriterWins,
        Self::ServerIdClock,
        Self::NeverSupersede,
        Self::DotFromContext,
        Self::ReconcileOneParent,
        Self::AckBeforeDurable,
        Self::OverwriteOnReplication,
        Self::MergeEqualValues,
        Self::WallClockDots,
        Self::WriteQuorumShort,
        Self::SloppyQuorumStrict,
        Self::RepairOverwrites,
        Self::HintInMemory,
        Self::HintWrittenAnew,
        Self::ActorReused,
        Self::CounterLost,
        Self::ViewsDisagree,
        Self::ReapedEarly,
        Self::TreeWithoutDeletes,
    ];

    /// The name on the command line, after `faulty:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastWriterWins => "last-writer-wins",
            Self::ServerIdClock => "server-id-clock",
            Self::NeverSupersede => "never-supersede",
            Self::DotFromContext => "dot-from-context",
            Self::ReconcileOneParent => "reconcile-one-parent",
            Self::AckBeforeDurable => "ack-before-durable",
            Self::OverwriteOnReplication => "overwrite-on-replication",
            Self::MergeEqualValues => "merge-equal-values",
            Self::WallClockDots => "wall-clock-dots",
            Self::WriteQuorumShort => "write-quorum-short",
            Self::SloppyQuorumStrict => "sloppy-quorum-strict",
            Self::RepairOverwrites => "repair-overwrites",
            Self::HintInMemory => "hint-in-memory",
            Self::HintWrittenAnew => "hint-written-anew",
            Self::ActorReused => "actor-reused",
            Self::CounterLost => "counter-lost",
            Self::ViewsDisagree => "views-disagree",
            Self::ReapedEarly => "reaped-early",
            Self::TreeWithoutDeletes => "tree-without-deletes",
        }
    }

    /// The store that it changes.
    pub const fn basis(self) -> Basis {
        match self {
            Self::DotFromContext
            | Self::AckBeforeDurable
            | Self::OverwriteOnReplication
            | Self::MergeEqualValues
            | Self::WallClockDots => Basis::Dotted,
            Self::WriteQuorumShort
            | Self::SloppyQuorumStrict
            | Self::RepairOverwrites
            | Self::HintInMemory
            | Self::HintWrittenAnew
            | Self::ActorReused
            | Self::CounterLost
            | Self::ViewsDisagree
            | Self::ReapedEarly
            | Self::TreeWithoutDeletes => Basis::Dynamo,
            _ => Basis::Versioned,
        }
    }

    /// The invariant that must be among those named when it is caught.
    pub const fn breaks(self) -> Invariant {
        match self {
            Self::LastWriterWins | Self::MergeEqualValues => Invariant::SiblingPreservation,
            Self::ServerIdClock
            | Self::AckBeforeDurable
            | Self::OverwriteOnReplication
            | Self::RepairOverwrites
            | Self::HintInMemory => Invariant::NoLostUpdate,
            Self::NeverSupersede | Self::ReconcileOneParent => Invariant::Dominance,
            Self::HintWrittenAnew => Invariant::NoDuplicateSibling,
            Self::DotFromContext | Self::WallClockDots | Self::ActorReused | Self::CounterLost => {
                Invariant::ClockIdentity
            }
            Self::WriteQuorumShort
            | Self::SloppyQuorumStrict
            | Self::ViewsDisagree
            | Self::ReapedEarly => Invariant::RegularReads,
            Self::TreeWithoutDeletes => Invariant::Convergence,
        }
    }

    /// The kind of fault on request without which the store is correct, if there is one.
    pub const fn needs(self) -> Option<FaultName> {
        match self {
            Self::WallClockDots => Some(FaultName::Clock),
            _ => None,
        }
    }

    /// The quorums of the store that it is planted in.
    pub(crate) fn quorums(self) -> Quorums {
        let background = self == Self::TreeWithoutDeletes;
        let (owners, reads, writes, sloppy) = match self {
            Self::SloppyQuorumStrict => (3, 2, 2, true),
            // Who goes by other members than the only owner reads something else.
            Self::ViewsDisagree => (1, 1, 1, false),
            // What stands in for the only owner has the only copy.
            Self::HintInMemory | Self::HintWrittenAnew | Self::ActorReused => (1, 1, 1, true),
            // What one node loses is not found at the others at once.
            Self::RepairOverwrites => (3, 1, 1, false),
            // Each node answers by what it has itself.
            Self::TreeWithoutDeletes => (5, 1, 1, false),
            _ => (3, 2, 2, false),
        };
        Quorums {
            owners,
            reads,
            writes,
            sloppy,
            background,
        }
    }

    /// What so many nodes of the store that it is planted in promise.
    pub(crate) fn claim(self, nodes: usize) -> Claim {
        let quorums = match self {
            Self::SloppyQuorumStrict => Quorums::default(),
            flaw => flaw.quorums(),
        };
        quorums.claim(nodes)
    }

    /// The rules of a Dynamo-style node with this flaw.
    pub(crate) fn dynamo<V: Clone>(self) -> Rules<V> {
        let correct = Rules::default();
        match self {
            Self::WriteQuorumShort => Rules {
                enough: |wanted| wanted - 1,
                ..correct
            },
            Self::RepairOverwrites => Rules {
                merge: |_, theirs| theirs.clone(),
                ..correct
            },
            Self::HintInMemory => Rules {
                hints: Hints::InMemory,
                ..correct
            },
            Self::HintWrittenAnew => Rules {
                hints: Hints::WrittenAnew,
                ..correct
            },
            Self::ActorReused => Rules {
                hints: Hints::SameName,
                ..correct
            },
            Self::CounterLost => Rules {
                durable: Durable::Later,
                ..correct
            },
            Self::ViewsDisagree => Rules {
                views: Views::Disagreeing,
                ..correct
            },
            Self::ReapedEarly => Rules {
                reaping: Reaping::Early,
                ..correct
            },
            Self::TreeWithoutDeletes => Rules {
                trees: Trees::WithoutTombstones,
                ..correct
            },
            _ => correct,
        }
    }

    /// One line for help texts.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::LastWriterWins => "the version that arrives last replaces all others",
            Self::ServerIdClock => {
                "a blind write advances the node's entry and dominates a concurrent sibling"
            }
            Self::NeverSupersede => "superseded versions are never removed",
            Self::DotFromContext => "a new dot is taken from the context, not from the counter",
            Self::ReconcileOneParent => "joining siblings keeps one parent's clock only",
            Self::AckBeforeDurable => "writes are acknowledged before they are durable",
            Self::OverwriteOnReplication => "a replica's message overwrites instead of merging",
            Self::MergeEqualValues => "siblings with equal values are taken for one",
            Self::WallClockDots => "dots are counted by the node's wall clock, which may jump back",
            Self::WriteQuorumShort => {
                "writes are acknowledged when one node less than asked for has them"
            }
            Self::SloppyQuorumStrict => {
                "others than the owners count, although owners are promised"
            }
            Self::RepairOverwrites => "what a node sends replaces what another one has",
            Self::HintInMemory => "what is kept for an owner is lost in a crash",
            Self::HintWrittenAnew => {
                "what is kept for an owner gets another dot when it is handed off"
            }
            Self::ActorReused => "a node that gets a key back begins again with the same dots",
            Self::CounterLost => {
                "others hear of a dot before the node that made it has it on storage"
            }
            Self::ViewsDisagree => {
                "while nodes join or leave, each goes by the members of whom it has heard last"
            }
            Self::ReapedEarly => "nodes drop a tombstone without asking who lacks it",
            Self::TreeWithoutDeletes => "a delete leaves the tree that is compared as it was",
        }
    }

    /// The rules of a vector clock store with this flaw.
    pub(crate) fn versioned<V: Clone>(self) -> VersionedRules<V> {
        let correct = VersionedRules::default();
        match self {
            Self::LastWriterWins => VersionedRules {
                admit: |_, value, stamp| vec![Sibling { value, stamp }].into(),
                merge: keep_the_arrival,
                ..correct
            },
            Self::ServerIdClock => VersionedRules {
                advance: advance_server_entry,
                ..correct
            },
            Self::NeverSupersede => VersionedRules {
                admit: append,
                merge: union,
                ..correct
            },
            Self::ReconcileOneParent => VersionedRules {
                advance: advance_first_parent,
                ..correct
            },
            _ => correct,
        }
    }

    /// The rules of a dotted store with this flaw.
    pub(crate) fn dotted<V: Clone + PartialEq>(self) -> DottedRules<V> {
        let correct = DottedRules::default();
        match self {
            Self::DotFromContext => DottedRules {
                advance: |node, context, _| dot_after(node, context, context.get(node.as_str())),
                ..correct
            },
            Self::WallClockDots => DottedRules {
                counter: DotCounter::WallClock,
                ..correct
            },
            Self::OverwriteOnReplication => DottedRules {
                merge: |_, arrived| arrived.clone(),
                ..correct
            },
            Self::MergeEqualValues => DottedRules {
                admit: |present, value, stamp| one_of_each_value(&present.with(value, stamp)),
                merge: |present, arrived| one_of_each_value(&present.merge(arrived)),
                ..correct
            },
            _ => correct,
        }
    }

    /// The rules of a replica with this flaw.
    pub(crate) fn replica(self) -> ReplicaRules {
        ReplicaRules {
            sync_before_answer: self != Self::AckBeforeDurable,
        }
    }
}

fn keep_the_arrival<V: Clone>(
    present: &Siblings<V, VectorClock>,
    arrived: &Siblings<V, VectorClock>,
) -> Siblings<V, VectorClock> {
    // What the arrival already supersedes stays away; of concurrent versions the arrival wins.
    let news = arrived.iter().any(|theirs| {
        present.iter().all(|mine| {
            !matches!(
                theirs.stamp.compare(&mine.stamp),
                Causality::Before | Causality::Equal
            )
        })
    });
    if news {
        arrived.clone()
    } else {
        present.clone()
    }
}

fn advance_server_entry<V>(
    write: &ClientWrite<'_>,
    present: &Siblings<V, VectorClock>,
) -> Result<VectorClock, StoreError> {
    let server = Actor::from(write.node.unwrap_or("server"));
    advance_entry(&server, &join(write.parents), present)
}

fn advance_first_parent<V>(
    write: &ClientWrite<'_>,
    present: &Siblings<V, VectorClock>,
) -> Result<VectorClock, StoreError> {
    let first = write.parents.first().cloned().unwrap_or_default();
    advance_entry(&write.actor(), &first, present)
}

fn append<V: Clone, S: Stamp>(present: &Siblings<V, S>, value: V, stamp: S) -> Siblings<V, S> {
    let mut siblings = present.to_vec();
    siblings.push(Sibling { value, stamp });
    siblings.into()
}

fn union<V: Clone, S: Stamp>(present: &Siblings<V, S>, arrived: &Siblings<V, S>) -> Siblings<V, S> {
    let known = |theirs: &Sibling<V, S>| present.iter().any(|mine| mine.stamp == theirs.stamp);
    let news: Vec<_> = arrived.iter().filter(|theirs| !known(theirs)).collect();
    if news.is_empty() {
        return present.clone();
    }
    let mut siblings = present.to_vec();
    siblings.extend(news.into_iter().cloned());
    siblings.into()
}

fn one_of_each_value<V: Clone + PartialEq>(
    siblings: &Siblings<V, DottedVersionVector>,
) -> Siblings<V, DottedVersionVector> {
    let mut kept: Vec<Sibling<V, DottedVersionVector>> = Vec::with_capacity(siblings.len());
    for sibling in siblings.iter() {
        // The older dot stays, on every replica alike.
        match kept.iter_mut().find(|k| k.value == sibling.value) {
            Some(same) if sibling.stamp.dot() < same.stamp.dot() => *same = sibling.clone(),
            Some(_) => {}
            None => kept.push(sibling.clone()),
        }
    }
    if kept.len() == siblings.len() {
        siblings.clone()
    } else {
        kept.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Flaw::ALL.iter().map(|flaw| flaw.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Flaw::ALL.len());
    }
}
