//! Vector clocks and dotted version vectors against causal histories written out.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ACTORS, Law, MAX_COUNTER, Verdict, built, dotted, hold};
use crate::clocks::{
    Actor, Causality, ClockError, Dot, DottedVersionVector, VectorClock, VersionVector,
};

/// What a translation adds: the largest generated counter becomes `u64::MAX`.
const OFFSET: u64 = u64::MAX - MAX_COUNTER;
/// A larger counter is a mistake of the caller: its events take time and memory without end.
const MAX_EVENTS: u64 = 10_000;

/// One event: the place of its actor in [`ACTORS`] and its number among the actor's events.
pub(super) type Event = (usize, u64);

/// A set of events, written out: the definition of what a clock stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CausalHistory(BTreeSet<Event>);

impl CausalHistory {
    /// How two histories relate by inclusion: the definition of causality. O(n + m).
    pub fn compare(&self, other: &Self) -> Causality {
        relation(self.0.is_subset(&other.0), other.0.is_subset(&self.0))
    }

    /// The actor's events up to the dot.
    fn up_to(dot: &Dot) -> Self {
        let (actor, last) = event(dot);
        Self((1..=last).map(|number| (actor, number)).collect())
    }

    /// Whether the clock stands for the union of both sets.
    fn united(&self, other: &Self, clock: &VectorClock) -> bool {
        self.0.union(&other.0).copied().eq(events(clock))
    }
}

impl From<&VectorClock> for CausalHistory {
    fn from(clock: &VectorClock) -> Self {
        Self(events(clock).collect())
    }
}

impl From<&DottedVersionVector> for CausalHistory {
    fn from(clock: &DottedVersionVector) -> Self {
        Self(events(clock.past()).chain([event(clock.dot())]).collect())
    }
}

/// The relation of two sets; not the clocks' own function, which is under test as well.
pub(super) fn relation(left_in_right: bool, right_in_left: bool) -> Causality {
    if left_in_right && right_in_left {
        Causality::Equal
    } else if left_in_right {
        Causality::Before
    } else if right_in_left {
        Causality::After
    } else {
        Causality::Concurrent
    }
}

/// The events of a clock in their order, one by one.
pub(super) fn events(clock: &VectorClock) -> impl Iterator<Item = Event> {
    clock.iter().flat_map(|(actor, counter)| {
        assert!(counter <= MAX_EVENTS, "{actor}:{counter} is no small clock");
        let actor = place(actor);
        (1..=counter).map(move |number| (actor, number))
    })
}

/// The event that a dot names.
pub(super) fn event(dot: &Dot) -> Event {
    (place(dot.actor()), dot.counter())
}

fn place(actor: &Actor) -> usize {
    let place = ACTORS.iter().position(|name| actor == name);
    place.unwrap_or_else(|| panic!("{actor} is none of the actors {ACTORS:?}"))
}

/// A clock together with its history, which several oracles ask for.
#[derive(Debug)]
pub struct Explicit<'a, T> {
    clock: &'a T,
    history: CausalHistory,
}

impl<'a, T> From<&'a T> for Explicit<'a, T>
where
    CausalHistory: From<&'a T>,
{
    fn from(clock: &'a T) -> Self {
        Self {
            clock,
            history: clock.into(),
        }
    }
}

/// `compare` is inclusion of histories, seen from both sides.
///
/// # Errors
///
/// [`Law::Inclusion`].
pub fn inclusion<T: Debug>(
    a: &Explicit<'_, T>,
    b: &Explicit<'_, T>,
    compare: impl Fn(&T, &T) -> Causality,
) -> Verdict {
    let expected = a.history.compare(&b.history);
    for (l, r, expected) in [(a, b, expected), (b, a, expected.reverse())] {
        let found = compare(l.clock, r.clock);
        hold(Law::Inclusion, found == expected, || {
            format!(
                "{:?} against {:?} is {expected:?}, not {found:?}",
                l.clock, r.clock
            )
        })?;
    }
    Ok(())
}

/// `merge` is commutative, associative and idempotent.
///
/// # Errors
///
/// [`Law::Commutative`], [`Law::Associative`] or [`Law::Idempotent`].
pub fn semilattice<T: PartialEq + Debug>(
    a: &T,
    b: &T,
    c: &T,
    merge: impl Fn(&T, &T) -> T,
) -> Verdict {
    let witness = || format!("a = {a:?}, b = {b:?}, c = {c:?}");
    let ab = merge(a, b);
    hold(Law::Commutative, ab == merge(b, a), witness)?;
    hold(Law::Idempotent, merge(a, a) == *a, witness)?;
    let right = merge(a, &merge(b, c));
    hold(Law::Associative, merge(&ab, c) == right, witness)
}

