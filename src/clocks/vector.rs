//! Vector clocks (Fidge 1988; Mattern 1989), which the store papers call version vectors
//! (Parker et al. 1983).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Actor, Causality, ClockError, Dot, Keyed, Side, join, sort_by_actor};

/// The entries of a vector clock: sorted by actor, each actor once, no zero.
type Entries = Arc<[(Actor, u64)]>;

/// A prefix of every actor's events: the entry `a:n` stands for the events `(a,1) … (a,n)`, and an
/// absent entry for none.
///
/// Canonical by construction, so `==` and `Hash` are those of the causal history. The derived `Ord`
/// is an arbitrary total order that lets clocks be keys of ordered maps; causality is
/// [`compare`](Self::compare). A clone shares the entries.
///
/// The serde form is the JSON object `{"n1":2}`; a list of pairs `[["n1",2]]` is read as well.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VectorClock {
    entries: Entries,
}

impl Keyed for (Actor, u64) {
    fn actor(&self) -> &Actor {
        &self.0
    }
}

impl VectorClock {
    /// The clock that has seen nothing. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The clock with these entries, in any order; zeros are dropped. O(n log n).
    ///
    /// # Errors
    ///
    /// [`ClockError::DuplicateActor`] if an actor has two entries, even if equal or zero: whichever
    /// was taken, a mistake of the sender would stay hidden.
    pub fn from_entries(
        entries: impl IntoIterator<Item = (Actor, u64)>,
    ) -> Result<Self, ClockError> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        sort_by_actor(&mut entries)?;
        entries.retain(|&(_, counter)| counter != 0);
        if entries.is_empty() {
            return Ok(Self::new());
        }
        Ok(Self {
            entries: entries.into(),
        })
    }

    /// A clock from entries that are canonical already.
    pub(super) fn from_canonical(entries: Arc<[(Actor, u64)]>) -> Self {
        debug_assert!(entries.is_sorted_by(|l, r| l.0 < r.0) && entries.iter().all(|e| e.1 != 0));
        Self { entries }
    }

    /// How many of the actor's events are in the history; 0 for an actor without entry. O(log n).
    pub fn get(&self, actor: &str) -> u64 {
        self.find(actor).map_or(0, |at| self.entries[at].1)
    }

    /// The number of actors with an event. O(1).
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the history holds no event. O(1).
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in the order of their actors; no counter is zero.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Actor, u64)> + Clone {
        self.entries
            .iter()
            .map(|(actor, counter)| (actor, *counter))
    }

    /// The shared entries: sorted by actor, each actor once, no zero.
    pub fn entries(&self) -> &Arc<[(Actor, u64)]> {
        &self.entries
    }

    /// How the two histories relate by inclusion (Mattern 1989; Schwarz & Mattern 1994, s. 3).
    /// One pass, O(n + m).
    pub fn compare(&self, other: &Self) -> Causality {
        let (mut ahead, mut behind) = (false, false);
        if !Arc::ptr_eq(&self.entries, &other.entries) {
            for (mine, theirs) in self.counters(other) {
                ahead |= mine > theirs;
                behind |= mine < theirs;
                if ahead && behind {
                    break;
                }
            }
        }
        Causality::from_inclusion(!ahead, !behind)
    }

    /// Whether this history includes the other: [`Causality::Equal`] or [`Causality::After`].
    /// One pass that ends at the first event missed, O(n + m).
    pub fn descends(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entries, &other.entries)
            || (self.len() >= other.len()
                && self.counters(other).all(|(mine, theirs)| mine >= theirs))
    }

    /// Whether the event is in the history. O(log n).
    pub fn contains(&self, dot: &Dot) -> bool {
        self.get(dot.actor().as_str()) >= dot.counter()
    }

    /// The union of both histories: their least upper bound. O(n + m).
    ///
    /// If one side includes the other the result shares its entries; else it costs one allocation.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        if Arc::ptr_eq(&self.entries, &other.entries) {
            return self.clone();
        }
        let (mut ahead, mut behind, mut len) = (false, false, 0);
        for (mine, theirs) in self.counters(other) {
            ahead |= mine > theirs;
            behind |= mine < theirs;
            len += 1;
        }
        if !behind {
            return self.clone();
        }
        if !ahead {
            return other.clone();
        }
        let mut union = join(&self.entries, &other.entries);
        // A range as the source gives the iterator a length that `Arc` can trust, and with it the
        // exact allocation without a vector in between.
        let entries = (0..len)
            .map(|_| match union.next() {
                Some(Side::Left(entry) | Side::Right(entry)) => entry.clone(),
                Some(Side::Both(mine, theirs)) => (mine.0.clone(), mine.1.max(theirs.1)),
                None => unreachable!("the first pass counted the actors of both sides"),
            })
            .collect();
        Self { entries }
    }

    /// The history with the actor's next event added. O(n).
    ///
    /// # Errors
    ///
    /// [`ClockError::Overflow`] if the actor has no next event.
    pub fn increment(&self, actor: &Actor) -> Result<Self, ClockError> {
        let place = self.find(actor.as_str());
        let counter = place.map_or(0, |at| self.entries[at].1);
        let next = counter.checked_add(1).ok_or_else(|| ClockError::Overflow {
            actor: actor.clone(),
        })?;
        Ok(self.with(place, actor, next))
    }

    /// The history with all the actor's events up to `counter` added: its entry is raised to
    /// `counter`, never lowered. O(n); shares the entries if they are all there.
    #[must_use]
    pub fn with_entry(&self, actor: &Actor, counter: u64) -> Self {
        let place = self.find(actor.as_str());
        if place.map_or(0, |at| self.entries[at].1) >= counter {
            return self.clone();
        }
        self.with(place, actor, counter)
    }

    /// Where the actor's entry is, or where it would be inserted.
    fn find(&self, actor: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|(entry, _)| entry.as_str().cmp(actor))
    }

    /// Replaces or inserts the (non-zero) entry at the place that `find` gave for the actor.
    fn with(&self, place: Result<usize, usize>, actor: &Actor, counter: u64) -> Self {
        let (at, inserted) = match place {
            Ok(at) => (at, 0),
            Err(at) => (at, 1),
        };
        let entries = (0..self.len() + inserted).map(|slot| match slot.cmp(&at) {
            Ordering::Less => self.entries[slot].clone(),
            Ordering::Equal => (actor.clone(), counter),
            Ordering::Greater => self.entries[slot - inserted].clone(),
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// Both counters of every actor that either side knows.
    fn counters<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u64, u64)> {
        join(&self.entries, &other.entries).map(|side| match side {
            Side::Left(mine) => (mine.1, 0),
            Side::Right(theirs) => (0, theirs.1),
            Side::Both(mine, theirs) => (mine.1, theirs.1),
        })
    }
}

/// `{c1:1, n1:2}`, as in the papers.
impl fmt::Display for VectorClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (actor, counter)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{actor}:{counter}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for VectorClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for VectorClock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for VectorClock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClockVisitor)
    }
}

