//! An outside program under test: runs of it, each with fresh processes in folders of their own; many of
//! them, climbing a ladder of faults; and what is found, looked for again and made smaller.
//!
//! A test of a store may use it as the command line does:
//!
//! ```no_run
//! use sibcheck::{
//!     interrupt::Interrupt,
//!     nodes::external::Program,
//!     plans::Shape,
//!     program_under_test::{ProgramCampaign, ProgramUnderTest, Wanted, ladder},
//!     workloads::Dialect,
//! };
//!
//! let argv = vec!["target/debug/my-node".to_owned()];
//! let program = Program::new(argv, Dialect::LinKv, std::env::temp_dir().join("my-node"));
//! let subject = ProgramUnderTest::new(program);
//! let shape = Shape::of_program(Dialect::LinKv, 1);
//! let rungs = ladder(&Wanted::All, &shape.faults, false);
//! let mut campaign = ProgramCampaign::new(&subject, shape, rungs, 42);
//! let found = campaign.run(&Interrupt::default(), |_, _| {}).expect("the machine refused");
//! assert!(found.is_none(), "repeat it with {}", found.expect("just seen").command);
//! assert!(campaign.tally.runs(sibcheck_checkers::Outcome::Valid) > 0);
//! ```

mod again;
mod climb;
mod ladder;
mod run_size;

pub use again::{Again, FirstSighting, Repeats, look_again};
pub use climb::{Effort, ProgramCampaign};
pub use ladder::{Rung, Wanted, had_no_effect, ladder, without_ladder};
pub use run_size::size_runs;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sibcheck_checkers::{Outcome, outside};

