//! Campaigns: many runs of one store with plans drawn from consecutive seeds.
//!
//! Run `k` of a campaign has the seed `seed + k`, so any single run is repeated by a campaign of
//! one run. Memory does not grow with the number of runs: each is judged, counted and forgotten,
//! and only the first violation is kept. The result does not depend on the number of threads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sibcheck_checkers::{
    AnyJudged, Invariant, Judged, Object, Outcome, Verdict,
    history::Status,
    judged::Operation,
    verdict::{Exercised, Reason, Unknown},
};

use crate::{
    interrupt::Interrupt,
    plans::{Plan, Position, SeededChoices, Shape, Shrunk, Sighting, generate, shrink},
    runner::{self, Recorded, Run},
    simulation::{FaultKind, FaultName, Nanos, Traffic},
    stores::StoreName,
    workloads::{Wording as _, with_words},
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

/// What a campaign found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Runs by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Client operations that the plans asked for.
    pub operations: u64,
    /// Reads made after each run had settled.
    pub final_reads: u64,
    /// What the network did.
    pub traffic: Traffic,
    /// Faults by kind.
    pub faults: BTreeMap<FaultName, FaultCount>,
    /// Situations that arose, by their names, in the order of the workload.
    pub situations: Counts,
    /// Writes that were under way during a partition.
    pub writes_during_partition: u64,
    /// How often each invariant had something to test.
    pub exercised: Exercised,
    /// Why runs were inconclusive.
    pub unknown: BTreeMap<String, u64>,
    /// How reads ended, final reads included.
    pub reads: Answers,
    /// How writes and deletes ended.
    pub writes: Answers,
}

/// Counts by name, in the order in which the names came up first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    /// The count of a name; none is 0.
    pub fn count(&self, name: &str) -> u64 {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or(0, |(_, count)| *count)
    }

    /// Every name with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Adds counts. O(names), where they come in the same order each time.
    fn add(&mut self, counts: impl IntoIterator<Item = (&'static str, u64)>) {
        for (position, (name, count)) in counts.into_iter().enumerate() {
            let same = |(known, _): &(&'static str, u64)| *known == name;
            let place = match self.0.get(position) {
                Some(here) if same(here) => Some(position),
                _ => self.0.iter().position(same),
            };
            match place {
                Some(place) => self.0[place].1 += count,
                None => self.0.push((name, count)),
            }
        }
    }
}

/// How many faults of a kind there were, and what they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCount {
    /// In the plans.
    pub planned: u64,
    /// That affected something: others were not exercised, however long they lasted.
    pub exercised: u64,
    /// Messages and records that they affected.
    pub affected: u64,
}

/// How operations of a kind ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Answered.
    pub ok: u64,
    /// Refused, or, of reads, never answered.
    pub failed: u64,
    /// It is not known whether they took effect.
    pub unknown: u64,
}

impl Answers {
    fn count(&mut self, status: Status) {
        match status {
            Status::Ok => self.ok += 1,
            Status::Fail => self.failed += 1,
            Status::Info => self.unknown += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.unknown += other.unknown;
    }

    /// How many there were.
    pub fn all(self) -> u64 {
        self.ok + self.failed + self.unknown
    }
}

/// A run that violated its claim.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run's own seed.
    pub seed: u64,
    /// Its plan.
    pub plan: Plan,
}

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

/// Plans that are tried to shrink one: so that it is not time which decides what is found.
const MOST_TRIES: u64 = 20_000;

/// Shrinks a failing plan to a small one that violates the same invariant, or any if `None`.
pub fn shrink_failure(
    store: StoreName,
    plan: Plan,
    invariant: Option<Invariant>,
    mut go_on: impl FnMut(u64) -> bool,
) -> Shrunk {
    let fails = |plan: &Plan| run_and_judge(store, plan).ok()?.sighting(plan, invariant);
    let sighting = fails(&plan).unwrap_or_default();
    let go_on = |tries| tries < MOST_TRIES && go_on(tries);
    shrink(plan, &sighting, fails, go_on)
}

impl Tally {
    /// How many runs ended with this outcome.
    pub fn runs(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// The verdict on the whole campaign: one violation is enough; runs in which nothing of
    /// interest happened prove nothing, so a campaign of only such runs is unknown.
    pub fn outcome(&self) -> Outcome {
        if self.runs(Outcome::Violated) > 0 {
            Outcome::Violated
        } else if self.runs(Outcome::Valid) > 0 {
            Outcome::Valid
        } else {
            Outcome::Unknown
        }
    }

    pub(crate) fn count(&mut self, plan: &Plan, judged: &JudgedRun) {
        let JudgedRun { run, told } = judged;
        *self.outcomes.entry(told.outcome()).or_default() += 1;
        self.operations += run.planned as u64;
        self.final_reads += (told.operations() - run.planned) as u64;
        self.traffic.add(&run.traffic);
        let situations = told.situations().into_iter();
        self.situations
            .add(situations.chain(run.situations.iter().copied()));
        let vacuous = |invariant| {
            plan.program.as_ref().is_some_and(
                |dialect| with_words!(dialect.words(), W, words => words.cannot_break(invariant)),
            )
        };
        for (invariant, count) in told.exercised().iter() {
            if count > 0 && !vacuous(invariant) {
                self.exercised.add(invariant, count);
            }
        }
        if told.outcome() == Outcome::Unknown {
            let reasons = told
                .unknown()
                .iter()
                .map(|unknown| told.why_briefly(unknown));
            for reason in reasons.collect::<BTreeSet<_>>() {
                *self.unknown.entry(reason).or_default() += 1;
            }
        }
        for operation in judged.operations() {
            if operation.is_write {
                self.writes.count(operation.status);
            } else {
                self.reads.count(operation.status);
            }
        }
        self.count_faults(plan, judged);
    }

    fn count_faults(&mut self, plan: &Plan, judged: &JudgedRun) {
        let run = &judged.run;
        for (fault, record) in plan.faults.iter().zip(&run.faults) {
            let count = self.faults.entry(fault.what.name()).or_default();
            count.planned += 1;
            let affected = record.affected();
            if affected == 0 {
                continue;
            }
            count.exercised += 1;
            count.affected += affected;
            if let (FaultKind::Partition { .. }, Some(began)) = (&fault.what, record.began) {
                let ended = record.ended.unwrap_or(run.healed);
                let under_way = |operation: &Operation<'_>| {
                    let completed = operation.completed;
                    operation.is_write
                        && operation.invoked <= ended.0
                        && completed.is_none_or(|completed| completed >= began.0)
                };
                let planned = judged.operations().take(run.planned);
                self.writes_during_partition += planned.filter(under_way).count() as u64;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        for (outcome, runs) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += runs;
        }
        self.operations += other.operations;
        self.final_reads += other.final_reads;
        self.traffic.add(&other.traffic);
        for (name, count) in &other.faults {
            let sum = self.faults.entry(*name).or_default();
            sum.planned += count.planned;
            sum.exercised += count.exercised;
            sum.affected += count.affected;
        }
        self.situations.add(other.situations.iter());
        self.writes_during_partition += other.writes_during_partition;
        for (invariant, count) in other.exercised.iter() {
            self.exercised.add(invariant, count);
        }
        self.reads.add(other.reads);
        self.writes.add(other.writes);
        for (reason, runs) in &other.unknown {
            *self.unknown.entry(reason.clone()).or_default() += runs;
        }
    }
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
            |_| true,
        );
        assert!(shrunk.plan.operations() <= 4, "{:?}", shrunk.plan.clients);
    }
}
