//! A recorded history: what clients asked of a store, when, and what they were told.
//!
//! A [`History`] is plain data. It holds no judgement and no clock arithmetic: reported clocks are
//! carried as they were reported ([`ReportedClock`]), and causality is recomputed from provenance
//! (which answer each context came from), so that a store's own `merge` can never vouch for itself.

mod clock;
mod data;
mod fault;
mod shared;

use std::fmt::Debug;

use strum::VariantArray;

pub(crate) use self::data::Content;
pub use self::{
    clock::{ClockPool, Entries, ReportedClock},
    data::Data,
    fault::{AffectedMessage, Fault, FaultKind, Party},
    shared::{Siblings, Sources},
};
pub use crate::outside::Name;
use crate::{
    claim::Claim,
    invariant::{Invariant, Outcome},
    names::variants,
    object_model::ObjectModel,
};

/// Position of an operation in [`History::operations`]; operations are ordered by invocation.
pub type OpId = u32;

/// Virtual or real time in nanoseconds since the start of the run.
pub type TimeNs = u64;

/// What the times of a history mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// Nanoseconds since the start of the run.
    #[default]
    Nanoseconds,
    /// The number of the line, or of the event, in the file that the history was read from: the
    /// order of events is all that is known of their time.
    Positions,
}

/// What the operations of a history do: a type for each object.
pub trait Actions: Clone + Debug + PartialEq + Send + Sync + Sized + 'static {
    /// What actions refer to by number, beside names.
    type Tables: Clone + Debug + Default + PartialEq + Send + Sync;
}

impl Actions for Action {
    type Tables = ();
}

/// Everything that was recorded about one run: of siblings, unless another object is named.
#[derive(Clone, Debug, PartialEq)]
pub struct History<A: Actions = Action> {
    /// What the file says about itself.
    pub header: Header,
    /// Client names; [`Operation::client`] indexes them.
    pub clients: Vec<Name>,
    /// Node names; [`Operation::node`] indexes them.
    pub nodes: Vec<Name>,
    /// Key names; [`Operation::key`] indexes them.
    pub keys: Vec<Name>,
    /// The operations, ordered by invocation time.
    pub operations: Vec<Operation<A>>,
    /// What went wrong meanwhile, as far as it was recorded; nobody judges by it.
    pub faults: Vec<Fault>,
    /// What the actions refer to by number.
    pub tables: A::Tables,
}

impl<A: Actions> History<A> {
    /// The name of a key; `?` for a number that has none.
    pub fn key_name(&self, key: u32) -> &Name {
        self.keys.get(key as usize).unwrap_or(&NAMELESS)
    }

    /// The name of a client; `?` for a number that has none.
    pub fn client_name(&self, client: u32) -> &Name {
        self.clients.get(client as usize).unwrap_or(&NAMELESS)
    }
}

/// What a history says about itself, beside its operations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Where the history came from: a command, a paper, a bug report.
    pub origin: String,
    /// The claim that the store makes, where the history names one.
    pub claim: Option<Claim>,
    /// Whether reads show tombstones.
    pub tombstones: Tombstones,
    /// What a write supersedes.
    pub model: ObjectModel,
    /// The verdict that a saved regression expects.
    pub expect: Option<Expectation>,
}

/// Whether a read shows the tombstones among its siblings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, VariantArray)]
pub enum Tombstones {
    /// A deleted sibling is returned, marked as a tombstone.
    #[default]
    Shown,
    /// A deleted sibling is left out: a read's visible set is then known only as an interval.
    Hidden,
    /// A deleted sibling is returned as a tombstone until the store removes that. A tombstone that is
    /// returned was seen; of a delete whose tombstone is missing nothing is known, as if it were hidden.
    Reaped,
}

impl Tombstones {
    /// Every mode, in the order of its declaration.
    pub const ALL: [Self; Self::VARIANTS.len()] = variants();

