//! Holds every clock type against the sets of events that it stands for.
//!
//! The oracle of a logical clock is its *causal history* written out, event by event
//! (Schwarz & Mattern 1994, s. 2): clocks must be ordered exactly as their histories are by inclusion,
//! merged as histories are by union, and advanced by one event. [`CausalHistory`] is that set; it
//! shares no code with the clocks beyond reading their entries. For a [`DvvSet`](crate::clocks::DvvSet) the oracle is a
//! replica that stores known events and live values in explicit collections.
//!
//! Each oracle takes the operation under test as an argument. So the tests can hand it a broken one
//! and see it report, and the same oracle serves the fuzz target ([`run`]), the replay of saved
//! inputs, and the property tests beside the clocks.
//!
//! A history is written out event by event, so counters must be small. [`translation`] carries the
//! verdicts over to counters at `u64::MAX`: adding a constant to all counters of all actors changes
//! no relation.

mod histories;
mod siblings;

use arbitrary::{Arbitrary, Unstructured};
use thiserror::Error;

use crate::clocks::{Actor, Causality, Dot, DottedVersionVector, VectorClock, VersionVector};

pub use histories::{
    CausalHistory, Explicit, Form, canonical, ceiling, dotted_translation, inclusion, json_form,
    least_upper_bound, one_event, raise_and_contain, semilattice, serde_round_trip, translation,
};
pub use siblings::{DvvOperations, REPLICAS, Source, Step, simulation};

/// All actors, sorted as clocks sort them. Five give every overlap of three clocks; more only dilute
/// collisions.
pub const ACTORS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// The largest counter generated: leaves room for gaps between three clocks and stays quick to
/// write out.
pub const MAX_COUNTER: u64 = 6;
/// Steps in one execution's simulation: enough to write at each replica, spread, overwrite and
/// spread again.
pub const MAX_STEPS: usize = 16;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Law {
    /// Comparison is inclusion.
    #[error("clocks compare as their causal histories do by inclusion")]
    Inclusion,
    /// Canonical form.
    #[error("clocks are equal exactly if their causal histories are")]
    Canonical,
    /// Merge, first half of its definition.
    #[error("merge(a, b) includes a and b")]
    UpperBound,
    /// Merge, second half.
    #[error("merge(a, b) is included in whatever includes a and b")]
    LeastUpperBound,
    /// `merge(a, b) = merge(b, a)`.
    #[error("merge(a, b) = merge(b, a)")]
    Commutative,
    /// `merge(merge(a, b), c) = merge(a, merge(b, c))`.
    #[error("merge(merge(a, b), c) = merge(a, merge(b, c))")]
    Associative,
    /// `merge(a, a) = a`.
    #[error("merge(a, a) = a")]
    Idempotent,
    /// Increment.
    #[error("increment adds the actor's next event and nothing else")]
    OneEvent,
    /// Raising an entry.
    #[error("with_entry adds the actor's events up to the counter and nothing else")]
    Raise,
    /// Membership of an event.
    #[error("contains is membership in the causal history")]
    Membership,
    /// Reading and writing.
    #[error("a clock written as JSON is read back as the same clock")]
    Json,
    /// Independence from the size of counters.
    #[error("adding a constant to all counters changes no relation")]
    Translation,
    /// The ceiling of a dotted version vector.
    #[error("the ceiling is the least prefix of events that includes the history")]
    Ceiling,
    /// Contiguity of a dot.
    #[error("a dot is contiguous exactly if its history is a prefix of events")]
    Contiguous,
    /// What a replica has heard of.
    #[error("a replica knows its events, those of synced replicas and those of contexts")]
    KnownEvents,
    /// What a replica returns.
    #[error("a value is returned until a context that covers it, or news of one, arrives")]
    LiveValues,
}

/// A law that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("broken law: {law}; {witness}")]
pub struct Broken {
    /// Which law.
    pub law: Law,
    /// The values that break it.
    pub witness: String,
}

/// The outcome of an oracle.
pub type Verdict = Result<(), Broken>;

fn hold(law: Law, holds: bool, witness: impl FnOnce() -> String) -> Verdict {
    if holds {
        return Ok(());
    }
    let witness = witness();
    Err(Broken { law, witness })
}

/// What one execution checks: one type of clock, so that a fuzzer's executions are short and each
/// mutation of its input tells about one thing.
#[derive(Debug)]
pub enum Input {
    /// The laws of vector clocks, and of their JSON forms.
    Vectors {
        /// Three for the laws of merge.
        clocks: [VectorClock; 3],
        /// The event that is looked for and raised to.
        dot: Dot,
        /// How a node writes the first clock.
        form: Form,
    },
    /// The laws of dotted version vectors: two to compare.
    Dotted([DottedVersionVector; 2]),
    /// The laws of sibling sets: a life of three replicas.
    Siblings(Vec<Step>),
}

impl<'a> Arbitrary<'a> for Input {
    /// Draws the actors in play first: with few of them clocks are often equal or ordered, with all
    /// of them nearly always concurrent.
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind = u.int_in_range(0_u8..=2)?;
        if kind == 2 {
            let bytes = u.bytes(u.len().min(MAX_STEPS))?;
            return Ok(Self::Siblings(
                bytes.iter().copied().map(Step::from).collect(),
            ));
        }
        let mask = u.int_in_range(1_u8..=31)?;
        let actors = (0..ACTORS.len()).filter(|at| mask & (1 << at) != 0);
        let actors: Vec<&str> = actors.map(|at| ACTORS[at]).collect();
        if kind == 1 {
            return Ok(Self::Dotted([
                arbitrary_dotted(u, &actors)?,
                arbitrary_dotted(u, &actors)?,
            ]));
        }
        Ok(Self::Vectors {
            clocks: [
                arbitrary_clock(u, &actors)?,
                arbitrary_clock(u, &actors)?,
                arbitrary_clock(u, &actors)?,
            ],
            dot: arbitrary_dotted(u, &actors)?.dot().clone(),
            form: *u.choose(&Form::ALL)?,
        })
    }
}

