//! How members join and leave, and how all agree that a tombstone is not needed any more.
//!
//! A node that is told to join or to leave keeps that in mind, durably, and asks the claimant until the view
//! says so. What a pending view moves is handed over like what owners have missed: by hints.
//!
//! Tombstones are reaped by a change of the view in which the members stay the same. When all members go
//! by the pending view, nothing that was sent under the one before is taken any more, so what
//! each of them has is all that there is. Each says which tombstones it could do without, and what it keeps for
//! others. The settled view names the keys of which all owners have the same tombstones and nothing else, and
//! nobody keeps anything for others, with the events that they know of: whoever takes it up drops what these
//! events are. A message from before cannot bring them back, as it was sent under another view.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};

use crate::{
    clocks::VectorClock,
    stores::{Change, Effect, Key, MaybeTombstone},
};

use super::{
    Dynamo, Message, Place, Record,
    message::Body,
    node::Effects,
    rules::{Reaping, Views},
    tree::digest,
    view::View,
};

/// So many tombstones a member reports at once.
const REPORTED: usize = 256;

/// What a member says when it goes by a pending view.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Tombstones that it could do without: the hash of what it knows of each key, and its events.
    tombstones: BTreeMap<Key, (u64, VectorClock)>,
    /// Keys that it keeps for others.
    held: BTreeSet<Key>,
}

impl Report {
    pub(super) fn of(tombstones: &[(Key, u64, VectorClock)], held: &[Key]) -> Self {
        let entry = |(key, digest, events): &(Key, u64, VectorClock)| {
            (key.clone(), (*digest, events.clone()))
        };
        Self {
            tombstones: tombstones.iter().map(entry).collect(),
            held: held.iter().cloned().collect(),
        }
    }
}

impl<V: Clone + Debug + PartialEq + MaybeTombstone> Dynamo<V> {
    /// The nodes that own a key, before and after the change that is pending, the most preferred first.
    pub(super) fn owners(&self, key: &Key) -> Vec<u32> {
        let mut owners = self.owners_on(false, key);
        if self.next_ring.is_some() {
            for owner in self.owners_on(true, key) {
                if !owners.contains(&owner) {
                    owners.push(owner);
                }
            }
        }
        owners
    }

    pub(super) fn owns(&self, node: u32, key: &Key) -> bool {
        self.owners(key).contains(&node)
    }

    /// The owners on the ring of the members, or on the one after the pending change.
    fn owners_on(&self, next: bool, key: &Key) -> Vec<u32> {
        let ring = self.next_ring.as_ref().filter(|_| next);
        let ring = ring.unwrap_or(&self.ring);
        let owners = self.quorums.among(ring.nodes()).owners;
        let preference = ring.preference(key.as_str().as_bytes());
        preference.take(owners.into()).collect()
    }

    /// Forms the rings that follow from the view, and what hangs on them.
    pub(super) fn form_rings(&mut self) {
        let members = &self.view.members;
        let next = self.view.next.as_ref().filter(|next| *next != members);
        let all = self.everybody.nodes();
        let ring = |members: &BTreeSet<u32>| {
            if members.len() == all {
                Arc::clone(&self.everybody)
            } else {
                Arc::new(self.everybody.of(members))
            }
        };
        (self.ring, self.next_ring) = (ring(members), next.map(ring));
        self.tree = super::tree::Tree::default();
        let keys: Vec<Key> = self.kept.keys().cloned().collect();
        for key in keys {
            self.note_set(&key);
        }
        self.shared.clear();
    }

    /// Whether a message was sent under another view than this node goes by, and is not taken because of that.
    /// Then the sender is told of this view, or tells of its own.
    pub(super) fn is_of_another_view(
        &self,
        from: u32,
        message: &Message<V>,
        effects: &mut Effects<V>,
    ) -> bool {
        let is_view = matches!(message.body, Body::View(_));
        let disagreeing = self.rules.views == Views::Disagreeing;
        if message.view == self.view.version || is_view || disagreeing {
            return false;
        }
        self.send(from, Body::View(self.view.clone()), effects);
        message.body.is_bound_to_view()
    }

    /// Another node tells by which view it goes.
    pub(super) fn hear_of_view(&mut self, from: u32, view: &View, effects: &mut Effects<V>) {
        if !view.is_of(self.peers.len() + 1) {
            return;
        }
        if *view > self.view {
            self.take_up(view.clone(), effects);
        } else if *view < self.view {
            self.send(from, Body::View(self.view.clone()), effects);
        }
    }

