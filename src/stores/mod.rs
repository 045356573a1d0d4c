//! The reference stores: pure state machines that keep concurrent writes as siblings.
//!
//! No I/O, no time and no randomness of their own: requests, messages, timers, clocks and storage are
//! handed in and handed out. [`VersionedStore`] tracks causality by vector clocks, [`DottedStore`]
//! by dotted version vectors. A delete is a write of a tombstone, and a tombstone is a value like
//! any other to them (`V` says which values are one), so that no late replica can undo a delete.
//! [`Replica`] makes either one a node of a fully replicated cluster, a [`StoreNode`]. [`dynamo`] is a
//! store whose keys have a few owners each. [`faulty`] holds the planted bugs, each a small named change to one of them.

mod dotted;
pub mod dynamo;
pub mod faulty;
mod name;
mod node;
mod replica;
mod siblings;
mod storage;
mod versioned;

pub use dotted::{DotCounter, DottedRules, DottedStore};
pub(crate) use name::with_store;
pub use name::{StoreName, UnknownStore};
pub use node::{
    Change, Effect, EffectsOf, RequestId, Setting, SiblingAnswer, SiblingRequest, StoreNode,
};
pub use replica::{Replica, ReplicaMessage, ReplicaRules};
pub use siblings::{MaybeTombstone, Sibling, Siblings, Stamp};
pub use storage::{Deferred, Found, Outgoing, OutgoingOf, Storage, carry_out};
pub use versioned::{
    ActorScheme, Advance, ClientWrite, StoreEvent, VersionedRules, VersionedStore,
};

use std::fmt::Debug;

use sibcheck_checkers::history::Name;

use crate::clocks::{ClockError, DottedVersionVector, VectorClock};

/// A key of a store.
pub type Key = Name;

/// The version that a store gave to one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// A vector clock.
    Clock(VectorClock),
    /// A dot with its causal past.
    Dotted(DottedVersionVector),
}

/// Why a store refused a write. Its state is then unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The context cannot be advanced.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The node that coordinates it cannot do it.
    #[error("{0}")]
    Coordinator(String),
}

/// One replica's map from keys to siblings: what both reference stores have in common.
pub trait SiblingStore {
    /// What is written.
    type Value: Clone + Debug;
    /// What tracks the causality of one value.
    type Stamp: Stamp;

    /// The siblings of a key, tombstones included; none for a key never written. O(log keys).
    fn get(&self, key: &Key) -> Siblings<Self::Value, Self::Stamp>;

    /// Writes a value on behalf of `client`. `parents` are the versions that the
    /// client's context is made of; none for a blind write. Returns the new version.
    ///
    /// # Errors
    ///
    /// When a counter would overflow. Nothing has changed then.
    fn put(
        &mut self,
        client: &str,
        key: &Key,
        parents: &[VectorClock],
        value: Self::Value,
    ) -> Result<Self::Stamp, StoreError>;

    /// Called before each write. A store that uses the node's wall clock reads it here, in nanoseconds.
    fn look_at_clock(&mut self, _wall_ns: &mut dyn FnMut() -> u64) {}

    /// Merges the siblings that another replica holds. Returns true when this changed the state.
    fn receive_replica(&mut self, key: &Key, siblings: &Siblings<Self::Value, Self::Stamp>)
    -> bool;

    /// The keys that hold at least one version, in order.
    fn keys(&self) -> impl Iterator<Item = &Key>;

    /// What a client passes back as its context for all these siblings: the vectors to be joined.
    fn context(siblings: &Siblings<Self::Value, Self::Stamp>) -> Vec<VectorClock>;

    /// What a client passes back as its context after this write, if a context can be formed that
    /// claims no more than the client saw.
    fn write_context(stamp: &Self::Stamp) -> Option<VectorClock>;

    /// The context of the whole key, for stores whose reads return one.
    fn read_context(siblings: &Siblings<Self::Value, Self::Stamp>) -> Option<VectorClock>;
}
