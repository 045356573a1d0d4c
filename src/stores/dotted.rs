//! Siblings under dotted version vectors: each value carries the dot of its own event, made by the
//! node that coordinated the write, and a version vector for its causal past.
//!
//! The counter of a new dot is one beyond everything that this node has made for the key, whatever
//! the context says; so blind writes through one coordinator stay concurrent although the actors
//! are nodes (Preguiça et al. 2010; Almeida et al. 2014).

use std::{collections::BTreeMap, fmt::Debug};

use crate::clocks::{Actor, Dot, DottedVersionVector, VectorClock};

use super::{Key, SiblingStore, Siblings, StoreError, versioned::join};

/// The siblings of one key under dotted version vectors.
type Dotted<V> = Siblings<V, DottedVersionVector>;

/// The steps of [`DottedStore`] that a planted bug may replace.
#[derive(Clone, Copy)]
pub struct DottedRules<V> {
    /// The version of a new value, from the coordinating node, the client's context and the
    /// present siblings.
    pub advance: fn(&Actor, &VectorClock, &Dotted<V>) -> Result<DottedVersionVector, StoreError>,
    /// The siblings after a new version has come in.
    pub admit: fn(&Dotted<V>, V, DottedVersionVector) -> Dotted<V>,
    /// The siblings after another replica's have come in.
    pub merge: fn(&Dotted<V>, &Dotted<V>) -> Dotted<V>,
    /// Where the counter of a new dot comes from.
    pub counter: DotCounter,
}

/// Where the counters of new dots come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotCounter {
    /// From `advance`.
    Rule,
    /// From the node's wall clock: never the same twice, and ever greater, as long as it does not jump
    /// back.
    WallClock,
}

/// Counters from a wall clock.
#[derive(Clone, Copy, Debug, Default)]
struct WallCounter {
    /// What the clock shows.
    tick: u64,
    /// What it showed when a counter was last made, and that counter.
    last: (u64, u64),
}

impl WallCounter {
    /// What one step of a counter takes, in nanoseconds.
    const TICK: u64 = 1_000_000;

    /// The next counter. Several within one tick, and in those that they ran ahead to, follow each other.
    fn next(&mut self) -> u64 {
        let (shown, made) = self.last;
        let next = if (shown..=made).contains(&self.tick) {
            made + 1
        } else {
            self.tick
        };
        self.last = (self.tick, next);
        next
    }

    /// A node that starts again finds what it made before.
    fn find(&mut self, made: u64) {
        let (shown, found) = &mut self.last;
        if *shown == 0 {
            *found = (*found).max(made);
        }
    }
}

/// A dot beyond everything that `node` has made for the key, with the context as its past.
fn advance<V>(
    node: &Actor,
    context: &VectorClock,
    present: &Dotted<V>,
) -> Result<DottedVersionVector, StoreError> {
    let made = present.iter().map(|sibling| {
        let own = if sibling.stamp.dot().actor() == node {
            sibling.stamp.dot().counter()
        } else {
            0
        };
        own.max(sibling.stamp.past().get(node.as_str()))
    });
    dot_after(
        node,
        context,
        made.max().unwrap_or(0).max(context.get(node.as_str())),
    )
}

/// The version of a new value whose dot comes after `counter`.
pub(super) fn dot_after(
    node: &Actor,
    context: &VectorClock,
    counter: u64,
) -> Result<DottedVersionVector, StoreError> {
    let next = VectorClock::new()
        .with_entry(node, counter)
        .increment(node)?
        .get(node.as_str());
    Ok(DottedVersionVector::new(
        Dot::new(node.clone(), next)?,
        context.clone(),
    )?)
}

impl<V: Clone> Default for DottedRules<V> {
    /// The correct store.
    fn default() -> Self {
        Self {
            advance,
            admit: Siblings::with,
            merge: Siblings::merge,
            counter: DotCounter::Rule,
        }
    }
}

/// A key-value store with siblings under dotted version vectors.
pub struct DottedStore<V> {
    node: Actor,
    rules: DottedRules<V>,
    wall: WallCounter,
    versions: BTreeMap<Key, Dotted<V>>,
}

impl<V: Clone> DottedStore<V> {
    /// An empty store of the node with this id, following `rules`.
    pub fn new(node: Actor, rules: DottedRules<V>) -> Self {
        Self {
            node,
            rules,
            wall: WallCounter::default(),
            versions: BTreeMap::new(),
        }
    }
}

impl<V: Clone + Debug> SiblingStore for DottedStore<V> {
    type Value = V;
    type Stamp = DottedVersionVector;

    fn get(&self, key: &Key) -> Dotted<V> {
        self.versions.get(key).cloned().unwrap_or_default()
    }

