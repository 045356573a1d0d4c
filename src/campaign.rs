//! Campaigns: many runs of one store with plans drawn from consecutive seeds.
//!
//! Run `k` of a campaign has the seed `seed + k`, so any single run is repeated by a campaign of
//! one run. Memory does not grow with the number of runs: each is judged, counted and forgotten,
//! and only the first violation is kept. The result does not depend on the number of threads.

use std::collections::{BTreeMap, BTreeSet};

use sibcheck_checkers::{
    History, Invariant, Outcome, Scarcity, Situations, Verdict,
    history::{Action, Operation, Status},
    judge,
    verdict::{Exercised, Reason, Unknown},
};

use crate::{
    interrupt::Interrupt,
    plans::{Plan, Position, SeededChoices, Shape, Shrunk, Sighting, generate, shrink},
    protocol::Contexts,
    runner::{self, OneOfSeveral, Run},
    simulation::{FaultKind, FaultName, Nanos, Traffic},
};

/// Many runs of one store.
#[derive(Clone, Debug)]
pub struct Campaign {
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
    /// Situations that arose.
    pub situations: Situations,
    /// Writes that were under way during a partition.
    pub writes_during_partition: u64,
    /// Writes whose context rests on what their coordinator could not have heard of yet.
    pub contexts_ahead: u64,
    /// Writes and deletes that passed back the clock of one of several siblings alone, in dialects where
    /// that can be.
    pub one_of_several: Option<OneOfSeveral>,
    /// How often each invariant had something to test.
    pub exercised: Exercised,
    /// Why runs were inconclusive.
    pub unknown: BTreeMap<String, u64>,
    /// How reads ended, final reads included.
    pub reads: Answers,
    /// How writes and deletes ended.
    pub writes: Answers,
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

/// A judged run.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The run.
    pub run: Run,
    /// The verdict on its history.
    pub verdict: Verdict,
}

/// Runs a plan on the in-process store that it names, and judges the history.
///
/// # Panics
///
/// When the runner recorded a history that contradicts itself: a bug of this program.
pub fn run_and_judge(plan: &Plan) -> Judged {
    judged(plan, runner::run(plan))
}

/// Judges the run of a plan on an in-process store.
///
/// # Panics
///
/// As [`run_and_judge`].
pub fn judged(plan: &Plan, run: Run) -> Judged {
    match judge(&run.history, plan.promise()) {
        Ok(verdict) => Judged {
            verdict: undecided_if_cut_short(verdict, &run),
            run,
        },
        #[expect(
            clippy::panic,
            reason = "no input can cause it; only a bug of the runner"
        )]
        Err(fault) => panic!("the runner recorded a history that makes no sense: {fault}"),
    }
}

/// A run that was ended before its end has not shown that anything holds. What it violated, it
/// violated.
pub(crate) fn undecided_if_cut_short(mut verdict: Verdict, run: &Run) -> Verdict {
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
        let (store, flags) = (self.shape.store, self.shape.flags());
        format!("sibcheck check --store {store} --seed {seed} --runs 1{flags}")
    }

    /// The plan of the run with this seed.
    pub fn plan(&self, seed: u64) -> Plan {
        let origin = self.command(seed);
        generate(&self.shape, &mut SeededChoices::new(seed), origin)
    }

    /// Runs until a run violates its claim, all runs are done, or `interrupt` is raised. `progress` is
    /// told now and then how many runs are done.
    pub fn run(
        &self,
        interrupt: &Interrupt,
        mut progress: impl FnMut(u64),
    ) -> (Tally, Option<Failure>) {
        self.run_while(interrupt, |done| {
            progress(done);
            true
        })
    }

    /// As [`Campaign::run`]; `go_on` is told now and then how many runs are done, and says whether there
    /// shall be more.
    pub fn run_while(
        &self,
        interrupt: &Interrupt,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> (Tally, Option<Failure>) {
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
            for ((_, count), (part, failure)) in batches.iter().zip(results) {
                tally.add(&part);
                if failure.is_some() {
                    return (tally, failure);
                }
                done += count;
            }
            if !go_on(done) {
                break;
            }
        }
        (tally, None)
    }

    fn batch(&self, first: u64, count: u64, interrupt: &Interrupt) -> (Tally, Option<Failure>) {
        let mut tally = Tally::default();
        for run in first..first + count {
            if interrupt.is_raised() {
                break;
            }
            let seed = self.seed.wrapping_add(run);
            let plan = self.plan(seed);
            let judged = run_and_judge(&plan);
            tally.count(&plan, &judged);
            if judged.verdict.outcome == Outcome::Violated {
                return (tally, Some(Failure { seed, plan }));
            }
        }
        (tally, None)
    }
}

