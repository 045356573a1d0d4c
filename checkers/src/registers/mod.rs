//! Linearizability of registers and key-value maps.
//!
//! **Object.** A map from keys to values, read, written, compared-and-set and appended to; each key
//! is a register by itself. Values are any JSON and may repeat. There are no siblings: what a
//! multi-value register keeps beside each other, this one overwrites.
//!
//! **Definition.** There is one order of all acknowledged operations of a key and some of those
//! with an unknown outcome (`info`), in which an operation that completed at an earlier time than
//! another was invoked comes first, and in which every read returns what the last write left, every
//! compare-and-set that took effect found what it expected, and every refused one did not
//! (Herlihy & Wing 1990). Operations that failed took no effect; reads of unknown outcome say
//! nothing. Linearizability is local, so each key is judged by itself.
//!
//! ```text
//! c1  write 1 ─ ok
//! c2                write 2 ─ ok
//! c3                              read ─ ok 1        1 was overwritten before
//! ```
//!
//! **Two checkers.** Where every observed value was written once, the zones of Gibbons and Korach
//! decide in O(n log n) (`zones.rs`), with compare-and-set and append too, and unknown outcomes
//! cost nothing. Otherwise the question is NP-complete and a search answers it (`search.rs`), within
//! a [`Budget`] of steps and memory after which the verdict is unknown. Both are sound and, within
//! the budget, complete.
//!
//! **Assumptions.** Real time is the only order: at equal times neither operation precedes the
//! other, and a client's operations are ordered by their times alone. A history in which no
//! operation observed anything is `Unknown`, never `Valid`.
//!
//! Sources: Herlihy & Wing 1990; Wing & Gong 1993; Gibbons & Korach 1997; Lowe 2017; Horn &
//! Kroening 2015 (P-compositionality).

mod appends;
mod evidence;
mod explanation;
pub mod history;
mod observed;
mod search;
pub mod situations;
mod states;
pub mod verdict;
mod zones;

use std::collections::BTreeMap;

use rayon::prelude::*;

pub use history::{History, HistoryFault};
pub use search::Budget;
pub use verdict::{Verdict, Violation};

use crate::{
    claim::Claim,
    index::number,
    verdict::{Exercised, Invariant, Outcome},
};
use history::{Action, OpId, Status, ValueId};
use observed::{Counted, Obstacle, Proof};
use search::{Part, Searched};
use verdict::{Contradiction, Figures, Finding, Reason, Start, Unknown};

/// Judges every key of a history of registers, several at a time.
///
/// The same history and budget give the same verdict, whatever the number of threads. The budget is
/// for the search on one key; the threads of rayon's pool each hold at most one search.
///
/// # Errors
///
/// When the history contradicts itself.
pub fn judge(history: &History, budget: Budget) -> Result<Verdict, HistoryFault> {
    judge_by(judge_key, history, budget)
}

/// Judges by the search alone, what zones could decide too: so that each checker is tested.
///
/// # Errors
///
/// When the history contradicts itself.
pub fn judge_by_search(history: &History, budget: Budget) -> Result<Verdict, HistoryFault> {
    let search = |history: &History, key: u32, ops: &[Counted], budget: Budget| {
        let mut judged = Judged::of(ops);
        judged.search(history, key, ops, budget);
        judged
    };
    judge_by(search, history, budget)
}

fn judge_by(
    one: impl Fn(&History, u32, &[Counted], Budget) -> Judged + Sync,
    history: &History,
    budget: Budget,
) -> Result<Verdict, HistoryFault> {
    history.validate()?;
    let keys = ByKey::of(history);
    let judged: Vec<Judged> = (0..number(history.keys.len()))
        .into_par_iter()
        .map(|key| one(history, key, keys.operations(key), budget))
        .collect();
    let mut figures = Figures::default();
    let mut violations = Vec::new();
    let mut unknown = Vec::new();
    for one in judged {
        figures.operations += one.figures.operations;
        figures.observations += one.figures.observations;
        figures.keys_by_zones += one.figures.keys_by_zones;
        figures.keys_by_search += one.figures.keys_by_search;
        figures.search_steps += one.figures.search_steps;
        violations.extend(one.violation);
        unknown.extend(one.unknown);
    }
    name_failed_writes(history, &mut violations);
    let mut exercised = Exercised::default();
    exercised.add(Invariant::Linearizability, figures.observations);
    if figures.observations == 0 && violations.is_empty() {
        let (key, reason) = (None, Reason::NothingTested);
        unknown.insert(0, Unknown { key, reason });
    }
    let outcome = match (violations.is_empty(), unknown.is_empty()) {
        (false, _) => Outcome::Violated,
        (true, false) => Outcome::Unknown,
        (true, true) => Outcome::Valid,
    };
    Ok(Verdict {
        outcome,
        claim: Claim::Linearizable,
        replica_monotonic: false,
        violations,
        unknown,
        exercised,
        figures,
    })
}

