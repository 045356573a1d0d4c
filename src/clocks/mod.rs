//! Logical clocks: compact names for sets of events.
//!
//! Every clock here stands for a *causal history*, the set of events that an update depends on
//! (Schwarz & Mattern 1994, s. 2), and is only a shorter way to write that set down:
//!
//! | type | causal history that it stands for |
//! | --- | --- |
//! | [`VectorClock`] `{a:2, b:1}` | the events `a1 a2 b1`: a prefix of every actor's events |
//! | [`Dot`] `(a,3)` | the one event `a3` |
//! | [`DottedVersionVector`] `(a,3) {a:1, b:1}` | `a3` and the past `a1 b1`: a prefix and one event apart |
//! | [`DvvSet`] `{(a, 3, [x])}` | the siblings of a key (`a3`, value `x`) and all events known with them |
//!
//! Two histories are ordered by inclusion and by nothing else. All clocks are immutable values in
//! canonical form: they are validated where they are made, so equal histories of vector clocks are
//! equal values, a stored zero cannot make `{a:0}` differ from `{}`, and no later operation has to
//! doubt them. `crate::fuzzing::clock_merge` holds each type against explicit sets of events.
//!
//! Checkers that judge a store do not use this module to decide causality: a wrong merge must not
//! be able to vouch for itself.

mod dot;
mod dotted;
mod dvv_set;
mod json;
mod vector;

use std::cmp::Ordering;

use thiserror::Error;

pub use dot::Dot;
pub use dotted::DottedVersionVector;
pub use dvv_set::DvvSet;
pub use json::ClockForm;
pub use vector::VectorClock;

/// The id that owns a clock entry: a node, a client, or `client@node`.
///
/// Up to 24 bytes are stored inline, so that copying an entry allocates nothing.
pub type Actor = sibcheck_checkers::history::Name;

/// What the dotted version vector papers call a vector clock: the structure is the same, the events
/// it counts are updates of one key (Parker et al. 1983) and not every step of a process.
pub type VersionVector = VectorClock;

/// How two causal histories relate.
///
/// This is a partial order, so it has four outcomes where [`Ordering`] has three. A type of its own
/// keeps callers from reading "not less" as "greater or equal".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Causality {
    /// Both hold the same events.
    Equal,
    /// The left history is a proper subset of the right one: the left is superseded.
    Before,
    /// The left history is a proper superset of the right one: the left supersedes.
    After,
    /// Each holds an event that the other lacks: neither has seen the other, both survive.
    Concurrent,
}

impl Causality {
    /// The same relation seen from the other side: `b.compare(a)` given `a.compare(b)`.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::Before => Self::After,
            Self::After => Self::Before,
            Self::Equal | Self::Concurrent => self,
        }
    }

    /// The relation of two sets, from whether each is included in the other.
    pub(crate) fn from_inclusion(left_in_right: bool, right_in_left: bool) -> Self {
        match (left_in_right, right_in_left) {
            (true, true) => Self::Equal,
            (true, false) => Self::Before,
            (false, true) => Self::After,
            (false, false) => Self::Concurrent,
        }
    }
}

