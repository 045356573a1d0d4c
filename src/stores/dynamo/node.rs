//! A node of the cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use crate::{
    clocks::{Actor, DvvSet, VectorClock},
    simulation::Nanos,
    stores::{
        Effect, EffectsOf, Key, RequestId, Setting, SiblingAnswer, SiblingRequest, StoreName,
        StoreNode, faulty::Flaw,
    },
};

use super::{
    Message, OpId, Place, Quorums, Record, Ring,
    coordinate::{Pending, Task},
    deeds::Deeds,
    message::{Body, Write},
    record::{Identity, Kept},
    ring,
};

/// The steps that a planted bug may replace.
#[derive(Clone, Copy, Debug)]
pub struct Rules<V> {
    /// How many nodes have a write on storage when it is acknowledged, of the number that is asked for.
    pub enough: fn(u8) -> u8,
    /// What a node has of a key after another one has sent what it has.
    pub merge: fn(&DvvSet<V>, &DvvSet<V>) -> DvvSet<V>,
    /// When a coordinator makes its own copy durable.
    pub durable: Durable,
    /// What becomes of hints.
    pub hints: Hints,
}

/// When a coordinator makes its own copy of a write durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Before anybody hears of its dot, so that no dot is given out twice.
    First,
    /// Some time later: the others have it.
    Later,
}

/// What becomes of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hints {
    /// They are durable, and handed off as they are.
    Kept,
    /// They are in memory only.
    InMemory,
    /// The name of a node that has handed a key off stays the same.
    SameName,
    /// The node that hands a value off writes it anew.
    WrittenAnew,
}

impl<V: Clone> Default for Rules<V> {
    /// The correct node.
    fn default() -> Self {
        Self {
            enough: |wanted| wanted,
            merge: DvvSet::sync,
            durable: Durable::First,
            hints: Hints::Kept,
        }
    }
}

/// What a node wants done.
pub(super) type Effects<V> = EffectsOf<Dynamo<V>>;

/// A node of a Dynamo-style cluster.
#[derive(Debug)]
pub struct Dynamo<V> {
    pub(super) name: Actor,
    /// Its position in the cluster.
    pub(super) position: u32,
    pub(super) peers: Vec<u32>,
    pub(super) ring: Ring,
    pub(super) quorums: Quorums,
    pub(super) rules: Rules<V>,
    pub(super) identity: Identity,
    pub(super) kept: BTreeMap<Key, Kept<V>>,
    /// What it has begun and not finished.
    pub(super) pending: BTreeMap<OpId, Pending<V>>,
    /// Writes that others forwarded, so that none is done twice: in which round each came.
    pub(super) forwarded: BTreeMap<(u32, OpId), u64>,
    /// The lives of the other nodes, as far as it has heard.
    pub(super) lives: BTreeMap<u32, u64>,
    /// Nodes that did not answer in time, and were not heard of since.
    pub(super) suspected: BTreeSet<u32>,
    /// Rounds of what it does by itself: what is older than two has taken too long.
    pub(super) round: u64,
    pub(super) deeds: Deeds,
    every: Nanos,
    numbers: u64,
}

/// The only timer of a node.
const ROUND: u32 = 0;

/// Rounds from one comparison with a peer to the next.
const COMPARES: u64 = 8;

impl<V: Clone + Debug + PartialEq> StoreNode for Dynamo<V> {
    type Request = SiblingRequest<V>;
    type Answer = SiblingAnswer<V, crate::clocks::DottedVersionVector>;
    type Message = Message<V>;
    type Place = Place;
    type Record = Record<V>;

    fn new(store: StoreName, setting: Setting) -> Self {
        let (name, peers) = (setting.name(), setting.peers());
        let Setting {
            position,
            cluster,
            anti_entropy,
        } = setting;
        Self {
            name,
            position,
            peers,
            ring: Ring::new((0..).zip(&*cluster), ring::TOKENS),
            quorums: store.quorums().among(cluster.len()),
            rules: store.flaw().map_or_else(Rules::default, Flaw::dynamo),
            identity: Identity::default(),
            kept: BTreeMap::new(),
            pending: BTreeMap::new(),
            forwarded: BTreeMap::new(),
            lives: BTreeMap::new(),
            suspected: BTreeSet::new(),
            round: 0,
            deeds: Deeds::default(),
            every: Nanos(anti_entropy.0 / COMPARES),
            numbers: 0,
        }
    }

    fn start(
        &mut self,
        found: &mut dyn Iterator<Item = (&Place, &Record<V>)>,
        effects: &mut Effects<V>,
    ) {
        for (place, record) in found {
            match (place, record) {
                (_, Record::Identity(identity)) => self.identity = *identity,
                (Place::Key(key), Record::Kept(kept)) => {
                    self.kept.insert(key.clone(), kept.clone());
                }
                (Place::Identity, Record::Kept(_)) => {}
            }
        }
        self.identity.life += 1;
        self.keep_identity(effects);
        if !self.peers.is_empty() {
            effects.push(Effect::SetTimer(self.every, ROUND));
        }
    }

