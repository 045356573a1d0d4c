//! Verdicts: Valid, Violated or Unknown, with the evidence.
//!
//! Data first, prose second: a [`Violation`] holds a [`Finding`], and both the sentence and the
//! JSON are made from it (see `explanation.rs`), so that they can never disagree.

use std::fmt::Debug;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    claim::{Claim, Promise},
    history::{Action, Actions, Clock, Name, OpId, TimeNs},
    situations::Situations,
};

pub use crate::{
    invariant::{Invariant, Outcome},
    names::UnknownName,
};

/// Actions of which it is known what can be wrong with them.
pub trait Judgeable: Actions {
    /// What can be wrong, as data.
    type Finding: Clone + Debug + PartialEq + Serialize + Send + Sync;
    /// What a verdict counts beside the tests of each invariant.
    type Figures: Clone + Debug + Default + PartialEq + Send + Sync;
}

impl Judgeable for Action {
    type Finding = Finding;
    type Figures = Situations;
}

/// The verdict on one history: of siblings, unless another object is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<A: Judgeable = Action> {
    /// What came of it.
    pub outcome: Outcome,
    /// The claim that was tested.
    pub claim: Claim,
    /// Whether nodes were held to answer reads from their own state, without going backwards.
    pub replica_monotonic: bool,
    /// At most one for each key and invariant, causes before what follows from them, then by key: the
    /// first leads.
    pub violations: Vec<Violation<A>>,
    /// What could not be tested, and why. Kept beside violations too.
    pub unknown: Vec<Unknown>,
    /// How often each invariant had something to test.
    pub exercised: Exercised,
    /// What else was counted: of siblings, how often the history got into interesting situations.
    pub figures: A::Figures,
}

impl<A: Judgeable> Verdict<A> {
    /// What was tested.
    pub const fn promise(&self) -> Promise {
        Promise {
            claim: self.claim,
            replica_monotonic: self.replica_monotonic,
        }
    }
}

/// How often each invariant had something to test: a count of zero means that the invariant held
/// vacuously.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exercised([u64; Invariant::ALL.len()]);

impl Exercised {
    /// How often `invariant` had something to test.
    pub const fn count(&self, invariant: Invariant) -> u64 {
        self.0[invariant as usize]
    }

    /// Adds `tested` to the count of `invariant`.
    pub const fn add(&mut self, invariant: Invariant, tested: u64) {
        self.0[invariant as usize] += tested;
    }

    /// Every invariant with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Invariant, u64)> + '_ {
        Invariant::ALL
            .into_iter()
            .map(|invariant| (invariant, self.count(invariant)))
    }
}

/// A violated invariant and its proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation<A: Judgeable = Action> {
    /// Which invariant.
    pub invariant: Invariant,
    /// Index into [`crate::history::History::keys`].
    pub key: u32,
    /// The operations that prove it, in the order of their invocation.
    pub evidence: Vec<OpId>,
    /// How many more violations of this invariant this key shows.
    pub more: u64,
    /// What is wrong.
    pub finding: A::Finding,
}

