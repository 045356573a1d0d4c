//! Shrinking: from a plan that fails to a small one that still does.
//!
//! It works on the plan itself, not on what drew it, so it serves saved plans and every kind of
//! node alike. What fails depends on time: a crash must fall between two operations, a message
//! must be on its way when a link is cut. So plans are edited by the clock (`script.rs`), where
//! leaving one operation out moves no other. The edits, the most promising first:
//!
//! 1. only the operations that the evidence of the failure names, as they were or spread evenly;
//! 2. ever smaller cuts of faults and operations (delta debugging, Zeller & Hildebrandt 2002);
//! 3. plainer acts, fewer nodes, keys and clients; gentler and shorter faults; rounder times;
//! 4. several changes at once, drawn at random, from one failing plan to the next (`wander.rs`).
//!
//! After each success it starts over, and it ends when nothing helps any more. No plan is tried
//! twice, and everything is a function of the plan and of what its runs gave.

mod faults;
mod operations;
mod script;
mod wander;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    hash::{DefaultHasher, Hasher},
};

use crate::simulation::Nanos;

use self::{
    faults::FaultEdit,
    operations::OperationEdit,
    script::{Script, Spacing},
    wander::Wanderer,
};
use super::Plan;

/// Whose step it is in a plan, and its position.
pub type Position = (usize, usize);

/// What a run that failed tells about its plan. All of it may be missing: it only saves tries.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// When the client began a step, and when it was done with it.
    pub times: BTreeMap<Position, (Nanos, Nanos)>,
    /// Steps that alone may fail already, the fewest first.
    pub suspects: Vec<BTreeSet<Position>>,
    /// Faults that affected nothing, by their positions.
    pub idle: BTreeSet<usize>,
}

/// Proposes smaller plans one at a time.
///
/// After each [`Shrinker::propose`] say with [`Shrinker::accept`] that the proposal still fails, or
/// propose again to give it up.
#[derive(Clone, Debug)]
pub struct Shrinker {
    best: Plan,
    /// What is edited: the best plan, or the one that wandering has come to.
    script: Script,
    /// What the last run that failed told.
    sighting: Sighting,
    candidate: Option<Plan>,
    /// Plans that were proposed before.
    seen: BTreeSet<u64>,
    stage: usize,
    edits: Vec<Edit>,
    /// The next edit to try.
    next: usize,
    improved: bool,
    wanderer: Wanderer,
    /// Variations since the last success.
    wandered: usize,
}

/// One way to make a plan smaller or plainer.
#[derive(Clone, Copy, Debug)]
enum Edit {
    /// Keep these suspects alone.
    Suspects(usize, Option<Spacing>),
    /// Leave out the faults that affected nothing.
    DropIdle,
    Operations(OperationEdit),
    Faults(FaultEdit),
    Latency(Nanos),
    Respace(Spacing),
}

/// The stages, the most promising first.
const STAGES: [fn(&Shrinker) -> Vec<Edit>; 10] = [
    |shrinker| {
        let suspects = 0..shrinker.sighting.suspects.len();
        let ways = [None, Some(Spacing::ALL[0]), Some(Spacing::ALL[1])];
        suspects
            .flat_map(|which| ways.map(|way| Edit::Suspects(which, way)))
            .collect()
    },
    |shrinker| {
        let cuts = all(faults::cuts(&shrinker.script), Edit::Faults);
        std::iter::once(Edit::DropIdle).chain(cuts).collect()
    },
    |shrinker| {
        if shrinker.script.has_constant_latency() {
            return Vec::new();
        }
        let latencies = [Nanos::from_millis(1), shrinker.script.typical_latency()];
        latencies.map(Edit::Latency).to_vec()
    },
    |shrinker| all(operations::cuts(&shrinker.script), Edit::Operations),
    |shrinker| all(operations::plainer_acts(&shrinker.script), Edit::Operations),
    |shrinker| {
        all(
            operations::plainer_places(&shrinker.script),
            Edit::Operations,
        )
    },
    |shrinker| {
        all(
            operations::plainer_names(&shrinker.script),
            Edit::Operations,
        )
    },
    |shrinker| Spacing::ALL.map(Edit::Respace)[..shrinker.spacing_rank()].to_vec(),
    |shrinker| all(faults::gentler(&shrinker.script), Edit::Faults),
    |shrinker| all(operations::pairs(&shrinker.script), Edit::Operations),
];

