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

pub mod brute_force;
mod causality;
pub mod claim;
mod clock_table;
mod explanation;
pub mod format;
pub mod history;
pub mod import;
mod invariants;
mod late_writes;
pub mod object_model;
mod provenance;
pub mod registers;
pub mod situations;
pub mod verdict;
mod write_set;

pub use claim::Claim;
pub use history::History;
pub use object_model::ObjectModel;
pub use provenance::HistoryFault;
pub use situations::{Situation, Situations};
pub use verdict::{Invariant, Outcome, Verdict, Violation};

use causality::{KeyView, ReadView};
use clock_table::ClockTable;
use invariants::Subject;
use provenance::Provenance;
use verdict::{Exercised, Reason, Unknown};

/// Tests everything that `claim` promises on every key of `history`.
///
/// # Errors
///
/// When the history contradicts itself, so that no verdict on the store would mean anything.
pub fn judge(history: &History, claim: Claim) -> Result<Verdict, HistoryFault> {
    let provenance = Provenance::of(history)?;
    let mut exercised = Exercised::default();
    let mut violations = Vec::new();
    let mut unknown = Vec::new();
    let mut situations = Situations::default();
    situations.observe_operations(history);
    let mut anything_tested = false;
    for key in 0..provenance::number(history.keys.len()) {
        let view = KeyView::new(&provenance, key);
        let clocks = ClockTable::new(&view);
        let subject = Subject {
            view: &view,
            clocks: &clocks,
        };
        invariants::check(claim, &subject, |invariant, tested, violation| {
            exercised.add(invariant, tested);
            violations.extend(violation);
        });
        situations.observe(&view);
        anything_tested |= tells_something(&view, claim);
        let reason = untested(&view, claim);
        unknown.extend(reason.map(|reason| Unknown {
            key: Some(key),
            reason,
        }));
    }
    if !anything_tested && violations.is_empty() {
        unknown.insert(
            0,
            Unknown {
                key: None,
                reason: Reason::NothingTested,
            },
        );
    }
    let outcome = match (violations.is_empty(), unknown.is_empty()) {
        (false, _) => Outcome::Violated,
        (true, false) => Outcome::Unknown,
        (true, true) => Outcome::Valid,
    };
    Ok(Verdict {
        outcome,
        claim,
        violations,
        unknown,
        exercised,
        situations,
    })
}

/// True when a read of the key was answered after two of its writes, or returned two.
fn tells_something(view: &KeyView<'_>, claim: Claim) -> bool {
    let told = |read: &&ReadView<'_>| claim != Claim::Linearizable || read.in_order;
    view.sound_reads().filter(told).any(|read| {
        read.visible_must.len() >= 2
            || view
                .writes
                .iter()
                .filter(|write| view.precedes(write.id, read.id))
                .nth(1)
                .is_some()
    })
}

/// What the claim promises about the key and the history cannot show.
fn untested(view: &KeyView<'_>, claim: Claim) -> Option<Reason> {
    match claim {
        Claim::Eventual => {
            let (judged, left_out): (Vec<_>, Vec<_>) = view
                .reads
                .iter()
                .filter(|read| read.read.last)
                .partition(|read| read.sound);
            let after = |write, reads: &[&ReadView<'_>]| {
                let read = reads.iter().find(|read| view.precedes(write, read.id));
                read.map(|read| read.id)
            };
            let acknowledged = view.writes.iter().filter(|write| write.acknowledged());
            let mut open = acknowledged
                .map(|write| write.id)
                .filter(|write| after(*write, &judged).is_none());
            open.next().map(|write| Reason::NoFinalRead {
                write,
                left_out: after(write, &left_out),
            })
        }
        Claim::Linearizable => view.hides_deletes().then_some(Reason::HiddenTombstones),
    }
}
