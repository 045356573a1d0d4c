//! How nodes that missed something hear of it: hints that are handed off (DeCandia et al. 2007, §4.6), and
//! anti-entropy for all that hints do not know of (§4.7).

use std::{collections::BTreeMap, fmt::Debug, hash::Hasher};

use siphasher::sip::SipHasher24;

use crate::{
    clocks::{Causality, DvvSet, VectorClock},
    stores::{Effect, Key},
};

use super::{
    Dynamo, OpId,
    coordinate::{Pending, Task},
    message::Body,
    node::{Effects, Hints},
};

/// A digest of which events a node knows of a key, and which of them have values: two nodes with the same
/// one have nothing to tell each other, as a dot names one value. O(rows).
fn digest<V>(set: &DvvSet<V>) -> u64 {
    let mut hasher = SipHasher24::new();
    for (actor, counter, values) in set.rows() {
        hasher.write_usize(actor.as_str().len());
        hasher.write(actor.as_str().as_bytes());
        hasher.write_u64(counter);
        hasher.write_usize(values);
    }
    hasher.finish()
}

impl<V: Clone + Debug + PartialEq> Dynamo<V> {
    /// Merges what another node has of a key. True where this brought news.
    fn merge(&mut self, key: &Key, set: &DvvSet<V>) -> bool {
        let kept = self.kept.entry(key.clone()).or_default();
        let merged = (self.rules.merge)(&kept.set, set);
        let changed = merged.compare(&kept.set) != Causality::Equal;
        kept.set = merged;
        changed
    }

    /// Keeps what another node has of a key, and says so when it is durable.
    pub(super) fn store(
        &mut self,
        from: u32,
        op: OpId,
        (key, set): (&Key, &DvvSet<V>),
        instead_of: Option<u32>,
        effects: &mut Effects<V>,
    ) {
        let mut changed = self.merge(key, set);
        if let (Some(owner), Some(kept)) = (instead_of, self.kept.get_mut(key)) {
            changed |= owner != self.position && kept.hints.insert(owner);
        }
        if changed {
            self.persist(key, effects);
        }
        // What was there before may not be durable yet either.
        effects.push(Effect::Sync);
        self.send(from, Body::Stored { op }, effects);
    }

    /// Tells a node of a key what it lacks. Nobody waits for it.
    pub(super) fn tell(&mut self, node: u32, key: &Key, set: &DvvSet<V>, effects: &mut Effects<V>) {
        if node == self.position {
            if self.merge(key, set) {
                self.persist(key, effects);
            }
            return;
        }
        let body = Body::Differ {
            sets: vec![(key.clone(), set.clone())],
            wanted: Vec::new(),
        };
        self.send(node, body, effects);
    }

    /// Owners are to be told of a key later.
    pub(super) fn remember(
        &mut self,
        key: &Key,
        owners: impl Iterator<Item = u32>,
        effects: &mut Effects<V>,
    ) {
        let own = self.position;
        let Some(kept) = self.kept.get_mut(key) else {
            return;
        };
        let before = kept.hints.len();
        kept.hints.extend(owners.filter(|owner| *owner != own));
        if kept.hints.len() > before {
            self.deeds.hinted += 1;
            self.persist(key, effects);
        }
    }

    /// Tells owners that seem to be back what they missed.
    pub(super) fn hand_off(&mut self, effects: &mut Effects<V>) {
        let under_way: Vec<(&Key, u32)> = self
            .pending
            .values()
            .filter_map(|pending| match &pending.task {
                Task::HandOff { key, to, .. } => Some((key, *to)),
                _ => None,
            })
            .collect();
        let mut due = Vec::new();
        for (key, kept) in &self.kept {
            for &owner in &kept.hints {
                if !under_way.contains(&(key, owner)) {
                    due.push((key.clone(), owner));
                }
            }
        }
        for (key, to) in due {
            let set = self.set(&key);
            let op = self.begin(Task::HandOff {
                key: key.clone(),
                to,
                set: set.clone(),
            });
            let set = match self.rules.hints {
                Hints::WrittenAnew => self.written_anew(&set),
                _ => set,
            };
            let body = Body::Store {
                op,
                key,
                set,
                instead_of: None,
            };
            self.send(to, body, effects);
        }
    }

