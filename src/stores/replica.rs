//! One node of a fully replicated cluster: a sibling store with replication and anti-entropy.
//!
//! The node that takes a write coordinates it: it makes the version, makes it durable, answers, and
//! sends the key's **whole** sibling set to every peer. Whole sets keep every replica causally
//! closed, on which contexts rely: a context that covers a dot covers all that the dot superseded.
//! What is lost on the way is repaired by anti-entropy: on a timer each node sends its state to the
//! next peer in turn, which merges it and sends back what the first one lacks.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use crate::simulation::Nanos;

use super::{
    ActorScheme, DottedRules, DottedStore, Effect, EffectsOf, Key, RequestId, Setting,
    SiblingAnswer, SiblingRequest, SiblingStore, Siblings, StoreName, StoreNode, VersionedRules,
    VersionedStore, faulty::Flaw,
};

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

/// A sibling store as a node of a fully replicated cluster.
#[derive(Clone, Debug)]
pub struct Replica<T> {
    store: T,
    /// The positions of the other nodes.
    peers: Vec<u32>,
    anti_entropy: Nanos,
    rules: ReplicaRules,
    /// How many rounds of anti-entropy there were: it decides whose turn it is.
    rounds: usize,
}

/// The siblings of a store.
type SiblingsOf<T> = Siblings<<T as SiblingStore>::Value, <T as SiblingStore>::Stamp>;

/// The messages of its replicas.
type MessageOf<T> = ReplicaMessage<<T as SiblingStore>::Value, <T as SiblingStore>::Stamp>;

/// The effects of its replicas.
type Effects<T> = EffectsOf<Replica<T>>;

/// The only timer of a replica.
const ANTI_ENTROPY: u32 = 0;

/// How a sibling store is made for a node.
pub trait MakeStore: SiblingStore {
    /// The store of a node, with a planted bug or none.
    fn make(flaw: Option<Flaw>, setting: &Setting) -> Self;
}

impl<V: Clone + Debug + PartialEq> MakeStore for VersionedStore<V> {
    fn make(flaw: Option<Flaw>, setting: &Setting) -> Self {
        let scheme = if setting.cluster.len() < 2 {
            ActorScheme::Client
        } else {
            ActorScheme::ClientAtNode(setting.name())
        };
        let rules = flaw.map_or_else(VersionedRules::default, Flaw::versioned);
        Self::new(scheme, rules)
    }
}

impl<V: Clone + Debug + PartialEq> MakeStore for DottedStore<V> {
    fn make(flaw: Option<Flaw>, setting: &Setting) -> Self {
        let rules = flaw.map_or_else(DottedRules::default, Flaw::dotted);
        Self::new(setting.name(), rules)
    }
}

impl<T: MakeStore> StoreNode for Replica<T> {
    type Request = SiblingRequest<T::Value>;
    type Answer = SiblingAnswer<T::Value, T::Stamp>;
    type Message = MessageOf<T>;
    type Place = Key;
    type Record = SiblingsOf<T>;

    fn new(store: StoreName, setting: Setting) -> Self {
        let flaw = store.flaw();
        Self {
            store: T::make(flaw, &setting),
            peers: setting.peers(),
            anti_entropy: setting.anti_entropy,
            rules: flaw.map_or_else(ReplicaRules::default, Flaw::replica),
            rounds: 0,
        }
    }

    fn start(
        &mut self,
        found: &mut dyn Iterator<Item = (Key, SiblingsOf<T>)>,
        effects: &mut Effects<T>,
    ) {
        for (key, siblings) in found {
            self.store.receive_replica(&key, &siblings);
        }
        if !self.peers.is_empty() {
            effects.push(Effect::SetTimer(self.anti_entropy, ANTI_ENTROPY));
        }
    }

    fn request(
        &mut self,
        id: RequestId,
        request: SiblingRequest<T::Value>,
        wall_ns: &mut dyn FnMut() -> u64,
        effects: &mut Effects<T>,
    ) {
        let answer = match request {
            SiblingRequest::Get { key } => {
                let siblings = self.store.get(&key);
                SiblingAnswer::Siblings {
                    context: T::context(&siblings),
                    told: T::read_context(&siblings),
                    siblings,
                }
            }
            SiblingRequest::Put {
                client,
                key,
                parents,
                value,
            } => {
                self.store.look_at_clock(wall_ns);
                match self.store.put(client.as_str(), &key, &parents, value) {
                    Ok(stamp) => {
                        self.spread(&key, effects);
                        SiblingAnswer::Written {
                            context: T::write_context(&stamp),
                            stamp,
                            key,
                        }
                    }
                    Err(error) => SiblingAnswer::Refused(error),
                }
            }
        };
        effects.push(Effect::Reply(id, answer));
    }

