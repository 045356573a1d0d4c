//! What came of judging registers: data, from which sentences and JSON are made.

use serde::Serialize;

use super::history::{Action, OpId, ValueId};
use crate::verdict;
pub use crate::verdict::{Reason, Unknown};

/// The verdict on one history of registers.
pub type Verdict = verdict::Verdict<Action>;

/// A register that no order of its operations explains.
pub type Violation = verdict::Violation<Action>;

impl verdict::Judgeable for Action {
    type Finding = Contradiction;
    type Figures = Figures;
}

/// What there was to decide, and how it was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Operations that took effect, may have, or observed something.
    pub operations: u64,
    /// Answered reads and answered compare-and-sets: what tells anything.
    pub observations: u64,
    /// Keys decided by zones, in near-linear time: their values are unique.
    pub keys_by_zones: u64,
    /// Keys decided by search.
    pub keys_by_search: u64,
    /// Steps that the searches took.
    pub search_steps: u64,
}

/// Operations of a register that contradict each other: what is wrong, and what may be assumed of the
/// evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// What is wrong.
    #[serde(flatten)]
    pub what: Finding,
    /// Those of the evidence that need not have taken effect, or not after the others began:
    /// their outcome is unknown, or they were under way when the evidence begins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<OpId>,
    /// Compare-and-sets of the evidence of which it does not matter what they found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<OpId>,
    /// What the register held before the evidence.
    pub start: Start,
}

/// What a register held before the first operation of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The value at the start of the history.
    Initial,
    /// Whatever it may have been: the proof does not depend on it.
    Anything,
}

/// What is wrong with a register, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// An operation observed a value that nothing wrote.
    NeverWritten {
        /// The operation.
        op: OpId,
        /// The value.
        value: ValueId,
        /// The operation that would have written it and certainly did not take effect.
        failed: Option<OpId>,
    },
    /// An operation observed a value and completed before the value's only write was invoked.
    BeforeItsWrite {
        /// The operation.
        op: OpId,
        /// The write.
        write: OpId,
    },
    /// Two operations each replaced the same value, which was there only once.
    ReplacedTwice {
        /// The operations.
        ops: [OpId; 2],
    },
    /// Operations that each need another's value before them, in a circle.
    Circle {
        /// One of them.
        op: OpId,
    },
    /// An operation observed a value that had certainly been replaced before it was invoked.
    Stale {
        /// The operation.
        op: OpId,
        /// The operation that completed before, and shows that the value was gone.
        gone_by: OpId,
    },
    /// Something was read that appends cannot have made of what was written.
    Garbled {
        /// The read.
        op: OpId,
        /// Another read that contradicts it; none where it makes no sense by itself.
        against: Option<OpId>,
    },
    /// A value was there before and after another, and was written only once.
    CameBack {
        /// Shows the value before the other: this completed before the first of `between` was
        /// invoked. None where it is the value at the start.
        before: Option<OpId>,
        /// Shows the value after the other: this was invoked after the second of `between`
        /// completed.
        after: OpId,
        /// These show the other value.
        between: [OpId; 2],
    },
    /// No order explains the evidence, which ends with this operation.
    NoOrder {
        /// The operation at whose completion all orders had failed.
        op: OpId,
    },
}
