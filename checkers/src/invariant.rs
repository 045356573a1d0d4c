//! What is judged, by name: the invariants, and the outcomes of testing them.

use strum::{IntoStaticStr, VariantArray};

use crate::names::{named, variants};

/// What came of judging a history.
///
/// A violation dominates an unknown, and an unknown dominates validity. `Unknown` may be read as
/// "nothing wrong was seen, but not everything that the claim promises could be tested".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Outcome {
    /// Everything that the claim promises was tested, and holds.
    Valid,
    /// At least one invariant is violated; the evidence proves it.
    Violated,
    /// No violation, but something was not tested: see
    /// [`Verdict::unknown`](crate::verdict::Verdict::unknown).
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; Self::VARIANTS.len()] = variants();

    /// The name in files and reports.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A named property of sibling stores: one row of the table of invariants.
///
/// # The order of causes
///
/// Invariants are ordered so that the cause of what is wrong stands before what follows from it. It
/// is the order of the steps that lead from a write to an answer: a step can break what comes after
/// it, and nothing before it.
///
/// 1. *What was written*: an answer with a value that nobody wrote tells nothing of the steps between.
/// 2. *The version of a write* is made once, when it is accepted, from the context and the state of
///    its coordinator. That two writes have one version spoils every comparison with either; next
///    come versions that are wrong in themselves (a dot that did not grow, a clock that does not
///    cover its own context), then those wrong only beside another. A version too small makes a
///    replica keep what was superseded, one too large makes it drop what was concurrent.
/// 3. *One answer* shows what a replica kept by its versions: duplicates, superseded siblings,
///    siblings without bound.
/// 4. *Final reads* show what was dropped for good. First what was pushed out, and by what; then what
///    is missing, what came back, contexts that shrank with it, and last that replicas differ, which
///    follows from any of these.
/// 5. *Guarantees between answers* of clients, from one client to all: a write that is lost is missing
///    in each of them, while a read that is merely stale breaks none above.
///
/// The order decides which violation leads a report, never what is a violation. It names the first
/// cause that clients can see: a crash that loses state is the cause of a version that is given twice.
/// Where something was lost and not because of versions, versions stand last: see `causes.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
pub enum Invariant {
    /// Every returned value was written to that key before the read completed.
    #[strum(serialize = "no thin air")]
    NoThinAir,
    /// One clock, one write; one write, one clock.
    #[strum(serialize = "clock identity")]
    ClockIdentity,
    /// A dot is not in its own past, and one coordinator's dots only grow.
    #[strum(serialize = "dot discipline")]
    DotDiscipline,
    /// A write's clock is above the context it carried.
    #[strum(serialize = "clock advance")]
    ClockAdvance,
    /// A superseding write has the larger clock.
    #[strum(serialize = "clock soundness")]
    ClockSoundness,
    /// A larger clock belongs to a superseding write.
    #[strum(serialize = "clock precision")]
    ClockPrecision,
    /// No value appears twice in one answer.
    #[strum(serialize = "no duplicate sibling")]
    NoDuplicateSibling,
    /// No sibling is returned together with a write that supersedes it.
    #[strum(serialize = "dominance")]
    Dominance,
    /// The clocks of one answer are pairwise concurrent.
    #[strum(serialize = "answer is an antichain of clocks")]
    AnswerAntichain,
    /// Writers that use what they read never cause more siblings than writers.
    #[strum(serialize = "bounded siblings")]
    BoundedSiblings,
    /// Concurrent writes both survive.
    #[strum(serialize = "sibling preservation")]
    SiblingPreservation,
    /// Every acknowledged write is returned or superseded in every final read.
    #[strum(serialize = "no lost update")]
    NoLostUpdate,
    /// What was seen superseded does not come back.
    #[strum(serialize = "no resurrection")]
    NoResurrection,
    /// A read's context includes every returned dot and never shrinks.
    #[strum(serialize = "context covers")]
    ContextCovers,
    /// Final reads agree at all nodes.
    #[strum(serialize = "convergence")]
    Convergence,
    /// A client sees its own acknowledged writes.
    #[strum(serialize = "read your writes")]
    ReadYourWrites,
    /// A client sees again what it saw.
    #[strum(serialize = "monotonic reads")]
    MonotonicReads,
    /// A client's writes are seen with its earlier ones.
    #[strum(serialize = "monotonic writes")]
    MonotonicWrites,
    /// A client's writes are seen with what it had read.
    #[strum(serialize = "writes follow reads")]
    WritesFollowReads,
    /// Effects are seen with their causes, over all keys.
    #[strum(serialize = "causality")]
    Causality,
    /// A read sees every write acknowledged before it began.
    #[strum(serialize = "regular reads")]
    RegularReads,
    /// A node's answers never go backwards.
    #[strum(serialize = "monotonic replicas")]
    ReplicaMonotonicity,
    /// The history of each key is linearizable as a multi-value register.
    #[strum(serialize = "linearizability")]
    Linearizability,
}

