//! Runs of an outside program: each with fresh processes, in folders of their own.

use std::{
    fs, io,
    path::Path,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sibcheck_checkers::{Outcome, outside};

use crate::{
    campaign::{JudgedRun, RunError, judged},
    nodes::{
        external::{External, FailureKind, NodeFailure, Program, Tolerated},
        process::{self, Leaks},
    },
    plans::Plan,
    runner,
    workloads::Dialect,
    workloads::{Wording as _, Workload, with_words},
};

/// A program under test and what its runs have shown.
#[derive(Debug)]
pub struct ProgramUnderTest {
    program: Program,
    /// Oddities that were tolerated in all runs.
    pub tolerated: Tolerated,
    runs: AtomicU64,
    delivered: AtomicU64,
    /// Why all plans are run in real time.
    real_time_because: OnceLock<String>,
    heard_opaque: AtomicBool,
    /// What of all runs could not be held to virtual time.
    leaks: Mutex<Leaks>,
}

/// A judged run, with all that there is to see of it where that was asked for.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The run and its verdict. Where a node failed, of what was recorded until then.
    pub judged: JudgedRun,
    /// What became of every message: one JSON object a line.
    pub trace: String,
    /// What each node wrote to stderr, by its name.
    pub logs: Vec<(String, Vec<u8>)>,
    /// How a node failed, if one did: it broke the protocol, died or never answered.
    pub failure: Option<NodeFailure>,
}

impl Observed {
    /// True when a node failed before anything was asked of it, or in a way that does not depend on
    /// what was asked.
    pub fn fails_whatever_is_asked(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| {
            matches!(
                failure.kind(),
                FailureKind::Start | FailureKind::Mute | FailureKind::Service
            ) || self.judged.run.steps.is_empty()
        })
    }
}

/// What a run is for, which decides how patient it is and what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To look for findings: those are told with their trace, and the folders of nodes that failed
    /// stay.
    Search,
    /// To see whether a smaller plan shows a finding, too: with less patience for nodes that stay
    /// apart, which may be found to differ although gossip would still have reached them.
    Shrink,
    /// To see everything of one plan.
    Repeat,
}

impl ProgramUnderTest {
    /// A program of which nothing was run yet.
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
            leaks: Mutex::default(),
        }
    }

    /// Why plans for virtual time are run in real time: the program turned out never to rest, or
    /// its rest cannot be seen on this system.
    pub fn real_time_because(&self) -> Option<&str> {
        self.real_time_because.get().map(String::as_str)
    }

    /// What could not be held to virtual time in all runs.
    pub fn leaks(&self) -> Leaks {
        let leaks = self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
        leaks.clone()
    }

    /// The words that the program speaks.
    pub fn dialect(&self) -> &Dialect {
        &self.program.dialect
    }

    /// What was not exercised in all runs on so many nodes, as the dialect cannot express it: a
    /// sentence each.
    pub fn not_exercised(&self, nodes: u32) -> Vec<String> {
        let opaque = self.heard_opaque.load(Ordering::Relaxed);
        with_words!(self.program.dialect.words(), W, words => words.not_exercised(nodes, opaque))
    }

    /// How many messages programs have been handed in all runs.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Runs a plan with fresh processes and judges the history, of what was recorded until then if a
    /// node fails.
    ///
    /// # Errors
    ///
    /// When the machine refused a folder, or this process was asked to end.
    pub fn run(&self, plan: &Plan, purpose: Purpose) -> Result<Observed, RunError> {
        if self.real_time_because().is_some() {
            return self.run_once(&plan.in_real_time(), purpose);
        }
        let observed = self.run_once(plan, purpose)?;
        let restless = observed.failure.as_ref();
        match restless.and_then(NodeFailure::why_restless) {
            Some(why) => {
                self.real_time_because.get_or_init(|| why.to_owned());
                self.run_once(&plan.in_real_time(), purpose)
            }
            None => Ok(observed),
        }
    }

    /// Runs a plan as it is.
    fn run_once(&self, plan: &Plan, purpose: Purpose) -> Result<Observed, RunError> {
        with_words!(self.program.dialect.words(), W, words => self.run_as::<W>(words, plan, purpose))
    }

    fn run_as<W: Workload>(
        &self,
        words: &W::Words,
        plan: &Plan,
        purpose: Purpose,
    ) -> Result<Observed, RunError> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let folder = self.program.folder.join(format!("run-{number}"));
        fs::create_dir_all(&folder).map_err(|error| refused("create", &folder, &error))?;
        let mut nodes: External<'_, W> =
            External::new(&self.program, words, &self.tolerated, plan, folder.clone());
        if purpose == Purpose::Shrink {
            nodes.hurry();
        }
        let (recorded, trace) = runner::drive_recorded(plan, &mut nodes);
        let history = &recorded.history;
        nodes.check_final_reads(&history.operations, recorded.run.first_final_read);
        nodes.finish();
        self.delivered.fetch_add(nodes.delivered, Ordering::Relaxed);
        self.heard_opaque
            .fetch_or(nodes.heard_opaque(), Ordering::Relaxed);
        if let Some(found) = nodes.leaks() {
            let mut leaks = self.leaks.lock().unwrap_or_else(PoisonError::into_inner);
            leaks.add(found);
        }
        let failure = nodes.failure().cloned();
        let kind = failure.as_ref().map(NodeFailure::kind);
        // What is told of messages needs the names of the history.
        let names = (
            recorded.history.clients.clone(),
            recorded.history.nodes.clone(),
        );
        let judged = judged(plan, recorded)?;
        let found = judged.told.outcome() == Outcome::Violated || kind.is_some();
        let kept = found || purpose == Purpose::Repeat;
        let (trace, logs) = if kept {
            (trace.text((&names.0, &names.1), &nodes), nodes.logs())
        } else {
            (String::new(), Vec::new())
        };
        // Ends the processes before their folders go.
        drop(nodes);
        let own_fault = kind
            .is_some_and(|kind| kind != FailureKind::Restless && kind != FailureKind::Interrupted);
        let stays = purpose == Purpose::Search && own_fault;
        if !stays {
            fs::remove_dir_all(&folder).map_err(|error| refused("remove", &folder, &error))?;
        }
        if kind == Some(FailureKind::Interrupted) {
            return Err(RunError::Interrupted);
        }
        Ok(Observed {
            judged,
            trace,
            logs,
            failure: failure.map(|failure| {
                if stays {
                    failure
                } else {
                    failure.without_place()
                }
            }),
        })
    }
}

impl Drop for ProgramUnderTest {
    fn drop(&mut self) {
        // Only when nothing was kept in it.
        let _ = fs::remove_dir(&self.program.folder);
    }
}

fn refused(what: &str, folder: &Path, error: &io::Error) -> RunError {
    RunError::Machine(format!(
        "failed to {what} {}: {error}",
        outside::path(folder)
    ))
}
