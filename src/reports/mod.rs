//! Reports: a campaign or a verdict, told to people or to programs.
//!
//! What commands found is a value; [`FORMATS`] has the forms in which it is written. No rendering
//! decides anything.

mod caveats;
pub mod conform;
mod format;
mod human;
pub mod json;
mod junit;
mod replayed;
mod verified;
pub(crate) mod words;

pub use format::{FORMATS, Format, Page, Told, Writer};
pub use human::verdict;
pub use replayed::Replayed;
pub use verified::{Found, Judgement, Source, Verified};

use std::{path::PathBuf, time::Duration};

use sibcheck_checkers::{Invariant, Object, Outcome, history::Fault};

use crate::{
    campaign::{JudgedRun, Tally},
    exit::Exit,
    interrupt::EndSignal,
    nodes::external::{Deviation, FailureKind, NodeFailure, NotTaken},
    nodes::process::Leaks,
    plans::{Shape, Shrunk, Time},
    program_under_test::{Repeats, Rung, had_no_effect},
    simulation::FaultName,
    stores::StoreName,
    workloads::{Dialect, Workload, with_workload},
};

/// The version of the JSON reports' schema.
pub const SCHEMA_VERSION: u32 = 2;

/// What `sibcheck check` found.
#[derive(Debug)]
pub struct Report {
    /// The seed of the first run.
    pub seed: u64,
    /// A command that repeats it all.
    pub command: String,
    /// How many threads there were.
    pub threads: usize,
    /// Store by store.
    pub checked: Vec<Checked>,
    /// The signal that ended it early.
    pub interrupted: Option<EndSignal>,
}

impl Report {
    /// How the process should exit.
    pub fn exit(&self) -> Exit {
        let interrupted = self.interrupted.map(Exit::Interrupted);
        self.checked
            .iter()
            .map(Checked::exit)
            .chain(interrupted)
            .fold(Exit::Holds, Exit::and)
    }
}

/// What was found of one store.
#[derive(Debug)]
pub struct Checked {
    /// The store in this process, unless it was a program.
    pub store: Option<StoreName>,
    /// The bounds of the plans.
    pub shape: Shape,
    /// How many runs there were to be.
    pub runs: u64,
    /// What happened.
    pub tally: Tally,
    /// How long the campaign took, without shrinking.
    pub elapsed: Duration,
    /// The folder in which the first run is saved, or why it is not, when that was asked for.
    pub saved_first: Option<Result<PathBuf, String>>,
    /// What is to be told of an outside program.
    pub program: Option<ProgramFigures>,
    /// The first violation.
    pub proof: Option<Proof>,
    /// The faults that were asked for by name.
    pub asked: Vec<FaultName>,
}

impl Checked {
    /// What was checked: a store inside, or a program.
    pub fn subject(&self) -> String {
        let store = self.store.map(|store| store.to_string());
        store.unwrap_or_else(|| "program".to_owned())
    }

    /// What histories of its object are tested for, each with how often there was something to test.
    pub fn tested(&self) -> impl Iterator<Item = (Invariant, u64)> {
        let all = with_workload!(self.shape.workload(), W => {
            <<W as Workload>::Object as Object>::INVARIANTS
        });
        let times = |invariant: &Invariant| (*invariant, self.tally.exercised.count(*invariant));
        all.iter().map(times)
    }

    /// After how many runs it was cut short, if it was.
    pub fn interrupted_after(&self, report: &Report) -> Option<u64> {
        let done = self.tally.outcomes.values().sum();
        let cut_short = done < self.runs && self.proof.is_none();
        (report.interrupted.is_some() && cut_short).then_some(done)
    }

    /// True when a node, or the machine, failed before anything could be violated.
    pub fn failed(&self) -> bool {
        let node_failed = self.proof.as_ref().is_some_and(Proof::is_of_a_failure);
        let program = self.program.as_ref();
        node_failed || program.is_some_and(|program| program.refused.is_some())
    }

    /// The verdict on everything that was asked for: a violation is one, whatever else there was;
    /// what was asked for and not exercised is never valid.
    pub fn outcome(&self) -> Outcome {
        let outcome = self.tally.outcome();
        if outcome == Outcome::Valid && !self.untested().is_empty() {
            return Outcome::Unknown;
        }
        outcome
    }

    /// What was asked for and not exercised: a sentence each.
    pub fn untested(&self) -> Vec<String> {
        if let Some(program) = &self.program {
            return program
                .rungs
                .iter()
                .filter_map(Rung::why_untested)
                .collect();
        }
        let runs: u64 = self.tally.outcomes.values().sum();
        let idle = |fault: &&FaultName| {
            let count = self.tally.faults.get(fault);
            count.is_none_or(|count| count.exercised == 0)
        };
        let idle = self.asked.iter().filter(idle);
        if runs < self.runs {
            // It was cut short, which is told.
            return Vec::new();
        }
        idle.map(|fault| had_no_effect(&[*fault])).collect()
    }

