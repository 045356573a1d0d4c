//! Clocks as the nodes of others write them.
//!
//! Everybody prints clocks in another way. What means one thing only is read; what could mean two
//! is refused with an error that says what to send. This is wider than the serde forms, which are
//! those of our own files.

use serde_json::{Value, json};
use sibcheck_checkers::outside::Outside;

use super::{Actor, ClockError, Dot, VectorClock};

/// How much of a wrong value an error message quotes.
const EXCERPT_CHARS: usize = 60;

/// From here on a float no longer names one integer (2⁵³).
const FLOAT_EXACT: f64 = 9_007_199_254_740_992.0;

const CLOCK: &str = r#"a clock as an object {"n1":2}, an array with one number for each node, a pair ["n1",2], a list of pairs, or null"#;
const PAIR: &str = r#"a pair ["n1",2] of an actor and its counter"#;
const DOT: &str = r#"a dot as a pair ["n1",2] or an object {"n1":2} with one entry"#;

/// A way to write a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockForm {
    /// `{"n1":2}`.
    Object,
    /// `[2,0]`: a number for each slot.
    Slots,
    /// `["n1",2]`; with more entries than one, or none, a list of pairs.
    Pair,
    /// `[["n1",2]]`.
    Pairs,
}

impl ClockForm {
    /// The form in which this clock is written, where it tells. O(1).
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Object(entries) if !entries.is_empty() => Some(Self::Object),
            Value::Array(items) => match items.first()? {
                Value::Number(_) => Some(Self::Slots),
                Value::String(_) => Some(Self::Pair),
                Value::Array(_) => Some(Self::Pairs),
                _ => None,
            },
            _ => None,
        }
    }
}

impl VectorClock {
    /// Writes the clock in a form that [`from_json`](Self::from_json) reads. As slots it holds the
    /// counters of those that `slots` names. O(n log n).
    pub fn to_json(&self, form: ClockForm, slots: &[Actor]) -> Value {
        let pair = |(actor, counter): &(Actor, u64)| json!([actor, counter]);
        match (form, &self.entries()[..]) {
            (ClockForm::Object, _) => json!(self),
            (ClockForm::Slots, _) => slots.iter().map(|actor| self.get(actor.as_str())).collect(),
            (ClockForm::Pair, [entry]) => pair(entry),
            (ClockForm::Pair | ClockForm::Pairs, entries) => entries.iter().map(pair).collect(),
        }
    }

    /// Reads a clock in any of these forms:
    ///
    /// | form | example |
    /// | --- | --- |
    /// | object | `{"n1":2}` |
    /// | a number for each name in `slots`, in their order | `[1,0]` |
    /// | one pair | `["n1",2]` |
    /// | list of pairs | `[["n1",2],["n2",1]]` |
    /// | nothing seen | `null`, `[]`, `{}` |
    ///
    /// Zeros mean the same as no entry, and `2.0` the same as `2`. O(n log n). Strings are opaque
    /// contexts, not clocks, and are refused.
    ///
    /// An object that names an actor twice arrives here with one of the two entries gone: the JSON
    /// parser has kept the last.
    ///
    /// # Errors
    ///
    /// [`ClockError::Shape`], [`ClockError::Counter`], [`ClockError::SlotCount`] or
    /// [`ClockError::DuplicateActor`].
    pub fn from_json(value: &Value, slots: &[Actor]) -> Result<Self, ClockError> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::Object(entries) => collect(entries.iter().map(|(actor, counter)| {
                let actor = Actor::from(actor.as_str());
                let counter = counter_of(&actor, counter)?;
                Ok((actor, counter))
            })),
            Value::Array(items) => match items.first() {
                None => Ok(Self::new()),
                Some(Value::Number(_)) => from_slots(items, slots),
                Some(Value::String(_)) => collect([pair(value)]),
                Some(Value::Array(_)) => collect(items.iter().map(pair)),
                Some(_) => Err(shape(CLOCK, value)),
            },
            _ => Err(shape(CLOCK, value)),
        }
    }
}

impl Dot {
    /// Reads a dot: a pair `["n1",2]`, or an object `{"n1":2}` with exactly one entry. O(1).
    ///
    /// # Errors
    ///
    /// [`ClockError::Shape`], [`ClockError::Counter`] or [`ClockError::ZeroCounter`].
    pub fn from_json(value: &Value) -> Result<Self, ClockError> {
        let (actor, counter) = match value {
            Value::Array(_) => pair(value)?,
            Value::Object(entries) if entries.len() == 1 => {
                let mut entries = entries.iter();
                let (actor, counter) = entries.next().ok_or_else(|| shape(DOT, value))?;
                let actor = Actor::from(actor.as_str());
                let counter = counter_of(&actor, counter)?;
                (actor, counter)
            }
            _ => return Err(shape(DOT, value)),
        };
        Self::new(actor, counter)
    }
}

fn collect(
    entries: impl IntoIterator<Item = Result<(Actor, u64), ClockError>>,
) -> Result<VectorClock, ClockError> {
    let entries: Vec<_> = entries.into_iter().collect::<Result<_, _>>()?;
    VectorClock::from_entries(entries)
}

fn from_slots(items: &[Value], slots: &[Actor]) -> Result<VectorClock, ClockError> {
    if items.len() != slots.len() {
        return Err(ClockError::SlotCount {
            expected: slots.len(),
            found: items.len(),
        });
    }
    let entries = slots.iter().zip(items);
    collect(entries.map(|(actor, counter)| Ok((actor.clone(), counter_of(actor, counter)?))))
}

