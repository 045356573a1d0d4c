//! What can be seen of a node from outside, which changes nothing.

use std::fmt::Debug;

use crate::{
    clocks::{Dot, VectorClock},
    stores::{Key, MaybeTombstone},
};

use super::Dynamo;

/// What a node has of one key, and what it takes the other nodes for. Nodes go by their positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected<V> {
    /// By which version of the view it goes.
    pub view: u64,
    /// The members in that version.
    pub members: Vec<u32>,
    /// Whether a change of the members is pending in it.
    pub changes: bool,
    /// The owners of the key as this node has them, the most preferred first.
    pub owners: Vec<u32>,
    /// The siblings with their dots: by the source of dots, then newest first.
    pub siblings: Vec<(Dot, V)>,
    /// All events of the key that it knows of.
    pub context: VectorClock,
    /// Owners that are to be told of the key.
    pub hints: Vec<u32>,
    /// Nodes that did not answer in time, and were not heard of since.
    pub suspected: Vec<u32>,
}

impl<V: Clone + Debug + PartialEq + MaybeTombstone> Dynamo<V> {
    /// What it has of a key. O(siblings + log keys).
    pub fn inspected(&self, key: &Key) -> Inspected<V> {
        let set = self.set(key);
        let siblings = set.values().map(|(dot, value)| (dot, value.clone()));
        let hints = self.kept.get(key).map(|kept| &kept.hints);
        Inspected {
            view: self.view.version,
            members: self.view.members.iter().copied().collect(),
            changes: self.next_ring.is_some(),
            owners: self.owners(key),
            siblings: siblings.collect(),
            context: set.join(),
            hints: hints.into_iter().flatten().copied().collect(),
            suspected: self.suspected.iter().copied().collect(),
        }
    }
}