impl Judged {
    /// The violated invariant that a plan is shrunk for: one of the values that clients get rather
    /// than of clocks, so that the damage stays in the proof beside its cause, which leads it.
    pub fn gravest(&self) -> Option<Invariant> {
        let mut violated = self
            .verdict
            .violations
            .iter()
            .map(|violation| violation.invariant);
        let first = violated.clone().next();
        violated
            .find(|invariant| !invariant.is_of_clocks())
            .or(first)
    }

    /// True when this invariant is violated, or any if `None`.
    pub fn violates(&self, invariant: Option<Invariant>) -> bool {
        let mut violations = self.verdict.violations.iter();
        violations.any(|violation| invariant.is_none_or(|asked| violation.invariant == asked))
    }

    /// What the run tells of its plan's failure: when each step was done, and the steps that the
    /// evidence of a violation of this invariant names, alone and with those whose answers their
    /// contexts were made of. `None` when the invariant, or any if `None`, is not violated.
    pub fn sighting(&self, plan: &Plan, invariant: Option<Invariant>) -> Option<Sighting> {
        let operations = &self.run.history.operations;
        let mut violations = self.verdict.violations.iter();
        let violation = violations
            .find(|violation| invariant.is_none_or(|asked| violation.invariant == asked))?;
        let mut times: BTreeMap<Position, (Nanos, Nanos)> = BTreeMap::new();
        for (&step, operation) in self.run.steps.iter().zip(operations) {
            let begun = Nanos(operation.invoked);
            let done = operation.completed.map_or(begun + plan.timeout_ns, Nanos);
            // Resolving is a read and a write.
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
            if let Action::Write(write) = &operations[op as usize].action {
                open.extend(
                    write
                        .sources
                        .iter()
                        .filter(|source| evidence.insert(**source)),
                );
            }
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
    plan: Plan,
    invariant: Option<Invariant>,
    mut go_on: impl FnMut(u64) -> bool,
) -> Shrunk {
    let fails = |plan: &Plan| run_and_judge(plan).sighting(plan, invariant);
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

    pub(crate) fn count(&mut self, plan: &Plan, judged: &Judged) {
        let Judged { run, verdict } = judged;
        *self.outcomes.entry(verdict.outcome).or_default() += 1;
        self.operations += run.planned as u64;
        self.final_reads += (run.history.operations.len() - run.planned) as u64;
        self.traffic.add(&run.traffic);
        self.contexts_ahead += run.contexts_ahead;
        let apart = plan
            .program
            .as_ref()
            .is_some_and(|dialect| dialect.wording().has_clocks_apart());
        self.add_one_of_several(apart.then_some(run.one_of_several));
        self.situations.add(&verdict.situations);
        for (invariant, count) in verdict.exercised.iter() {
            if !vacuous(plan, invariant) {
                self.exercised.add(invariant, count);
            }
        }
        if verdict.outcome == Outcome::Unknown {
            let reasons = verdict
                .unknown
                .iter()
                .map(|unknown| reason(&unknown.reason, &run.history));
            for reason in reasons.collect::<BTreeSet<_>>() {
                *self.unknown.entry(reason).or_default() += 1;
            }
        }
        for operation in &run.history.operations {
            match operation.action {
                Action::Read(_) => self.reads.count(operation.status),
                Action::Write(_) => self.writes.count(operation.status),
            }
        }
        self.count_faults(plan, run);
    }

    fn add_one_of_several(&mut self, more: Option<OneOfSeveral>) {
        if let Some(more) = more {
            let sum = self.one_of_several.get_or_insert_default();
            sum.writes += more.writes;
            sum.deletes += more.deletes;
        }
    }

    fn count_faults(&mut self, plan: &Plan, run: &Run) {
        let planned = &run.history.operations[..run.planned];
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
                let under_way = |operation: &&Operation| {
                    let completed = operation.completed;
                    operation.is_write()
                        && operation.invoked <= ended.0
                        && completed.is_none_or(|completed| completed >= began.0)
                };
                self.writes_during_partition += planned.iter().filter(under_way).count() as u64;
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
        self.situations.add(&other.situations);
        self.writes_during_partition += other.writes_during_partition;
        self.contexts_ahead += other.contexts_ahead;
        self.add_one_of_several(other.one_of_several);
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

/// True for tests that could not have failed: of clocks that the clients themselves made.
fn vacuous(plan: &Plan, invariant: Invariant) -> bool {
    let contexts = plan
        .program
        .as_ref()
        .map(|dialect| dialect.wording().contexts());
    contexts == Some(Contexts::Made)
        && matches!(
            invariant,
            Invariant::ClockSoundness | Invariant::ClockPrecision | Invariant::ClockAdvance
        )
}

/// Why a run was inconclusive, without what differs from run to run.
fn reason(reason: &Reason, history: &History) -> String {
    match reason {
        Reason::NothingTested => Scarcity::of(history).told().to_owned(),
        Reason::NoFinalRead { .. } => "an acknowledged write had no final read".to_owned(),
        Reason::HiddenTombstones => "reads hide tombstones".to_owned(),
        Reason::TooManyOperations => {
            "clients did not wait for answers, and a key has too many operations".to_owned()
        }
        Reason::NotExercised { invariant } => format!("nothing could have broken {invariant}"),
        Reason::CutShort { .. } => "it came to more events than a run may have".to_owned(),
        Reason::TooManyClients => "there are too many clients to test causality".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::StoreName;

    fn campaign(store: StoreName, threads: usize) -> Campaign {
        Campaign {
            shape: Shape::new(store),
            seed: 11,
            runs: 150,
            threads,
        }
    }

    fn outcome(campaign: &Campaign) -> (String, Option<u64>) {
        let (tally, failure) = campaign.run(&Interrupt::default(), |_| {});
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
        let (_, failure) = many.run(&Interrupt::default(), |_| {});
        let failure = failure.unwrap();
        let one = Campaign {
            seed: failure.seed,
            runs: 1,
            ..many
        };
        let (tally, again) = one.run(&Interrupt::default(), |_| {});
        assert_eq!(tally.outcome(), Outcome::Violated);
        assert_eq!(again.map(|failure| failure.plan), Some(failure.plan));
    }

    #[test]
    fn a_campaign_in_which_nothing_happens_is_unknown() {
        let mut campaign = campaign(StoreName::Dotted, 1);
        campaign.shape.operations = 1;
        campaign.shape.clients = 1;
        let (tally, _) = campaign.run(&Interrupt::default(), |_| {});
        assert_eq!(tally.outcome(), Outcome::Unknown);
        assert!(!tally.unknown.is_empty());
    }

    #[test]
    fn shrinking_keeps_the_invariant_and_makes_it_small() {
        let campaign = campaign("faulty:never-supersede".parse().unwrap(), 1);
        let (_, failure) = campaign.run(&Interrupt::default(), |_| {});
        let shrunk = shrink_failure(failure.unwrap().plan, Some(Invariant::Dominance), |_| true);
        assert!(shrunk.plan.operations() <= 4, "{:?}", shrunk.plan.clients);
    }
}