/// What is wrong, as data: operations by number, siblings by their position in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// A read returned what no write can explain.
    ThinAir {
        /// The read.
        read: OpId,
        /// The sibling.
        sibling: usize,
        /// Why no write explains it.
        origin: ThinAir,
    },
    /// A read returned one write twice.
    Duplicate {
        /// The read.
        read: OpId,
        /// The two siblings.
        siblings: [usize; 2],
    },
    /// A read returned a write together with one that supersedes it.
    Dominated {
        /// The read.
        read: OpId,
        /// The superseded write.
        superseded: OpId,
        /// The write that supersedes it.
        by: OpId,
    },
    /// A read returned more siblings than its writers can have caused.
    TooManySiblings {
        /// The read.
        read: OpId,
        /// How many siblings there may be: the chains of writes that each cover the one before.
        chains: usize,
    },
    /// A final read lacks a write that is concurrent with one that it returned.
    SiblingDropped {
        /// The final read.
        read: OpId,
        /// The write it should have returned.
        write: OpId,
        /// The earlier read that returned the write, where no acknowledgement proves it.
        seen_by: Option<OpId>,
        /// The concurrent write that the read returned instead.
        beside: OpId,
    },
    /// A final read lacks a write, and nothing it returned supersedes that write.
    UpdateLost {
        /// The final read.
        read: OpId,
        /// The write it should have returned.
        write: OpId,
        /// The earlier read that returned the write, where no acknowledgement proves it.
        seen_by: Option<OpId>,
        /// Of a delete that the read might hide, or a write that another of its client might have
        /// superseded: the returned sibling that shows that it is missing.
        ignored: Option<OpId>,
    },
    /// A final read returned what an earlier read showed to be superseded.
    Resurrected {
        /// The final read.
        read: OpId,
        /// The write that came back.
        write: OpId,
        /// The write that supersedes it.
        by: OpId,
        /// The earlier read, which returned `by`.
        seen_by: OpId,
    },
    /// Two final reads disagree.
    Diverged {
        /// The reads.
        reads: [OpId; 2],
        /// In what they disagree.
        difference: Difference,
    },
    /// A write's clock is not above the clock of a write that its context covers.
    ClockNotAbove {
        /// The covered write.
        lower: OpId,
        /// The answer through which the writer knew it: the write itself or a read.
        through: OpId,
        /// The write whose clock should be larger.
        upper: OpId,
    },
    /// A write's clock is above that of a write it cannot know.
    FalseDominance {
        /// The write with the smaller clock.
        lower: OpId,
        /// The write with the larger clock.
        upper: OpId,
    },
    /// A write's clock is not above the context that it carried.
    NotAdvanced {
        /// The write.
        write: OpId,
    },
    /// Two writes have one clock.
    SharedVersion {
        /// The writes.
        writes: [OpId; 2],
    },
    /// A value was returned with another clock than before.
    VersionChanged {
        /// The write of the value.
        write: OpId,
        /// Where its clock was first reported: its acknowledgement or a read.
        known_from: OpId,
        /// The read that reported another.
        read: OpId,
    },
    /// Two clocks in one answer are not concurrent.
    OrderedAnswer {
        /// The read.
        read: OpId,
        /// The sibling with the smaller or equal clock, and the other.
        siblings: [usize; 2],
    },
    /// A read's context omits a dot that it returned.
    ContextOmitsDot {
        /// The read.
        read: OpId,
        /// The sibling.
        sibling: usize,
    },
    /// A final read's context omits some of an earlier read's.
    ContextShrank {
        /// The earlier read.
        earlier: OpId,
        /// The final read.
        read: OpId,
    },
    /// A dot lies in its own past.
    DotInOwnPast {
        /// The write.
        write: OpId,
    },
    /// A coordinator's later dot does not have the larger counter.
    CounterNotGrown {
        /// The write that was acknowledged first.
        earlier: OpId,
        /// The write that was invoked after that.
        later: OpId,
    },
    /// Two reads each lack a write that the other returned.
    ReadsCross {
        /// The reads.
        reads: [OpId; 2],
        /// What each of them returned and the other lacks.
        writes: [OpId; 2],
    },
    /// A read lacks a write that was acknowledged before it began.
    WriteMissed {
        /// The read.
        read: OpId,
        /// The write.
        write: OpId,
        /// Of a write that another of its client might have superseded: the returned sibling that
        /// shows that none did.
        ignored: Option<OpId>,
    },
    /// A read lacks a write that an earlier read returned.
    ReadWentBack {
        /// The earlier read.
        earlier: OpId,
        /// The later read.
        read: OpId,
        /// The write that only the earlier read returned.
        write: OpId,
        /// Of a write that something might hide or have superseded: the returned sibling that shows
        /// that nothing did.
        ignored: Option<OpId>,
    },
    /// A read saw a client's write but not what that client had read before it.
    ReadNotFollowed {
        /// The read.
        read: OpId,
        /// The write that it lacks.
        missed: OpId,
        /// The client's read that returned it.
        seen_by: OpId,
        /// The client's later write.
        saw: OpId,
        /// Of a write that something might hide or have superseded: the returned sibling that shows
        /// that nothing did.
        ignored: Option<OpId>,
    },
    /// A read lacks a write that happened before it.
    CauseMissed {
        /// The read.
        read: OpId,
        /// From the write to the read, each operation known to the client of the next: answered
        /// to it before, or returned by the next.
        chain: Vec<OpId>,
        /// Of a write that something might hide or have superseded: the returned sibling that shows
        /// that nothing did.
        ignored: Option<OpId>,
    },
    /// A read returned a write that happened after it.
    CausalCycle {
        /// The read.
        read: OpId,
        /// From the read to the write, as in `CauseMissed`.
        chain: Vec<OpId>,
    },
    /// A read returned several siblings of an atomic register.
    RegisterSplit {
        /// The read.
        read: OpId,
    },
    /// A read returned what had been replaced in an atomic register.
    RegisterWentBack {
        /// The read.
        read: OpId,
        /// A write or read of what it returned that had ended before `begun` was invoked; `None`
        /// when it returned nothing, for nothing was there first.
        #[serde(skip_serializing_if = "Option::is_none")]
        first_done: Option<OpId>,
        /// The write that replaced it.
        replaced_by: OpId,
        /// That write, or a read of it: invoked only after `first_done` had ended.
        begun: OpId,
        /// That write, or a read of it: had ended before `read` was invoked.
        done: OpId,
    },
    /// The values of an atomic register each had to be there before the next, in a circle.
    RegisterCircle {
        /// Of each value an operation that ended before one of the next began.
        steps: Vec<[OpId; 2]>,
    },
    /// A read saw a write but not one that was acknowledged before that was invoked.
    WritesReordered {
        /// The read.
        read: OpId,
        /// The write that it lacks.
        missed: OpId,
        /// The later write that it saw.
        saw: OpId,
        /// Of a write that something might hide or have superseded: the returned sibling that shows
        /// that nothing did.
        ignored: Option<OpId>,
    },
}

