//! Siblings under vector clocks: each value carries a clock, and a write supersedes the values
//! whose clocks its own clock dominates.
//!
//! The entry that a write advances is the *client's* (Riak's classic scheme), so that two blind
//! writes through one coordinator stay concurrent. A client that writes twice from one old context
//! supersedes its own first write. One client id must mean one thread of writes **at one
//! counter**: with several nodes, a client that writes blindly through two of them would reach the
//! same entry twice, so there the actor is client and node together ([`ActorScheme`]).

use std::{collections::BTreeMap, fmt::Debug};

use compact_str::CompactString;

use crate::clocks::{Actor, VectorClock};

use super::{Key, SiblingStore, Siblings, StoreError};

/// Whose entry a write advances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorScheme {
    /// The client's: for a store on one node.
    Client,
    /// The client's at this node: for a replica of a cluster.
    ClientAtNode(Actor),
}

/// The siblings of one key under vector clocks.
type Versions<V> = Siblings<V, VectorClock>;

/// The steps of [`VersionedStore`] that a planted bug may replace.
#[derive(Clone, Copy)]
pub struct VersionedRules<V> {
    /// The clock of a new version, from the actor, the parents' clocks and the present siblings.
    pub advance: Advance<V>,
    /// The siblings after a new version has come in.
    pub admit: fn(&Versions<V>, V, VectorClock) -> Versions<V>,
    /// The siblings after another replica's have come in.
    pub merge: fn(&Versions<V>, &Versions<V>) -> Versions<V>,
}

/// Makes the clock of a new version.
pub type Advance<V> = fn(&ClientWrite<'_>, &Versions<V>) -> Result<VectorClock, StoreError>;

/// What [`Advance`] is given of a write.
#[derive(Clone, Copy, Debug)]
pub struct ClientWrite<'a> {
    /// The client's id alone.
    pub client: &'a str,
    /// Where the store tells one client's entries apart by node: the node's id.
    pub node: Option<&'a str>,
    /// The clocks that the context is made of.
    pub parents: &'a [VectorClock],
}

impl ClientWrite<'_> {
    /// The entry that a correct store advances.
    pub fn actor(&self) -> Actor {
        match self.node {
            // Done for each write, so it is put together and not formatted.
            Some(node) => {
                let mut actor = CompactString::new(self.client);
                actor.push('@');
                actor.push_str(node);
                actor.into()
            }
            None => self.client.into(),
        }
    }
}

/// Joins the parents and advances the actor's entry beyond everything that it has reached here, so
/// that no two writes ever share a clock.
pub(super) fn advance<V>(
    write: &ClientWrite<'_>,
    present: &Versions<V>,
) -> Result<VectorClock, StoreError> {
    advance_entry(&write.actor(), &join(write.parents), present)
}

/// The least clock that covers all parents.
pub(super) fn join(parents: &[VectorClock]) -> VectorClock {
    parents
        .iter()
        .fold(VectorClock::new(), |joined, clock| joined.merge(clock))
}

/// `context` with `actor` advanced beyond the context and all present siblings.
pub(super) fn advance_entry<V>(
    actor: &Actor,
    context: &VectorClock,
    present: &Versions<V>,
) -> Result<VectorClock, StoreError> {
    let reached = present
        .iter()
        .map(|sibling| sibling.stamp.get(actor.as_str()))
        .max();
    Ok(context
        .with_entry(actor, reached.unwrap_or(0))
        .increment(actor)?)
}

impl<V: Clone> Default for VersionedRules<V> {
    /// The correct store.
    fn default() -> Self {
        Self {
            advance,
            admit: Siblings::with,
            merge: Siblings::merge,
        }
    }
}

/// What happened in a store, for tests and explanations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// A client wrote.
    Written {
        /// The key.
        key: Key,
        /// The new version's clock.
        clock: VectorClock,
        /// How many present versions it superseded.
        superseded: usize,
    },
    /// A write or a replica's message left more versions than there were.
    SiblingsCreated {
        /// The key.
        key: Key,
        /// How many versions it has now.
        siblings: usize,
    },
    /// A write joined several versions into one.
    Reconciled {
        /// The key.
        key: Key,
        /// The clocks that it joined.
        parents: Vec<VectorClock>,
        /// The clock of the joined version.
        clock: VectorClock,
    },
    /// Another replica's versions were merged and changed something.
    Merged {
        /// The key.
        key: Key,
    },
}

