//! One node of a fully replicated cluster: a sibling store with replication and anti-entropy.
//!
//! The node that takes a write coordinates it: it makes the version, makes it durable, answers, and
//! sends the key's **whole** sibling set to every peer. Whole sets keep every replica causally
//! closed, on which contexts rely: a context that covers a dot covers all that the dot superseded.
//! What is lost on the way is repaired by anti-entropy: on a timer each node sends its state to the
//! next peer in turn, which merges it and sends back what the first one lacks.

use std::{collections::BTreeMap, sync::Arc};

use crate::{clocks::VectorClock, simulation::Nanos};

use super::{Key, SiblingStore, Siblings, StoreError};

/// How a replica behaves in its cluster.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// The positions of the other nodes.
    pub peers: Vec<u32>,
    /// The time between two rounds of anti-entropy.
    pub anti_entropy: Nanos,
    /// What a planted bug may change.
    pub rules: ReplicaRules,
}

/// The steps of [`Replica`] that a planted bug may replace.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaRules {
    /// A write is durable before it is acknowledged and replicated.
    pub sync_before_answer: bool,
}

impl Default for ReplicaRules {
    /// The correct replica.
    fn default() -> Self {
        Self {
            sync_before_answer: true,
        }
    }
}

/// What one replica tells another.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaMessage<V, S> {
    /// The whole sibling set of each key that the message speaks of.
    pub entries: Arc<[(Key, Siblings<V, S>)]>,
    /// True when the sender wants to be told what it lacks of these keys and of all others.
    pub exchange: bool,
}

impl<V, S> ReplicaMessage<V, S> {
    fn new(entries: impl IntoIterator<Item = (Key, Siblings<V, S>)>, exchange: bool) -> Self {
        Self {
            entries: entries.into_iter().collect(),
            exchange,
        }
    }
}

/// What a replica wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<V, S> {
    /// Write the siblings of a key to storage.
    Persist(Key, Siblings<V, S>),
    /// Make all that was written durable before going on.
    Sync,
    /// Send a message to the peer at this position.
    Send(u32, ReplicaMessage<V, S>),
    /// Call [`Replica::anti_entropy`] after this span.
    SetTimer(Nanos),
}

/// The effects of a replica over this kind of store.
pub type Effects<V, T> = Vec<Effect<V, <T as SiblingStore<V>>::Stamp>>;

/// A sibling store as a node of a fully replicated cluster.
pub struct Replica<T> {
    store: T,
    config: ReplicaConfig,
    /// How many rounds of anti-entropy there were: it decides whose turn it is.
    rounds: usize,
}

impl<T> Replica<T> {
    /// A node with this store.
    pub fn new(store: T, config: ReplicaConfig) -> Self {
        Self {
            store,
            config,
            rounds: 0,
        }
    }

    /// The store, to read.
    pub fn store(&self) -> &T {
        &self.store
    }

    /// Begins the life of a node with what it found on storage.
    pub fn start<'a, V: 'a>(
        &mut self,
        found: impl IntoIterator<Item = (&'a Key, &'a Siblings<V, T::Stamp>)>,
        effects: &mut Effects<V, T>,
    ) where
        T: SiblingStore<V>,
        T::Stamp: 'a,
    {
        for (key, siblings) in found {
            self.store.receive_replica(key, siblings);
        }
        if !self.config.peers.is_empty() {
            effects.push(Effect::SetTimer(self.config.anti_entropy));
        }
    }

    /// Coordinates a write. The effects are to be carried out before the client is answered.
    ///
    /// # Errors
    ///
    /// As [`SiblingStore::put`]; then there are no effects.
    pub fn write<V: Clone>(
        &mut self,
        client: &str,
        key: &Key,
        parents: &[VectorClock],
        value: V,
        effects: &mut Effects<V, T>,
    ) -> Result<T::Stamp, StoreError>
    where
        T: SiblingStore<V>,
    {
        let stamp = self.store.put(client, key, parents, value)?;
        let siblings = self.store.get(key);
        effects.push(Effect::Persist(key.clone(), siblings.clone()));
        if self.config.rules.sync_before_answer {
            effects.push(Effect::Sync);
        }
        if !self.config.peers.is_empty() {
            let message = ReplicaMessage::new([(key.clone(), siblings)], false);
            let to_peers = self
                .config
                .peers
                .iter()
                .map(|&peer| Effect::Send(peer, message.clone()));
            effects.extend(to_peers);
        }
        Ok(stamp)
    }

