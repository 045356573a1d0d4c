//! Dotted version vector sets (Almeida, Baquero, Gonçalves, Preguiça, Fonte 2014): all siblings of a
//! key and their clocks in one structure.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Actor, Causality, ClockError, Dot, Keyed, Side, VersionVector, join, sort_by_actor};

/// The siblings that a replica holds for a key, and every event that it knows of.
///
/// A row `(i, n, l)` says that the events `(i,1) … (i,n)` are known, and that the newest of them,
/// `(i,n), (i,n-1), …`, have the values `l`; the older ones are superseded. So a replica needs one
/// counter for each coordinator and one value for each sibling, however many clients write. The
/// paper's list of values without a dot is left out: here every value has been given one.
///
/// A dot names one write. If two sets hold different values under one dot, which no correct store
/// brings about, operations keep one of them.
///
/// A clone shares everything. The serde form is the paper's: a list of rows `["n1",2,["v2"]]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DvvSet<V> {
    /// Sorted by actor, each actor once, no counter zero.
    rows: Arc<[Row<V>]>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Row<V> {
    actor: Actor,
    counter: u64,
    /// Newest first, never more than `counter`.
    values: Arc<[V]>,
}

impl<V> Keyed for Row<V> {
    fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl<V> Row<V> {
    /// The newest event that is superseded: all up to it are, and none above.
    fn floor(&self) -> u64 {
        self.counter - self.values.len() as u64
    }
}

impl<V: Clone> Row<V> {
    /// The row without the values of events up to `floor`.
    fn above(&self, floor: u64) -> Self {
        let live = self.counter.saturating_sub(floor);
        let mut row = self.clone();
        if let Some(kept) = usize::try_from(live)
            .ok()
            .and_then(|live| self.values.get(..live))
            && kept.len() < self.values.len()
        {
            row.values = kept.into();
        }
        row
    }
}

impl<V> DvvSet<V> {
    /// No sibling, no event known.
    pub fn empty() -> Self {
        Self {
            rows: Arc::default(),
        }
    }

    /// The set with these rows of actor, counter and values (newest first), in any order.
    /// O(n log n).
    ///
    /// # Errors
    ///
    /// [`ClockError::DuplicateActor`], or [`ClockError::ListTooLong`] for a row with more values
    /// than events.
    pub fn from_rows(
        rows: impl IntoIterator<Item = (Actor, u64, Vec<V>)>,
    ) -> Result<Self, ClockError> {
        let rows = rows.into_iter().map(|(actor, counter, values)| {
            if values.len() as u64 > counter {
                return Err(ClockError::ListTooLong {
                    actor,
                    counter,
                    values: values.len(),
                });
            }
            Ok(Row {
                actor,
                counter,
                values: values.into(),
            })
        });
        let mut rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        sort_by_actor(&mut rows)?;
        rows.retain(|row| row.counter != 0);
        Ok(Self { rows: rows.into() })
    }

    /// All events known, as the context of an answer: a write that carries it back supersedes every
    /// sibling here. The paper's `join`. O(n).
    pub fn join(&self) -> VersionVector {
        let entries = self.rows.iter().map(|row| (row.actor.clone(), row.counter));
        VersionVector::from_canonical(entries.collect())
    }

    /// The siblings with their dots: by actor, then newest first.
    pub fn values(&self) -> impl Iterator<Item = (Dot, &V)> {
        self.rows.iter().flat_map(|row| {
            let counters = (1..=row.counter).rev();
            counters
                .zip(row.values.iter())
                .map(|(counter, value)| (Dot::known(row.actor.clone(), counter), value))
        })
    }

    /// What is known of each actor, in their order: its name, how many of its events are known, and how many
    /// of these have values. Equal rows mean equal sets, as a dot names one value.
    pub fn rows(&self) -> impl Iterator<Item = (&Actor, u64, usize)> {
        let rows = self.rows.iter();
        rows.map(|row| (&row.actor, row.counter, row.values.len()))
    }

    /// How many of an actor's events are known; 0 for an actor without a row. O(log n).
    pub fn count(&self, actor: &Actor) -> u64 {
        let place = self.rows.binary_search_by(|row| row.actor.cmp(actor));
        place.map_or(0, |at| self.rows[at].counter)
    }

