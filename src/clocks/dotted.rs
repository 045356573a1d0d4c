//! Dotted version vectors (Preguiça, Baquero, Almeida, Fonte, Gonçalves 2010 and 2012).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Causality, ClockError, Dot, VersionVector};

/// The clock of one sibling: its own event, the dot, and the past that its writer had seen.
///
/// It stands for the history `{dot} ∪ events(past)`. The dot need not follow the past without a gap:
/// that is how two writes through one coordinator from one old context stay concurrent.
///
/// `==` compares the parts. Two values that name different writes may still stand for the same
/// history, as `(a,2) {a:1, b:1}` and `(b,1) {a:2}` do; [`compare`](Self::compare) calls these equal.
///
/// The serde form is `{"dot":["n1",2],"version_vector":{"n1":1}}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct DottedVersionVector {
    dot: Dot,
    #[serde(rename = "version_vector")]
    past: VersionVector,
}

/// The serde form, before it is validated.
#[derive(Deserialize)]
struct Parts {
    dot: Dot,
    version_vector: VersionVector,
}

impl DottedVersionVector {
    /// The clock of an event with this causal past. O(log n).
    ///
    /// # Errors
    ///
    /// [`ClockError::DotInPast`]: no event lies in its own past.
    pub fn new(dot: Dot, past: VersionVector) -> Result<Self, ClockError> {
        if past.contains(&dot) {
            return Err(ClockError::DotInPast { dot, past });
        }
        Ok(Self { dot, past })
    }

    /// The sibling's own event.
    pub fn dot(&self) -> &Dot {
        &self.dot
    }

    /// The events that its writer had seen.
    pub fn past(&self) -> &VersionVector {
        &self.past
    }

    /// How the two histories relate by inclusion. O(n log m + m log n).
    ///
    /// The papers test only `other.contains(self.dot)`, which suffices between clocks that one
    /// correct store made. This is exact for any two values, because a checker meets clocks of
    /// stores that are not correct.
    pub fn compare(&self, other: &Self) -> Causality {
        Causality::from_inclusion(other.includes(self), self.includes(other))
    }

    /// Whether the dot is the coordinator's next event after the past, so that the history is a
    /// prefix of every actor's events and a plain version vector can say it. O(log n).
    pub fn is_contiguous(&self) -> bool {
        self.past.get(self.dot.actor().as_str()) == self.dot.counter() - 1
    }

    /// The least version vector that covers the dot and the past. O(n).
    ///
    /// **If the dot is not contiguous this covers events that the writer never saw**: those of the
    /// gap. A client that used it as the context of a write would supersede them unseen.
    pub fn ceiling(&self) -> VersionVector {
        self.past.with_entry(self.dot.actor(), self.dot.counter())
    }

    fn includes(&self, other: &Self) -> bool {
        let has_dot = self.dot == other.dot || self.past.contains(&other.dot);
        has_dot && self.includes_all(&other.past)
    }

    /// Whether every event of the version vector is in this history: an entry is, if the past covers
    /// it, or if only its last event is missing and that is the dot.
    fn includes_all(&self, vector: &VersionVector) -> bool {
        let extra = self.is_contiguous().then_some(&self.dot);
        vector.iter().all(|(actor, counter)| {
            self.past.get(actor.as_str()) >= counter
                || extra.is_some_and(|dot| dot.counter() == counter && dot.actor() == actor)
        })
    }
}

/// `(n1,2) {n1:1}`: the dot, then the past.
impl fmt::Display for DottedVersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dot, self.past)
    }
}

impl fmt::Debug for DottedVersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<Parts> for DottedVersionVector {
    type Error = ClockError;

    fn try_from(parts: Parts) -> Result<Self, ClockError> {
        Self::new(parts.dot, parts.version_vector)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::clock_merge::strategies::dotted_clock;
    use crate::fuzzing::clock_merge::{ceiling, dotted_translation, inclusion, serde_round_trip};

    fn clock(actor: &str, counter: u64, past: &str) -> DottedVersionVector {
        let dot = Dot::new(actor.into(), counter).unwrap();
        DottedVersionVector::new(dot, serde_json::from_str(past).unwrap()).unwrap()
    }

    proptest! {
        #![proptest_config(crate::property_tests::drawing(256))]

        #[test]
        fn comparison_is_inclusion(a in dotted_clock(), b in dotted_clock()) {
            let (x, y) = ((&a).into(), (&b).into());
            inclusion(&x, &y, DottedVersionVector::compare)?;
            dotted_translation(&a, &b, DottedVersionVector::compare)?;
            let is_contiguous = DottedVersionVector::is_contiguous;
            ceiling(&x, DottedVersionVector::ceiling, is_contiguous)?;
            serde_round_trip(&a)?;
        }
    }

    #[test]
    fn two_blind_writes_through_one_coordinator_are_concurrent() {
        let (first, second) = (clock("n1", 1, "{}"), clock("n1", 2, "{}"));
        assert_eq!(first.compare(&second), Causality::Concurrent);
        assert!(first.is_contiguous() && !second.is_contiguous());
        // Its ceiling claims the first write, which the second's writer never saw.
        assert!(second.ceiling().contains(first.dot()));
    }

    #[test]
    fn a_context_supersedes_what_it_covers() {
        let (old, new) = (clock("n1", 1, "{}"), clock("n1", 2, r#"{"n1":1}"#));
        assert_eq!(old.compare(&new), Causality::Before);
        assert_eq!(new.compare(&old), Causality::After);
    }

    #[test]
    fn one_history_may_be_cut_in_two_ways() {
        let (a, b) = (
            clock("a", 2, r#"{"a":1,"b":1}"#),
            clock("b", 1, r#"{"a":2}"#),
        );
        assert_eq!(a.compare(&b), Causality::Equal);
        assert_ne!(a, b);
    }

    #[test]
    fn counters_at_the_top_do_not_wrap() {
        let past = format!(r#"{{"b":{}}}"#, u64::MAX);
        let (a, b) = (clock("a", u64::MAX, &past), clock("a", 1, &past));
        assert!(!a.is_contiguous());
        assert_eq!(a.compare(&b), Causality::Concurrent);
    }

    #[test]
    fn no_event_lies_in_its_own_past() {
        let read = |text| serde_json::from_str::<DottedVersionVector>(text);
        let fine = read(r#"{"dot":["n1",2],"version_vector":{"n1":1}}"#).unwrap();
        assert_eq!(fine.to_string(), "(n1,2) {n1:1}");
        let error = read(r#"{"dot":["n1",2],"version_vector":{"n1":2}}"#).unwrap_err();
        assert!(
            error.to_string().contains("in its own causal past"),
            "{error}"
        );
    }
}