    /// As [`SiblingStore::look_at_clock`], before [`Replica::write`].
    pub fn look_at_clock<V>(&mut self, wall_ns: impl FnOnce() -> u64) -> bool
    where
        T: SiblingStore<V>,
    {
        self.store.look_at_clock(wall_ns)
    }

    /// Merges what a peer sent. It is written to storage but not synced: a peer has it.
    pub fn receive<V: Clone>(
        &mut self,
        from: u32,
        message: &ReplicaMessage<V, T::Stamp>,
        effects: &mut Effects<V, T>,
    ) where
        T: SiblingStore<V>,
    {
        for (key, siblings) in message.entries.iter() {
            if self.store.receive_replica(key, siblings) {
                effects.push(Effect::Persist(key.clone(), self.store.get(key)));
            }
        }
        if message.exchange {
            let theirs: BTreeMap<_, _> = message
                .entries
                .iter()
                .map(|(key, siblings)| (key, siblings))
                .collect();
            let lacking: Vec<_> = self
                .state()
                .filter(|(key, mine)| theirs.get(key).is_none_or(|theirs| theirs.lacks(mine)))
                .collect();
            if !lacking.is_empty() {
                effects.push(Effect::Send(from, ReplicaMessage::new(lacking, false)));
            }
        }
    }

    /// One round of anti-entropy, and the timer for the next one.
    pub fn anti_entropy<V>(&mut self, effects: &mut Effects<V, T>)
    where
        T: SiblingStore<V>,
    {
        let peers = &self.config.peers;
        if peers.is_empty() {
            return;
        }
        let peer = peers[self.rounds % peers.len()];
        self.rounds += 1;
        effects.push(Effect::Send(peer, ReplicaMessage::new(self.state(), true)));
        effects.push(Effect::SetTimer(self.config.anti_entropy));
    }

    fn state<'a, V>(&'a self) -> impl Iterator<Item = (Key, Siblings<V, T::Stamp>)> + 'a
    where
        T: SiblingStore<V>,
        V: 'a,
    {
        self.store
            .keys()
            .map(|key| (key.clone(), self.store.get(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DottedRules, DottedStore, Stamp};
    use super::*;

    type Node = Replica<DottedStore<u32>>;

    fn node(position: u32, nodes: u32) -> Node {
        let name = format!("n{}", position + 1);
        Replica::new(
            DottedStore::new(name.as_str().into(), DottedRules::default()),
            ReplicaConfig {
                peers: (0..nodes).filter(|&peer| peer != position).collect(),
                anti_entropy: Nanos(10),
                rules: ReplicaRules::default(),
            },
        )
    }

    fn values(node: &Node, key: &str) -> Vec<u32> {
        let mut values: Vec<_> = node
            .store()
            .get(&key.into())
            .iter()
            .map(|sibling| sibling.value)
            .collect();
        values.sort_unstable();
        values
    }

    fn sent<S: Stamp>(effects: Vec<Effect<u32, S>>) -> Vec<(u32, ReplicaMessage<u32, S>)> {
        effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Send(to, message) => Some((to, message)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_write_is_durable_before_it_is_sent() {
        let mut node = node(0, 3);
        let mut effects = Vec::new();
        node.write("c1", &"x".into(), &[], 1, &mut effects).unwrap();
        assert!(matches!(
            effects[..],
            [
                Effect::Persist(..),
                Effect::Sync,
                Effect::Send(1, _),
                Effect::Send(2, _)
            ]
        ));
    }

    #[test]
    fn one_exchange_makes_two_replicas_equal() {
        let (mut a, mut b) = (node(0, 2), node(1, 2));
        let mut ignored = Vec::new();
        a.write("c1", &"x".into(), &[], 1, &mut ignored).unwrap();
        b.write("c2", &"x".into(), &[], 2, &mut ignored).unwrap();
        b.write("c2", &"y".into(), &[], 3, &mut ignored).unwrap();
        let mut effects = Vec::new();
        a.anti_entropy(&mut effects);
        let mut answers = Vec::new();
        for (_, message) in sent(effects) {
            b.receive(0, &message, &mut answers);
        }
        for (to, message) in sent(answers) {
            assert_eq!(to, 0);
            a.receive(1, &message, &mut ignored);
        }
        for node in [&a, &b] {
            assert_eq!(values(node, "x"), [1, 2]);
            assert_eq!(values(node, "y"), [3]);
        }
        let mut quiet = Vec::new();
        b.anti_entropy(&mut quiet);
        let mut answers = Vec::new();
        for (_, message) in sent(quiet) {
            a.receive(1, &message, &mut answers);
        }
        assert_eq!(
            answers,
            [],
            "equal replicas have nothing to tell each other"
        );
    }
}
