//! Which scans a key goes through.
//!
//! A screened key is found healthy by *scans*, each of which looks whether some invariants may be
//! violated. [`Scan::of`] ties every invariant to its scans, and only what it names is run: an
//! invariant that is added has to be given a scan, or the compiler objects.

use crate::{claim::Promise, verdict::Invariant};

/// A pass over the operations of a key. They are run in this order, as later ones use what earlier
/// ones found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scan {
    /// What one operation shows by itself. It was made while the history was read
    /// ([`KeySummary`](crate::provenance::KeySummary)).
    SingleOperations,
    /// What each write supersedes and each read saw, one operation after the other.
    VisibleSets,
    /// What each client had been told before.
    Sessions,
    /// How many siblings each read returned.
    SiblingCounts,
    /// What final reads lack, and in what they differ.
    FinalReads,
    /// Reported versions, compared with what writes supersede.
    Versions,
    /// What happened before each operation, over all keys.
    Causality,
    /// What was acknowledged before each read began.
    RegularReads,
    /// What each node had returned before.
    Replicas,
    /// Whether one order explains all answers.
    Order,
}

impl Scan {
    /// The scans that together find out whether an invariant may be violated.
    const fn of(invariant: Invariant) -> &'static [Self] {
        match invariant {
            Invariant::NoThinAir
            | Invariant::NoDuplicateSibling
            | Invariant::ClockAdvance
            | Invariant::AnswerAntichain => &[Self::SingleOperations],
            Invariant::Dominance => &[Self::VisibleSets],
            Invariant::BoundedSiblings => &[Self::VisibleSets, Self::SiblingCounts],
            Invariant::SiblingPreservation
            | Invariant::NoLostUpdate
            | Invariant::NoResurrection => &[Self::VisibleSets, Self::FinalReads],
            Invariant::Convergence | Invariant::ContextCovers => {
                &[Self::SingleOperations, Self::VisibleSets, Self::FinalReads]
            }
            Invariant::ClockIdentity | Invariant::DotDiscipline => {
                &[Self::SingleOperations, Self::VisibleSets, Self::Versions]
            }
            Invariant::ClockSoundness | Invariant::ClockPrecision => {
                &[Self::VisibleSets, Self::Versions]
            }
            Invariant::ReadYourWrites
            | Invariant::MonotonicReads
            | Invariant::MonotonicWrites
            | Invariant::WritesFollowReads => &[Self::VisibleSets, Self::Sessions],
            Invariant::Causality => &[Self::VisibleSets, Self::Causality],
            Invariant::RegularReads => &[Self::VisibleSets, Self::RegularReads],
            Invariant::ReplicaMonotonicity => &[Self::VisibleSets, Self::Replicas],
            Invariant::Linearizability => &[Self::VisibleSets, Self::Order],
        }
    }
}

/// The scans that some promises ask for.
pub(crate) struct Scans(Vec<Scan>);

impl Scans {
    /// Those of every invariant that any of the promises includes.
    pub(crate) fn of(promises: &[Promise]) -> Self {
        let includes = |invariant: &Invariant| promises.iter().any(|p| p.includes(*invariant));
        let tested = Invariant::ALL.into_iter().filter(includes);
        let mut scans: Vec<_> = tested.flat_map(Scan::of).copied().collect();
        scans.sort_unstable();
        scans.dedup();
        Self(scans)
    }

    /// In the order in which they are to be run.
    pub(super) fn iter(&self) -> impl Iterator<Item = Scan> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn contains(&self, scan: Scan) -> bool {
        self.0.contains(&scan)
    }
}