    /// What a peer sent is written to storage but not synced: the peer has it.
    fn message(&mut self, from: u32, message: &MessageOf<T>, effects: &mut Effects<T>) {
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
    fn timer(&mut self, _: u32, effects: &mut Effects<T>) {
        if self.peers.is_empty() {
            return;
        }
        let peer = self.peers[self.rounds % self.peers.len()];
        self.rounds += 1;
        effects.push(Effect::Send(peer, ReplicaMessage::new(self.state(), true)));
        effects.push(Effect::SetTimer(self.anti_entropy, ANTI_ENTROPY));
    }
}

impl<T: MakeStore> Replica<T> {
    /// The store, to read.
    pub const fn store(&self) -> &T {
        &self.store
    }

    /// Makes the siblings of a key durable, and sends them to every peer.
    fn spread(&mut self, key: &Key, effects: &mut Effects<T>) {
        let siblings = self.store.get(key);
        effects.push(Effect::Persist(key.clone(), siblings.clone()));
        if self.rules.sync_before_answer {
            effects.push(Effect::Sync);
        }
        if !self.peers.is_empty() {
            let message = ReplicaMessage::new([(key.clone(), siblings)], false);
            let to_peers = self
                .peers
                .iter()
                .map(|&peer| Effect::Send(peer, message.clone()));
            effects.extend(to_peers);
        }
    }

    fn state(&self) -> impl Iterator<Item = (Key, SiblingsOf<T>)> + '_ {
        self.store
            .keys()
            .map(|key| (key.clone(), self.store.get(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::DottedStore;
    use super::*;

    type Node = Replica<DottedStore<u32>>;

    fn node(position: u32, nodes: u32) -> Node {
        let setting = Setting {
            position,
            cluster: (1..=nodes).map(|node| format!("n{node}").into()).collect(),
            anti_entropy: Nanos(10),
        };
        Replica::new(StoreName::Dotted, setting)
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

    fn write(node: &mut Node, key: &str, value: u32, effects: &mut EffectsOf<Node>) {
        let put = SiblingRequest::Put {
            client: "c1".into(),
            key: key.into(),
            parents: Vec::new(),
            value,
        };
        node.request(7, put, &mut || 0, effects);
    }

    fn sent(effects: EffectsOf<Node>) -> Vec<(u32, <Node as StoreNode>::Message)> {
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
        write(&mut node, "x", 1, &mut effects);
        assert!(matches!(
            effects[..],
            [
                Effect::Persist(..),
                Effect::Sync,
                Effect::Send(1, _),
                Effect::Send(2, _),
                Effect::Reply(7, SiblingAnswer::Written { .. })
            ]
        ));
    }

    #[test]
    fn one_exchange_makes_two_replicas_equal() {
        let (mut a, mut b) = (node(0, 2), node(1, 2));
        let mut ignored = Vec::new();
        write(&mut a, "x", 1, &mut ignored);
        write(&mut b, "x", 2, &mut ignored);
        write(&mut b, "y", 3, &mut ignored);
        let mut effects = Vec::new();
        a.timer(ANTI_ENTROPY, &mut effects);
        let mut answers = Vec::new();
        for (_, message) in sent(effects) {
            b.message(0, &message, &mut answers);
        }
        for (to, message) in sent(answers) {
            assert_eq!(to, 0);
            a.message(1, &message, &mut ignored);
        }
        for node in [&a, &b] {
            assert_eq!(values(node, "x"), [1, 2]);
            assert_eq!(values(node, "y"), [3]);
        }
        let mut quiet = Vec::new();
        b.timer(ANTI_ENTROPY, &mut quiet);
        let mut answers = Vec::new();
        for (_, message) in sent(quiet) {
            a.message(1, &message, &mut answers);
        }
        assert_eq!(
            answers,
            [],
            "equal replicas have nothing to tell each other"
        );
    }
}
