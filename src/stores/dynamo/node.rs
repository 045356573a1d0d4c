//! A node of the cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};

use crate::{
    clocks::{Actor, DvvSet, VectorClock},
    simulation::Nanos,
    stores::{
        Change, Effect, EffectsOf, Key, MaybeTombstone, RequestId, Setting, SiblingAnswer,
        SiblingRequest, StoreName, StoreNode, faulty::Flaw,
    },
};

use super::{
    Message, OpId, Place, Quorums, Record, Ring,
    coordinate::{Pending, Task},
    deeds::Deeds,
    members::Report,
    message::{Body, Write},
    record::{Identity, Kept},
    ring,
    rules::{Hints, Rules, Trees},
    tree::{Tree, digest},
    view::View,
};

/// What a node wants done.
pub(super) type Effects<V> = EffectsOf<Dynamo<V>>;

/// A node of a Dynamo-style cluster.
#[derive(Debug)]
pub struct Dynamo<V> {
    pub(super) name: Actor,
    /// Its position in the cluster.
    pub(super) position: u32,
    pub(super) peers: Vec<u32>,
    pub(super) quorums: Quorums,
    pub(super) rules: Rules<V>,
    pub(super) identity: Identity,
    /// The ring that all nodes of the cluster would form.
    pub(super) everybody: Arc<Ring>,
    /// Who the members are.
    pub(super) view: View,
    /// Their ring.
    pub(super) ring: Arc<Ring>,
    /// The ring after the change that is pending, where it is another one.
    pub(super) next_ring: Option<Arc<Ring>>,
    /// What it was told to do about its membership, and has not done.
    pub(super) wish: Option<Change>,
    /// What members have said that go by the pending view: kept by the claimant.
    pub(super) ready: BTreeMap<u32, Report>,
    /// Nodes that have left and handed everything over: kept by the claimant.
    pub(super) emptied: BTreeSet<u32>,
    /// What it has handed over to all new owners while a change is pending, by its hash.
    pub(super) handed_over: BTreeMap<Key, u64>,
    /// The newest version of the view that each node is known to go by.
    pub(super) versions: BTreeMap<u32, u64>,
    pub(super) kept: BTreeMap<Key, Kept<V>>,
    /// The keys that it keeps for others, or others have missed.
    pub(super) hinted: BTreeSet<Key>,
    /// The keys that it shares with a peer are in these ranges, as far as that was asked for.
    pub(super) shared: BTreeMap<u32, Vec<u32>>,
    pub(super) tree: Tree,
    /// What it has begun and not finished.
    pub(super) pending: BTreeMap<OpId, Pending<V>>,
    /// Who is being told what it has missed.
    pub(super) told: BTreeSet<u32>,
    /// Writes that others forwarded, so that none is done twice: in which round each came.
    pub(super) forwarded: BTreeMap<(u32, OpId), u64>,
    /// The lives of the other nodes, as far as it has heard.
    pub(super) lives: BTreeMap<u32, u64>,
    /// Nodes that did not answer in time, and were not heard of since.
    pub(super) suspected: BTreeSet<u32>,
    /// Counts the rounds of what it does by itself.
    pub(super) round: u64,
    pub(super) deeds: Deeds,
    every: Nanos,
    numbers: u64,
}

/// The only timer of a node.
const ROUND: u32 = 0;

/// Rounds from one comparison with a peer to the next.
const COMPARES: u64 = 8;

/// Rounds from one look for tombstones that nobody needs to the next.
const REAPS: u64 = 16;

impl<V: Clone + Debug + PartialEq + MaybeTombstone> StoreNode for Dynamo<V> {
    type Request = SiblingRequest<V>;
    type Answer = SiblingAnswer<V, crate::clocks::DottedVersionVector>;
    type Message = Message<V>;
    type Place = Place;
    type Record = Record<V>;

    const BATCHES_TEAR: bool = true;

