//! A node of a store as a state machine, whoever drives it: the simulation, or a program on stdin and
//! stdout.
//!
//! Nothing is returned: what a node wants done are effects, an answer among them. So a node may answer
//! when its peers have, and a request may never be answered at all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Key, Siblings, StoreError, StoreName};
use crate::{
    clocks::{Actor, VectorClock},
    simulation::Nanos,
};

/// The number by which whoever drives a node knows a request.
pub type RequestId = u64;

/// Who a node is, and among whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its position in the cluster.
    pub position: u32,
    /// What the nodes of the cluster are called, by their positions.
    pub cluster: Arc<[Actor]>,
    /// The time between two rounds of anti-entropy.
    pub anti_entropy: Nanos,
}

impl Setting {
    /// What it is called.
    pub fn name(&self) -> Actor {
        let name = self.cluster.get(self.position as usize);
        name.cloned().unwrap_or_default()
    }

    /// The positions of the other nodes.
    pub fn peers(&self) -> Vec<u32> {
        let all = (0u32..).zip(&*self.cluster).map(|(peer, _)| peer);
        all.filter(|peer| *peer != self.position).collect()
    }
}

/// A node of a store.
pub trait StoreNode {
    /// What clients ask.
    type Request;
    /// What they are answered.
    type Answer: Clone + std::fmt::Debug;
    /// What nodes tell each other.
    type Message: Clone + std::fmt::Debug;
    /// Where something stands on storage.
    type Place: Ord + Clone;
    /// What stands there.
    type Record: Clone;

    /// Whether a crash may leave some of what was not synced: what was written first. Else all of it is lost.
    const BATCHES_TEAR: bool = false;

    /// A node of a store that has not begun its life.
    fn new(store: StoreName, setting: Setting) -> Self;

    /// Begins the life of a node, with what it finds on storage.
    fn start(
        &mut self,
        found: &mut dyn Iterator<Item = (Self::Place, Self::Record)>,
        effects: &mut EffectsOf<Self>,
    );

    /// A request of a client arrives. `wall_ns` looks at the node's wall clock, in nanoseconds.
    fn request(
        &mut self,
        id: RequestId,
        request: Self::Request,
        wall_ns: &mut dyn FnMut() -> u64,
        effects: &mut EffectsOf<Self>,
    );

    /// A message of the peer at this position arrives.
    fn message(&mut self, from: u32, message: &Self::Message, effects: &mut EffectsOf<Self>);

    /// A timer goes off that was set with this number.
    fn timer(&mut self, timer: u32, effects: &mut EffectsOf<Self>);

    /// The node is told to leave the cluster, or to join it again. Nodes of clusters that stay as they are do
    /// nothing.
    fn change_members(&mut self, _change: Change, _effects: &mut EffectsOf<Self>) {}

    /// Whether nodes of a cluster of so many forget deleted keys, so that reads show their tombstones no more.
    fn reaps(_nodes: u32) -> bool {
        false
    }

    /// How often its mechanisms were at work in this life, by their names, in the same order for every node.
    fn situations(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// What a node is told to do about its membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Become a member of the cluster.
    Join,
    /// Be a member no more.
    Leave,
}

/// What a node wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<A, M, P, R> {
    /// Answer a request.
    Reply(RequestId, A),
    /// Send a message to the peer at this position.
    Send(u32, M),
    /// Write a record to storage.
    Persist(P, R),
    /// Remove a record from storage.
    Remove(P),
    /// Make all that was written durable before going on.
    Sync,
    /// Call [`StoreNode::timer`] with this number after this span.
    SetTimer(Nanos, u32),
}

/// The effects of a node.
pub type EffectsOf<N> = Vec<
    Effect<
        <N as StoreNode>::Answer,
        <N as StoreNode>::Message,
        <N as StoreNode>::Place,
        <N as StoreNode>::Record,
    >,
>;

/// What a client asks of a store of siblings.
#[derive(Clone, Debug, PartialEq)]
pub enum SiblingRequest<V> {
    /// The siblings of a key.
    Get {
        /// The key.
        key: Key,
    },
    /// A value in place of what the context covers.
    Put {
        /// Whose write it is.
        client: Actor,
        /// The key.
        key: Key,
        /// The vectors that the context is made of; none for a blind write.
        parents: Vec<VectorClock>,
        /// The value.
        value: V,
    },
}

/// What a store of siblings answers.
#[derive(Clone, Debug, PartialEq)]
pub enum SiblingAnswer<V, S> {
    /// The write got this version.
    Written {
        /// The key.
        key: Key,
        /// The version.
        stamp: S,
        /// What the client passes back as its context after this write, if one can be formed that
        /// claims no more than the client saw.
        context: Option<VectorClock>,
    },
    /// The siblings of the key.
    Siblings {
        /// As they are.
        siblings: Siblings<V, S>,
        /// What the client passes back as its context for all of them: the vectors to be joined.
        context: Vec<VectorClock>,
        /// The context of the whole key, where answers tell one.
        told: Option<VectorClock>,
    },
    /// The write was refused.
    Refused(StoreError),
    /// Too few nodes have answered. A write may still take effect.
    Unknown,
}