fn pair(value: &Value) -> Result<(Actor, u64), ClockError> {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(actor), counter]) => {
            let actor = Actor::from(actor.as_str());
            let counter = counter_of(&actor, counter)?;
            Ok((actor, counter))
        }
        _ => Err(shape(PAIR, value)),
    }
}

fn counter_of(actor: &Actor, value: &Value) -> Result<u64, ClockError> {
    let exact = value.as_u64();
    exact
        .or_else(|| value.as_f64().and_then(whole))
        .ok_or_else(|| ClockError::Counter {
            actor: actor.clone(),
            found: excerpt(value),
        })
}

/// The integer that a float stands for: languages with one kind of number print `2` as `2.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and between 0 and 2^53"
)]
fn whole(number: f64) -> Option<u64> {
    let exact = number.fract() == 0.0 && (0.0..FLOAT_EXACT).contains(&number);
    exact.then_some(number as u64)
}

fn shape(expected: &'static str, value: &Value) -> ClockError {
    ClockError::Shape {
        expected,
        found: excerpt(value),
    }
}

/// The start of a value, short enough for a message.
fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", Outside(&text[..end])),
        None => Outside(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::fuzzing::clock_merge::strategies::clock;
    use crate::fuzzing::clock_merge::{Form, json_form};

    fn read(value: &Value) -> Result<String, String> {
        let slots = ["n1", "n2"].map(Actor::from);
        let clock = VectorClock::from_json(value, &slots);
        clock
            .map(|clock| clock.to_string())
            .map_err(|error| error.to_string())
    }

    proptest! {
        #![proptest_config(crate::property_tests::drawing(256))]

        #[test]
        fn every_form_reads_as_the_same_clock(clock in clock()) {
            for form in Form::ALL {
                json_form(&clock, form, VectorClock::from_json)?;
            }
        }
    }

    #[test]
    fn a_clock_is_written_in_the_form_in_which_it_came() {
        let slots = ["n1", "n2"].map(Actor::from);
        for (value, form) in [
            (json!({"n1": 2}), ClockForm::Object),
            (json!([0, 2]), ClockForm::Slots),
            (json!(["n1", 2]), ClockForm::Pair),
            (json!([["n1", 2], ["n2", 1]]), ClockForm::Pairs),
        ] {
            assert_eq!(ClockForm::of(&value), Some(form));
            let clock = VectorClock::from_json(&value, &slots).unwrap();
            assert_eq!(clock.to_json(form, &slots), value);
        }
        for tells_nothing in [json!({}), json!([]), json!(null), json!("opaque")] {
            assert_eq!(ClockForm::of(&tells_nothing), None);
        }
        let two = VectorClock::from_entries([("n1".into(), 1), ("n2".into(), 1)]).unwrap();
        let written = two.to_json(ClockForm::Pair, &slots);
        assert_eq!(written, json!([["n1", 1], ["n2", 1]]));
    }

    #[test]
    fn forms_in_the_wild() {
        for (value, expected) in [
            (json!({"n1": 2, "c1@n2": 1}), "{c1@n2:1, n1:2}"),
            (json!({"n1": 0}), "{}"),
            (json!([1, 0]), "{n1:1}"),
            (json!(["n1", 2]), "{n1:2}"),
            (json!([["n2", 1], ["n1", 2.0]]), "{n1:2, n2:1}"),
            (json!({"n1": u64::MAX}), "{n1:18446744073709551615}"),
            (json!(null), "{}"),
            (json!([]), "{}"),
            (json!({}), "{}"),
        ] {
            assert_eq!(read(&value).as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_clock_is_refused_with_a_remedy() {
        for (value, expected) in [
            (json!({"n1": -1}), "the counter of `n1` is -1;"),
            (json!({"n1": 1.5}), "the counter of `n1` is 1.5;"),
            (json!({"n1": 1e300}), "the counter of `n1` is 1e+300;"),
            (json!({"n1": "2"}), "the counter of `n1` is \"2\";"),
            (json!([1, null]), "the counter of `n2` is null;"),
            (json!([1]), "the clock has 1 slots but 2 actors"),
            (json!([["a", 1], ["a", 1]]), "`a` has more than one entry"),
            (json!(["n1", 2, 3]), "expected a pair"),
            (json!([["n1"]]), "expected a pair"),
            (json!([["n1", 1], 2]), "expected a pair"),
            (json!([true]), "expected a clock"),
            (json!("b3BhcXVl"), "expected a clock"),
            (json!(7), "expected a clock"),
        ] {
            let error = read(&value).unwrap_err();
            assert!(error.starts_with(expected), "{value}: {error}");
        }
        let long = read(&json!("ü".repeat(10_000))).unwrap_err();
        assert!(long.len() < 400 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn dots() {
        let dot = Dot::new("n1".into(), 2);
        assert_eq!(Dot::from_json(&json!(["n1", 2])), dot);
        assert_eq!(Dot::from_json(&json!({"n1": 2})), dot);
        let zero = ClockError::ZeroCounter { actor: "n1".into() };
        assert_eq!(Dot::from_json(&json!(["n1", 0])), Err(zero));
        for value in [
            json!({}),
            json!({"a": 1, "b": 1}),
            json!(null),
            json!([]),
            json!([1, 2]),
        ] {
            let error = Dot::from_json(&value).unwrap_err();
            assert!(
                matches!(error, ClockError::Shape { .. }),
                "{value}: {error}"
            );
        }
    }
}
