//! A run with the verdict on it, whatever its workload.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sibcheck_checkers::{
    AnyJudged, Invariant, Judged, Object, Outcome, Verdict,
    judged::Operation,
    verdict::{Reason, Unknown},
};

use crate::{
    plans::{Plan, Position, Sighting},
    runner::{self, Recorded, Run},
    simulation::Nanos,
    stores::StoreName,
};

/// A judged run, of any workload.
#[derive(Clone, Debug)]
pub struct JudgedRun {
    /// What came of it beside its history.
    pub run: Run,
    /// The history and the verdict on it.
    pub told: Arc<dyn AnyJudged>,
}

/// A run that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The machine refused something, or a bug of this program.
    #[error("{0}")]
    Machine(String),
    /// This process was asked to end while the run went on.
    #[error("interrupted")]
    Interrupted,
}

/// Runs a plan on a store in this process, and judges the history.
///
/// # Errors
///
/// When the runner recorded a history that contradicts itself: a bug of this program.
pub fn run_and_judge(store: StoreName, plan: &Plan) -> Result<JudgedRun, RunError> {
    judged(plan, runner::run(store, plan))
}

/// Judges what was recorded of a plan.
///
/// # Errors
///
/// As [`run_and_judge`].
pub fn judged<A: Object>(plan: &Plan, recorded: Recorded<A>) -> Result<JudgedRun, RunError> {
    let Recorded { history, run } = recorded;
    let verdict = A::judge(&history, plan.promise()).map_err(|fault| {
        RunError::Machine(format!(
            "the recorded history makes no sense, which is a bug of sibcheck: {fault}"
        ))
    })?;
    let verdict = undecided_if_cut_short(verdict, &run);
    let history = Arc::new(history);
    let told = Arc::new(Judged { history, verdict });
    Ok(JudgedRun { run, told })
}

/// A run that was ended before its end has not shown that anything holds. What it violated, it
/// violated.
fn undecided_if_cut_short<A: Object>(mut verdict: Verdict<A>, run: &Run) -> Verdict<A> {
    if let Some(events) = run.cut_short {
        if verdict.outcome == Outcome::Valid {
            verdict.outcome = Outcome::Unknown;
        }
        let reason = Reason::CutShort { events };
        verdict.unknown.insert(0, Unknown { key: None, reason });
    }
    verdict
}

impl JudgedRun {
    /// The violated invariant that a plan is shrunk for: one of the values that clients get rather
    /// than of clocks, so that the damage stays in the proof beside its cause, which leads it.
    pub fn gravest(&self) -> Option<Invariant> {
        let violations = self.told.violations();
        let mut violated = violations.iter().map(|violation| violation.invariant);
        let first = violated.clone().next();
        violated
            .find(|invariant| !invariant.is_of_clocks())
            .or(first)
    }

    /// True when this invariant is violated, or any if `None`.
    pub fn violates(&self, invariant: Option<Invariant>) -> bool {
        let violations = self.told.violations();
        let mut violated = violations.iter().map(|violation| violation.invariant);
        violated.any(|violated| invariant.is_none_or(|asked| violated == asked))
    }

    /// Its operations, final reads included.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let numbers = (0..).take(self.told.operations());
        numbers.map(|op| self.told.operation(op))
    }

    /// What the run tells of its plan's failure: when each step was done, and the steps that the
    /// evidence of a violation of this invariant names, alone and with those whose answers their
    /// contexts were made of. `None` when the invariant, or any if `None`, is not violated.
    pub fn sighting(&self, plan: &Plan, invariant: Option<Invariant>) -> Option<Sighting> {
        let violations = self.told.violations();
        let violation = violations
            .iter()
            .find(|violation| invariant.is_none_or(|asked| violation.invariant == asked))?;
        let mut times: BTreeMap<Position, (Nanos, Nanos)> = BTreeMap::new();
        for (&step, operation) in self.run.steps.iter().zip(self.operations()) {
            let begun = Nanos(operation.invoked);
            let done = operation.completed.map_or(begun + plan.timeout_ns, Nanos);
            // A step may come to several operations.
            times.entry(step).or_insert((begun, done)).1 = done;
        }
        let mut evidence: BTreeSet<u32> = violation.evidence.iter().copied().collect();
        let steps = |evidence: &BTreeSet<u32>| -> BTreeSet<Position> {
            let step = |op: &u32| self.run.steps.get(*op as usize).copied();
            evidence.iter().filter_map(step).collect()
        };
        let alone = steps(&evidence);
        let mut open: Vec<u32> = evidence.iter().copied().collect();
        while let Some(op) = open.pop() {
            let sources = self.told.operation(op).sources.iter();
            open.extend(sources.filter(|source| evidence.insert(**source)));
        }
        Some(Sighting {
            times,
            suspects: vec![alone, steps(&evidence)],
            idle: (0..)
                .zip(&self.run.faults)
                .filter(|(_, fault)| fault.affected() == 0)
                .map(|(position, _)| position)
                .collect(),
        })
    }
}
