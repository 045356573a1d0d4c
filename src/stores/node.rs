//! A node of a store as a state machine, whoever drives it: the simulation, or a program on stdin and
//! stdout.
//!
//! Nothing is returned: what a node wants done are effects, an answer among them. So a node may answer
//! when its peers have, and a request may never be answered at all.

use super::{Key, Siblings, StoreError, faulty::Flaw};
use crate::{
    clocks::{Actor, VectorClock},
    simulation::Nanos,
};

/// The number by which whoever drives a node knows a request.
pub type RequestId = u64;

/// Who a node is, and among whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it is called.
    pub name: Actor,
    /// The positions of the other nodes.
    pub peers: Vec<u32>,
    /// The time between two rounds of anti-entropy.
    pub anti_entropy: Nanos,
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

    /// A node that has not begun its life, with a planted bug or none.
    fn new(flaw: Option<Flaw>, setting: Setting) -> Self;

    /// Begins the life of a node, with what it finds on storage.
    fn start(
        &mut self,
        found: &mut dyn Iterator<Item = (&Self::Place, &Self::Record)>,
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
}
