//! Reports: a campaign or a verdict, told to people or to programs.
//!
//! No rendering decides anything: both forms are made from the same values.

mod caveats;
pub mod conform;
mod figures;
pub mod foreign;
pub mod human;
pub mod json;
mod proof;
pub mod strongest;
mod text;

use std::{path::PathBuf, time::Duration};

use crate::{
    campaign::{Campaign, Judged, Tally},
    cli::Exit,
    nodes::external::{NotTaken, Sin},
    plans::{Shrunk, Time},
    protocol::Dialect,
    simulation::FaultName,
};

/// The version of the JSON reports' schema.
pub const SCHEMA_VERSION: u32 = 1;

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
    /// Ctrl-C ended it early.
    pub interrupted: bool,
}

impl Report {
    /// How the process should exit.
    pub fn exit(&self) -> Exit {
        self.checked
            .iter()
            .map(|checked| Exit::from(checked.tally.outcome()))
            .fold(Exit::Holds, Exit::and)
    }
}

/// What was found of one store.
#[derive(Debug)]
pub struct Checked {
    /// What was asked for.
    pub campaign: Campaign,
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
}

impl Checked {
    /// What was checked: a store inside, or a program.
    pub fn subject(&self) -> String {
        if self.program.is_some() {
            "program".to_owned()
        } else {
            self.campaign.shape.store.to_string()
        }
    }

    /// True when a program failed before it could violate anything.
    pub fn failed(&self) -> bool {
        let failure = self
            .program
            .as_ref()
            .and_then(|program| program.failure.as_ref());
        failure.is_some() && self.proof.is_none()
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
    /// Why real time passed although virtual time was asked for.
    pub real_time_because: Option<String>,
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
    /// How a node failed, if one did.
    pub failure: Option<String>,
}

/// Something a program did that the protocol does not allow, and that was tolerated.
#[derive(Debug)]
pub struct Oddity {
    /// What.
    pub sin: Sin,
    /// How often.
    pub count: u64,
    /// The first instance: node, line number, and the line.
    pub first: String,
}

/// A rung of the ladder of faults.
#[derive(Debug)]
pub struct Rung {
    /// What it is called.
    pub name: &'static str,
    /// What may go wrong on it.
    pub faults: Vec<FaultName>,
    /// How many runs there were to be; none when it was not reached.
    pub planned: u64,
    /// How many runs held.
    pub held: u64,
    /// A run violated its claim.
    pub failed: bool,
}

/// A violation with all that is needed to see it again.
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
    pub judged: Judged,
    /// The folder in which it is saved, or why it is not.
    pub saved: Result<PathBuf, String>,
    /// How often the same plan failed, out of how many runs, when it did not always fail alike.
    pub repeats: Option<(u32, u32)>,
}

impl Proof {
    /// True when no fault affected anything in the run that proves it.
    pub fn is_faultless(&self) -> bool {
        self.judged
            .run
            .faults
            .iter()
            .all(|fault| fault.affected() == 0)
    }
}
