//! Dots: single events (Preguiça et al. 2010).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Actor, ClockError};

/// One event: the `counter`-th of its actor, counted from 1. In a store it names one write.
///
/// The derived `Ord` sorts by actor, then counter; across actors it says nothing about causality.
/// The serde form is the pair `["n1",2]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(Actor, u64)", try_from = "(Actor, u64)")]
pub struct Dot {
    actor: Actor,
    counter: u64,
}

impl Dot {
    /// The actor's event with this number.
    ///
    /// # Errors
    ///
    /// [`ClockError::ZeroCounter`]: there is no event 0.
    pub fn new(actor: Actor, counter: u64) -> Result<Self, ClockError> {
        if counter == 0 {
            return Err(ClockError::ZeroCounter { actor });
        }
        Ok(Self { actor, counter })
    }

    /// A dot whose counter the caller knows to be an event's.
    pub(super) fn known(actor: Actor, counter: u64) -> Self {
        debug_assert!(counter != 0, "no event of {actor} has number 0");
        Self { actor, counter }
    }

    /// Whose event it is.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Which of the actor's events it is; never 0.
    pub fn counter(&self) -> u64 {
        self.counter
    }
}

/// `(n1,2)`, as in the papers.
impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.actor, self.counter)
    }
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Dot> for (Actor, u64) {
    fn from(dot: Dot) -> Self {
        (dot.actor, dot.counter)
    }
}

impl TryFrom<(Actor, u64)> for Dot {
    type Error = ClockError;

    fn try_from((actor, counter): (Actor, u64)) -> Result<Self, ClockError> {
        Self::new(actor, counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_is_written_as_a_pair() {
        let dot = Dot::new("n1".into(), 2).unwrap();
        assert_eq!(dot.to_string(), "(n1,2)");
        let text = serde_json::to_string(&dot).unwrap();
        assert_eq!(text, r#"["n1",2]"#);
        assert_eq!(serde_json::from_str::<Dot>(&text).unwrap(), dot);
    }

    #[test]
    fn there_is_no_event_zero() {
        let expected = ClockError::ZeroCounter { actor: "n1".into() };
        assert_eq!(Dot::new("n1".into(), 0), Err(expected));
        let error = serde_json::from_str::<Dot>(r#"["n1",0]"#).unwrap_err();
        assert!(error.to_string().contains("counters start at 1"), "{error}");
    }
}