    /// A planted bug: the same values once more, under dots of this node.
    fn written_anew(&self, set: &DvvSet<V>) -> DvvSet<V> {
        let actor = self.identity.actor(&self.name);
        let values = set.values().map(|(_, value)| value.clone());
        values.fold(set.clone(), |anew, value| {
            anew.event(&actor, value, &VectorClock::new())
                .unwrap_or(anew)
        })
    }

    /// An owner has on storage what it was told. What has come since is told in the next round; a node that
    /// owns the key no more forgets it when all are told.
    pub(super) fn handed_off(&mut self, op: OpId, effects: &mut Effects<V>) {
        let Some(Pending {
            task: Task::HandOff { key, to, set },
            ..
        }) = self.pending.remove(&op)
        else {
            return;
        };
        let owner = self.owns(self.position, &key);
        let Some(kept) = self.kept.get_mut(&key) else {
            return;
        };
        if kept.set.compare(&set) != Causality::Equal || !kept.hints.remove(&to) {
            return;
        }
        self.deeds.handed_off += 1;
        if kept.hints.is_empty() && !owner {
            self.forget(&key, effects);
        } else {
            self.persist(&key, effects);
        }
    }

    /// Tells the next peer in turn what it has of the keys that both own.
    pub(super) fn compare_with_next(&mut self, turn: u64, effects: &mut Effects<V>) {
        let turn = usize::try_from(turn).unwrap_or(0);
        let Some(&peer) = self.peers.get(turn % self.peers.len().max(1)) else {
            return;
        };
        let digests = self.shared_with(peer).into_iter().collect();
        self.send(peer, Body::Compare { digests }, effects);
    }

    /// The keys that both own, with digests of what it has of them.
    fn shared_with(&self, peer: u32) -> BTreeMap<Key, u64> {
        let shared = |key: &Key| {
            let owners = self.owners(key);
            owners.contains(&peer) && owners.contains(&self.position)
        };
        let kept = self.kept.iter().filter(|(key, _)| shared(key));
        kept.map(|(key, kept)| (key.clone(), digest(&kept.set)))
            .collect()
    }

    /// Another node tells what it has of the keys that both own.
    pub(super) fn compare(&mut self, from: u32, digests: &[(Key, u64)], effects: &mut Effects<V>) {
        let mine = self.shared_with(from);
        let theirs: BTreeMap<&Key, u64> = digests.iter().map(|(key, of)| (key, *of)).collect();
        let differs = |(key, of): &(&Key, &u64)| theirs.get(key) != Some(*of);
        let sets: Vec<(Key, DvvSet<V>)> = mine
            .iter()
            .filter(differs)
            .map(|(key, _)| (key.clone(), self.set(key)))
            .collect();
        let shared = |key: &Key| self.owns(from, key) && self.owns(self.position, key);
        let wanted: Vec<Key> = theirs
            .iter()
            .filter(|(key, of)| mine.get(**key) != Some(*of) && shared(key))
            .map(|(key, _)| (*key).clone())
            .collect();
        if !sets.is_empty() || !wanted.is_empty() {
            self.deeds.differed += 1;
            self.send(from, Body::Differ { sets, wanted }, effects);
        }
    }

    /// Another node has more, or other, than this one.
    pub(super) fn differ(
        &mut self,
        from: u32,
        sets: &[(Key, DvvSet<V>)],
        wanted: &[Key],
        effects: &mut Effects<V>,
    ) {
        for (key, set) in sets {
            if self.owns(self.position, key) && self.merge(key, set) {
                self.persist(key, effects);
            }
        }
        if !wanted.is_empty() {
            let sets = wanted.iter().map(|key| (key.clone(), self.set(key)));
            let sets = sets.collect();
            let body = Body::Differ {
                sets,
                wanted: Vec::new(),
            };
            self.send(from, body, effects);
        }
    }
}
