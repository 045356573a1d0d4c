//! What nodes tell each other. A message that is lost, late or there twice does no harm.

use serde::{Deserialize, Serialize};

use crate::{
    clocks::{DottedVersionVector, DvvSet, VectorClock},
    stores::Key,
};

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
        /// The owner in whose place it is to be kept.
        instead_of: Option<u32>,
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
    /// What the sender has of the keys that it shares with the receiver.
    Compare {
        /// Each key with a digest of what is known of it.
        digests: Vec<(Key, u64)>,
    },
    /// Where this differs.
    Differ {
        /// What the sender has.
        sets: Vec<(Key, DvvSet<V>)>,
        /// What it wants to have.
        wanted: Vec<Key>,
    },
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