struct ClockVisitor;

impl<'de> Visitor<'de> for ClockVisitor {
    type Value = VectorClock;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a clock as an object {\"n1\":2} or a list of pairs [[\"n1\",2]]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VectorClock, A::Error> {
        let entries = std::iter::from_fn(|| map.next_entry().transpose());
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        VectorClock::from_entries(entries).map_err(A::Error::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<VectorClock, A::Error> {
        let entries = std::iter::from_fn(|| seq.next_element().transpose());
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        VectorClock::from_entries(entries).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::clock_merge::strategies::{clock, dotted_clock};
    use crate::fuzzing::clock_merge::{
        canonical, inclusion, least_upper_bound, one_event, raise_and_contain, semilattice,
        serde_round_trip, translation,
    };

    fn entry(actor: &str, counter: u64) -> (Actor, u64) {
        (Actor::from(actor), counter)
    }

    fn parse(text: &str) -> Result<VectorClock, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    proptest! {
        #![proptest_config(crate::property_tests::drawing(256))]

        #[test]
        fn merge_is_the_least_upper_bound(a in clock(), b in clock(), c in clock()) {
            semilattice(&a, &b, &c, VectorClock::merge)?;
            let (x, y, z) = ((&a).into(), (&b).into(), (&c).into());
            least_upper_bound(&x, &y, &z, VectorClock::merge)?;
        }

        #[test]
        fn comparison_is_inclusion(a in clock(), b in clock()) {
            let (x, y) = ((&a).into(), (&b).into());
            inclusion(&x, &y, VectorClock::compare)?;
            inclusion(&x, &y, |l, r| Causality::from_inclusion(r.descends(l), l.descends(r)))?;
            canonical(&x, &y, VectorClock::from_entries)?;
            translation(&a, &b, VectorClock::compare, VectorClock::merge, VectorClock::increment)?;
            serde_round_trip(&a)?;
        }

        #[test]
        fn events_are_added_one_by_one(a in clock(), d in dotted_clock()) {
            let x = (&a).into();
            one_event(&x, d.dot().actor(), VectorClock::increment)?;
            raise_and_contain(&x, d.dot(), VectorClock::with_entry, VectorClock::contains)?;
        }
    }

    #[test]
    fn a_zero_is_no_entry() {
        let clock = VectorClock::from_entries([entry("n2", 0), entry("n1", 2)]).unwrap();
        assert_eq!(clock.to_string(), "{n1:2}");
        assert_eq!(clock.len(), 1);
        assert_eq!(
            VectorClock::from_entries([entry("a", 0)]),
            Ok(VectorClock::new())
        );
        assert_eq!(
            VectorClock::new().with_entry(&"a".into(), 0),
            VectorClock::new()
        );
    }

    #[test]
    fn an_actor_named_twice_is_refused() {
        for counters in [(1, 2), (0, 1), (0, 0)] {
            let entries = [
                entry("a", counters.0),
                entry("b", 1),
                entry("a", counters.1),
            ];
            let expected = ClockError::DuplicateActor { actor: "a".into() };
            assert_eq!(VectorClock::from_entries(entries), Err(expected));
        }
    }

    #[test]
    fn merging_with_an_ancestor_shares_the_entries() {
        let old = VectorClock::from_entries([entry("a", 1)]).unwrap();
        let new = old.increment(&"b".into()).unwrap();
        for merged in [old.merge(&new), new.merge(&old), new.merge(&new)] {
            assert!(Arc::ptr_eq(merged.entries(), new.entries()));
        }
        assert!(Arc::ptr_eq(
            new.with_entry(&"a".into(), 1).entries(),
            new.entries()
        ));
    }

    #[test]
    fn the_last_event_cannot_be_followed() {
        let full = VectorClock::from_entries([entry("a", u64::MAX)]).unwrap();
        let expected = ClockError::Overflow { actor: "a".into() };
        assert_eq!(full.increment(&"a".into()), Err(expected));
        assert_eq!(full.increment(&"b".into()).unwrap().get("b"), 1);
    }

    #[test]
    fn serde_reads_objects_and_pairs() {
        let clock = parse(r#"{"n2":1,"n1":2,"n3":0}"#).unwrap();
        assert_eq!(clock.to_string(), "{n1:2, n2:1}");
        assert_eq!(serde_json::to_string(&clock).unwrap(), r#"{"n1":2,"n2":1}"#);
        assert_eq!(parse(r#"[["n2",1],["n1",2]]"#), Ok(clock));
        for wrong in [r#"{"a":1,"a":1}"#, r#"[["a",1],["a",2]]"#] {
            assert!(
                parse(wrong).unwrap_err().contains("more than one entry"),
                "{wrong}"
            );
        }
        for wrong in [
            r#"{"a":-1}"#,
            r#"{"a":1.5}"#,
            r#"["a",1]"#,
            "[1,2]",
            "null",
            r#""x""#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