/// Why a returned value comes out of thin air.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinAir {
    /// Nothing wrote it.
    NeverWritten,
    /// It was written to another key.
    OtherKey {
        /// The write.
        write: OpId,
    },
    /// Its tag belongs to a write of another value.
    Altered {
        /// The write.
        write: OpId,
    },
    /// Its write certainly did not take effect.
    Failed {
        /// The write.
        write: OpId,
    },
    /// Its write was invoked only after the read completed, or from what the read returned.
    NotYetWritten {
        /// The write.
        write: OpId,
    },
}

impl ThinAir {
    /// The write that carries the value's name without explaining it.
    pub const fn write(self) -> Option<OpId> {
        match self {
            Self::NeverWritten => None,
            Self::OtherKey { write }
            | Self::Altered { write }
            | Self::Failed { write }
            | Self::NotYetWritten { write } => Some(write),
        }
    }
}

/// In what two final reads disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The siblings.
    Siblings {
        /// What only one of them returned, for each of the two reads.
        only: [Vec<OpId>; 2],
    },
    /// The clock of one sibling.
    Version {
        /// The sibling's write.
        write: OpId,
    },
    /// The contexts.
    Contexts,
}

/// Something that could not be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The key that it concerns; `None` for the whole history.
    pub key: Option<u32>,
    /// Why it could not be tested.
    pub reason: Reason,
}

/// Why something could not be tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No violation, but no key has two writes and an answered read after them either.
    NothingTested,
    /// A write was acknowledged, and no final read of its key followed that could be judged.
    NoFinalRead {
        /// The first such write of the key.
        write: OpId,
        /// A final read that followed, with a value out of thin air or one twice.
        #[serde(skip_serializing_if = "Option::is_none")]
        left_out: Option<OpId>,
    },
    /// Reads may leave tombstones out, and one may or may not have seen a delete of the key: what it saw
    /// is known only as an interval, which linearizability does not yield to.
    HiddenTombstones,
    /// The clients of the key do not wait for answers, so a conflict need not be one, and it has too
    /// many operations to see whether there is an order after all.
    TooManyOperations,
    /// Nothing in the history could have broken a promised invariant.
    NotExercised {
        /// The invariant.
        invariant: Invariant,
    },
    /// There are too many clients for what happened before what to be kept.
    TooManyClients,
    /// The search for an order of a register's operations ran out of steps.
    Steps {
        /// How many there were.
        steps: u64,
    },
    /// The search for an order of a register's operations ran out of memory.
    Memory {
        /// How many bytes it was allowed.
        bytes: u64,
    },
    /// The run was ended before its end: it had come to more events than a run may have. Whoever ran
    /// it says so; no history tells it.
    CutShort {
        /// After so many events.
        events: u64,
    },
}

/// One operation of the evidence, with real names, ready to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in the history.
    pub op: OpId,
    /// Who asked.
    pub client: Name,
    /// Whom; nobody where the history names no nodes.
    pub node: Option<Name>,
    /// What the times mean.
    pub clock: Clock,
    /// When it was asked.
    pub invoked: TimeNs,
    /// When it was answered.
    pub completed: Option<TimeNs>,
    /// What was asked and answered: `at 2 ms c2 at n1: write "b" with no context → ok
    /// {n1:2}`.
    pub text: String,
}

/// With the unit of the times in their names: `invoked_ns` or `invoked_position`.
impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (invoked, completed) = match self.clock {
            Clock::Nanoseconds => ("invoked_ns", "completed_ns"),
            Clock::Positions => ("invoked_position", "completed_position"),
        };
        let mut step = serializer.serialize_map(None)?;
        step.serialize_entry("op", &self.op)?;
        step.serialize_entry("client", &self.client)?;
        if let Some(node) = &self.node {
            step.serialize_entry("node", node)?;
        }
        step.serialize_entry(invoked, &self.invoked)?;
        if let Some(at) = self.completed {
            step.serialize_entry(completed, &at)?;
        }
        step.serialize_entry("text", &self.text)?;
        step.end()
    }
}
