//! Judges recorded histories of replicated sibling stores (Dynamo, Riak and their family).
//!
//! A [`History`] goes in, a [`Verdict`] comes out, and nothing else happens: no I/O beyond decoding
//! a history ([`mod@format`]), no store, no clock library, no randomness. Causality is recomputed from
//! provenance (which answer each context came from), so a store's own clocks can never vouch for
//! themselves. With unique values a read of a multi-value register determines exactly what its
//! replica had seen; every check is therefore a comparison of sets, sound and complete for the
//! class it names.
//!
//! ```
//! use sibcheck_checkers::{Claim, Outcome, format::read_history, judge};
//!
//! let lines = r#"{"sibcheck_history":1,"origin":"example","tombstones":"shown","operations":3}
//! {"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":0,"completed_ns":5,"status":"ok","write":{"value":"a"}}
//! {"op":1,"client":"c2","node":"n2","key":"x","invoked_ns":1,"completed_ns":6,"status":"ok","write":{"value":"b"}}
//! {"op":2,"client":"c3","node":"n2","key":"x","invoked_ns":9,"completed_ns":12,"status":"ok","read":{"siblings":[{"value":"b"}],"final":true}}
//! "#;
//! let history = read_history(lines.as_bytes())?;
//! let verdict = judge(&history, Claim::Eventual)?;
//! assert_eq!(verdict.outcome, Outcome::Violated);
//! assert_eq!(
//!     verdict.violations[0].sentence(&history),
//!     "the final read by c3 at n2 should have returned \"a\" beside \"b\": \"a\", written by c1 at n1 and \
//!      acknowledged at 5 ns, and \"b\", written by c2 at n2, are concurrent, so neither may replace the other"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod bounded;
mod causality;
mod causes;
pub mod claim;
mod clock_table;
mod examination;
pub mod explanation;
pub mod format;
mod happens_before;
pub mod history;
pub mod import;
mod index;
mod interned;
pub mod invariant;
mod invariants;
pub mod judged;
mod names;
mod numbers;
pub mod object;
pub mod object_model;
pub mod outside;
mod past;
#[cfg(test)]
mod property_tests;
mod provenance;
mod ranks;
pub mod registers;
pub mod relations;
mod same_clock;
mod scarcity;
mod screening;
pub mod shown;
pub mod situations;
pub mod strongest;
mod telling;
pub mod verdict;
mod write_chains;
mod write_set;

pub use claim::{Claim, Promise};
pub use explanation::told_operations;
pub use history::History;
pub use judged::{AnyJudged, Judged};
pub use object::Object;
pub use object_model::ObjectModel;
pub use provenance::HistoryFault;
pub use scarcity::Scarcity;
pub use situations::{Situation, Situations};
pub use strongest::strongest;
pub use verdict::{Invariant, Outcome, Verdict, Violation};

use examination::Examination;

/// Tests everything that is promised on every key of `history`: a claim, or a [`Promise`].
///
/// # Errors
///
/// When the history contradicts itself, so that no verdict on the store would mean anything.
pub fn judge(history: &History, promise: impl Into<Promise>) -> Result<Verdict, HistoryFault> {
    let promise = promise.into();
    Ok(Examination::of(history, &[promise], true)?.verdict(promise))
}

/// Judges as [`judge`] does, and examines every invariant of every key, also where a key is seen to
/// be healthy at once. The verdict is the same: tests compare both. Several times slower.
///
/// # Errors
///
/// As [`judge`].
pub fn judge_in_full(
    history: &History,
    promise: impl Into<Promise>,
) -> Result<Verdict, HistoryFault> {
    let promise = promise.into();
    Ok(Examination::of(history, &[promise], false)?.verdict(promise))
}
