//! Anti-entropy (DeCandia et al. 2007, §4.7): in turn each node compares what it has of the keys that both own
//! with each peer, from the hash of all down to single keys, and both send what the other lacks. Read repair
//! sends the same way.

use std::{collections::BTreeMap, fmt::Debug};

use crate::{
    clocks::DvvSet,
    stores::{Key, MaybeTombstone},
};

use super::{Dynamo, message::Body, node::Effects, tree::Part};

/// So many hashes or sets are in one message.
const AT_ONCE: usize = 1024;

impl<V: Clone + Debug + PartialEq + MaybeTombstone> Dynamo<V> {
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

    /// Tells the next peer in turn the hash of the keys that both own.
    pub(super) fn compare_with_next(&mut self, turn: u64, effects: &mut Effects<V>) {
        let turn = usize::try_from(turn).unwrap_or(0);
        let Some(&peer) = self.peers.get(turn % self.peers.len().max(1)) else {
            return;
        };
        self.find_shared(peer);
        let hash = self.tree.hash_of(self.shared_with(peer));
        self.send(peer, Body::CompareAll { hash }, effects);
    }

    /// Finds out which ranges both own, unless that is known. O(ranges).
    fn find_shared(&mut self, peer: u32) {
        if self.shared.contains_key(&peer) {
            return;
        }
        let owners = self.quorums.among(self.ring.nodes()).owners;
        let both = |range: &u32| {
            let owners = self.ring.preference_in(*range).take(owners.into());
            owners
                .filter(|owner| [peer, self.position].contains(owner))
                .count()
                == 2
        };
        let shared = self.ring.ranges().filter(both).collect();
        self.shared.insert(peer, shared);
    }

    /// The ranges that both own.
    fn shared_with(&self, peer: u32) -> &[u32] {
        self.shared.get(&peer).map_or(&[], Vec::as_slice)
    }

    /// Another node tells the hash of all keys that both own.
    pub(super) fn compare_all(&mut self, from: u32, hash: u64, effects: &mut Effects<V>) {
        self.find_shared(from);
        let shared = self.shared_with(from);
        if self.tree.hash_of(shared) == hash {
            return;
        }
        let parts = shared.iter().map(|range| Part::whole(*range));
        let parts = parts.map(|part| (part, self.tree.hash(part))).collect();
        self.send(from, Body::Compare { parts }, effects);
    }

    /// Another node tells hashes of parts: goes down where they differ.
    pub(super) fn compare(&mut self, from: u32, parts: &[(Part, u64)], effects: &mut Effects<V>) {
        self.find_shared(from);
        let shared = self.shared_with(from);
        let mut deeper = Vec::new();
        for &(part, hash) in parts {
            let known = part.makes_sense() && shared.binary_search(&part.range).is_ok();
            if !known || self.tree.hash(part) == hash {
                continue;
            }
            if self.tree.is_small(part) {
                let keys = self.tree.keys(part);
                let keys = keys.map(|(key, digest)| (key.clone(), digest)).collect();
                self.send(from, Body::CompareKeys { part, keys }, effects);
            } else {
                let parts = part.parts().map(|part| (part, self.tree.hash(part)));
                deeper.extend(parts);
            }
        }
        for parts in deeper.chunks(AT_ONCE) {
            let parts = parts.to_vec();
            self.send(from, Body::Compare { parts }, effects);
        }
    }

    /// Another node tells what it has in a small part.
    pub(super) fn compare_keys(
        &mut self,
        from: u32,
        part: Part,
        keys: &[(Key, u64)],
        effects: &mut Effects<V>,
    ) {
        self.find_shared(from);
        if !part.makes_sense() || self.shared_with(from).binary_search(&part.range).is_err() {
            return;
        }
        let mine: BTreeMap<&Key, u64> = self.tree.keys(part).collect();
        let theirs: BTreeMap<&Key, u64> = keys.iter().map(|(key, of)| (key, *of)).collect();
        let differs = |(key, of): &(&&Key, &u64)| theirs.get(**key) != Some(*of);
        let sets: Vec<(Key, DvvSet<V>)> = mine
            .iter()
            .filter(differs)
            .map(|(key, _)| ((*key).clone(), self.set(key)))
            .collect();
        let wanted: Vec<Key> = theirs
            .iter()
            .filter(|(key, of)| mine.get(**key) != Some(*of) && self.owns(self.position, key))
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
            let wanted = wanted.iter().filter(|key| self.kept.contains_key(*key));
            let sets = wanted.map(|key| (key.clone(), self.set(key)));
            let body = Body::Differ {
                sets: sets.collect(),
                wanted: Vec::new(),
            };
            self.send(from, body, effects);
        }
    }
}