impl Invariant {
    /// Every invariant, in the order of causes.
    pub const ALL: [Self; Self::VARIANTS.len()] = variants();

    /// True for what is demanded of clocks, dots and contexts, and not of the values that clients get.
    pub const fn is_of_clocks(self) -> bool {
        matches!(
            self,
            Self::ClockIdentity
                | Self::DotDiscipline
                | Self::ClockAdvance
                | Self::ClockSoundness
                | Self::ClockPrecision
                | Self::AnswerAntichain
                | Self::ContextCovers
        )
    }

    /// The name in the words of the field.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it demands, in one line.
    pub const fn statement(self) -> &'static str {
        match self {
            Self::NoThinAir => {
                "every returned value was written to that key by a write that was invoked before the read completed and did not fail"
            }
            Self::NoDuplicateSibling => "no value appears twice in one answer",
            Self::Dominance => {
                "no sibling is returned together with a write whose context covers it"
            }
            Self::SiblingPreservation => {
                "of two concurrent writes neither replaces the other: final reads return both, or what supersedes them"
            }
            Self::NoLostUpdate => {
                "every acknowledged write is returned by every final read, or superseded by a write that is"
            }
            Self::NoResurrection => {
                "a write that a read showed to be superseded is not returned by a later final read"
            }
            Self::Convergence => {
                "final reads of a key return the same siblings, clocks and contexts at all nodes"
            }
            Self::ClockSoundness => {
                "a write's clock is above the clocks of what its context covers"
            }
            Self::ClockPrecision => {
                "a write's clock is above another's only if its causal past holds that write"
            }
            Self::ClockAdvance => {
                "an acknowledged clock is strictly above the context of its write"
            }
            Self::ClockIdentity => {
                "different writes of a key have different clocks, and a value keeps the clock it was acknowledged with"
            }
            Self::AnswerAntichain => "the clocks in one answer are pairwise concurrent",
            Self::ContextCovers => {
                "a read's context includes every returned dot, and a final read's also every context read before"
            }
            Self::DotDiscipline => {
                "a dot is not in its own past, and the dots of one coordinator for a key only grow"
            }
            Self::BoundedSiblings => {
                "clients that write with the context just read never see more siblings than chains of such writes"
            }
            Self::ReadYourWrites => {
                "a client's read sees every write of the key that was acknowledged to it before"
            }
            Self::MonotonicReads => {
                "a client's read sees everything that its earlier reads of the key saw"
            }
            Self::MonotonicWrites => {
                "a read that returns a client's write sees also the writes of the key acknowledged to that client before"
            }
            Self::WritesFollowReads => {
                "a read that returns a client's write sees also what that client had read of the key before"
            }
            Self::Causality => {
                "a read sees every write of the key that happened before it, or before what it returns, in the order of clients and answers over all keys"
            }
            Self::RegularReads => {
                "a read sees every write of the key that was acknowledged before the read was invoked"
            }
            Self::ReplicaMonotonicity => {
                "a read sees everything that earlier reads of the key at the same node saw"
            }
            Self::Linearizability => {
                "one order of all operations of the key, consistent with real time, explains every answer"
            }
        }
    }
}

named!(Outcome, "outcome");
named!(Invariant, "invariant");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for invariant in Invariant::ALL {
            assert_eq!(invariant.name().parse(), Ok(invariant));
            assert!(!invariant.statement().is_empty());
        }
        for outcome in Outcome::ALL {
            assert_eq!(outcome.name().parse(), Ok(outcome));
        }
        let unknown = "speed".parse::<Invariant>().unwrap_err().to_string();
        assert!(
            unknown.contains("speed") && unknown.contains("dot discipline"),
            "{unknown}"
        );
    }
}
