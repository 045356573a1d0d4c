//! What nodes tell each other. A message that is lost, late or there twice does no harm.

use serde::{Deserialize, Serialize};

use crate::{
    clocks::{DottedVersionVector, DvvSet, VectorClock},
    stores::{Change, Key},
};

use super::{tree::Part, view::View};

/// What a node does once: the life in which it does it, and a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpId {
    /// How often the node had started.
    pub life: u64,
    /// Counts what it does in this life.
    pub number: u64,
}

/// From one node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message<V> {
    /// In which of the sender's lives it was sent.
    pub life: u64,
    /// By which version of the view the sender went.
    pub view: u64,
    /// What is told.
    pub body: Body<V>,
}

/// What one node tells another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body<V> {
    /// Keep this, and say when it is durable.
    Store {
        /// What is asked for.
        op: OpId,
        /// The key.
        key: Key,
        /// All that the sender knows of it.
        set: DvvSet<V>,
        /// The owners in whose place it is to be kept.
        instead_of: Vec<u32>,
    },
    /// The receiver, who owns these keys, has missed this: keep it, and say when it is durable.
    HandOff {
        /// What is asked for.
        op: OpId,
        /// All that the sender knows of each key.
        sets: Vec<(Key, DvvSet<V>)>,
    },
    /// It is durable.
    Stored {
        /// What was asked for.
        op: OpId,
    },
    /// What is known of a key?
    Fetch {
        /// What is asked for.
        op: OpId,
        /// The key.
        key: Key,
    },
    /// This is.
    Fetched {
        /// What was asked for.
        op: OpId,
        /// All that the sender knows of the key.
        set: DvvSet<V>,
    },
    /// Coordinate a client's write.
    Forward {
        /// What is asked for.
        op: OpId,
        /// The life of the receiver that is meant. In another one it may have done it before.
        to_life: u64,
        /// The write.
        write: Write<V>,
        /// The owner in whose place the receiver is asked, as the sender takes it for failed.
        instead_of: Option<u32>,
    },
    /// What came of a forwarded write.
    Forwarded {
        /// What was asked for.
        op: OpId,
        /// What came of it.
        outcome: Outcome,
    },
    /// The hash of all keys that the sender shares with the receiver.
    CompareAll {
        /// It.
        hash: u64,
    },
    /// Hashes of parts of their trees, where those above them differ.
    Compare {
        /// Each part with the sender's hash of it.
        parts: Vec<(Part, u64)>,
    },
    /// The keys of a small part that differs, with the sender's hashes of them.
    CompareKeys {
        /// The part.
        part: Part,
        /// Each key with a hash of what is known of it.
        keys: Vec<(Key, u64)>,
    },
    /// Where these differ.
    Differ {
        /// What the sender has.
        sets: Vec<(Key, DvvSet<V>)>,
        /// What it wants to have.
        wanted: Vec<Key>,
    },
    /// Who the members are, as far as the sender has heard.
    View(View),
    /// The sender wants to be a member, or be one no more. For the claimant.
    Wish {
        /// What it wants.
        change: Change,
    },
    /// The sender has left, and has handed everything over. For the claimant.
    Empty,
    /// The sender has tombstones that nobody may need any more. For the claimant.
    WishReaping,
    /// The sender goes by the pending view, and has handed over what it should. For the claimant.
    Ready {
        /// Tombstones that it can do without: each key with the hash of what it knows of it, and the events
        /// that these are.
        tombstones: Vec<(Key, u64, VectorClock)>,
        /// Keys that it keeps for others.
        held: Vec<Key>,
    },
}

impl<V> Body<V> {
    /// Whether only a receiver that goes by the same view may take it: what makes up a quorum, and what
    /// might bring back a value after its tombstone is gone.
    pub fn is_bound_to_view(&self) -> bool {
        !matches!(
            self,
            Self::Forward { .. } | Self::Forwarded { .. } | Self::View(_)
        )
    }
}

/// A client's write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write<V> {
    /// The key.
    pub key: Key,
    /// What the client has seen.
    pub context: VectorClock,
    /// The value.
    pub value: V,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is on storage at as many nodes as it should be, under this version.
    Written(DottedVersionVector),
    /// It was refused, for this reason, and nothing was done.
    Refused(String),
    /// Too few nodes have said that they have it. It may have been kept, and may be read.
    Unknown,
}