    /// Whether reads return tombstones at all, so that each has to tell which delete it comes from.
    pub const fn are_returned(self) -> bool {
        match self {
            Self::Shown | Self::Reaped => true,
            Self::Hidden => false,
        }
    }

    /// Whether a read may leave out the tombstone of a delete that its replica holds or held.
    pub const fn may_be_left_out(self) -> bool {
        match self {
            Self::Shown => false,
            Self::Hidden | Self::Reaped => true,
        }
    }
}

/// The verdict that a saved history is expected to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// `valid`, `violated` or `unknown`.
    pub outcome: Outcome,
    /// Invariants that must be among the violated ones.
    pub invariants: Vec<Invariant>,
    /// Why: the cause in a sentence or two.
    pub why: String,
}

/// One operation of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<A = Action> {
    /// Index into [`History::clients`].
    pub client: u32,
    /// Index into [`History::nodes`]: where the client sent it. Says nothing where the history names no
    /// nodes.
    pub node: u32,
    /// Index into [`History::keys`].
    pub key: u32,
    /// When the client sent it.
    pub invoked: TimeNs,
    /// When the client learnt its outcome; `None` when it never did (`info`).
    pub completed: Option<TimeNs>,
    /// What the client learnt.
    pub status: Status,
    /// What was asked and answered.
    pub action: A,
}

/// What a client knows of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Acknowledged.
    Ok,
    /// Certainly not applied.
    Fail,
    /// Unknown: it may take effect at any time after its invocation, or never.
    Info,
}

/// What an operation asked and was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A write, or a delete (a write of a tombstone).
    Write(Box<Write>),
    /// A read of all siblings.
    Read(Read),
}

/// A write and its acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What was written. [`Data::NULL`] for a delete.
    pub value: Value,
    /// True for a delete.
    pub tombstone: bool,
    /// Provenance of the context: the earlier operations of this key whose answers it was made of.
    /// Empty for a blind write.
    pub sources: Sources,
    /// The context as it was sent, where it is readable.
    pub context: Option<ReportedClock>,
    /// The clock or dot that the acknowledgement reported.
    pub version: Option<Version>,
}

/// A read's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// The siblings in the order of the answer. Empty when the read did not complete `ok`.
    pub siblings: Siblings,
    /// The context that the answer carried for the whole key (dotted version vectors).
    pub context: Option<ReportedClock>,
    /// True for the reads made after all faults healed and the cluster settled.
    pub last: bool,
}

/// One returned sibling.
#[derive(Clone, Debug, PartialEq)]
pub struct Sibling {
    /// What was returned.
    pub value: Value,
    /// True when it is a tombstone.
    pub tombstone: bool,
    /// Its clock or dot, where the answer gives one.
    pub version: Option<Version>,
}

/// A value and, where the harness could attach one, the tag that tells equal values apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Unique over the history; identifies the write. Without tags, values must be unique per key.
    pub tag: Option<u64>,
    /// The value itself.
    pub data: Data,
}

/// What a store reported as the version of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// A vector clock.
    Clock(ReportedClock),
    /// A dot, and the version vector beside it where it was reported.
    Dotted {
        /// The entry that made the event.
        actor: Name,
        /// The event's number, 1 or more.
        counter: u64,
        /// The causal past of the dot; reads of the `dvv` dialect leave it out.
        past: Option<ReportedClock>,
    },
}

/// Stands for a name that a history does not have.
pub(crate) static NAMELESS: Name = Name::constant("?");

/// What a read wrote: nothing.
pub(crate) static NOT_A_WRITE: Write = Write {
    value: Value {
        tag: None,
        data: Data::NULL,
    },
    tombstone: false,
    sources: Sources::NONE,
    context: None,
    version: None,
};

/// What a write returned: nothing.
pub(crate) static NOT_A_READ: Read = Read {
    siblings: Siblings::NONE,
    context: None,
    last: false,
};

impl Operation {
    /// True for writes and deletes.
    pub const fn is_write(&self) -> bool {
        matches!(self.action, Action::Write(_))
    }
}
