//! Campaigns: many runs of one store with plans drawn from consecutive seeds.
//!
//! Run `k` of a campaign has the seed `seed + k`, so any single run is repeated by a campaign of
//! one run. Memory does not grow with the number of runs: each is judged, counted and forgotten,
//! and only the first violation is kept. The result does not depend on the number of threads.

mod judged_run;
mod shrink_limit;
mod tally;

pub use judged_run::{JudgedRun, RunError, judged, run_and_judge};
pub use shrink_limit::ShrinkLimit;
pub use tally::{Answers, Counts, FaultCount, Tally};

use std::cell::Cell;

use sibcheck_checkers::{Invariant, Outcome};

use crate::{
    interrupt::Interrupt,
    plans::{Plan, SeededChoices, Shape, Shrunk, generate, shrink},
    stores::StoreName,
};

/// Many runs of one store.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The store.
    pub store: StoreName,
    /// The bounds of the plans.
    pub shape: Shape,
    /// The seed of the first run.
    pub seed: u64,
    /// How many runs.
    pub runs: u64,
    /// How many threads.
    pub threads: usize,
}

/// A run that violated its claim.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run's own seed.
    pub seed: u64,
    /// Its plan.
    pub plan: Plan,
}

/// How many runs a thread does before the results are put together.
const BATCH: u64 = 64;

impl Campaign {
    /// A command that runs this campaign's run with this seed alone.
    pub fn command(&self, seed: u64) -> String {
        let (store, flags) = (self.store, self.shape.flags());
        format!("sibcheck check --store {store} --seed {seed} --runs 1{flags}")
    }

    /// The plan of the run with this seed.
    pub fn plan(&self, seed: u64) -> Plan {
        let origin = self.command(seed);
        generate(&self.shape, &mut SeededChoices::new(seed), origin)
    }

    /// Runs until a run violates its claim, all runs are done, or `interrupt` is raised. `progress` is
    /// told now and then how many runs are done.
    ///
    /// # Errors
    ///
    /// As [`run_and_judge`].
    pub fn run(
        &self,
        interrupt: &Interrupt,
        mut progress: impl FnMut(u64),
    ) -> Result<(Tally, Option<Failure>), RunError> {
        self.run_while(interrupt, |done| {
            progress(done);
            true
        })
    }

    /// As [`Campaign::run`]; `go_on` is told now and then how many runs are done, and says whether there
    /// shall be more.
    ///
    /// # Errors
    ///
    /// As [`run_and_judge`].
    pub fn run_while(
        &self,
        interrupt: &Interrupt,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> Result<(Tally, Option<Failure>), RunError> {
        let mut tally = Tally::default();
        let mut done = 0;
        while done < self.runs && !interrupt.is_raised() {
            let batches: Vec<(u64, u64)> = (0..self.threads.max(1) as u64)
                .map(|thread| done + thread * BATCH)
                .take_while(|first| *first < self.runs)
                .map(|first| (first, BATCH.min(self.runs - first)))
                .collect();
            let results: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = batches
                    .iter()
                    .map(|&(first, count)| scope.spawn(move || self.batch(first, count, interrupt)))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| match thread.join() {
                        Ok(result) => result,
                        Err(panic) => std::panic::resume_unwind(panic),
                    })
                    .collect()
            });
            // In the order of the runs, and none after the first failure: whatever the number of
            // threads, the result is that of one thread.
            for ((_, count), result) in batches.iter().zip(results) {
                let (part, failure) = result?;
                tally.add(&part);
                if failure.is_some() {
                    return Ok((tally, failure));
                }
                done += count;
            }
            if !go_on(done) {
                break;
            }
        }
        Ok((tally, None))
    }

    fn batch(
        &self,
        first: u64,
        count: u64,
        interrupt: &Interrupt,
    ) -> Result<(Tally, Option<Failure>), RunError> {
        let mut tally = Tally::default();
        for run in first..first + count {
            if interrupt.is_raised() {
                break;
            }
            let seed = self.seed.wrapping_add(run);
            let plan = self.plan(seed);
            let judged = run_and_judge(self.store, &plan)?;
            tally.count(&plan, &judged);
            if judged.told.outcome() == Outcome::Violated {
                return Ok((tally, Some(Failure { seed, plan })));
            }
        }
        Ok((tally, None))
    }
}

/// Plans that are tried to shrink one: so that it is not time which decides what is found.
const MOST_TRIES: u64 = 20_000;

/// Shrinks a failing plan to a small one that violates the same invariant, or any if `None`. `go_on` is
/// told how many plans were tried and how many operations the smallest that failed has, and says whether
/// to try more.
pub fn shrink_failure(
    store: StoreName,
    plan: Plan,
    invariant: Option<Invariant>,
    mut go_on: impl FnMut(u64, usize) -> bool,
) -> Shrunk {
    let smallest = Cell::new(plan.operations());
    let fails = |plan: &Plan| {
        let sighting = run_and_judge(store, plan).ok()?.sighting(plan, invariant)?;
        smallest.set(smallest.get().min(plan.operations()));
        Some(sighting)
    };
    let sighting = fails(&plan).unwrap_or_default();
    let go_on = |tries| tries < MOST_TRIES && go_on(tries, smallest.get());
    shrink(plan, &sighting, fails, go_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(store: StoreName, threads: usize) -> Campaign {
        Campaign {
            store,
            shape: Shape::new(store),
            seed: 11,
            runs: 150,
            threads,
        }
    }

    fn outcome(campaign: &Campaign) -> (String, Option<u64>) {
        let (tally, failure) = campaign.run(&Interrupt::default(), |_| {}).unwrap();
        (format!("{tally:?}"), failure.map(|failure| failure.seed))
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        for store in ["dotted", "faulty:last-writer-wins"] {
            let store: StoreName = store.parse().unwrap();
            assert_eq!(outcome(&campaign(store, 1)), outcome(&campaign(store, 3)));
        }
    }

    #[test]
    fn a_failing_run_is_repeated_by_its_seed_alone() {
        let many = campaign("faulty:last-writer-wins".parse().unwrap(), 1);
        let (_, failure) = many.run(&Interrupt::default(), |_| {}).unwrap();
        let failure = failure.unwrap();
        let one = Campaign {
            seed: failure.seed,
            runs: 1,
            ..many
        };
        let (tally, again) = one.run(&Interrupt::default(), |_| {}).unwrap();
        assert_eq!(tally.outcome(), Outcome::Violated);
        assert_eq!(again.map(|failure| failure.plan), Some(failure.plan));
    }

    #[test]
    fn a_campaign_in_which_nothing_happens_is_unknown() {
        let mut campaign = campaign(StoreName::Dotted, 1);
        campaign.shape.operations = 1;
        campaign.shape.clients = 1;
        let (tally, _) = campaign.run(&Interrupt::default(), |_| {}).unwrap();
        assert_eq!(tally.outcome(), Outcome::Unknown);
        assert!(!tally.unknown.is_empty());
    }

    #[test]
    fn shrinking_keeps_the_invariant_and_makes_it_small() {
        let campaign = campaign("faulty:never-supersede".parse().unwrap(), 1);
        let (_, failure) = campaign.run(&Interrupt::default(), |_| {}).unwrap();
        let shrunk = shrink_failure(
            campaign.store,
            failure.unwrap().plan,
            Some(Invariant::Dominance),
            |_, _| true,
        );
        assert!(shrunk.plan.operations() <= 4, "{:?}", shrunk.plan.clients);
    }
}