    fn request(
        &mut self,
        id: RequestId,
        request: SiblingRequest<V>,
        _: &mut dyn FnMut() -> u64,
        effects: &mut Effects<V>,
    ) {
        match request {
            SiblingRequest::Get { key } => self.read(id, &key, effects),
            SiblingRequest::Put {
                key,
                parents,
                value,
                ..
            } => {
                let context = parents
                    .iter()
                    .fold(VectorClock::new(), |joined, parent| joined.merge(parent));
                let write = Write {
                    key,
                    context,
                    value,
                };
                self.write(id, write, effects);
            }
        }
    }

    fn message(&mut self, from: u32, message: &Message<V>, effects: &mut Effects<V>) {
        self.suspected.remove(&from);
        let life = self.lives.entry(from).or_insert(message.life);
        *life = (*life).max(message.life);
        match &message.body {
            Body::Store {
                op,
                key,
                set,
                instead_of,
            } => self.store(from, *op, (key, set), *instead_of, effects),
            Body::Stored { op } => self.stored(from, *op, effects),
            Body::Fetch { op, key } => {
                let set = self.set(key);
                self.send(from, Body::Fetched { op: *op, set }, effects);
            }
            Body::Fetched { op, set } => self.fetched(from, *op, set, effects),
            Body::Forward {
                op,
                to_life,
                write,
                instead_of,
            } => self.take_forwarded(from, *op, *to_life, write, *instead_of, effects),
            Body::Forwarded { op, outcome } => self.forwarded(*op, outcome, effects),
            Body::Compare { digests } => self.compare(from, digests, effects),
            Body::Differ { sets, wanted } => self.differ(from, sets, wanted, effects),
        }
    }

    /// One round of what the node does by itself, and the timer for the next one.
    fn timer(&mut self, _: u32, effects: &mut Effects<V>) {
        self.round += 1;
        self.give_up_late(effects);
        self.hand_off(effects);
        if self.round.is_multiple_of(COMPARES) {
            self.compare_with_next(self.round / COMPARES, effects);
        }
        effects.push(Effect::SetTimer(self.every, ROUND));
    }

    fn situations(&self) -> Vec<(&'static str, u64)> {
        self.deeds.named()
    }
}

impl<V: Clone + Debug + PartialEq> Dynamo<V> {
    /// What it has of a key.
    pub(super) fn set(&self, key: &Key) -> DvvSet<V> {
        self.kept
            .get(key)
            .map_or_else(DvvSet::empty, |kept| kept.set.clone())
    }

    /// The nodes that own a key, the most preferred first.
    pub(super) fn owners(&self, key: &Key) -> Vec<u32> {
        let preference = self.ring.preference(key.as_str().as_bytes());
        preference.take(self.quorums.owners.into()).collect()
    }

    pub(super) fn owns(&self, node: u32, key: &Key) -> bool {
        self.owners(key).contains(&node)
    }

    pub(super) fn send(&self, to: u32, body: Body<V>, effects: &mut Effects<V>) {
        let life = self.identity.life;
        effects.push(Effect::Send(to, Message { life, body }));
    }

    /// Begins something.
    pub(super) fn begin(&mut self, task: Task<V>) -> OpId {
        self.numbers += 1;
        let op = OpId {
            life: self.identity.life,
            number: self.numbers,
        };
        let round = self.round;
        self.pending.insert(op, Pending { task, round });
        op
    }

    fn keep_identity(&self, effects: &mut Effects<V>) {
        let identity = Record::Identity(self.identity);
        effects.push(Effect::Persist(Place::Identity, identity));
        effects.push(Effect::Sync);
    }

    /// Writes what it has of a key to storage, where the next sync makes it durable.
    pub(super) fn persist(&self, key: &Key, effects: &mut Effects<V>) {
        let Some(kept) = self.kept.get(key) else {
            return;
        };
        if self.rules.hints == Hints::InMemory && !self.owns(self.position, key) {
            return;
        }
        let record = Record::Kept(kept.clone());
        effects.push(Effect::Persist(Place::Key(key.clone()), record));
    }

    /// Forgets a key that it does not own and has handed off. If it has written under a name of its own,
    /// it takes another name first, or it would begin again with the same dots.
    pub(super) fn forget(&mut self, key: &Key, effects: &mut Effects<V>) {
        let Some(kept) = self.kept.remove(key) else {
            return;
        };
        let current = self.identity.actor(&self.name);
        if kept.actor == Some(current) && self.rules.hints != Hints::SameName {
            self.identity.epoch += 1;
            self.deeds.renamed += 1;
            self.keep_identity(effects);
        }
        effects.push(Effect::Remove(Place::Key(key.clone())));
    }
}