/// Adds the writes that failed to what was read although nothing wrote it.
fn name_failed_writes(history: &History, violations: &mut [Violation]) {
    let unwritten = |violation: &Violation| match violation.finding.what {
        Finding::NeverWritten { value, .. } => Some((violation.key, value)),
        _ => None,
    };
    let mut wanted: BTreeMap<(u32, ValueId), Option<OpId>> = violations
        .iter()
        .filter_map(unwritten)
        .map(|place| (place, None))
        .collect();
    if wanted.is_empty() {
        return;
    }
    for (op, operation) in (0..).zip(&history.operations) {
        let (Action::Write(value) | Action::CompareAndSet { new: value, .. }) = operation.action
        else {
            continue;
        };
        if operation.status == Status::Fail
            && let Some(failed) = wanted.get_mut(&(operation.key, value))
        {
            failed.get_or_insert(op);
        }
    }
    for violation in violations {
        let found = unwritten(violation).and_then(|place| wanted.get(&place).copied().flatten());
        if let Finding::NeverWritten { failed, .. } = &mut violation.finding.what {
            *failed = found;
            violation.evidence.extend(found);
            evidence::sort_by_invocation(history, &mut violation.evidence);
        }
    }
}

/// The operations that count, grouped by key.
struct ByKey {
    starts: Vec<usize>,
    operations: Vec<Counted>,
}

impl ByKey {
    fn of(history: &History) -> Self {
        let counting = || {
            (0..)
                .zip(&history.operations)
                .filter(|(_, operation)| operation.counts())
        };
        let mut starts = vec![0; history.keys.len() + 1];
        for (_, operation) in counting() {
            starts[operation.key as usize + 1] += 1;
        }
        for key in 1..starts.len() {
            starts[key] += starts[key - 1];
        }
        let mut next = starts.clone();
        let Some((_, first)) = counting().next() else {
            let operations = Vec::new();
            return Self { starts, operations };
        };
        let mut operations = vec![(0, *first); starts[starts.len() - 1]];
        for (op, operation) in counting() {
            let place = &mut next[operation.key as usize];
            operations[*place] = (op, *operation);
            *place += 1;
        }
        Self { starts, operations }
    }

    fn operations(&self, key: u32) -> &[Counted] {
        &self.operations[self.starts[key as usize]..self.starts[key as usize + 1]]
    }
}

#[derive(Default)]
struct Judged {
    figures: Figures,
    violation: Option<Violation>,
    unknown: Option<Unknown>,
}

fn judge_key(history: &History, key: u32, ops: &[Counted], budget: Budget) -> Judged {
    let mut judged = Judged::of(ops);
    match zones::check(history, ops) {
        Ok(()) => judged.figures.keys_by_zones = 1,
        Err(Obstacle::Proof(proof)) => {
            judged.figures.keys_by_zones = 1;
            judged.violation = Some(explain(history, key, *proof));
        }
        Err(Obstacle::NotUnique) => judged.search(history, key, ops, budget),
    }
    judged
}

impl Judged {
    /// Nothing found yet of these operations.
    fn of(ops: &[Counted]) -> Self {
        let observes = |(_, operation): &&Counted| {
            let asks = !matches!(operation.action, Action::Write(_) | Action::Append(_));
            operation.status == Status::Ok && asks
        };
        let mut judged = Self::default();
        judged.figures.operations = ops.len() as u64;
        judged.figures.observations = ops.iter().filter(observes).count() as u64;
        judged
    }

    fn search(&mut self, history: &History, key: u32, ops: &[Counted], budget: Budget) {
        self.figures.keys_by_search = 1;
        let ops: Vec<OpId> = ops.iter().map(|(op, _)| *op).collect();
        let whole = Part::whole(history, &ops);
        let (searched, steps) = search::search(history, &whole, budget);
        self.figures.search_steps = steps;
        let reason = match searched {
            Searched::Found => return,
            Searched::Stuck(op) => {
                let (part, op) = evidence::smallest(history, whole, op);
                self.violation = Some(violation(history, key, part, Finding::NoOrder { op }));
                return;
            }
            Searched::Steps => Reason::Steps {
                steps: budget.steps,
            },
            Searched::Memory => Reason::Memory {
                bytes: budget.bytes,
            },
        };
        let key = Some(key);
        self.unknown = Some(Unknown { key, reason });
    }
}

/// The violation that zones found, with less evidence where the search finds that some is not
/// needed.
fn explain(history: &History, key: u32, proof: Proof) -> Violation {
    let unknown = |op: &OpId| history.operations[*op as usize].status == Status::Info;
    let mut operations = proof.evidence;
    operations.retain(|op| history.operations[*op as usize].counts());
    let part = Part {
        optional: operations.iter().copied().filter(unknown).collect(),
        operations,
        waived: proof.waived,
        start: Start::Initial,
    };
    if let Some((smaller, op)) = evidence::smaller(history, &part) {
        return violation(history, key, smaller, Finding::NoOrder { op });
    }
    violation(history, key, part, proof.finding)
}

fn violation(history: &History, key: u32, part: Part, finding: Finding) -> Violation {
    let mut evidence = part.operations;
    evidence::sort_by_invocation(history, &mut evidence);
    Violation {
        invariant: Invariant::Linearizability,
        key,
        evidence,
        more: 0,
        finding: Contradiction {
            what: finding,
            optional: part.optional,
            waived: part.waived,
            start: part.start,
        },
    }
}
