//! The same questions answered straight from the definitions, slowly. For tests and fuzzing.
//!
//! Nothing here is shared with the checkers: values are looked up by comparing them with every
//! write, causality is a fixed point over a matrix, clocks are compared entry by entry by name, and
//! linearizability is a search over all orders. Where a checker and its brute force disagree, one
//! of them is wrong.
//!
//! What an invariant says does not depend on the claim that promises it, so a history is asked once
//! for every invariant ([`Answers`]), and a claim selects.

mod causality;
mod claims;
mod clocks;
mod invariants;
mod naive;
mod orders;
mod set;

use std::collections::BTreeSet;

use naive::Naive;
use set::Set;
use sibcheck_checkers::{
    claim::Promise, history::History, object_model::ObjectModel, verdict::Invariant,
};

/// The most operations of one key all orders of which are searched through: `16!` orders, which
/// begin in at most `2^16` different ways.
pub const LARGEST: usize = 16;

/// There are too many operations to try everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// All together.
    #[error(
        "the history has {operations} operations, too many for all relations between them; the most is {}",
        set::LARGEST
    )]
    History {
        /// How many there are.
        operations: usize,
    },
    /// Of one key.
    #[error(
        "a key has {operations} operations, too many to try all orders of; the most is {LARGEST}"
    )]
    Key {
        /// How many it has.
        operations: usize,
    },
}

/// What the definitions say of a history: every invariant, on every key.
#[derive(Clone, Debug)]
pub struct Answers {
    model: ObjectModel,
    violated: BTreeSet<(u32, Invariant)>,
    /// Why orders were not searched through, for the first key that has too many.
    orders: Result<(), TooLarge>,
}

impl Answers {
    /// Asks for everything.
    ///
    /// The history has to make sense (see [`HistoryFault`](sibcheck_checkers::HistoryFault)), and nothing in it
    /// may come before itself within one moment, by way of answers at equal times.
    ///
    /// # Errors
    ///
    /// When there are more operations than 64.
    pub fn of(history: &History) -> Result<Self, TooLarge> {
        let operations = history.operations.len();
        if operations > set::LARGEST {
            return Err(TooLarge::History { operations });
        }
        let keys = (0..).take(history.keys.len());
        let keys: Vec<_> = keys.map(|key| Naive::new(history, key)).collect();
        let before = claims::happens_before(history, &keys);
        let mut answers = Self {
            model: history.header.model,
            violated: BTreeSet::new(),
            orders: Ok(()),
        };
        for (key, naive) in (0..).zip(&keys) {
            for invariant in Invariant::ALL {
                let holds = match invariant {
                    Invariant::Linearizability => naive.linearizable().unwrap_or_else(|large| {
                        answers.orders = answers.orders.and(Err(large));
                        true
                    }),
                    other => naive.holds(other, &before),
                };
                if !holds {
                    answers.violated.insert((key, invariant));
                }
            }
        }
        Ok(answers)
    }

    /// Every promised invariant that the history violates, with the key.
    ///
    /// # Errors
    ///
    /// When linearizability is promised and a key has more than [`LARGEST`] operations.
    pub fn violations(
        &self,
        promise: impl Into<Promise>,
    ) -> Result<BTreeSet<(u32, Invariant)>, TooLarge> {
        let promise = promise.into();
        let said = |invariant| promise.includes(invariant) && self.model.has(invariant);
        if said(Invariant::Linearizability) {
            self.orders?;
        }
        let mut violated = self.violated.clone();
        violated.retain(|(_, invariant)| said(*invariant));
        Ok(violated)
    }

    /// Whether one order of a key's operations explains every answer, for every key. Keys of which a
    /// read may or may not have seen a delete that it leaves out are not judged.
    ///
    /// # Errors
    ///
    /// When a key has more than [`LARGEST`] operations, and nothing else decides.
    pub fn linearizable(&self) -> Result<bool, TooLarge> {
        let decisive = |invariant| {
            matches!(
                invariant,
                Invariant::NoThinAir
                    | Invariant::NoDuplicateSibling
                    | Invariant::Dominance
                    | Invariant::Linearizability
            )
        };
        if self.violated.iter().any(|(_, broken)| decisive(*broken)) {
            return Ok(false);
        }
        self.orders.map(|()| true)
    }
}

/// Every promised invariant that the history violates, with the key: [`Answers::violations`].
///
/// # Errors
///
/// When there are too many operations.
pub fn violations(
    history: &History,
    promise: impl Into<Promise>,
) -> Result<BTreeSet<(u32, Invariant)>, TooLarge> {
    Answers::of(history)?.violations(promise)
}

/// `relation[a]`: everything that `a` is related to.
type Relation = Vec<Set>;
