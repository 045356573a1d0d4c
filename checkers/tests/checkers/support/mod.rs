//! Histories for tests: a notation of one line an operation, and random ones from a model store.

pub(crate) mod any;
pub(crate) mod corruption;
pub(crate) mod coverage;
pub(crate) mod definitions;
pub(crate) mod drawing;
pub(crate) mod model;
pub(crate) mod notation;
pub(crate) mod tally;

pub(crate) use notation::history;

use std::collections::BTreeSet;

use sibcheck_checkers::{History, Invariant, Promise, Verdict, judge};

/// The verdict on a history that makes sense.
pub(crate) fn verdict(history: &History, promise: impl Into<Promise>) -> Verdict {
    judge(history, promise).expect("the history makes sense")
}

/// The invariants that a verdict names as violated.
pub(crate) fn violated(verdict: &Verdict) -> BTreeSet<Invariant> {
    verdict
        .violations
        .iter()
        .map(|violation| violation.invariant)
        .collect()
}