    /// Goes by another view from now on.
    fn take_up(&mut self, view: View, effects: &mut Effects<V>) {
        let before = std::mem::replace(&mut self.view, view);
        let moved = before.members != self.view.members || before.next != self.view.next;
        self.ready.clear();
        self.emptied.clear();
        self.told.clear();
        if moved {
            self.form_rings();
        }
        self.reap(effects);
        // What is asked again may be forgotten just now, and nobody is to hear of this view before it is durable.
        let mut asked = Vec::new();
        self.ask_again(&mut asked);
        if moved {
            self.hand_over(effects);
        }
        self.keep_membership(effects);
        effects.append(&mut asked);
        self.deeds.changed += u64::from(before.next.is_some_and(|next| next != before.members));
        if self.view.claimant == self.position || before.claimant == self.position {
            self.tell_of_view(effects);
        }
        self.go_on_changing(effects);
    }

    fn keep_membership(&self, effects: &mut Effects<V>) {
        let record = Record::Membership(self.view.clone(), self.wish);
        effects.push(Effect::Persist(Place::Membership, record));
        effects.push(Effect::Sync);
    }

    /// Tells everybody by which view it goes.
    fn tell_of_view(&self, effects: &mut Effects<V>) {
        for &peer in &self.peers {
            if self.versions.get(&peer) < Some(&self.view.version) {
                self.send(peer, Body::View(self.view.clone()), effects);
            }
        }
    }

    /// Keeps what others own from now on until they have it, and forgets what it has handed over.
    pub(super) fn hand_over(&mut self, effects: &mut Effects<V>) {
        let keys: Vec<Key> = self.kept.keys().cloned().collect();
        let shrinks = |next: &BTreeSet<u32>| next.len() < usize::from(self.quorums.owners);
        let to_all = self.view.next.as_ref().is_some_and(shrinks);
        for key in keys {
            let now = self.owners_on(false, &key);
            let next = self.next_ring.is_some().then(|| self.owners_on(true, &key));
            let owners: BTreeSet<u32> = now.iter().chain(next.iter().flatten()).copied().collect();
            let Some(kept) = self.kept.get_mut(&key) else {
                continue;
            };
            let own = self.position;
            let before = kept.hints.clone();
            kept.hints.retain(|owner| owners.contains(owner));
            if let Some(next) = next {
                let missed = next
                    .into_iter()
                    .filter(|owner| to_all || !now.contains(owner));
                kept.hints.extend(missed.filter(|owner| *owner != own));
            } else if !owners.contains(&own)
                && self.handed_over.get(&key) != Some(&digest(&key, &kept.set))
            {
                // Something has come since, or it does not know of it any more.
                kept.hints.extend(owners.iter());
            }
            self.deeds.handed_over += u64::from(kept.hints.difference(&before).next().is_some());
            if kept.hints.is_empty() && !owners.contains(&own) {
                self.forget(&key, effects);
            } else if kept.hints != before {
                self.persist(&key, effects);
            }
        }
        self.handed_over.clear();
    }

    /// The node is told to join or to leave.
    pub(super) fn wish_for(&mut self, change: Change, effects: &mut Effects<V>) {
        self.wish = Some(change);
        self.keep_membership(effects);
        self.go_on_changing(effects);
    }

    /// Goes on with what it was told to do about its membership, and with a change that is pending.
    pub(super) fn go_on_changing(&mut self, effects: &mut Effects<V>) {
        let claimant = self.view.claimant;
        if let Some(change) = self.wish {
            let is_member = self.view.members.contains(&self.position);
            if self.view.next.is_none() && is_member == (change == Change::Join) {
                self.wish = None;
                self.keep_membership(effects);
            } else if claimant == self.position {
                self.change(self.position, change, effects);
            } else {
                self.send(claimant, Body::Wish { change }, effects);
            }
        }
        let leaves = self.view.leaving.contains(&self.position);
        if leaves && self.kept.is_empty() && claimant != self.position {
            self.send(claimant, Body::Empty, effects);
        }
        if self.view.next.is_none() || !self.view.involved().contains(&self.position) {
            return;
        }
        if self.next_ring.is_some() && !self.hinted.is_empty() {
            // It has something to hand over yet.
            return;
        }
        let report = self.report();
        if claimant == self.position {
            self.tell_of_view(effects);
            self.member_is_ready(self.position, report, effects);
        } else {
            let tombstones = report.tombstones.into_iter();
            let tombstones = tombstones.map(|(key, (digest, events))| (key, digest, events));
            let body = Body::Ready {
                tombstones: tombstones.collect(),
                held: report.held.into_iter().collect(),
            };
            self.send(claimant, body, effects);
        }
    }