/// `merge` gives the least upper bound of `a` and `b`; `c` is tried as another upper bound.
///
/// # Errors
///
/// [`Law::UpperBound`] or [`Law::LeastUpperBound`].
pub fn least_upper_bound(
    a: &Explicit<'_, VectorClock>,
    b: &Explicit<'_, VectorClock>,
    c: &Explicit<'_, VectorClock>,
    merge: impl Fn(&VectorClock, &VectorClock) -> VectorClock,
) -> Verdict {
    let merged = merge(a.clock, b.clock);
    let witness = || {
        let [a, b, c] = [a, b, c].map(|explicit| explicit.clock);
        format!("a = {a}, b = {b}, c = {c}, merge(a, b) = {merged}")
    };
    let above = |set: &BTreeSet<_>| a.history.0.is_subset(set) && b.history.0.is_subset(set);
    if !a.history.united(&b.history, &merged) {
        let found = CausalHistory::from(&merged).0;
        hold(Law::UpperBound, above(&found), witness)?;
        return hold(Law::LeastUpperBound, false, witness);
    }
    let below_c = !above(&c.history.0) || events(&merged).all(|e| c.history.0.contains(&e));
    hold(Law::LeastUpperBound, below_c, witness)
}

/// Equality is that of histories, and `build` reaches it from entries in any order and with zeros.
///
/// # Errors
///
/// [`Law::Canonical`].
pub fn canonical(
    a: &Explicit<'_, VectorClock>,
    b: &Explicit<'_, VectorClock>,
    build: impl Fn(Vec<(Actor, u64)>) -> Result<VectorClock, ClockError>,
) -> Verdict {
    let equal = a.clock == b.clock;
    hold(Law::Canonical, equal == (a.history == b.history), || {
        format!("{} == {} is {equal}", a.clock, b.clock)
    })?;
    let rebuilt = build(padded(a.clock).rev().collect());
    hold(Law::Canonical, rebuilt.as_ref() == Ok(a.clock), || {
        format!("{} was built again as {rebuilt:?}", a.clock)
    })
}

/// `increment` adds one event: the actor's next.
///
/// # Errors
///
/// [`Law::OneEvent`].
pub fn one_event(
    clock: &Explicit<'_, VectorClock>,
    actor: &Actor,
    increment: impl Fn(&VectorClock, &Actor) -> Result<VectorClock, ClockError>,
) -> Verdict {
    let advanced = increment(clock.clock, actor);
    let one_more = advanced.as_ref().is_ok_and(|advanced| {
        // Both run in the same order, so what is left when the old events are taken is the new ones.
        let mut old = clock.history.0.iter().peekable();
        let mut new = events(advanced).filter(|event| old.next_if_eq(&event).is_none());
        let added = new.next();
        added.is_some_and(|event| event.0 == place(actor))
            && new.next().is_none()
            && old.next().is_none()
    });
    hold(Law::OneEvent, one_more, || {
        format!("{} and an event of {actor} gave {advanced:?}", clock.clock)
    })
}

/// `with_entry` adds the actor's events up to the dot, and `contains` is membership.
///
/// # Errors
///
/// [`Law::Raise`] or [`Law::Membership`].
pub fn raise_and_contain(
    clock: &Explicit<'_, VectorClock>,
    dot: &Dot,
    with_entry: impl Fn(&VectorClock, &Actor, u64) -> VectorClock,
    contains: impl Fn(&VectorClock, &Dot) -> bool,
) -> Verdict {
    let member = clock.history.0.contains(&event(dot));
    hold(
        Law::Membership,
        contains(clock.clock, dot) == member,
        || format!("{dot} in {} is {member}", clock.clock),
    )?;
    let added = CausalHistory::up_to(dot);
    let raised = with_entry(clock.clock, dot.actor(), dot.counter());
    hold(Law::Raise, clock.history.united(&added, &raised), || {
        format!("{} raised to {dot} gave {raised}", clock.clock)
    })
}

/// How a node may write a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"a":2}`.
    Object,
    /// `{"a":2,"b":0}`.
    ObjectWithZeros,
    /// `[2,0]`.
    Slots,
    /// `[["a",2]]`.
    Pairs,
    /// `[["a",2],["b",0]]`.
    PairsWithZeros,
    /// `["a",2]`, or `null` for an empty clock; for a longer one, pairs.
    Shortest,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 6] = [
        Self::Object,
        Self::ObjectWithZeros,
        Self::Slots,
        Self::Pairs,
        Self::PairsWithZeros,
        Self::Shortest,
    ];

    fn write(self, clock: &VectorClock) -> Value {
        let pair = |(actor, counter): (Actor, u64)| json!([actor, counter]);
        let field = |(actor, counter): (Actor, u64)| (actor.as_str().to_owned(), counter.into());
        let entries = || clock.entries().iter().cloned();
        match (self, &clock.entries()[..]) {
            (Self::Object, _) => Value::Object(entries().map(field).collect()),
            (Self::ObjectWithZeros, _) => Value::Object(padded(clock).map(field).collect()),
            (Self::Slots, _) => padded(clock).map(|entry| entry.1).collect(),
            (Self::Shortest, []) => Value::Null,
            (Self::Shortest, [entry]) => pair(entry.clone()),
            (Self::Pairs | Self::Shortest, _) => entries().map(pair).collect(),
            (Self::PairsWithZeros, _) => padded(clock).map(pair).collect(),
        }
    }
}