    /// What would exercise it.
    pub fn advice(&self) -> Option<String> {
        let shape = &self.shape;
        let more = shape.operations.saturating_mul(20).max(2_000);
        let program = self.program.as_ref();
        if self.untested().is_empty() {
            return None;
        }
        Some(match program.map(|program| program.time) {
            Some(Time::Lockstep) => format!(
                "if the nodes speak to each other by timers, those do not run in lockstep, and faults \
                 are over before any fires: --time virtual, or --time real --ops {more}"
            ),
            Some(Time::Virtual) => format!("more runs, or longer ones: --ops {more}"),
            Some(Time::Real) => format!("runs that last longer: --ops {more}"),
            None => format!("more runs: --runs {}", (self.runs * 20).max(200)),
        })
    }

    fn exit(&self) -> Exit {
        let failed = match &self.proof {
            Some(proof) if proof.lacks_a_service() => Exit::Usage,
            Some(proof) if proof.is_of_a_failure() => Exit::Node,
            _ if self.failed() => Exit::Machine,
            _ => Exit::Holds,
        };
        failed.and(self.outcome().into())
    }

    /// Client operations simulated and checked in a second.
    pub fn speed(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let operations = self.tally.operations as f64;
        operations / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// What is to be told of an outside program.
#[derive(Debug)]
pub struct ProgramFigures {
    /// Its command line.
    pub command_line: String,
    /// The flag that names its nodes; empty for the usual names.
    pub names_flag: String,
    /// Its words.
    pub dialect: Dialect,
    /// Whose time passed.
    pub time: Time,
    /// Why the program's clock could not be taken over, where it would have been.
    pub clock_refused: Option<String>,
    /// What could not be held to virtual time.
    pub leaks: Leaks,
    /// Why real time passed although virtual time was asked for.
    pub real_time_because: Option<String>,
    /// Why there were so many nodes, where nobody said how many.
    pub nodes_because: Option<String>,
    /// How far it came.
    pub rungs: Vec<Rung>,
    /// Messages that it was handed.
    pub messages: u64,
    /// Kinds of keys and values that it does not take, so that they were not drawn.
    pub not_taken: Vec<NotTaken>,
    /// What the dialect cannot express, so that it was not exercised: a sentence each.
    pub not_exercised: Vec<String>,
    /// Oddities that were tolerated.
    pub tolerated: Vec<Oddity>,
    /// What the machine refused, if it did.
    pub refused: Option<String>,
}

/// Something a program did that the protocol does not allow, and that was tolerated.
#[derive(Debug)]
pub struct Oddity {
    /// What.
    pub deviation: Deviation,
    /// How often.
    pub count: u64,
    /// The first instance: node, line number, and the line.
    pub first: String,
}

/// A violation, or the failure of a node, with all that is needed to see it again.
#[derive(Debug)]
pub struct Proof {
    /// The seed of the failing run.
    pub seed: u64,
    /// A command that runs it alone.
    pub command: String,
    /// How many operations the failing plan had.
    pub original: usize,
    /// The shrunk plan.
    pub shrunk: Shrunk,
    /// Its run and verdict.
    pub judged: JudgedRun,
    /// The folder in which it is saved, or why it is not.
    pub saved: Result<PathBuf, String>,
    /// How a node failed in that run, if one did.
    pub failure: Option<NodeFailure>,
    /// How often the shrunk plan failed again, when it did not always fail alike.
    pub repeats: Option<Repeats>,
    /// What is to be told beside it: how a node failed in a repeat, for one.
    pub notes: Vec<String>,
}

impl Proof {
    /// True where nothing was violated but a node failed.
    pub fn is_of_a_failure(&self) -> bool {
        self.failure.is_some() && self.judged.told.outcome() != Outcome::Violated
    }
}

impl Proof {
    /// True where a node did nothing wrong but to need a service that there is not.
    fn lacks_a_service(&self) -> bool {
        let failure = self.failure.as_ref();
        self.is_of_a_failure()
            && failure.is_some_and(|failure| failure.kind() == FailureKind::Service)
    }

    /// True when no fault can have affected anything in the run that proves it.
    pub fn is_faultless(&self) -> bool {
        let mut faults = self.judged.told.faults().iter();
        !faults.any(Fault::may_have_affected)
    }
}

/// Every situation with its count, those of the network and the faults included.
pub(super) fn situations(tally: &Tally) -> impl Iterator<Item = (&'static str, u64)> {
    tally.situations.iter().chain([
        ("writes during a partition", tally.writes_during_partition),
        ("messages delivered twice", tally.traffic.duplicated),
    ])
}