    /// The claimant begins a change, if none is pending and all members have gone through the last one.
    pub(super) fn change(&mut self, node: u32, change: Change, effects: &mut Effects<V>) {
        if let Some(view) = self.view.with(node, change)
            && self.may_begin()
        {
            self.take_up(view, effects);
        }
    }

    /// The claimant begins to find out which tombstones nobody needs.
    pub(super) fn begin_reaping(&mut self, effects: &mut Effects<V>) {
        if self.view.next.is_none() && self.may_begin() {
            let view = View {
                version: self.view.version + 1,
                next: Some(self.view.members.clone()),
                reaped: Vec::new(),
                ..self.view.clone()
            };
            self.take_up(view, effects);
        }
    }

    fn may_begin(&self) -> bool {
        let is_here = |node: &u32| {
            *node == self.position || self.versions.get(node) == Some(&self.view.version)
        };
        self.view.claimant == self.position
            && self.view.members.iter().all(is_here)
            && self.view.leaving.is_subset(&self.emptied)
    }

    /// The claimant hears that a member goes by the pending view, and settles it when all do.
    pub(super) fn member_is_ready(&mut self, node: u32, report: Report, effects: &mut Effects<V>) {
        if self.view.claimant != self.position || self.view.next.is_none() {
            return;
        }
        self.ready.insert(node, report);
        let is_ready = |node: &u32| self.ready.contains_key(node);
        if !self.view.involved().iter().all(is_ready) && self.rules.views == Views::Agreed {
            return;
        }
        let reaped = if self.view.next.as_ref() == Some(&self.view.members) {
            self.agreed()
        } else {
            Vec::new()
        };
        if let Some(view) = self.view.settled() {
            self.take_up(View { reaped, ..view }, effects);
        }
    }

    /// The tombstones that all owners could do without.
    fn agreed(&self) -> Vec<(Key, VectorClock)> {
        let all: BTreeMap<&Key, &VectorClock> = self
            .ready
            .values()
            .flat_map(|report| &report.tombstones)
            .map(|(key, (_, events))| (key, events))
            .collect();
        let same = |key: &Key| {
            let of = |node| Some(self.ready.get(node)?.tombstones.get(key)?.0);
            let owners = self.owners(key);
            let first = owners.first().and_then(of);
            first.is_some() && owners.iter().all(|owner| of(owner) == first)
        };
        let held = |key: &Key| self.ready.values().any(|report| report.held.contains(key));
        let agreed = all
            .into_iter()
            .filter(|(key, _)| same(key) && !held(key))
            .map(|(key, events)| (key.clone(), events.clone()));
        agreed.collect()
    }

    /// What it could do without, and what it keeps for others.
    fn report(&self) -> Report {
        if self.view.next.as_ref() != Some(&self.view.members) {
            return Report::default();
        }
        let mut report = Report::default();
        for (key, kept) in &self.kept {
            let own = self.owns(self.position, key);
            if !own {
                report.held.insert(key.clone());
            } else if report.tombstones.len() < REPORTED
                && kept.hints.is_empty()
                && is_deleted(&kept.set)
            {
                let entry = (digest(key, &kept.set), kept.set.join());
                report.tombstones.insert(key.clone(), entry);
            }
        }
        report
    }

    /// Drops what the view says that nobody needs.
    fn reap(&mut self, effects: &mut Effects<V>) {
        for (key, events) in self.view.reaped.clone() {
            let Some(kept) = self.kept.get_mut(&key) else {
                continue;
            };
            let left = kept.set.discard(&events);
            if left.is_empty() {
                self.deeds.reaped += 1;
                self.forget(&key, effects);
            } else {
                kept.set = left;
                self.persist(&key, effects);
            }
        }
    }

    /// A planted bug: a deleted key is forgotten as soon as this node has told that it has the tombstone.
    pub(super) fn reap_early(&mut self, key: &Key, effects: &mut Effects<V>) {
        if self.rules.reaping == Reaping::Early && is_deleted(&self.set(key)) {
            self.forget(key, effects);
        }
    }

    /// Asks for reaping where it has tombstones. O(keys).
    pub(super) fn look_for_tombstones(&mut self, effects: &mut Effects<V>) {
        if self.view.next.is_some() || !self.kept.values().any(|kept| is_deleted(&kept.set)) {
            return;
        }
        if self.view.claimant == self.position {
            self.begin_reaping(effects);
        } else {
            self.send(self.view.claimant, Body::WishReaping, effects);
        }
    }
}

/// Whether all that is left of a key are tombstones.
fn is_deleted<V: MaybeTombstone>(set: &crate::clocks::DvvSet<V>) -> bool {
    !set.is_empty() && set.values().all(|(_, value)| value.is_tombstone())
}