fn all<T>(edits: Vec<T>, edit: fn(T) -> Edit) -> Vec<Edit> {
    edits.into_iter().map(edit).collect()
}

impl Edit {
    /// The edited script, or `None` when the edit makes no sense.
    fn apply(self, shrinker: &Shrinker) -> Option<Script> {
        let mut edited = shrinker.script.clone();
        match self {
            Self::Suspects(which, spacing) => {
                let suspects = shrinker.sighting.suspects.get(which)?;
                edited.lines.retain(|line| suspects.contains(&line.origin));
                if let Some(spacing) = spacing {
                    edited.respace(spacing);
                }
            }
            Self::DropIdle => {
                let mut position = 0;
                edited.plan.faults.retain(|_| {
                    position += 1;
                    !shrinker.sighting.idle.contains(&(position - 1))
                });
            }
            Self::Operations(edit) => edit.apply(&mut edited)?,
            Self::Faults(edit) => edit.apply(&mut edited)?,
            Self::Latency(ns) => edited.set_latency(ns),
            Self::Respace(spacing) => edited.respace(spacing),
        }
        Some(edited)
    }
}

/// How many variations of a plan with so many operations are tried in vain before it is found small
/// enough. Few failures need more than four; three can hardly become two by chance.
fn patience(operations: usize) -> usize {
    match operations {
        0..=3 => 0,
        4 => 100,
        5 => 1_000,
        _ => 3_000,
    }
}

/// Draws in vain, of plans that were seen before, until wandering ends.
const MOST_REPETITIONS: usize = 100;

impl Shrinker {
    /// Begins with a plan that fails.
    pub fn new(failing: Plan, sighting: &Sighting) -> Self {
        let mut shrinker = Self {
            script: Script::new(&failing, sighting),
            sighting: sighting.clone(),
            candidate: None,
            seen: BTreeSet::from([digest(&failing)]),
            stage: 0,
            edits: Vec::new(),
            next: 0,
            improved: false,
            wanderer: Wanderer::new(failing.network.seed),
            wandered: 0,
            best: failing,
        };
        shrinker.edits = STAGES[0](&shrinker);
        shrinker
    }

    /// The smallest plan that is known to fail.
    pub fn best(&self) -> &Plan {
        &self.best
    }

    /// The plan that was proposed last and not yet accepted, or else the best one.
    pub fn current(&self) -> &Plan {
        self.candidate.as_ref().unwrap_or(&self.best)
    }

    /// Proposes the next smaller plan; `None` when nothing more can go.
    pub fn propose(&mut self) -> Option<&Plan> {
        self.candidate = None;
        while self.stage < STAGES.len() {
            if let Some(edit) = self.edits.get(self.next) {
                self.next += 1;
                if let Some(edited) = edit.apply(self)
                    && self.take_up(edited.to_plan())
                {
                    return self.candidate.as_ref();
                }
                continue;
            }
            self.stage += 1;
            if self.stage == STAGES.len() && self.improved {
                self.begin();
            } else if let Some(edits) = STAGES.get(self.stage) {
                self.edits = edits(self);
                self.next = 0;
            }
        }
        let mut repetitions = 0;
        while self.wandered < patience(self.best.operations()) && repetitions < MOST_REPETITIONS {
            let varied = self.wanderer.vary(&self.script).to_plan();
            if varied.operations() <= self.best.operations() && self.take_up(varied) {
                self.wandered += 1;
                return self.candidate.as_ref();
            }
            repetitions += 1;
        }
        None
    }