    fn new(store: StoreName, setting: Setting) -> Self {
        let (name, peers) = (setting.name(), setting.peers());
        let Setting {
            position,
            cluster,
            anti_entropy,
        } = setting;
        let everybody = Arc::new(Ring::new((0..).zip(&*cluster), ring::TOKENS));
        let view = View::first(u32::try_from(cluster.len()).unwrap_or(u32::MAX));
        Self {
            name,
            position,
            peers,
            quorums: store.quorums(),
            rules: store.flaw().map_or_else(Rules::default, Flaw::dynamo),
            identity: Identity::default(),
            ring: Arc::clone(&everybody),
            next_ring: None,
            everybody,
            view,
            wish: None,
            ready: BTreeMap::new(),
            emptied: BTreeSet::new(),
            handed_over: BTreeMap::new(),
            versions: BTreeMap::new(),
            kept: BTreeMap::new(),
            hinted: BTreeSet::new(),
            shared: BTreeMap::new(),
            tree: Tree::default(),
            pending: BTreeMap::new(),
            told: BTreeSet::new(),
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
        found: &mut dyn Iterator<Item = (Place, Record<V>)>,
        effects: &mut Effects<V>,
    ) {
        for (place, record) in found {
            match (place, record) {
                (_, Record::Identity(identity)) => self.identity = identity,
                (_, Record::Membership(view, wish)) => {
                    self.view = view;
                    self.wish = wish;
                }
                (Place::Key(key), Record::Kept(kept)) => {
                    self.kept.insert(key, kept);
                }
                (Place::Identity | Place::Membership, Record::Kept(_)) => {}
            }
        }
        self.identity.life += 1;
        self.keep_identity(effects);
        self.form_rings();
        let keys: Vec<Key> = self.kept.keys().cloned().collect();
        for key in keys {
            self.note_hints(&key);
        }
        self.hand_over(effects);
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
        let version = self.versions.entry(from).or_insert(message.view);
        *version = (*version).max(message.view);
        if self.is_of_another_view(from, message, effects) {
            return;
        }
        match &message.body {
            Body::Store {
                op,
                key,
                set,
                instead_of,
            } => self.store(from, *op, (key, set), instead_of, effects),
            Body::HandOff { op, sets } => self.take_hand_off(from, *op, sets, effects),
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
            Body::CompareAll { hash } => self.compare_all(from, *hash, effects),
            Body::Compare { parts } => self.compare(from, parts, effects),
            Body::CompareKeys { part, keys } => self.compare_keys(from, *part, keys, effects),
            Body::Differ { sets, wanted } => self.differ(from, sets, wanted, effects),
            Body::View(view) => self.hear_of_view(from, view, effects),
            Body::Wish { change } => self.change(from, *change, effects),
            Body::Empty => {
                self.emptied.insert(from);
            }
            Body::WishReaping => self.begin_reaping(effects),
            Body::Ready { tombstones, held } => {
                let report = Report::of(tombstones, held);
                self.member_is_ready(from, report, effects);
            }
        }
    }

    /// One round of what the node does by itself, and the timer for the next one.
    fn timer(&mut self, _: u32, effects: &mut Effects<V>) {
        self.round += 1;
        self.give_up_late(effects);
        self.go_on_changing(effects);
        self.hand_off(effects);
        if self.round.is_multiple_of(COMPARES) {
            self.compare_with_next(self.round / COMPARES, effects);
        }
        if self.round.is_multiple_of(REAPS) {
            self.look_for_tombstones(effects);
        }
        effects.push(Effect::SetTimer(self.every, ROUND));
    }

    fn change_members(&mut self, change: Change, effects: &mut Effects<V>) {
        self.wish_for(change, effects);
    }

    fn reaps(nodes: u32) -> bool {
        nodes > 1
    }

    fn situations(&self) -> Vec<(&'static str, u64)> {
        self.deeds.named()
    }
}

impl<V: Clone + Debug + PartialEq + MaybeTombstone> Dynamo<V> {
    /// What it has of a key.
    pub(super) fn set(&self, key: &Key) -> DvvSet<V> {
        self.kept
            .get(key)
            .map_or_else(DvvSet::empty, |kept| kept.set.clone())
    }

    pub(super) fn send(&self, to: u32, body: Body<V>, effects: &mut Effects<V>) {
        let message = Message {
            life: self.identity.life,
            view: self.view.version,
            body,
        };
        effects.push(Effect::Send(to, message));
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

    /// What it has of a key has changed: writes it to storage, where the next sync makes it durable, and keeps
    /// its tree and its list of hints true.
    pub(super) fn persist(&mut self, key: &Key, effects: &mut Effects<V>) {
        self.note_set(key);
        self.note_hints(key);
        let Some(kept) = self.kept.get(key) else {
            return;
        };
        if self.rules.hints == Hints::InMemory && !self.owns(self.position, key) {
            return;
        }
        let record = Record::Kept(kept.clone());
        effects.push(Effect::Persist(Place::Key(key.clone()), record));
    }

    /// Keeps the tree true to what it has of a key.
    pub(super) fn note_set(&mut self, key: &Key) {
        let kept = self.kept.get(key);
        if let (Trees::WithoutTombstones, Some(kept)) = (self.rules.trees, kept)
            && kept.set.values().any(|(_, value)| value.is_tombstone())
        {
            return;
        }
        let digest = kept.map(|kept| digest(key, &kept.set));
        let place = ring::place(key.as_str().as_bytes());
        self.tree.set(self.ring.range(place), place, key, digest);
    }

    /// Keeps the list of hints true to what it has of a key.
    pub(super) fn note_hints(&mut self, key: &Key) {
        let hints = self.kept.get(key).map(|kept| !kept.hints.is_empty());
        if hints == Some(true) {
            self.hinted.insert(key.clone());
        } else {
            self.hinted.remove(key);
        }
    }

    /// Forgets a key that it does not own and has handed off, or whose tombstones nobody needs. If it has
    /// written under a name of its own, it takes another name first, or it would begin again with the same
    /// dots.
    pub(super) fn forget(&mut self, key: &Key, effects: &mut Effects<V>) {
        let Some(kept) = self.kept.remove(key) else {
            return;
        };
        self.note_set(key);
        self.note_hints(key);
        let current = self.identity.actor(&self.name);
        if kept.actor == Some(current) && self.rules.hints != Hints::SameName {
            self.identity.epoch += 1;
            self.deeds.renamed += 1;
            self.keep_identity(effects);
        }
        effects.push(Effect::Remove(Place::Key(key.clone())));
    }
}
