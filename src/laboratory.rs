//! Runs of an outside program: each with fresh processes, in folders of their own.

use std::{
    fs, io,
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sibcheck_checkers::judge;

use crate::{
    campaign::Judged,
    nodes::{
        external::{External, NodeFailure, Program, Tolerated},
        process,
    },
    plans::Plan,
    protocol::Dialect,
    runner::{self, Run},
};

/// A program under test and what its runs have shown.
#[derive(Debug)]
pub struct Laboratory {
    program: Program,
    /// Oddities that were tolerated in all runs.
    pub tolerated: Tolerated,
    runs: AtomicU64,
    delivered: AtomicU64,
    /// Why all plans are run in real time.
    real_time_because: OnceLock<String>,
    heard_opaque: AtomicBool,
}

/// A judged run with all that there is to see of it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The run and its verdict.
    pub judged: Judged,
    /// What became of every message: one JSON object a line.
    pub trace: String,
    /// What each node wrote to stderr, by its name.
    pub logs: Vec<(String, Vec<u8>)>,
}

/// A run that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A node broke the protocol, died or never answered.
    #[error(transparent)]
    Node(#[from] NodeFailure),
    /// The machine refused something.
    #[error("{0}")]
    Machine(String),
}

impl Laboratory {
    /// A laboratory for a program.
    pub fn new(program: Program) -> Self {
        Self {
            program,
            tolerated: Tolerated::default(),
            runs: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            real_time_because: if process::supported() {
                OnceLock::new()
            } else {
                OnceLock::from("this system does not show whether a program is at rest".to_owned())
            },
            heard_opaque: AtomicBool::new(false),
        }
    }

    /// Why plans for virtual time are run in real time: the program turned out never to rest, or
    /// its rest cannot be seen on this system.
    pub fn real_time_because(&self) -> Option<&str> {
        self.real_time_because.get().map(String::as_str)
    }

    /// The words that the program speaks.
    pub fn dialect(&self) -> &Dialect {
        &self.program.dialect
    }

    /// What was not exercised in all runs on so many nodes, as the dialect cannot express it: a
    /// sentence each.
    pub fn not_exercised(&self, nodes: u32) -> Vec<String> {
        let opaque = self.heard_opaque.load(Ordering::Relaxed);
        self.program.dialect.wording().not_exercised(nodes, opaque)
    }

    /// How many messages programs have been handed in all runs.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Runs a plan with fresh processes and judges the history. What the nodes wrote to their
    /// folders and to stderr is kept only when a node failed.
    ///
    /// # Errors
    ///
    /// When a node failed, or the machine refused a folder.
    pub fn run(&self, plan: &Plan) -> Result<Judged, RunError> {
        let (judged, ()) = self.drive(plan, |plan, nodes| (runner::drive(plan, nodes), ()))?;
        Ok(judged)
    }

    /// As [`Laboratory::run`], with less patience for nodes that stay apart: they may be found to
    /// differ although gossip would still have reached them. For plans that are tried by the dozen.
    ///
    /// # Errors
    ///
    /// As [`Laboratory::run`].
    pub fn run_in_a_hurry(&self, plan: &Plan) -> Result<Judged, RunError> {
        let (judged, ()) = self.drive(plan, |plan, nodes| {
            nodes.hurry();
            (runner::drive(plan, nodes), ())
        })?;
        Ok(judged)
    }

    /// As [`Laboratory::run`], and keeps the message trace and what the nodes wrote to stderr.
    ///
    /// # Errors
    ///
    /// As [`Laboratory::run`].
    pub fn observe(&self, plan: &Plan) -> Result<Observed, RunError> {
        let (judged, (trace, logs)) = self.drive(plan, |plan, nodes| {
            let (run, trace) = runner::drive_traced(plan, nodes);
            nodes.finish();
            (run, (trace, nodes.logs()))
        })?;
        Ok(Observed {
            judged,
            trace,
            logs,
        })
    }

    /// Runs a plan as it is, or in real time where nothing else will do.
    fn drive<T>(
        &self,
        plan: &Plan,
        drive: impl Fn(&Plan, &mut External<'_>) -> (Run, T),
    ) -> Result<(Judged, T), RunError> {
        if self.real_time_because().is_some() {
            return self.drive_once(&plan.in_real_time(), drive);
        }
        match self.drive_once(plan, &drive) {
            Err(RunError::Node(failure)) => match failure.why_restless() {
                Some(why) => {
                    self.real_time_because.get_or_init(|| why.to_owned());
                    self.drive_once(&plan.in_real_time(), drive)
                }
                None => Err(failure.into()),
            },
            done => done,
        }
    }

    fn drive_once<T>(
        &self,
        plan: &Plan,
        drive: impl Fn(&Plan, &mut External<'_>) -> (Run, T),
    ) -> Result<(Judged, T), RunError> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let folder = self.program.folder.join(format!("run-{number}"));
        fs::create_dir_all(&folder).map_err(|error| refused("create", &folder, &error))?;
        let mut nodes = External::new(&self.program, &self.tolerated, plan, folder.clone());
        let (run, more) = drive(plan, &mut nodes);
        nodes.check_final_reads(&run.history);
        nodes.finish();
        self.delivered.fetch_add(nodes.delivered, Ordering::Relaxed);
        self.heard_opaque
            .fetch_or(nodes.heard_opaque(), Ordering::Relaxed);
        let failure = nodes.failure().cloned();
        // Ends the processes before their folders go.
        drop(nodes);
        if failure
            .as_ref()
            .is_none_or(|failure| failure.why_restless().is_some())
        {
            fs::remove_dir_all(&folder).map_err(|error| refused("remove", &folder, &error))?;
        }
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        let verdict = judge(&run.history, plan.promise()).map_err(|fault| {
            RunError::Machine(format!(
                "the recorded history makes no sense, which is a bug of sibcheck: {fault}"
            ))
        })?;
        Ok((Judged { run, verdict }, more))
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        // Only when nothing was kept in them.
        let _ = fs::remove_dir(&self.program.folder);
        if let Some(results) = self.program.folder.parent() {
            let _ = fs::remove_dir(results);
        }
    }
}

fn refused(what: &str, folder: &Path, error: &io::Error) -> RunError {
    RunError::Machine(format!("failed to {what} {}: {error}", folder.display()))
}