    /// The number of siblings. O(n).
    pub fn len(&self) -> usize {
        self.rows.iter().map(|row| row.values.len()).sum()
    }

    /// Whether there is no sibling. Events may still be known. O(n).
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| row.values.is_empty())
    }

    /// How two replicas' knowledge relates: which events each knows, and which of them it knows to
    /// be superseded. O(n + m).
    ///
    /// This is the order in which [`sync`](Self::sync) is the least upper bound: `Before` means that
    /// `other` has nothing to learn. Between replicas that changed only by `event` and `sync` it is
    /// the order of their contexts.
    pub fn compare(&self, other: &Self) -> Causality {
        let (mut ahead, mut behind) = (false, false);
        if !Arc::ptr_eq(&self.rows, &other.rows) {
            for side in join(&self.rows, &other.rows) {
                match side {
                    // A row that is there at all knows an event.
                    Side::Left(_) => ahead = true,
                    Side::Right(_) => behind = true,
                    Side::Both(l, r) => {
                        ahead |= l.counter > r.counter || l.floor() > r.floor();
                        behind |= l.counter < r.counter || l.floor() < r.floor();
                    }
                }
            }
        }
        Causality::from_inclusion(!ahead, !behind)
    }
}

impl<V: Clone> DvvSet<V> {
    /// What both replicas know together. A value survives iff both hold it, or one holds it and the
    /// other does not know its event. Commutative, associative, idempotent. The paper's `sync`.
    /// O(n + m + values).
    #[must_use]
    pub fn sync(&self, other: &Self) -> Self {
        if Arc::ptr_eq(&self.rows, &other.rows) {
            return self.clone();
        }
        let rows = join(&self.rows, &other.rows).map(|side| match side {
            Side::Left(row) | Side::Right(row) => row.clone(),
            Side::Both(mine, theirs) if mine.counter >= theirs.counter => {
                mine.above(theirs.floor())
            }
            Side::Both(mine, theirs) => theirs.above(mine.floor()),
        });
        Self {
            rows: rows.collect(),
        }
    }

    /// The set without the values whose events the context covers. Events of the context that are
    /// not known here stay unknown. The paper's `discard`. O(n log m + values).
    #[must_use]
    pub fn discard(&self, context: &VersionVector) -> Self {
        let rows = self.rows.iter();
        Self {
            rows: rows
                .map(|row| row.above(context.get(row.actor.as_str())))
                .collect(),
        }
    }

    /// Takes a client's write at coordinator `actor`: learns the events of its context, drops the
    /// values that they supersede, and adds the value under the coordinator's next dot.
    /// The papers' `update`. O(n + m + values).
    ///
    /// The context has to be learned, not only discarded: another replica may still hold a value
    /// that the context covers, and would bring it back beside the write that superseded it.
    ///
    /// # Errors
    ///
    /// [`ClockError::Overflow`] if the coordinator has no next dot.
    pub fn event(
        &self,
        actor: &Actor,
        value: V,
        context: &VersionVector,
    ) -> Result<Self, ClockError> {
        let seen = Self {
            rows: context
                .iter()
                .map(|(actor, counter)| Row {
                    actor: actor.clone(),
                    counter,
                    values: Arc::default(),
                })
                .collect(),
        };
        let synced = self.sync(&seen);
        let place = synced.rows.binary_search_by(|row| row.actor.cmp(actor));
        let (before, old, after) = match place {
            Ok(at) => (
                &synced.rows[..at],
                Some(&synced.rows[at]),
                &synced.rows[at + 1..],
            ),
            Err(at) => (&synced.rows[..at], None, &synced.rows[at..]),
        };
        let counter = old.map_or(0, |row| row.counter);
        let siblings = old.map_or(&[][..], |row| &row.values);
        let row = Row {
            actor: actor.clone(),
            counter: counter.checked_add(1).ok_or_else(|| ClockError::Overflow {
                actor: actor.clone(),
            })?,
            values: std::iter::once(value)
                .chain(siblings.iter().cloned())
                .collect(),
        };
        let rows = before
            .iter()
            .cloned()
            .chain([row])
            .chain(after.iter().cloned());
        Ok(Self {
            rows: rows.collect(),
        })
    }
}