/// A key-value store with siblings under vector clocks.
pub struct VersionedStore<V> {
    scheme: ActorScheme,
    rules: VersionedRules<V>,
    versions: BTreeMap<Key, Versions<V>>,
    events: Option<Vec<StoreEvent>>,
}

impl<V: Clone + Debug> VersionedStore<V> {
    /// An empty store that follows `rules`.
    pub fn new(scheme: ActorScheme, rules: VersionedRules<V>) -> Self {
        Self {
            scheme,
            rules,
            versions: BTreeMap::new(),
            events: None,
        }
    }

    /// The same store, recording what happens in it from now on; see [`VersionedStore::events`].
    #[must_use]
    pub fn observed(mut self) -> Self {
        self.events = Some(Vec::new());
        self
    }

    /// What has happened since [`VersionedStore::observed`], oldest first.
    pub fn events(&self) -> &[StoreEvent] {
        self.events.as_deref().unwrap_or_default()
    }

    /// Writes one value in place of several versions: its clock covers all parents.
    ///
    /// # Errors
    ///
    /// When a counter would overflow. Nothing has changed then.
    pub fn reconcile(
        &mut self,
        client: &str,
        key: &Key,
        parents: &[VectorClock],
        value: V,
    ) -> Result<VectorClock, StoreError> {
        let clock = self.write(client, key, parents, value)?;
        self.observe(|| StoreEvent::Reconciled {
            key: key.clone(),
            parents: parents.to_vec(),
            clock: clock.clone(),
        });
        Ok(clock)
    }

    /// The keys that hold more than one version, in order, each with its versions. O(keys).
    pub fn find_conflicts(&self) -> impl Iterator<Item = (&Key, &Versions<V>)> {
        self.versions
            .iter()
            .filter(|(_, siblings)| siblings.len() > 1)
    }

    fn write(
        &mut self,
        client: &str,
        key: &Key,
        parents: &[VectorClock],
        value: V,
    ) -> Result<VectorClock, StoreError> {
        let before = self.get(key);
        let write = ClientWrite {
            client,
            node: match &self.scheme {
                ActorScheme::Client => None,
                ActorScheme::ClientAtNode(node) => Some(node.as_str()),
            },
            parents,
        };
        let clock = (self.rules.advance)(&write, &before)?;
        let after = (self.rules.admit)(&before, value, clock.clone());
        self.observe(|| StoreEvent::Written {
            key: key.clone(),
            clock: clock.clone(),
            superseded: (before.len() + 1).saturating_sub(after.len()),
        });
        self.replace(key, &before, after);
        Ok(clock)
    }

    fn replace(&mut self, key: &Key, before: &Versions<V>, after: Versions<V>) {
        let siblings = after.len();
        if siblings > before.len().max(1) {
            self.observe(|| StoreEvent::SiblingsCreated {
                key: key.clone(),
                siblings,
            });
        }
        self.versions.insert(key.clone(), after);
    }

    fn observe(&mut self, event: impl FnOnce() -> StoreEvent) {
        if let Some(events) = &mut self.events {
            events.push(event());
        }
    }
}

impl<V: Clone + Debug> SiblingStore for VersionedStore<V> {
    type Value = V;
    type Stamp = VectorClock;

    fn get(&self, key: &Key) -> Versions<V> {
        self.versions.get(key).cloned().unwrap_or_default()
    }

    fn put(
        &mut self,
        client: &str,
        key: &Key,
        parents: &[VectorClock],
        value: V,
    ) -> Result<VectorClock, StoreError> {
        if parents.len() > 1 {
            self.reconcile(client, key, parents, value)
        } else {
            self.write(client, key, parents, value)
        }
    }

    fn receive_replica(&mut self, key: &Key, siblings: &Versions<V>) -> bool {
        let before = self.get(key);
        let after = (self.rules.merge)(&before, siblings);
        if after.same_allocation(&before) {
            return false;
        }
        self.observe(|| StoreEvent::Merged { key: key.clone() });
        self.replace(key, &before, after);
        true
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.versions.keys()
    }

    fn context(siblings: &Versions<V>) -> Vec<VectorClock> {
        siblings
            .iter()
            .map(|sibling| sibling.stamp.clone())
            .collect()
    }

    fn write_context(clock: &VectorClock) -> Option<VectorClock> {
        Some(clock.clone())
    }

