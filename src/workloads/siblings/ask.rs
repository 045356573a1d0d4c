//! What a client asks of a node of a sibling store, and what it is answered.

use serde_json::Value as Json;
use sibcheck_checkers::{
    ObjectModel,
    history::{Read, Tombstones, Version},
};

use crate::{clocks::VectorClock, stores::MaybeTombstone};

/// A value, or a tombstone, and the tag by which the harness tells it from an equal one.
///
/// Equality is the value's alone: the tag is the harness's own, and no store can see it.
#[derive(Clone, Copy, Debug, Eq)]
pub struct TaggedValue {
    /// Unique in the run: the number of the operation that writes it.
    pub tag: u64,
    /// The value, by its position in the plan; `None` for a tombstone. No two values of a plan are
    /// equal.
    pub position: Option<u32>,
}

impl PartialEq for TaggedValue {
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
    }
}

impl MaybeTombstone for TaggedValue {
    fn is_tombstone(&self) -> bool {
        self.position.is_none()
    }
}

/// The operations of a sibling store.
#[derive(Clone, Debug)]
pub enum Ask {
    /// All siblings of the key.
    Read,
    /// Write a value in place of what the context covers.
    Write {
        /// The value, or a tombstone.
        value: TaggedValue,
        /// The context.
        context: Context,
        /// The client has just read the siblings that this is to replace.
        resolving: bool,
    },
}

/// What a client passes with a write.
#[derive(Clone, Debug)]
pub enum Context {
    /// The vectors whose join it is; none for a blind write.
    Clocks(Vec<VectorClock>),
    /// What nobody but the store can read: it is passed back as it came.
    Opaque(Json),
}

impl Context {
    /// Nothing seen.
    pub const BLIND: Self = Self::Clocks(Vec::new());

    /// True when nobody but the store can read it.
    pub const fn is_opaque(&self) -> bool {
        matches!(self, Self::Opaque(_))
    }

    /// The join of the vectors; `None` when it is opaque. O(vectors × entries).
    pub fn joined(&self) -> Option<VectorClock> {
        let Self::Clocks(parents) = self else {
            return None;
        };
        let joined = parents
            .iter()
            .fold(VectorClock::new(), |joined, parent| joined.merge(parent));
        Some(joined)
    }
}

/// What is peculiar to the clients of some nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientBehaviour {
    /// Whether reads show tombstones.
    pub tombstones: Tombstones,
    /// What a write supersedes.
    pub model: ObjectModel,
    /// Answers tell equal values apart, by their tags.
    pub tagged: bool,
    /// Each sibling has a clock of its own that a client can pass back alone.
    pub clocks_apart: bool,
    /// Clients make the clocks of their writes. A client whose write ended unknown goes on under
    /// its own name then, and its clock tells the store that the next write follows that one.
    pub clients_make_clocks: bool,
}

/// What a node answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A write was applied.
    Written {
        /// The version it got.
        version: Option<Version>,
        /// What the client may pass back as a context; none when no context can be formed.
        context: Option<Context>,
    },
    /// The siblings of a key.
    Siblings {
        /// As they are recorded.
        read: Read,
        /// What the client may pass back as a context; none when no context can be formed.
        context: Option<Context>,
        /// The context of each sibling alone, where they have clocks that nobody but the store can read,
        /// which cannot be joined; else none.
        each: Vec<Context>,
    },
    /// The node refused, and certainly did nothing.
    Refused,
    /// The node reported an error after which the operation may still take effect.
    Uncertain,
}
