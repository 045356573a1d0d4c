//! Hints: what owners have missed, or are about to own, is kept for them and handed off (DeCandia et al. 2007,
//! §4.6).

use std::{collections::BTreeMap, fmt::Debug};

use crate::{
    clocks::{Causality, DvvSet, VectorClock},
    stores::{Effect, Key, MaybeTombstone},
};

use super::{
    Dynamo, OpId,
    coordinate::{Pending, Task},
    message::Body,
    node::Effects,
    rules::Hints,
    tree::digest,
};

/// So many keys are handed off in one message.
const AT_ONCE: usize = 256;

impl<V: Clone + Debug + PartialEq + MaybeTombstone> Dynamo<V> {
    /// Merges what another node has of a key. True where this brought news.
    pub(super) fn merge(&mut self, key: &Key, set: &DvvSet<V>) -> bool {
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
        instead_of: &[u32],
        effects: &mut Effects<V>,
    ) {
        let mut changed = self.merge(key, set);
        if let Some(kept) = self.kept.get_mut(key) {
            // There are no others than the peers, whatever one of them says.
            let others = instead_of.iter().filter(|owner| self.peers.contains(owner));
            let before = kept.hints.len();
            kept.hints.extend(others);
            changed |= kept.hints.len() > before;
        }
        if changed {
            self.persist(key, effects);
        }
        // What was there before may not be durable yet either.
        effects.push(Effect::Sync);
        self.send(from, Body::Stored { op }, effects);
        self.reap_early(key, effects);
    }

    /// Owners are to be told of a key later.
    pub(super) fn remember(
        &mut self,
        key: &Key,
        owners: impl Iterator<Item = u32>,
        effects: &mut Effects<V>,
    ) {
        if self.quorums.background {
            return;
        }
        let own = self.position;
        let all = self.owners(key);
        let Some(kept) = self.kept.get_mut(key) else {
            return;
        };
        let before = kept.hints.len();
        kept.hints
            .extend(owners.filter(|owner| *owner != own && all.contains(owner)));
        if kept.hints.len() > before {
            self.deeds.hinted += 1;
            self.persist(key, effects);
        }
    }

    /// Tells owners that seem to be back what they missed.
    pub(super) fn hand_off(&mut self, effects: &mut Effects<V>) {
        let mut due: BTreeMap<u32, Vec<Key>> = BTreeMap::new();
        for key in &self.hinted {
            let hints = self.kept.get(key).map(|kept| &kept.hints);
            for &owner in hints.into_iter().flatten() {
                let keys = due.entry(owner).or_default();
                if keys.len() < AT_ONCE && !self.told.contains(&owner) {
                    keys.push(key.clone());
                }
            }
        }
        for (to, keys) in due {
            if keys.is_empty() {
                continue;
            }
            self.told.insert(to);
            let sets = keys.into_iter().map(|key| {
                let set = self.set(&key);
                (key, set)
            });
            let sets: Vec<(Key, DvvSet<V>)> = sets.collect();
            let op = self.begin(Task::HandOff {
                to,
                sets: sets.clone(),
            });
            let sets = match self.rules.hints {
                Hints::WrittenAnew => {
                    let anew = |(key, set): (Key, DvvSet<V>)| (key, self.written_anew(&set));
                    sets.into_iter().map(anew).collect()
                }
                _ => sets,
            };
            self.send(to, Body::HandOff { op, sets }, effects);
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

    /// Another node tells what this one has missed.
    pub(super) fn take_hand_off(
        &mut self,
        from: u32,
        op: OpId,
        sets: &[(Key, DvvSet<V>)],
        effects: &mut Effects<V>,
    ) {
        for (key, set) in sets {
            if self.merge(key, set) {
                self.persist(key, effects);
            }
        }
        effects.push(Effect::Sync);
        self.send(from, Body::Stored { op }, effects);
    }

    /// An owner has on storage what it was told. What has come since is told next; a node that owns a key no
    /// more forgets it when all are told.
    pub(super) fn handed_off(&mut self, op: OpId, effects: &mut Effects<V>) {
        let Some(Pending {
            task: Task::HandOff { to, sets },
            ..
        }) = self.pending.remove(&op)
        else {
            return;
        };
        self.told.remove(&to);
        for (key, set) in sets {
            let owner = self.owns(self.position, &key);
            let Some(kept) = self.kept.get_mut(&key) else {
                continue;
            };
            if kept.set.compare(&set) != Causality::Equal || !kept.hints.remove(&to) {
                continue;
            }
            self.deeds.handed_off += 1;
            if kept.hints.is_empty() && self.next_ring.is_some() {
                let digest = digest(&key, &kept.set);
                self.handed_over.insert(key.clone(), digest);
            }
            let kept = self.kept.get(&key);
            if kept.is_some_and(|kept| kept.hints.is_empty()) && !owner {
                self.forget(&key, effects);
            } else {
                self.persist(&key, effects);
            }
        }
        let misses = |key: &Key| {
            self.kept
                .get(key)
                .is_some_and(|kept| kept.hints.contains(&to))
        };
        if self.hinted.iter().any(misses) {
            self.hand_off(effects);
        }
        self.go_on_changing(effects);
    }
}