/// `parse` reads the clock from this form.
///
/// # Errors
///
/// [`Law::Json`].
pub fn json_form(
    clock: &VectorClock,
    form: Form,
    parse: impl Fn(&Value, &[Actor]) -> Result<VectorClock, ClockError>,
) -> Verdict {
    let written = form.write(clock);
    let read = parse(&written, &ACTORS.map(Actor::from));
    hold(Law::Json, read.as_ref() == Ok(clock), || {
        format!("{clock} written as {written} was read as {read:?}")
    })
}

/// Writing and reading again gives the same value.
///
/// # Errors
///
/// [`Law::Json`].
pub fn serde_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Verdict {
    let text = serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
    let read: Result<T, _> = serde_json::from_str(&text);
    let same = read.as_ref().is_ok_and(|read| read == value);
    hold(Law::Json, same, || {
        format!("{value:?} was written as {text} and read as {read:?}")
    })
}

/// `compare`, `merge` and `increment` do near `u64::MAX` what they do near zero.
///
/// # Errors
///
/// [`Law::Translation`].
pub fn translation(
    a: &VectorClock,
    b: &VectorClock,
    compare: impl Fn(&VectorClock, &VectorClock) -> Causality,
    merge: impl Fn(&VectorClock, &VectorClock) -> VectorClock,
    increment: impl Fn(&VectorClock, &Actor) -> Result<VectorClock, ClockError>,
) -> Verdict {
    let (high_a, high_b) = (translated(a), translated(b));
    let witness = || format!("a = {a}, b = {b}, translated to {high_a} and {high_b}");
    let related = compare(&high_a, &high_b) == compare(a, b);
    hold(Law::Translation, related, witness)?;
    let merged = merge(&high_a, &high_b) == translated(&merge(a, b));
    hold(Law::Translation, merged, witness)?;
    // Every event of a small clock is below the offset, so only one side is far away here.
    let above = compare(&high_a, b) == Causality::After && merge(&high_a, b) == high_a;
    hold(Law::Translation, above, witness)?;
    let actor = Actor::from(ACTORS[0]);
    let advanced = match (a.get(actor.as_str()), increment(&high_a, &actor)) {
        (MAX_COUNTER, result) => result == Err(ClockError::Overflow { actor }),
        (_, result) => result == increment(a, &actor).map(|next| translated(&next)),
    };
    hold(Law::Translation, advanced, witness)
}

/// `compare` does near `u64::MAX` what it does near zero.
///
/// # Errors
///
/// [`Law::Translation`].
pub fn dotted_translation(
    a: &DottedVersionVector,
    b: &DottedVersionVector,
    compare: impl Fn(&DottedVersionVector, &DottedVersionVector) -> Causality,
) -> Verdict {
    let high = |clock: &DottedVersionVector| {
        let counter = clock.dot().counter() + OFFSET;
        dotted(
            clock.dot().actor().as_str(),
            counter,
            translated(clock.past()),
        )
    };
    let high_a = high(a);
    let same = compare(&high_a, &high(b)) == compare(a, b);
    let above = compare(&high_a, b) == Causality::After;
    hold(Law::Translation, same && above, || {
        format!("a = {a}, b = {b}")
    })
}

/// `ceiling` is the least version vector above the history, and `is_contiguous` says when it is
/// exact.
///
/// # Errors
///
/// [`Law::Ceiling`] or [`Law::Contiguous`].
pub fn ceiling(
    clock: &Explicit<'_, DottedVersionVector>,
    ceiling: impl Fn(&DottedVersionVector) -> VersionVector,
    is_contiguous: impl Fn(&DottedVersionVector) -> bool,
) -> Verdict {
    let closure = CausalHistory::up_to(clock.clock.dot());
    let found = ceiling(clock.clock);
    let least = clock.history.united(&closure, &found);
    hold(Law::Ceiling, least, || {
        format!("the ceiling of {} was {found}", clock.clock)
    })?;
    let gapless = closure.0.is_subset(&clock.history.0);
    hold(
        Law::Contiguous,
        is_contiguous(clock.clock) == gapless,
        || format!("{} is contiguous: {gapless}", clock.clock),
    )
}

/// The entries of all actors, zeros included.
fn padded(clock: &VectorClock) -> impl DoubleEndedIterator<Item = (Actor, u64)> {
    let slots = ACTORS.into_iter();
    slots.map(|actor| (Actor::from(actor), clock.get(actor)))
}

fn translated(clock: &VectorClock) -> VectorClock {
    built(padded(clock).map(|(actor, counter)| (actor, counter + OFFSET)))
}