fn arbitrary_clock(u: &mut Unstructured<'_>, actors: &[&str]) -> arbitrary::Result<VectorClock> {
    let mut entries = Vec::with_capacity(actors.len());
    for actor in actors {
        entries.push((Actor::from(*actor), u.int_in_range(0..=MAX_COUNTER)?));
    }
    Ok(built(entries))
}

fn arbitrary_dotted(
    u: &mut Unstructured<'_>,
    actors: &[&str],
) -> arbitrary::Result<DottedVersionVector> {
    let owner = u.choose(actors)?;
    let counter = u.int_in_range(1..=MAX_COUNTER)?;
    let mut entries = Vec::with_capacity(actors.len());
    for actor in actors {
        let last = if actor == owner {
            counter - 1
        } else {
            MAX_COUNTER
        };
        entries.push((Actor::from(*actor), u.int_in_range(0..=last)?));
    }
    Ok(dotted(owner, counter, built(entries)))
}

impl Input {
    /// Holds the clocks against their oracles.
    ///
    /// # Errors
    ///
    /// The first law that does not hold.
    pub fn check(&self) -> Verdict {
        match self {
            Self::Vectors { clocks, dot, form } => vectors(clocks, dot, *form),
            Self::Dotted([a, b]) => dotted_vectors(a, b),
            Self::Siblings(steps) => simulation(steps, &DvvOperations::REAL),
        }
    }
}

fn vectors(clocks: &[VectorClock; 3], dot: &Dot, form: Form) -> Verdict {
    let [a, b, c] = clocks;
    semilattice(a, b, c, VectorClock::merge)?;
    translation(
        a,
        b,
        VectorClock::compare,
        VectorClock::merge,
        VectorClock::increment,
    )?;
    json_form(a, form, VectorClock::from_json)?;

    let explicit = clocks.each_ref().map(Explicit::from);
    let [a, b, c] = &explicit;
    inclusion(a, b, VectorClock::compare)?;
    inclusion(b, c, VectorClock::compare)?;
    inclusion(a, c, compare_by_descent)?;
    least_upper_bound(a, b, c, VectorClock::merge)?;
    canonical(a, b, VectorClock::from_entries)?;
    one_event(a, dot.actor(), VectorClock::increment)?;
    raise_and_contain(a, dot, VectorClock::with_entry, VectorClock::contains)
}

fn dotted_vectors(a: &DottedVersionVector, b: &DottedVersionVector) -> Verdict {
    dotted_translation(a, b, DottedVersionVector::compare)?;
    serde_round_trip(a)?;
    let (a, b) = (a.into(), b.into());
    inclusion(&a, &b, DottedVersionVector::compare)?;
    ceiling(
        &a,
        DottedVersionVector::ceiling,
        DottedVersionVector::is_contiguous,
    )
}

/// The relation as `descends` tells it, to be held against the same oracle.
fn compare_by_descent(a: &VectorClock, b: &VectorClock) -> Causality {
    Causality::from_inclusion(b.descends(a), a.descends(b))
}

/// A clock from entries that name each actor once.
fn built(entries: impl IntoIterator<Item = (Actor, u64)>) -> VectorClock {
    VectorClock::from_entries(entries).expect("the generator names each actor once")
}

/// A clock whose past ends before its dot.
fn dotted(actor: &str, counter: u64, past: VersionVector) -> DottedVersionVector {
    let dot = Dot::new(Actor::from(actor), counter).expect("the generator counts from 1");
    DottedVersionVector::new(dot, past).expect("the generator puts the dot above the past")
}

/// Decodes an input of the fuzz target and checks it. Every byte string is an input.
///
/// # Panics
///
/// If a law does not hold: the message names the law and the values that break it.
pub fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(data)) else {
        return;
    };
    if let Err(broken) = input.check() {
        panic!("{broken}");
    }
}

#[cfg(test)]
pub(crate) mod strategies {
    //! The same universe for proptest, which shrinks what it finds.

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{
        ACTORS, Actor, DottedVersionVector, MAX_COUNTER, Step, VectorClock, built, dotted,
    };

    /// A clock of up to three actors, so that all relations are frequent.
    pub(crate) fn clock() -> impl Strategy<Value = VectorClock> {
        vec(0..=MAX_COUNTER, 0..=3)
            .prop_map(|counters| built(ACTORS.map(Actor::from).into_iter().zip(counters)))
    }

    /// A dotted version vector, contiguous or not.
    pub(crate) fn dotted_clock() -> impl Strategy<Value = DottedVersionVector> {
        let parts = (0..3_usize, 1..=MAX_COUNTER, vec(0..=MAX_COUNTER, 3));
        parts.prop_map(|(owner, counter, mut past)| {
            past[owner] %= counter;
            let past = built(ACTORS.map(Actor::from).into_iter().zip(past));
            dotted(ACTORS[owner], counter, past)
        })
    }

    /// A long life of three replicas.
    pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
        vec(any::<u8>().prop_map(Step::from), 0..40)
    }
}

#[cfg(test)]
mod tests;
