//! Many runs of a program, climbing the ladder of faults again and again.
//!
//! A climb has one run on each rung, so a fault that only a high rung shows is found early, however many
//! runs the rungs below have. Run `k` of each rung has the seed `seed + k`. Several runs may go on at once:
//! they are given out in batches, rely on what the batches before have shown, and are counted in their
//! order up to the first finding. So the result does not depend on the number of threads; only how many
//! runs there are may depend on how fast they go.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sibcheck_checkers::Outcome;

use super::{FirstSighting, Observed, ProgramUnderTest, Purpose, Rung, Shown};
use crate::{
    campaign::{RunError, Tally},
    interrupt::Interrupt,
    plans::{Plan, SeededChoices, Shape, Time, fewest_runs, generate},
    stopwatch::Stopwatch,
};

/// How long all runs of a program take, unless somebody says how many there are.
const BUDGET: Duration = Duration::from_secs(10);

/// Runs on a rung, however fast they are.
const MOST_RUNS: u64 = 500;

/// Runs of a batch, as long as it has only whole climbs: enough for a few processors, and few to throw
/// away behind a finding.
const BATCH: usize = 8;

/// How many runs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// As many as fit in ten seconds: 500 on each rung at most, and 8 at least, or 4 where runs have
    /// several groups.
    #[default]
    Usual,
    /// As many as fit in this time, and as few.
    For(Duration),
    /// As many as each rung says.
    Planned,
}

/// Many runs of a program.
#[derive(Debug)]
pub struct ProgramCampaign<'a> {
    /// The program.
    pub subject: &'a ProgramUnderTest,
    /// The bounds of the plans. The faults are those of the rungs.
    pub shape: Shape,
    /// What may go wrong, and what came of it.
    pub rungs: Vec<Rung>,
    /// The seed of the first run of each rung.
    pub seed: u64,
    /// How many runs there are.
    pub effort: Effort,
    /// How many runs go on at once, at most. In real time it is one.
    pub jobs: usize,
    /// What the runs came to.
    pub tally: Tally,
}

/// A run that is to be done.
struct Task {
    rung: usize,
    seed: u64,
    plan: Plan,
    number: u64,
}

/// What came of it; none when another one had found something before.
type Done = Option<Result<(Observed, Shown), RunError>>;

impl<'a> ProgramCampaign<'a> {
    /// Of usual effort, one run after the other.
    pub fn new(subject: &'a ProgramUnderTest, shape: Shape, rungs: Vec<Rung>, seed: u64) -> Self {
        Self {
            subject,
            shape,
            rungs,
            seed,
            effort: Effort::default(),
            jobs: 1,
            tally: Tally::default(),
        }
    }

