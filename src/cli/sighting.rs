//! From the first sighting of a finding on a program to the smallest run that shows it.
//!
//! A program may have timers, threads or randomness of its own, so what was seen once may never come
//! again. The first sighting is therefore saved before anything is run again; repeating and
//! shrinking only add to it, and where nothing smaller shows the finding, it is the first sighting
//! that is reported.

use std::{collections::BTreeSet, time::Duration};

use sibcheck_checkers::{Outcome, outside};

use crate::{
    campaign::RunError,
    interrupt::Interrupt,
    nodes::external::{FailureKind, NodeFailure},
    plans::{self, Plan, Position, Shrunk, Sighting},
    program_under_test::{Observed, ProgramUnderTest, Purpose},
    reports::{Proof, Repeats},
};

use super::{
    check::{self, Arguments},
    output::{self, Stopwatch},
    results::{Found, Seen},
    shrinking::Shrinking,
    signals::Listening,
};

/// How often a plan that failed is run again to see whether it always does.
const REPEATS: u32 = 5;

/// How long the failure of a node is repeated; it is repeated once in any case.
const REPEATING: Duration = Duration::from_secs(2);

/// A run in which something was found: its claim was violated, or a node failed.
pub(super) struct FirstSighting {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) observed: Observed,
    /// A command that runs the plan alone.
    pub(super) command: String,
}

/// What makes another run show the same finding.
#[derive(Clone, Copy)]
enum Finding {
    Violation(Option<sibcheck_checkers::Invariant>),
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

/// Saves a finding, shrinks it, tells whether it always shows, and saves what is smaller.
pub(super) fn follow_up(
    subject: &ProgramUnderTest,
    arguments: &Arguments,
    listening: &Listening,
    sighting: FirstSighting,
) -> Proof {
    let FirstSighting {
        seed,
        plan,
        observed: first,
        command,
    } = sighting;
    let first_seen = Seen {
        plan: &plan,
        observed: &first,
    };
    let saved = |smallest| {
        let found = Found {
            first: Some(first_seen),
            smallest,
        };
        check::save(arguments, seed, &found)
    };
    let place = match saved(None) {
        Ok(folder) => format!("saved in {}", outside::path(&folder)),
        Err(why) => format!("not saved: {why}"),
    };
    let found = check::found_line("program", &first.judged, &command);
    let found = format!("{found}\n{place}");
    output::tell(&found);
    if first.judged.told.outcome() == Outcome::Violated {
        listening.found(found);
    }
    let again = match Finding::of(&first) {
        Some(finding) if finding.depends_on_plan(&first) => {
            let shrink_for = arguments.shrink_for.map(Into::into);
            look_again(subject, listening, (&plan, &first), finding, shrink_for)
        }
        _ => Again::default(),
    };
    let (smallest, observed) = again.smallest.unwrap_or((plan.clone(), first.clone()));
    let shrunk = Shrunk {
        plan: smallest,
        tries: again.tries,
    };
    let smallest = Seen {
        plan: &shrunk.plan,
        observed: &observed,
    };
    Proof {
        seed,
        command,
        original: plan.operations(),
        saved: saved(Some((&plan, smallest))),
        judged: observed.judged,
        failure: observed.failure,
        shrunk,
        repeats: again.repeats,
        notes: again.notes,
    }
}

/// What more runs gave.
#[derive(Default)]
struct Again {
    /// The smallest plan that shows the finding, and its run.
    smallest: Option<(Plan, Observed)>,
    /// How many smaller plans were tried.
    tries: u64,
    /// How often the finding showed, where it did not always show alike.
    repeats: Option<Repeats>,
    /// What is to be told beside it.
    notes: Vec<String>,
}

/// Runs a plan again, shrinks it if it shows the finding once more, and repeats what is left.
fn look_again(
    subject: &ProgramUnderTest,
    listening: &Listening,
    (plan, first): (&Plan, &Observed),
    finding: Finding,
    shrink_for: Option<Duration>,
) -> Again {
    let mut search = Search {
        subject,
        interrupt: &listening.interrupt,
        finding,
        failures: Vec::new(),
        refused: None,
    };
    // Shrinking what does not come again would only take time.
    if !(0..REPEATS).any(|_| search.run(plan).is_some()) {
        let (failed, runs) = (0, REPEATS);
        return Again {
            repeats: (!listening.interrupt.is_raised()).then_some(Repeats { failed, runs }),
            notes: search.notes(),
            ..Again::default()
        };
    }
    let (shrunk, smallest) = search.shrink((plan, first), shrink_for);
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
    ) -> (Shrunk, Option<(Plan, Observed)>) {
        let Self {
            subject,
            finding,
            interrupt,
            ..
        } = *self;
        let shrinking = Shrinking::begin(
            interrupt,
            plan.operations(),
            shrink_for,
            finding.is_worth_time(),
        );
        // Not every plan that still fails is the one that shrinking ends with, if it is cut short.
        let mut smallest: Option<(Plan, Observed)> = None;
        let shrunk = plans::shrink(
            plan.clone(),
            &finding.sighting(plan, first).unwrap_or_default(),
            |smaller| {
                let observed = subject.run(smaller, Purpose::Shrink).ok()?;
                let sighting = finding.sighting(smaller, &observed)?;
                shrinking.accept(smaller.operations());
                if smallest
                    .as_ref()
                    .is_none_or(|(plan, _)| smaller.size() <= plan.size())
                {
                    smallest = Some((smaller.clone(), observed));
                }
                Some(sighting)
            },
            |tries| shrinking.go_on(tries),
        );
        shrinking.end();
        // What was shrunk without waiting for timers must fail with them, too.
        subject.tolerated.expect_timers();
        (shrunk, smallest)
    }
}