use crate::{
    campaign::{JudgedRun, RunError, judged},
    nodes::{
        external::{Deviation, External, FailureKind, NodeFailure, Program, Tolerated},
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
    /// Its command line, as people know it.
    command_line: String,
    /// Its dialect, as it is given on the command line.
    named: String,
    /// The number of the next run.
    next: AtomicU64,
    shown: Mutex<Shown>,
}

/// What runs of a program have shown beside their verdicts.
#[derive(Debug, Default)]
struct Shown {
    tolerated: Tolerated,
    /// Messages that nodes were handed.
    delivered: u64,
    heard_opaque: bool,
    /// What could not be held to virtual time.
    leaks: Leaks,
    /// Why plans are run in real time.
    real_time_because: Option<String>,
}

impl Shown {
    /// What a run may rely on.
    fn known(&self) -> Self {
        Self {
            tolerated: self.tolerated.known(),
            real_time_because: self.real_time_because.clone(),
            ..Self::default()
        }
    }

    /// What another run has shown, too.
    fn absorb(&mut self, run: Self) {
        self.tolerated.absorb(&run.tolerated);
        self.delivered += run.delivered;
        self.heard_opaque |= run.heard_opaque;
        self.leaks.add(&run.leaks);
        self.real_time_because = self.real_time_because.take().or(run.real_time_because);
    }
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
        let command_line = shell_words::join(&program.argv);
        let named = program.dialect.to_string();
        Self::named(program, command_line, named)
    }

    /// The same, with its command line and its dialect as they stand in commands that repeat a run.
    pub fn named(program: Program, command_line: String, dialect: String) -> Self {
        let real_time_because = (!process::supported())
            .then(|| "this system does not show whether a program is at rest".to_owned());
        Self {
            program,
            command_line,
            named: dialect,
            next: AtomicU64::new(1),
            shown: Mutex::new(Shown {
                real_time_because,
                ..Shown::default()
            }),
        }
    }

    /// Its command line.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// A command that checks it, to which seed and plans are added.
    pub fn command(&self) -> String {
        let (bin, dialect) = (shell_words::quote(&self.command_line), &self.named);
        format!("sibcheck check --bin {bin} --dialect {dialect}")
    }

    /// The flags of the command line that say how its nodes are dealt with, each after a space.
    pub fn flags(&self) -> String {
        let strict = if self.program.strict { " --strict" } else { "" };
        self.program.names.flag() + strict
    }

    /// Looks at what all runs so far have shown.
    fn shown<T>(&self, look: impl FnOnce(&Shown) -> T) -> T {
        look(&self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why plans for virtual time are run in real time: the program turned out never to rest, or
    /// its rest cannot be seen on this system.
    pub fn real_time_because(&self) -> Option<String> {
        self.shown(|shown| shown.real_time_because.clone())
    }

    /// What could not be held to virtual time in all runs.
    pub fn leaks(&self) -> Leaks {
        self.shown(|shown| shown.leaks.clone())
    }

    /// What was tolerated in all runs: each kind with its count and its first instance.
    pub fn tolerated(&self) -> Vec<(Deviation, u64, String)> {
        self.shown(|shown| shown.tolerated.iter().collect())
    }

    /// Forgets that the program seemed to have no timers: the next wait for them is a full one.
    fn expect_timers(&self) {
        self.shown(|shown| shown.tolerated.expect_timers());
    }

    /// The words that the program speaks.
    pub fn dialect(&self) -> &Dialect {
        &self.program.dialect
    }

    /// What was not exercised in all runs on so many nodes, as the dialect cannot express it: a
    /// sentence each.
    pub fn not_exercised(&self, nodes: u32) -> Vec<String> {
        let opaque = self.shown(|shown| shown.heard_opaque);
        with_words!(self.program.dialect.words(), W, words => words.not_exercised(nodes, opaque))
    }

    /// How many messages programs have been handed in all runs.
    pub fn delivered(&self) -> u64 {
        self.shown(|shown| shown.delivered)
    }

    /// Runs a plan with fresh processes and judges the history, of what was recorded until then if a
    /// node fails.
    ///
    /// # Errors
    ///
    /// When the machine refused a folder, or this process was asked to end.
    pub fn run(&self, plan: &Plan, purpose: Purpose) -> Result<Observed, RunError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (observed, shown) = self.attempt(plan, purpose, number, self.known())?;
        self.absorb(shown);
        Ok(observed)
    }

    /// What the next run may rely on.
    fn known(&self) -> Shown {
        self.shown(Shown::known)
    }

    fn absorb(&self, run: Shown) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.absorb(run);
    }

    /// Runs a plan without a trace in what is known: so several can run at once, and what they show can
    /// be put together in a fixed order. `number` names its folder.
    fn attempt(
        &self,
        plan: &Plan,
        purpose: Purpose,
        number: u64,
        mut shown: Shown,
    ) -> Result<(Observed, Shown), RunError> {
        if shown.real_time_because.is_none() {
            let observed = self.run_once(plan, purpose, number, &mut shown)?;
            let restless = observed.failure.as_ref();
            match restless.and_then(NodeFailure::why_restless) {
                Some(why) => shown.real_time_because = Some(why.to_owned()),
                None => return Ok((observed, shown)),
            }
        }
        let observed = self.run_once(&plan.in_real_time(), purpose, number, &mut shown)?;
        Ok((observed, shown))
    }

    /// Runs a plan as it is.
    fn run_once(
        &self,
        plan: &Plan,
        purpose: Purpose,
        number: u64,
        shown: &mut Shown,
    ) -> Result<Observed, RunError> {
        let folder = self.program.folder.join(format!("run-{number}"));
        let words = self.program.dialect.words();
        with_words!(words, W, words => self.run_as::<W>(words, plan, purpose, (folder, shown)))
    }

    fn run_as<W: Workload>(
        &self,
        words: &W::Words,
        plan: &Plan,
        purpose: Purpose,
        (folder, shown): (PathBuf, &mut Shown),
    ) -> Result<Observed, RunError> {
        fs::create_dir_all(&folder).map_err(|error| refused("create", &folder, &error))?;
        let mut nodes: External<'_, W> =
            External::new(&self.program, words, &shown.tolerated, plan, folder.clone());
        if purpose == Purpose::Shrink {
            nodes.hurry();
        }
        let (recorded, trace) = runner::drive_recorded(plan, &mut nodes);
        let history = &recorded.history;
        nodes.check_final_reads(&history.operations, recorded.run.first_final_read);
        nodes.finish();
        shown.delivered += nodes.delivered;
        shown.heard_opaque |= nodes.heard_opaque();
        if let Some(found) = nodes.leaks() {
            shown.leaks.add(found);
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
