//! What a node keeps of a key, and whose dots it may still give out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    clocks::{Actor, DvvSet},
    stores::{Change, Key},
};

use super::view::View;

/// Where something stands on storage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// What the node knows of itself.
    Identity,
    /// Who the members of the cluster are, and what the node wants to be.
    Membership,
    /// A key.
    Key(Key),
}

/// What stands on storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record<V> {
    /// What the node knows of itself.
    Identity(Identity),
    /// Who the members of the cluster are, and whether the node was told to join or to leave and has not yet.
    Membership(View, Option<Change>),
    /// What it has of a key.
    Kept(Kept<V>),
}

/// What a node knows of itself.
///
/// Both numbers only grow, and are durable before anything is done under them. So no answer to an operation
/// of an earlier life is taken for one to a later operation, and no dot is given out twice: a node that
/// forgets a key under whose dots it has written goes on under another name (the actor epochs of
/// Riak, pull request 1027 of its `riak_kv`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// How often the node has started.
    pub life: u64,
    /// Under which of its names it writes keys that it has not written before.
    pub epoch: u64,
}

impl Identity {
    /// The name under which dots are made in this epoch: that of the node in its first one.
    pub fn actor(self, node: &Actor) -> Actor {
        match self.epoch {
            0 => node.clone(),
            epoch => compact_str::format_compact!("{}+{epoch}", node.as_str()).into(),
        }
    }
}

/// What a node keeps of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept<V> {
    /// All siblings, and all events that it knows of.
    pub set: DvvSet<V>,
    /// Under which name it has coordinated writes of this key; the next one gets the next dot of it.
    pub actor: Option<Actor>,
    /// Owners that are to be told of it: those that could not be reached, or in whose place it was kept.
    pub hints: BTreeSet<u32>,
}

impl<V> Default for Kept<V> {
    fn default() -> Self {
        Self {
            set: DvvSet::empty(),
            actor: None,
            hints: BTreeSet::new(),
        }
    }
}
