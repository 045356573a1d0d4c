//! What the runs of a campaign came to, counted.

use std::collections::{BTreeMap, BTreeSet};

use sibcheck_checkers::{Outcome, history::Status, judged::Operation, verdict::Exercised};

use super::JudgedRun;
use crate::{
    plans::Plan,
    simulation::{FaultKind, FaultName, Traffic},
    workloads::{Wording as _, with_words},
};

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
        for (invariant, count) in told.exercised() {
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

    pub(super) fn add(&mut self, other: &Self) {
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
