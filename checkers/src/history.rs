//! A recorded history: what clients asked of a store, when, and what they were told.
//!
//! A [`History`] is plain data. It holds no judgement and no clock arithmetic: reported clocks are
//! carried as they were reported ([`ReportedClock`]), and causality is recomputed from provenance
//! (which answer each context came from), so that a store's own `merge` can never vouch for itself.

use std::sync::Arc;

use compact_str::CompactString;
use serde_json::Value as Json;

use crate::{claim::Claim, object_model::ObjectModel};

/// A name as it stands in a history: of a client, a node, a key or a clock entry.
pub type Name = CompactString;

/// Position of an operation in [`History::operations`]; operations are ordered by invocation.
pub type OpId = u32;

/// Virtual or real time in nanoseconds since the start of the run.
pub type TimeNs = u64;

/// Everything that was recorded about one run.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What the file says about itself.
    pub header: Header,
    /// Client names; [`Operation::client`] indexes them.
    pub clients: Vec<Name>,
    /// Node names; [`Operation::node`] indexes them.
    pub nodes: Vec<Name>,
    /// Key names; [`Operation::key`] indexes them.
    pub keys: Vec<Name>,
    /// The operations, ordered by invocation time.
    pub operations: Vec<Operation>,
}

/// What a history says about itself, beside its operations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Where the history came from: a command, a paper, a bug report.
    pub origin: String,
    /// The claim that the store makes, where the history names one.
    pub claim: Option<Claim>,
    /// Whether reads hide tombstones.
    pub tombstones: Tombstones,
    /// What a write supersedes.
    pub model: ObjectModel,
    /// The verdict that a saved regression expects.
    pub expect: Option<Expectation>,
}

/// Whether a read shows the tombstones among its siblings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tombstones {
    /// A deleted sibling is returned, marked as a tombstone.
    #[default]
    Shown,
    /// A deleted sibling is left out: a read's visible set is then known only as an interval.
    Hidden,
}

/// The verdict that a saved history is expected to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// `valid`, `violated` or `unknown`.
    pub outcome: crate::verdict::Outcome,
    /// Invariants that must be among the violated ones.
    pub invariants: Vec<crate::verdict::Invariant>,
    /// Why: the cause in a sentence or two.
    pub why: String,
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Index into [`History::clients`].
    pub client: u32,
    /// Index into [`History::nodes`]: where the client sent it.
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
    pub action: Action,
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
    Write(Write),
    /// A read of all siblings.
    Read(Read),
}

/// A write and its acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What was written. `Json::Null` for a delete.
    pub value: Value,
    /// True for a delete.
    pub tombstone: bool,
    /// Provenance of the context: the earlier operations of this key whose answers it was made of.
    /// Empty for a blind write.
    pub sources: Vec<OpId>,
    /// The context as it was sent, where it is readable.
    pub context: Option<ReportedClock>,
    /// The clock or dot that the acknowledgement reported.
    pub version: Option<Version>,
}

/// A read's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// The siblings in the order of the answer. Empty when the read did not complete `ok`.
    pub siblings: Vec<Sibling>,
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
    pub data: Json,
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

/// A vector of counters as a store reported it: sorted by name, without zeros. Data only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedClock(Arc<[(Name, u64)]>);

impl ReportedClock {
    /// Takes entries in any order; zeros mean the same as no entry and are dropped; of two
    /// entries with one name the larger counts.
    pub fn from_entries(entries: impl IntoIterator<Item = (Name, u64)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().filter(|(_, n)| *n > 0).collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        entries.dedup_by(|later, first| later.0 == first.0);
        Self(entries.into())
    }

    /// Shares entries that are already sorted by name and without zeros, without copying them.
    pub fn from_sorted(entries: Arc<[(Name, u64)]>) -> Self {
        debug_assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0));
        debug_assert!(entries.iter().all(|(_, n)| *n > 0));
        Self(entries)
    }

    /// The entries, sorted by name.
    pub fn entries(&self) -> &[(Name, u64)] {
        &self.0
    }

    /// The counter of `name`; 0 without an entry.
    pub fn get(&self, name: &str) -> u64 {
        self.0
            .binary_search_by(|(entry, _)| entry.as_str().cmp(name))
            .map_or(0, |at| self.0[at].1)
    }

    /// True when both share one allocation, which settles equality at once.
    pub fn same_allocation(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What a read wrote: nothing.
pub(crate) static NOT_A_WRITE: Write = Write {
    value: Value {
        tag: None,
        data: Json::Null,
    },
    tombstone: false,
    sources: Vec::new(),
    context: None,
    version: None,
};

/// What a write returned: nothing.
pub(crate) static NOT_A_READ: Read = Read {
    siblings: Vec::new(),
    context: None,
    last: false,
};

impl Operation {
    /// True for writes and deletes.
    pub const fn is_write(&self) -> bool {
        matches!(self.action, Action::Write(_))
    }
}