    /// Runs until a run violates its claim, a node fails, all runs are done, or `interrupt` is raised.
    /// `progress` is told how many runs are done, and how many there are to be.
    ///
    /// # Errors
    ///
    /// When the machine refused something, or a run was interrupted.
    pub fn run(
        &mut self,
        interrupt: &Interrupt,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Option<FirstSighting>, RunError> {
        let watch = Stopwatch::start();
        let first_runs = fewest_runs(self.shape.groups);
        if self.effort != Effort::Planned {
            self.plan_climbs(first_runs);
        }
        let (mut climb, mut done) = (0, 0);
        loop {
            if climb == first_runs && self.effort == Effort::Usual {
                self.plan_climbs(climb + more_climbs(watch.elapsed(), climb));
            }
            let next = climb + self.climbs_at_once(climb, watch.elapsed());
            let tasks = self.tasks(climb..next);
            if tasks.is_empty() {
                return Ok(None);
            }
            let results = self.batch(&tasks, interrupt);
            for (task, result) in tasks.into_iter().zip(results) {
                progress(done, self.rungs.iter().map(|rung| rung.planned).sum());
                let Some(result) = result else {
                    return Ok(None);
                };
                let (observed, shown) = result?;
                let found = self.count(task, observed, shown);
                if found.is_some() {
                    return Ok(found);
                }
                done += 1;
            }
            climb = next;
        }
    }

    fn plan_climbs(&mut self, climbs: u64) {
        for rung in &mut self.rungs {
            rung.planned = climbs;
        }
    }

    /// How many climbs make the next batch; those are planned where time is given and left.
    fn climbs_at_once(&mut self, climb: u64, elapsed: Duration) -> u64 {
        let first_runs = fewest_runs(self.shape.groups);
        // The first shows what the others may rely on.
        let most = match climb {
            0 => 1,
            _ => BATCH.div_ceil(self.rungs.len().max(1)) as u64,
        };
        if climb < first_runs {
            return most.min(first_runs - climb);
        }
        if let Effort::For(budget) = self.effort
            && let Some(left) = budget.checked_sub(elapsed)
        {
            let climbs = climbs_in(left, elapsed, climb).clamp(1, most);
            self.plan_climbs(climb + climbs);
            return climbs;
        }
        most
    }

    fn tasks(&self, climbs: std::ops::Range<u64>) -> Vec<Task> {
        let mut tasks = Vec::new();
        for climb in climbs {
            for (rung, of) in self.rungs.iter().enumerate() {
                if climb < of.planned {
                    let seed = self.seed.wrapping_add(climb);
                    tasks.push(Task {
                        rung,
                        seed,
                        plan: self.plan(rung, seed),
                        number: self.subject.next.fetch_add(1, Ordering::Relaxed),
                    });
                }
            }
        }
        tasks
    }

    /// Does runs side by side. Those behind a finding may be left out.
    fn batch(&self, tasks: &[Task], interrupt: &Interrupt) -> Vec<Done> {
        let real = self.shape.time == Time::Real || self.subject.real_time_because().is_some();
        let threads = if real {
            1
        } else {
            self.jobs.clamp(1, tasks.len().max(1))
        };
        let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let results: Mutex<Vec<Done>> = Mutex::new(tasks.iter().map(|_| None).collect());
        let known = self.subject.known();
        let work = || {
            loop {
                let position = next.fetch_add(1, Ordering::Relaxed);
                let Some(task) = tasks.get(position) else {
                    return;
                };
                if interrupt.is_raised() || position > found.load(Ordering::Relaxed) {
                    return;
                }
                let subject = self.subject;
                let known = known.known();
                let result = subject.attempt(&task.plan, Purpose::Search, task.number, known);
                if result
                    .as_ref()
                    .map_or(true, |(observed, _)| is_finding(observed))
                {
                    found.fetch_min(position, Ordering::Relaxed);
                }
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results[position] = Some(result);
            }
        };
        if threads == 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a run, and returns it if something was found in it.
    fn count(&mut self, task: Task, observed: Observed, shown: Shown) -> Option<FirstSighting> {
        let real = shown.real_time_because.is_some();
        self.subject.absorb(shown);
        let Task {
            rung: position,
            seed,
            mut plan,
            ..
        } = task;
        if real && self.shape.time != Time::Real {
            self.shape.time = Time::Real;
            self.shape.period = None;
        }
        if real && plan.time != Time::Real {
            // Its command says so, too.
            plan = self.plan(position, seed);
        }
        if is_finding(&observed) {
            if is_violation(&observed) {
                self.tally.count(&plan, &observed.judged);
            }
            self.rungs[position].failed = true;
            return Some(FirstSighting {
                command: self.command(position, seed),
                seed,
                plan,
                observed,
            });
        }
        self.tally.count(&plan, &observed.judged);
        self.rungs[position].count(&plan, &observed.judged);
        None
    }

    /// The bounds of the plans of a rung.
    fn shape_of(&self, rung: usize) -> Shape {
        let mut shape = self.shape.clone();
        if let Some(rung) = self.rungs.get(rung) {
            shape.faults.clone_from(&rung.faults);
            shape.bursts = rung.bursts;
        }
        shape
    }

    /// The plan of a rung for a seed.
    pub fn plan(&self, rung: usize, seed: u64) -> Plan {
        let origin = self.command(rung, seed);
        generate(&self.shape_of(rung), &mut SeededChoices::new(seed), origin)
    }

    /// A command that runs the plan of this rung and seed alone.
    fn command(&self, rung: usize, seed: u64) -> String {
        let (command, flags) = (self.subject.command(), self.shape_of(rung).flags());
        let nodes = self.subject.flags();
        format!("{command} --seed {seed} --runs 1 --no-ladder{flags}{nodes}")
    }
}

fn is_violation(observed: &Observed) -> bool {
    observed.judged.told.outcome() == Outcome::Violated
}

fn is_finding(observed: &Observed) -> bool {
    is_violation(observed) || observed.failure.is_some()
}

/// How many climbs fit in a time, going by the speed of those so far.
fn climbs_in(left: Duration, elapsed: Duration, climbs: u64) -> u64 {
    let each = (elapsed.as_nanos() / u128::from(climbs.max(1))).max(1);
    u64::try_from(left.as_nanos() / each).unwrap_or(u64::MAX)
}

/// How many more climbs fill the usual time.
fn more_climbs(elapsed: Duration, climbs: u64) -> u64 {
    let more = climbs_in(BUDGET.saturating_sub(elapsed), elapsed, climbs);
    more.min(MOST_RUNS.saturating_sub(climbs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_climbs_fills_ten_seconds() {
        let second = Duration::from_secs(1);
        assert_eq!(more_climbs(second, 2), 18);
        assert_eq!(more_climbs(second * 9, 9), 1);
        assert_eq!(more_climbs(second * 11, 3), 0);
        let at_once = more_climbs(Duration::from_nanos(3), 3);
        assert_eq!(at_once, MOST_RUNS - 3);
    }
}