    fn put(
        &mut self,
        _client: &str,
        key: &Key,
        parents: &[VectorClock],
        value: V,
    ) -> Result<DottedVersionVector, StoreError> {
        let before = self.get(key);
        let context = join(parents);
        let version = match self.rules.counter {
            DotCounter::Rule => (self.rules.advance)(&self.node, &context, &before)?,
            DotCounter::WallClock => dot_after(&self.node, &context, self.wall.next() - 1)?,
        };
        let after = (self.rules.admit)(&before, value, version.clone());
        self.versions.insert(key.clone(), after);
        Ok(version)
    }

    fn look_at_clock(&mut self, wall_ns: &mut dyn FnMut() -> u64) {
        if self.rules.counter == DotCounter::WallClock {
            self.wall.tick = (wall_ns() / WallCounter::TICK).max(1);
        }
    }

    fn receive_replica(&mut self, key: &Key, siblings: &Dotted<V>) -> bool {
        let before = self.get(key);
        let after = (self.rules.merge)(&before, siblings);
        if self.rules.counter == DotCounter::WallClock {
            let dots = siblings.iter().map(|sibling| sibling.stamp.dot());
            let own = dots.filter(|dot| *dot.actor() == self.node);
            own.for_each(|dot| self.wall.find(dot.counter()));
        }
        let changed = !after.same_allocation(&before);
        if changed {
            self.versions.insert(key.clone(), after);
        }
        changed
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.versions.keys()
    }

    fn context(siblings: &Dotted<V>) -> Vec<VectorClock> {
        Self::read_context(siblings).into_iter().collect()
    }

    /// Only a contiguous dot can be joined with its past: otherwise the joined vector would also
    /// cover dots of this node that the client never saw.
    fn write_context(version: &DottedVersionVector) -> Option<VectorClock> {
        version.is_contiguous().then(|| version.ceiling())
    }

    fn read_context(siblings: &Dotted<V>) -> Option<VectorClock> {
        Some(siblings.iter().fold(VectorClock::new(), |joined, sibling| {
            joined.merge(&sibling.stamp.ceiling())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(entries: &[(&str, u64)]) -> VectorClock {
        let entries = entries.iter().map(|(actor, n)| (Actor::from(*actor), *n));
        VectorClock::from_entries(entries).unwrap()
    }

    fn version(counter: u64, past: &[(&str, u64)]) -> DottedVersionVector {
        DottedVersionVector::new(Dot::new("n1".into(), counter).unwrap(), clock(past)).unwrap()
    }

    fn store() -> DottedStore<Option<&'static str>> {
        DottedStore::new("n1".into(), DottedRules::default())
    }

    fn values(siblings: &Dotted<Option<&'static str>>) -> Vec<Option<&'static str>> {
        siblings.iter().map(|sibling| sibling.value).collect()
    }

    #[test]
    fn blind_writes_through_one_coordinator_stay_siblings() {
        let mut store = store();
        let key = Key::from("x");
        assert_eq!(store.put("c1", &key, &[], Some("a")), Ok(version(1, &[])));
        assert_eq!(store.put("c1", &key, &[], Some("b")), Ok(version(2, &[])));
        let siblings = store.get(&"x".into());
        assert_eq!(values(&siblings), [Some("a"), Some("b")]);
        assert_eq!(
            DottedStore::read_context(&siblings),
            Some(clock(&[("n1", 2)]))
        );
    }

    #[test]
    fn a_context_supersedes_exactly_what_it_covers() {
        let mut store = store();
        let key = Key::from("x");
        store.put("c1", &key, &[], Some("a")).unwrap();
        store.put("c2", &key, &[], Some("b")).unwrap();
        let stale = clock(&[("n1", 1)]);
        let version = store.put("c1", &key, &[stale], Some("c")).unwrap();
        assert_eq!(version.dot().counter(), 3);
        assert_eq!(values(&store.get(&"x".into())), [Some("b"), Some("c")]);
    }

    #[test]
    fn no_context_is_formed_from_a_dot_with_a_gap_below_it() {
        assert_eq!(
            DottedStore::<()>::write_context(&version(1, &[])),
            Some(clock(&[("n1", 1)]))
        );
        assert_eq!(DottedStore::<()>::write_context(&version(2, &[])), None);
        assert_eq!(
            DottedStore::<()>::write_context(&version(2, &[("n1", 1), ("n2", 4)])),
            Some(clock(&[("n1", 2), ("n2", 4)]))
        );
    }

    #[test]
    fn the_counter_survives_its_versions() {
        let mut store = store();
        let key = Key::from("x");
        store.put("c1", &key, &[], Some("a")).unwrap();
        let context = clock(&[("n1", 1)]);
        let deleted = store.put("c1", &key, &[context], None).unwrap();
        assert_eq!(values(&store.get(&"x".into())), [None]);
        let again = store.put("c2", &key, &[], Some("b")).unwrap();
        assert_eq!((deleted.dot().counter(), again.dot().counter()), (2, 3));
    }
}