    /// The proposal still fails, and this is what its run told.
    pub fn accept(&mut self, sighting: &Sighting) {
        let Some(plan) = self.candidate.take() else {
            return;
        };
        self.script = Script::new(&plan, sighting);
        self.sighting.clone_from(sighting);
        if self.stage < STAGES.len() {
            self.best = plan;
            self.improved = true;
            // Positions have shifted: go on near the same place in the new list.
            self.edits = STAGES[self.stage](self);
            self.next = self.next.saturating_sub(1);
        } else if plan.size() < self.best.size() {
            self.best = plan;
            self.wandered = 0;
            self.begin();
        }
    }

    /// Starts over with what there is now.
    fn begin(&mut self) {
        self.stage = 0;
        self.edits = STAGES[0](self);
        self.next = 0;
        self.improved = false;
    }

    /// Proposes a plan, if it was not proposed before.
    fn take_up(&mut self, plan: Plan) -> bool {
        let new = self.seen.insert(digest(&plan));
        self.candidate = new.then_some(plan);
        new
    }

    /// How many ways to spread the operations are plainer than theirs.
    fn spacing_rank(&self) -> usize {
        let is = |spacing: &Spacing| {
            let mut respaced = self.script.clone();
            respaced.respace(*spacing);
            respaced.to_plan() == self.best
        };
        let all = &Spacing::ALL;
        all.iter().position(is).unwrap_or(all.len())
    }
}

/// A digest of all that shrinking changes: two plans with the same one are not told apart, which
/// costs no more than a try.
fn digest(plan: &Plan) -> u64 {
    struct Sink(DefaultHasher);
    impl fmt::Write for Sink {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut sink = Sink(DefaultHasher::new());
    let changed = (
        (plan.nodes, &plan.keys, &plan.values, &plan.network),
        (&plan.clients, &plan.faults),
    );
    // A digest takes everything.
    let _ = write!(sink, "{changed:?}");
    sink.0.finish()
}

/// What [`shrink`] found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan that still fails.
    pub plan: Plan,
    /// How many plans were tried.
    pub tries: u64,
}

/// Shrinks a failing plan, of whose run this is known, as long as `go_on` allows; it is asked with
/// the number of tries so far. `fails` runs a plan and gives what its run told if it still fails.
pub fn shrink(
    failing: Plan,
    sighting: &Sighting,
    mut fails: impl FnMut(&Plan) -> Option<Sighting>,
    mut go_on: impl FnMut(u64) -> bool,
) -> Shrunk {
    let mut tries = 0;
    let mut shrinker = Shrinker::new(failing, sighting);
    while go_on(tries) {
        let Some(plan) = shrinker.propose() else {
            break;
        };
        tries += 1;
        if let Some(sighting) = fails(plan) {
            shrinker.accept(&sighting);
        }
    }
    Shrunk {
        plan: shrinker.best,
        tries,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SeededChoices, Shape, generate};
    use super::*;
    use crate::stores::StoreName;

    fn plan() -> Plan {
        let shape = Shape::new(StoreName::Dotted);
        generate(&shape, &mut SeededChoices::new(5), String::new())
    }

    fn deletes(plan: &Plan) -> usize {
        let steps = plan.clients.iter().flatten();
        steps
            .filter(|step| step.act.written_instead(0).is_some())
            .count()
    }

    #[test]
    fn shrinking_leaves_only_what_the_failure_needs() {
        assert!(deletes(&plan()) >= 2, "the seed should give two deletes");
        let fails = |plan: &Plan| (deletes(plan) >= 2).then(Sighting::default);
        let shrunk = shrink(plan(), &Sighting::default(), fails, |_| true);
        assert_eq!(shrunk.plan.operations(), 2);
        assert!(shrunk.plan.faults.is_empty());
        assert!(shrunk.plan.clients.len() <= 2);
        assert_eq!((shrunk.plan.nodes, shrunk.plan.keys.len()), (1, 1));
    }

    #[test]
    fn a_bound_on_tries_is_kept() {
        let fails = |_: &Plan| Some(Sighting::default());
        assert_eq!(
            shrink(plan(), &Sighting::default(), fails, |tries| tries < 7).tries,
            7
        );
    }
}