impl<V> Default for DvvSet<V> {
    fn default() -> Self {
        Self::empty()
    }
}

/// `{(n1, 2, ["v2"])}`, as in the paper.
impl<V: fmt::Debug> fmt::Debug for DvvSet<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.rows.iter()).finish()
    }
}

impl<V: fmt::Debug> fmt::Debug for Row<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}, {:?})", self.actor, self.counter, self.values)
    }
}

impl<V: Serialize> Serialize for DvvSet<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.rows.iter();
        serializer.collect_seq(rows.map(|row| (&row.actor, row.counter, &*row.values)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for DvvSet<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<(Actor, u64, Vec<V>)>::deserialize(deserializer)?;
        Self::from_rows(rows).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::clock_merge::strategies::steps;
    use crate::fuzzing::clock_merge::{DvvOperations, simulation};

    type Set = DvvSet<String>;

    fn parse(text: &str) -> Result<Set, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    fn context(text: &str) -> VersionVector {
        serde_json::from_str(text).unwrap()
    }

    fn write(set: &Set, actor: &str, value: &str, seen: &str) -> Set {
        set.event(&actor.into(), value.into(), &context(seen))
            .unwrap()
    }

    fn listed(set: &Set) -> String {
        let values = set.values().map(|(dot, value)| format!("{dot}={value}"));
        values.collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #![proptest_config(crate::property_tests::drawing(256))]

        #[test]
        fn replicas_do_what_the_definition_says(steps in steps()) {
            simulation(&steps, &DvvOperations::REAL)?;
        }
    }

    #[test]
    fn writes_through_one_coordinator() {
        let one = write(&Set::empty(), "n1", "v1", "{}");
        let both = write(&one, "n1", "v2", "{}");
        assert_eq!(listed(&both), "(n1,2)=v2 (n1,1)=v1");
        let resolved = write(&both, "n1", "v3", r#"{"n1":2}"#);
        assert_eq!(listed(&resolved), "(n1,3)=v3");
        assert_eq!(resolved.join(), context(r#"{"n1":3}"#));
        assert_eq!((resolved.len(), resolved.is_empty()), (1, false));
    }

    #[test]
    fn an_old_value_does_not_come_back() {
        let old = write(&Set::empty(), "n1", "old", "{}");
        // The second replica never held the old value; its client read it elsewhere.
        let new = write(&Set::empty(), "n2", "new", r#"{"n1":1}"#);
        assert_eq!(listed(&old.sync(&new)), "(n2,1)=new");
        assert_eq!(old.compare(&new), Causality::Before);
    }

    #[test]
    fn a_discard_forgets_values_and_no_events() {
        let set = write(&Set::empty(), "n1", "v", "{}");
        let none = set.discard(&context(r#"{"n1":9,"n2":9}"#));
        assert!(none.is_empty());
        assert_eq!(none.join(), set.join());
        assert_eq!(set.compare(&none), Causality::Before);
    }

    #[test]
    fn the_last_dot_cannot_be_followed() {
        let seen = context(&format!(r#"{{"n1":{}}}"#, u64::MAX));
        let error = Set::empty().event(&"n1".into(), String::new(), &seen);
        assert_eq!(error, Err(ClockError::Overflow { actor: "n1".into() }));
    }

    #[test]
    fn rows_are_validated() {
        let text = r#"[["n1",2,["b","a"]],["n2",1,[]]]"#;
        let set = parse(text).unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), text);
        assert_eq!(format!("{set:?}"), r#"{(n1, 2, ["b", "a"]), (n2, 1, [])}"#);
        assert_eq!(parse(r#"[["n1",0,[]]]"#), Ok(Set::empty()));
        for (text, expected) in [
            (r#"[["n1",1,["b","a"]]]"#, "2 values but only 1 events"),
            (r#"[["n1",0,["a"]]]"#, "1 values but only 0 events"),
            (r#"[["n1",1,[]],["n1",1,[]]]"#, "more than one entry"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