    fn read_context(_: &Versions<V>) -> Option<VectorClock> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stamp;
    use super::*;

    fn clock(entries: &[(&str, u64)]) -> VectorClock {
        let entries = entries.iter().map(|(actor, n)| (Actor::from(*actor), *n));
        VectorClock::from_entries(entries).unwrap()
    }

    fn store() -> VersionedStore<Option<&'static str>> {
        VersionedStore::new(ActorScheme::Client, VersionedRules::default()).observed()
    }

    fn values<S: Stamp>(siblings: &Siblings<Option<&'static str>, S>) -> Vec<Option<&'static str>> {
        siblings.iter().map(|sibling| sibling.value).collect()
    }

    #[test]
    fn the_clients_entry_advances() {
        let mut store = store();
        let key = Key::from("x");
        assert_eq!(
            store.put("c1", &key, &[], Some("a")),
            Ok(clock(&[("c1", 1)]))
        );
        assert_eq!(
            store.put("c2", &key, &[], Some("b")),
            Ok(clock(&[("c2", 1)]))
        );
        assert_eq!(values(&store.get(&"x".into())), [Some("a"), Some("b")]);
        assert_eq!(store.find_conflicts().count(), 1);
        assert_eq!(store.get(&"never".into()).len(), 0);
    }

    #[test]
    fn a_second_blind_write_gets_a_new_clock_and_supersedes_the_first() {
        let mut store = store();
        let key = Key::from("x");
        store.put("c1", &key, &[], Some("a")).unwrap();
        assert_eq!(
            store.put("c1", &key, &[], Some("b")),
            Ok(clock(&[("c1", 2)]))
        );
        assert_eq!(values(&store.get(&"x".into())), [Some("b")]);
    }

    #[test]
    fn reconciling_covers_every_parent_and_is_observed() {
        let mut store = store();
        let key = Key::from("x");
        let a = store.put("c1", &key, &[], Some("a")).unwrap();
        let b = store.put("c2", &key, &[], Some("b")).unwrap();
        let both = store
            .put("c3", &key, &[a.clone(), b.clone()], Some("ab"))
            .unwrap();
        assert_eq!(both, clock(&[("c1", 1), ("c2", 1), ("c3", 1)]));
        assert_eq!(values(&store.get(&"x".into())), [Some("ab")]);
        assert_eq!(
            store.events()[1..],
            [
                StoreEvent::Written {
                    key: key.clone(),
                    clock: b.clone(),
                    superseded: 0
                },
                StoreEvent::SiblingsCreated {
                    key: key.clone(),
                    siblings: 2
                },
                StoreEvent::Written {
                    key: key.clone(),
                    clock: both.clone(),
                    superseded: 2
                },
                StoreEvent::Reconciled {
                    key,
                    parents: vec![a, b],
                    clock: both
                },
            ]
        );
    }

    #[test]
    fn a_delete_leaves_a_tombstone_that_a_late_replica_cannot_undo() {
        let mut store = store();
        let key = Key::from("x");
        let a = store.put("c1", &key, &[], Some("a")).unwrap();
        let old = store.get(&"x".into());
        store.put("c2", &key, &[a], None).unwrap();
        assert!(!store.receive_replica(&key, &old));
        assert_eq!(values(&store.get(&"x".into())), [None]);
    }

    #[test]
    fn overflow_is_an_error_and_changes_nothing() {
        let mut store = store();
        let key = Key::from("x");
        let full = clock(&[("c1", u64::MAX)]);
        assert!(store.put("c1", &key, &[full], Some("a")).is_err());
        assert_eq!(store.get(&"x".into()).len(), 0);
    }

    #[test]
    fn one_client_at_two_nodes_has_two_entries() {
        let at = |node: &str| {
            VersionedStore::new(
                ActorScheme::ClientAtNode(node.into()),
                VersionedRules::default(),
            )
        };
        let (mut n1, mut n2) = (at("n1"), at("n2"));
        let key = Key::from("x");
        n1.put("c1", &key, &[], Some("a")).unwrap();
        n2.put("c1", &key, &[], Some("b")).unwrap();
        let theirs = n2.get(&"x".into());
        assert!(n1.receive_replica(&key, &theirs));
        assert_eq!(values(&n1.get(&"x".into())), [Some("a"), Some("b")]);
    }
}
