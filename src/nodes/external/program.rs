//! The program under test: how it is started, and how it failed.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sibcheck_checkers::outside::{self, OutsideLines};

use crate::{
    interrupt::Interrupt,
    nodes::process::{ExternalError, Launch, locate},
    workloads::Dialect,
};

use super::names::NodeNames;

/// Gossip every five seconds is usual; so two rounds of it, and some more.
const TIMER_PATIENCE: Duration = Duration::from_millis(12_500);

/// A program that speaks the Maelstrom protocol, and how to deal with it.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its words for reading and writing.
    pub dialect: Dialect,
    /// Each run's nodes get folders of their own below this one.
    pub folder: PathBuf,
    /// How long a node may take to answer its `init`.
    pub start_patience: Duration,
    /// How long a node may be silent while a client waits.
    pub patience: Duration,
    /// How long a node may be busy with one message. Longer than anyone computes on purpose, so
    /// that a loaded machine is not taken for a busy loop.
    pub busy_patience: Duration,
    /// How much real time may pass for timers of the nodes when their final reads differ.
    pub timer_patience: Duration,
    /// The program that starts a node so that it dies with this process.
    pub guard: Option<PathBuf>,
    /// What the nodes are called.
    pub names: NodeNames,
    /// Whether what would be tolerated is a failure.
    pub strict: bool,
    /// Ends every wait for a node once it is raised.
    pub interrupt: Interrupt,
}

impl Program {
    /// Whether there is such a program, before anything is started.
    ///
    /// # Errors
    ///
    /// With what stands in its place, and what to do.
    pub fn look_up(&self) -> Result<(), NodeFailure> {
        let program = self.argv.first().map_or("", String::as_str);
        locate(self.names.of(0).as_str(), program).map_err(|error| NodeFailure::process(&error))?;
        Ok(())
    }

    /// How it is started as a node of this name, with its own clock.
    pub(super) fn launch(&self, name: &str, folder: PathBuf, stderr_file: PathBuf) -> Launch {
        Launch {
            argv: self.argv.clone(),
            folder,
            stderr_file,
            name: name.to_owned(),
            guard: self.guard.clone(),
            interrupt: self.interrupt.clone(),
            tracing: None,
        }
    }

    /// A program with the usual patience.
    pub fn new(argv: Vec<String>, dialect: Dialect, folder: PathBuf) -> Self {
        Self {
            argv,
            dialect,
            folder,
            start_patience: Duration::from_secs(10),
            patience: Duration::from_millis(500),
            busy_patience: Duration::from_secs(3),
            timer_patience: TIMER_PATIENCE,
            guard: None,
            names: NodeNames::default(),
            strict: false,
            interrupt: Interrupt::default(),
        }
    }
}

/// How a node failed, without what differs from run to run: two runs that end in the same kind
/// fail alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It could not be started, or the machine refused something.
    Start,
    /// It died by itself or closed a pipe.
    Death,
    /// It wrote what the protocol does not allow.
    Output,
    /// It did not answer, or left its input unread.
    Silence,
    /// It answered no request since it was started: what was asked did not matter.
    Mute,
    /// It wrote to a service that there is not: it did nothing wrong.
    Service,
    /// Its rest cannot be seen: it can only be judged in real time.
    Restless,
    /// It did nothing wrong: this process was asked to end.
    Interrupted,
}

/// A node broke the protocol, died by itself or never answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", OutsideLines(what), shown_place(log.as_deref()))]
pub struct NodeFailure {
    kind: FailureKind,
    what: String,
    /// Where its stderr is.
    log: Option<PathBuf>,
    restless: Option<String>,
}

fn shown_place(log: Option<&Path>) -> String {
    log.map_or_else(String::new, |log| {
        format!("; all of its stderr is in {}", outside::path(log))
    })
}

impl NodeFailure {
    /// What a node did, and what can be done about it.
    pub(super) fn new(kind: FailureKind, node: &str, what: &str, remedy: &str) -> Self {
        Self {
            kind,
            what: format!("node {node}: {what}; {remedy}"),
            log: None,
            restless: None,
        }
    }

    /// A node whose rest cannot be seen: it can only be judged in real time.
    pub(super) fn restless(node: &str, what: &str) -> Self {
        Self {
            restless: Some(format!("node {node}: {what}")),
            ..Self::new(
                FailureKind::Restless,
                node,
                what,
                "judge it in real time: --time real",
            )
        }
    }

    /// The same where the folders of its run are not kept.
    #[must_use]
    pub fn without_place(self) -> Self {
        Self { log: None, ..self }
    }

    /// How it failed.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Why the node, which did nothing wrong, can only be judged in real time.
    pub fn why_restless(&self) -> Option<&str> {
        self.restless.as_deref()
    }

    /// A line that a node wrote, what is wrong with it, what was expected, and what can be done.
    pub(super) fn of_line(line: &BadLine<'_>) -> Self {
        let BadLine {
            node,
            number,
            what,
            text,
            expected,
            remedy,
        } = line;
        let shown = super::deviations::cut(text);
        Self {
            kind: FailureKind::Output,
            what: format!(
                "node {node}: line {number} of its output {what}\n  got       {shown}\n  expected  \
                 {expected}\n  remedy    {remedy}"
            ),
            log: None,
            restless: None,
        }
    }

    /// What became of a process, which names its node and the remedy itself.
    pub(super) fn process(error: &ExternalError) -> Self {
        let kind = match error {
            ExternalError::Died { .. } | ExternalError::Closed { .. } => FailureKind::Death,
            ExternalError::Storm { .. } => FailureKind::Output,
            ExternalError::Interrupted { .. } => FailureKind::Interrupted,
            ExternalError::NoProgram { .. }
            | ExternalError::NotFound { .. }
            | ExternalError::NotExecutable { .. }
            | ExternalError::Folder { .. }
            | ExternalError::Spawn { .. }
            | ExternalError::Create { .. }
            | ExternalError::System { .. } => FailureKind::Start,
        };
        Self {
            kind,
            what: error.to_string(),
            log: match error {
                ExternalError::Died { stderr_file, .. } => Some(stderr_file.clone()),
                _ => None,
            },
            restless: None,
        }
    }
}

/// A line that a node should not have written.
pub(super) struct BadLine<'a> {
    pub(super) node: &'a str,
    /// In all that the node wrote, from 1.
    pub(super) number: u64,
    /// Goes on after "line 7 of its output".
    pub(super) what: &'a str,
    pub(super) text: &'a str,
    pub(super) expected: &'a str,
    pub(super) remedy: &'a str,
}
