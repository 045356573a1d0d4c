//! From the first sighting of a finding on a program to the smallest run that shows it.
//!
//! A program may have timers, threads or randomness of its own, so what was seen once may never come
//! again. Repeating and shrinking only add to the first sighting, and where nothing smaller shows the
//! finding, it is the first sighting that stands.

use std::{cell::Cell, collections::BTreeSet, time::Duration};

use sibcheck_checkers::{Invariant, Outcome};

use super::{Observed, ProgramUnderTest, Purpose};
use crate::{
    campaign::{RunError, ShrinkLimit},
    interrupt::Interrupt,
    nodes::external::{FailureKind, NodeFailure},
    plans::{self, Plan, Position, Shrunk, Sighting},
    stopwatch::Stopwatch,
};

/// How often a plan that failed is run again to see whether it always does.
const REPEATS: u32 = 5;

/// How long the failure of a node is repeated; it is repeated once in any case.
const REPEATING: Duration = Duration::from_secs(2);

/// A run in which something was found: its claim was violated, or a node failed.
#[derive(Debug)]
pub struct FirstSighting {
    /// The seed of its plan.
    pub seed: u64,
    /// Its plan.
    pub plan: Plan,
    /// The run.
    pub observed: Observed,
    /// A command that runs the plan alone.
    pub command: String,
}

/// How often a plan failed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// So often.
    pub failed: u32,
    /// In so many runs.
    pub runs: u32,
}

/// What makes another run show the same finding.
#[derive(Clone, Copy)]
enum Finding {
    Violation(Option<Invariant>),
    Failure(FailureKind),
}

impl Finding {
    fn of(observed: &Observed) -> Option<Self> {
        if observed.judged.told.outcome() == Outcome::Violated {
            return Some(Self::Violation(observed.judged.gravest()));
        }
        let failure = observed.failure.as_ref()?;
        Some(Self::Failure(failure.kind()))
    }

    /// Whether another plan may make a difference.
    fn depends_on_plan(self, observed: &Observed) -> bool {
        match self {
            Self::Violation(_) => true,
            Self::Failure(_) => !observed.fails_whatever_is_asked(),
        }
    }

    /// Whether it is worth as many runs as it takes. A run of a node that fails may take all
    /// patience with it.
    fn is_worth_time(self) -> bool {
        matches!(self, Self::Violation(_))
    }

    fn shows_in(self, observed: &Observed) -> bool {
        match self {
            Self::Violation(invariant) => observed.judged.violates(invariant),
            Self::Failure(kind) => {
                let failure = observed.failure.as_ref();
                failure.is_some_and(|failure| failure.kind() == kind)
            }
        }
    }

    /// What a run that shows it tells of its plan.
    fn sighting(self, plan: &Plan, observed: &Observed) -> Option<Sighting> {
        if !self.shows_in(observed) {
            return None;
        }
        Some(match self {
            Self::Violation(invariant) => observed.judged.sighting(plan, invariant)?,
            Self::Failure(_) => Sighting {
                suspects: last_steps(observed),
                ..Sighting::default()
            },
        })
    }
}

/// The last steps that were begun before a node failed: one, two, four and so on.
fn last_steps(observed: &Observed) -> Vec<BTreeSet<Position>> {
    let begun = &observed.judged.run.steps;
    let counts = std::iter::successors(Some(1), |count| Some(count * 2));
    let counts = counts.take_while(|count| *count < begun.len());
    let counts = counts.chain([begun.len()]);
    counts
        .map(|count| begun[begun.len() - count..].iter().copied().collect())
        .collect()
}

/// What more runs gave.
#[derive(Debug, Default)]
pub struct Again {
    /// The smallest plan that shows the finding, and its run.
    pub smallest: Option<(Plan, Observed)>,
    /// How many smaller plans were tried.
    pub tries: u64,
    /// How often the finding showed, where it did not always show alike.
    pub repeats: Option<Repeats>,
    /// What is to be told beside it.
    pub notes: Vec<String>,
}