/// Why a clock could not be made or advanced. The operation had no effect.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClockError {
    /// The counter is at `u64::MAX`; wrapping it would name an event a second time.
    #[error(
        "the counter of `{actor}` is {max} and cannot advance; no real history is that long, so look for what corrupted the clock",
        max = u64::MAX
    )]
    Overflow {
        /// Whose counter it is.
        actor: Actor,
    },
    /// A dot with counter 0 names no event.
    #[error("the dot of `{actor}` has counter 0, which names no event; counters start at 1")]
    ZeroCounter {
        /// Whose dot it is.
        actor: Actor,
    },
    /// Two entries for one actor: it is unclear which was meant.
    #[error("`{actor}` has more than one entry in this clock; send one entry for each actor")]
    DuplicateActor {
        /// The actor named twice.
        actor: Actor,
    },
    /// A counter that is not a whole number in range.
    #[error("the counter of `{actor}` is {found}; send an integer from 0 to {max}", max = u64::MAX)]
    Counter {
        /// Whose counter it is.
        actor: Actor,
        /// The start of the JSON found in its place.
        found: String,
    },
    /// A clock written as an array has another length than the list of names for its slots.
    #[error(
        "the clock has {found} slots but {expected} actors are known; send one number for each, in their order"
    )]
    SlotCount {
        /// How many actors have a slot.
        expected: usize,
        /// How many numbers the array holds.
        found: usize,
    },
    /// JSON of another shape than any that is read as a clock.
    #[error("expected {expected}, found {found}")]
    Shape {
        /// What could have stood here.
        expected: &'static str,
        /// The start of the JSON found in its place.
        found: String,
    },
    /// A dotted version vector whose past already holds its own event.
    #[error(
        "the dot {dot} is already in its own causal past {past}; a new event takes a counter above {known}",
        known = past.get(dot.actor().as_str())
    )]
    DotInPast {
        /// The event.
        dot: Dot,
        /// The past that should not cover it.
        past: VersionVector,
    },
    /// A sibling set that lists more values for an actor than the actor has had events.
    #[error(
        "`{actor}` has {values} values but only {counter} events; list each event's value once, newest first"
    )]
    ListTooLong {
        /// The actor whose row it is.
        actor: Actor,
        /// How many events of the actor are known.
        counter: u64,
        /// How many values its row lists.
        values: usize,
    },
}

/// What belongs to one actor, in a slice sorted by actor.
trait Keyed {
    fn actor(&self) -> &Actor;
}

/// One step of a merge join: an actor's items on the left, on the right, or on both sides.
enum Side<'a, T> {
    Left(&'a T),
    Right(&'a T),
    Both(&'a T, &'a T),
}

/// Walks two slices sorted by actor together, actor by actor. O(n + m).
fn join<'a, T: Keyed>(
    mut left: &'a [T],
    mut right: &'a [T],
) -> impl Iterator<Item = Side<'a, T>> + Clone {
    std::iter::from_fn(move || {
        let step = match (left.split_first(), right.split_first()) {
            (None, None) => return None,
            (Some((l, rest)), None) => {
                left = rest;
                Side::Left(l)
            }
            (None, Some((r, rest))) => {
                right = rest;
                Side::Right(r)
            }
            (Some((l, left_rest)), Some((r, right_rest))) => match l.actor().cmp(r.actor()) {
                Ordering::Less => {
                    left = left_rest;
                    Side::Left(l)
                }
                Ordering::Greater => {
                    right = right_rest;
                    Side::Right(r)
                }
                Ordering::Equal => {
                    (left, right) = (left_rest, right_rest);
                    Side::Both(l, r)
                }
            },
        };
        Some(step)
    })
}

/// Sorts by actor; an actor that occurs twice is an error, whatever its items hold.
fn sort_by_actor<T: Keyed>(items: &mut [T]) -> Result<(), ClockError> {
    items.sort_unstable_by(|l, r| l.actor().cmp(r.actor()));
    let twice = items
        .windows(2)
        .find(|pair| pair[0].actor() == pair[1].actor());
    twice.map_or(Ok(()), |pair| {
        Err(ClockError::DuplicateActor {
            actor: pair[0].actor().clone(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_swaps_before_and_after() {
        for (relation, reversed) in [
            (Causality::Equal, Causality::Equal),
            (Causality::Before, Causality::After),
            (Causality::After, Causality::Before),
            (Causality::Concurrent, Causality::Concurrent),
        ] {
            assert_eq!(relation.reverse(), reversed);
        }
    }

    #[test]
    fn messages_name_the_place_and_the_remedy() {
        let dot = Dot::known("n1".into(), 2);
        let past = VectorClock::new().with_entry(&"n1".into(), 3);
        assert_eq!(
            ClockError::DotInPast { dot, past }.to_string(),
            "the dot (n1,2) is already in its own causal past {n1:3}; \
             a new event takes a counter above 3"
        );
        let slots = ClockError::SlotCount {
            expected: 2,
            found: 3,
        };
        assert_eq!(
            slots.to_string(),
            "the clock has 3 slots but 2 actors are known; send one number for each, in their order"
        );
    }
}
