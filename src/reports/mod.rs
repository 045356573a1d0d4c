//! Reports: a campaign or a verdict, told to people or to programs.
//!
//! No rendering decides anything: both forms are made from the same values.

pub mod human;
pub mod json;

use std::{path::PathBuf, time::Duration};

use crate::{
    campaign::{Campaign, Judged, Tally},
    cli::Exit,
    plans::Shrunk,
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
    /// The first violation.
    pub proof: Option<Proof>,
}

impl Checked {
    /// Client operations simulated and checked in a second.
    pub fn speed(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let operations = self.tally.operations as f64;
        operations / self.elapsed.as_secs_f64().max(1e-9)
    }
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
}