/// Runs what was found again, makes it smaller as long as it shows, and repeats what is left. `shrink_for`
/// is how long it is made smaller, if not as long as usual. `tell` gets how many smaller plans were tried,
/// and how many operations are left.
pub fn look_again(
    subject: &ProgramUnderTest,
    first: &FirstSighting,
    shrink_for: Option<Duration>,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(u64, usize),
) -> Again {
    let FirstSighting { plan, observed, .. } = first;
    let finding = match Finding::of(observed) {
        Some(finding) if finding.depends_on_plan(observed) => finding,
        _ => return Again::default(),
    };
    let mut search = Search {
        subject,
        interrupt,
        finding,
        failures: Vec::new(),
        refused: None,
    };
    // Shrinking what does not come again would only take time.
    if !(0..REPEATS).any(|_| search.run(plan).is_some()) {
        let (failed, runs) = (0, REPEATS);
        return Again {
            repeats: (!interrupt.is_raised()).then_some(Repeats { failed, runs }),
            notes: search.notes(),
            ..Again::default()
        };
    }
    let (shrunk, smallest) = search.shrink((plan, observed), shrink_for, tell);
    let (shown, repeats) = search.repeat(&shrunk.plan);
    Again {
        smallest: shown.map(|shown| (shrunk.plan, shown)).or(smallest),
        tries: shrunk.tries,
        repeats,
        notes: search.notes(),
    }
}

/// A finding that is looked for again in other runs.
struct Search<'a> {
    subject: &'a ProgramUnderTest,
    interrupt: &'a Interrupt,
    finding: Finding,
    /// How nodes failed in runs that did not show it, by kind.
    failures: Vec<NodeFailure>,
    /// Why it could not be looked for any more.
    refused: Option<RunError>,
}

impl Search<'_> {
    /// Runs a plan; returns the run if it shows the finding.
    fn run(&mut self, plan: &Plan) -> Option<Observed> {
        if self.interrupt.is_raised() {
            return None;
        }
        match self.subject.run(plan, Purpose::Repeat) {
            Ok(again) if self.finding.shows_in(&again) => return Some(again),
            Ok(again) => {
                let failure = again.failure?;
                if self
                    .failures
                    .iter()
                    .all(|known| known.kind() != failure.kind())
                {
                    self.failures.push(failure);
                }
            }
            Err(error) => self.refused = Some(error),
        }
        None
    }

    /// What is to be told beside the finding.
    fn notes(self) -> Vec<String> {
        let failures = self.failures.into_iter();
        let failures = failures.map(|failure| format!("in a repeat, {failure}"));
        let refused = self.refused.filter(|error| *error != RunError::Interrupted);
        let refused = refused.map(|error| format!("in a repeat: {error}"));
        failures.chain(refused).collect()
    }

    /// Runs a plan several times. Returns a run that shows the finding, if one did, and how often it
    /// showed where it did not always show alike.
    fn repeat(&mut self, plan: &Plan) -> (Option<Observed>, Option<Repeats>) {
        let mut shown: Option<Observed> = None;
        let (mut failed, mut runs, mut alike) = (0, 0, true);
        let watch = Stopwatch::start();
        let finding = self.finding;
        let in_time = || finding.is_worth_time() || watch.elapsed() < REPEATING;
        while runs < REPEATS && in_time() && !self.interrupt.is_raised() {
            runs += 1;
            let Some(again) = self.run(plan) else {
                continue;
            };
            failed += 1;
            if let Some(shown) = &shown {
                alike &= again.trace == shown.trace
                    && again.judged.told.has_history_of(&*shown.judged.told);
            }
            shown = Some(again);
        }
        let always = failed == runs && alike;
        (shown, (!always).then_some(Repeats { failed, runs }))
    }

    /// Makes a plan smaller as long as the finding shows. Returns where that ended, and the smallest
    /// plan that showed it, with its run.
    fn shrink(
        &self,
        (plan, first): (&Plan, &Observed),
        shrink_for: Option<Duration>,
        tell: &mut dyn FnMut(u64, usize),
    ) -> (Shrunk, Option<(Plan, Observed)>) {
        let Self {
            subject,
            finding,
            interrupt,
            ..
        } = *self;
        let mut limit = ShrinkLimit::begin(shrink_for, finding.is_worth_time());
        let fewest = Cell::new(plan.operations());
        // Not every plan that still fails is the one that shrinking ends with, if it is cut short.
        let mut smallest: Option<(Plan, Observed)> = None;
        let shrunk = plans::shrink(
            plan.clone(),
            &finding.sighting(plan, first).unwrap_or_default(),
            |smaller| {
                let observed = subject.run(smaller, Purpose::Shrink).ok()?;
                let sighting = finding.sighting(smaller, &observed)?;
                fewest.set(fewest.get().min(smaller.operations()));
                if smallest
                    .as_ref()
                    .is_none_or(|(plan, _)| smaller.size() <= plan.size())
                {
                    smallest = Some((smaller.clone(), observed));
                }
                Some(sighting)
            },
            |tries| {
                let go_on = limit.go_on(tries, fewest.get()) && !interrupt.is_raised();
                if go_on {
                    tell(tries, fewest.get());
                }
                go_on
            },
        );
        // What was shrunk without waiting for timers must fail with them, too.
        subject.expect_timers();
        (shrunk, smallest)
    }
}
