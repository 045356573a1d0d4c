//! Claims: what a store promises decides what is a violation.
//!
//! Every claim adds to `eventual`. An arrow leads from a claim to a stronger one, which a store
//! cannot keep without keeping the weaker:
//!
//! ```text
//!            ┌─▶ monotonic-reads ──────┐
//!            ├─▶ monotonic-writes ─────┤
//! eventual ──┼─▶ writes-follow-reads ──┼─▶ session ──▶ causal ──┐
//!            └─▶ read-your-writes ─────┘                        ├─▶ linearizable
//!                       └──────────────▶ quorum ────────────────┘
//! ```
//!
//! `quorum` is regular semantics: it implies that clients read their writes, and no more, since two
//! reads that overlap a write may see it and then not.

use strum::{IntoStaticStr, VariantArray};

use crate::{
    invariant::Invariant,
    names::{named, variants},
};

/// What a store promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Claim {
    /// A convergent, causally closed multi-value register: the safety invariants that hold in any
    /// read, and everything on final reads.
    Eventual,
    /// A client sees its own acknowledged writes.
    ReadYourWrites,
    /// What a client has seen it sees again, or what superseded it.
    MonotonicReads,
    /// Nobody sees a client's write without the client's earlier ones.
    MonotonicWrites,
    /// Nobody sees a client's write without what the client had read before.
    WritesFollowReads,
    /// The four guarantees together (Terry et al. 1994).
    Session,
    /// Nobody sees an effect without its causes, over all keys.
    Causal,
    /// Strict quorums (R + W > N): a read sees every write acknowledged before it began.
    Quorum,
    /// The single-node store: the whole history of each key is linearizable as a multi-value
    /// register.
    Linearizable,
}

impl Claim {
    /// Every claim; none stands before one that it implies.
    pub const ALL: [Self; Self::VARIANTS.len()] = variants();

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it adds to `eventual`, in a few words.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Eventual => "every invariant that all the others build on",
            Self::ReadYourWrites => "a client sees its own acknowledged writes",
            Self::MonotonicReads => "what a client has seen it sees again, or what superseded it",
            Self::MonotonicWrites => "nobody sees a client's write without its earlier ones",
            Self::WritesFollowReads => {
                "nobody sees a client's write without what the client had read"
            }
            Self::Session => "these four guarantees together",
            Self::Causal => "nobody sees an effect without its causes, over all keys",
            Self::Quorum => "a read sees every write acknowledged before it began",
            Self::Linearizable => "one order of all operations of a key explains every answer",
        }
    }

    /// The invariants that it promises beside those of `eventual`.
    pub const fn adds(self) -> &'static [Invariant] {
        match self {
            Self::Eventual => &[],
            Self::ReadYourWrites => &[Invariant::ReadYourWrites],
            Self::MonotonicReads => &[Invariant::MonotonicReads],
            Self::MonotonicWrites => &[Invariant::MonotonicWrites],
            Self::WritesFollowReads => &[Invariant::WritesFollowReads],
            Self::Session => &[
                Invariant::ReadYourWrites,
                Invariant::MonotonicReads,
                Invariant::MonotonicWrites,
                Invariant::WritesFollowReads,
            ],
            Self::Causal => &[
                Invariant::ReadYourWrites,
                Invariant::MonotonicReads,
                Invariant::MonotonicWrites,
                Invariant::WritesFollowReads,
                Invariant::Causality,
            ],
            Self::Quorum => &[Invariant::RegularReads],
            Self::Linearizable => &[Invariant::Linearizability],
        }
    }

    /// Whether a store that keeps this claim keeps the other too: the order of the claims.
    pub const fn implies(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Eventual)
            | (Self::Linearizable, _)
            | (
                Self::Session | Self::Causal,
                Self::ReadYourWrites
                | Self::MonotonicReads
                | Self::MonotonicWrites
                | Self::WritesFollowReads
                | Self::Session,
            )
            | (Self::Quorum, Self::ReadYourWrites) => true,
            _ => self as u8 == other as u8,
        }
    }
}

/// What a store promises: a claim, and what may be promised beside any claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The claim.
    pub claim: Claim,
    /// Nodes answer reads from their own state, and never go backwards.
    pub replica_monotonic: bool,
}

impl From<Claim> for Promise {
    fn from(claim: Claim) -> Self {
        Self {
            claim,
            replica_monotonic: false,
        }
    }
}

impl Promise {
    /// Whether it promises an invariant.
    pub fn includes(self, invariant: Invariant) -> bool {
        match invariant {
            Invariant::ReplicaMonotonicity => self.replica_monotonic,
            Invariant::ReadYourWrites
            | Invariant::MonotonicReads
            | Invariant::MonotonicWrites
            | Invariant::WritesFollowReads
            | Invariant::Causality
            | Invariant::RegularReads
            | Invariant::Linearizability => self.claim.adds().contains(&invariant),
            Invariant::NoThinAir
            | Invariant::ClockIdentity
            | Invariant::DotDiscipline
            | Invariant::ClockAdvance
            | Invariant::ClockSoundness
            | Invariant::ClockPrecision
            | Invariant::NoDuplicateSibling
            | Invariant::Dominance
            | Invariant::AnswerAntichain
            | Invariant::BoundedSiblings
            | Invariant::SiblingPreservation
            | Invariant::NoLostUpdate
            | Invariant::NoResurrection
            | Invariant::ContextCovers
            | Invariant::Convergence => true,
        }
    }

    /// The invariants that it promises beside those of `eventual`.
    pub fn adds(self) -> impl Iterator<Item = Invariant> {
        let switched = self
            .replica_monotonic
            .then_some(Invariant::ReplicaMonotonicity);
        self.claim.adds().iter().copied().chain(switched)
    }
}

named!(Claim, "claim");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_claims_is_an_order() {
        for a in Claim::ALL {
            assert_eq!(a.name().parse(), Ok(a));
            assert!(a.implies(a) && a.implies(Claim::Eventual) && Claim::Linearizable.implies(a));
            for b in Claim::ALL {
                assert!(a == b || !(a.implies(b) && b.implies(a)), "{a} {b}");
                assert!(!a.implies(b) || a >= b, "{a} stands before {b}");
                for c in Claim::ALL {
                    assert!(
                        !(a.implies(b) && b.implies(c)) || a.implies(c),
                        "{a} {b} {c}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_claim_that_promises_more_implies_the_other() {
        for a in Claim::ALL {
            for b in Claim::ALL {
                let more = b.adds().iter().all(|added| a.adds().contains(added));
                assert!(!more || a.implies(b), "{a} {b}");
            }
        }
        let error = "strict".parse::<Claim>().unwrap_err().to_string();
        assert!(
            error.contains("strict") && error.contains("writes-follow-reads"),
            "{error}"
        );
    }
}
