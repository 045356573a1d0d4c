//! Runs of an outside program: each with fresh processes, in folders of their own.

use std::{
    fs, io,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use sibcheck_checkers::judge;

use crate::{
    campaign::Judged,
    nodes::external::{External, NodeFailure, Program, Tolerated},
    plans::Plan,
    protocol::Dialect,
    runner,
};

/// A program under test and what its runs have shown.
#[derive(Debug)]
pub struct Laboratory {
    program: Program,
    /// Oddities that were tolerated in all runs.
    pub tolerated: Tolerated,
    runs: AtomicU64,
    delivered: AtomicU64,
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
        }
    }

    /// The words that the program speaks.
    pub fn dialect(&self) -> Dialect {
        self.program.dialect
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
        let number = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let folder = self.program.folder.join(format!("run-{number}"));
        fs::create_dir_all(&folder).map_err(|error| refused("create", &folder, &error))?;
        let mut nodes = External::new(&self.program, &self.tolerated, plan.nodes, folder.clone());
        let run = runner::drive(plan, &mut nodes);
        self.delivered.fetch_add(nodes.delivered, Ordering::Relaxed);
        let failure = nodes.failure().cloned();
        // Ends the processes before their folders go.
        drop(nodes);
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        fs::remove_dir_all(&folder).map_err(|error| refused("remove", &folder, &error))?;
        let verdict = judge(&run.history, plan.claim).map_err(|fault| {
            RunError::Machine(format!(
                "the recorded history makes no sense, which is a bug of sibcheck: {fault}"
            ))
        })?;
        Ok(Judged { run, verdict })
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
