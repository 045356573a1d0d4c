//! The program under test: how it is started, and how it failed.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{nodes::process::ExternalError, protocol::Dialect};

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
}

impl Program {
    /// A program with the usual patience.
    pub fn new(argv: Vec<String>, dialect: Dialect, folder: PathBuf) -> Self {
        Self {
            argv,
            dialect,
            folder,
            start_patience: Duration::from_secs(10),
            patience: Duration::from_millis(500),
            busy_patience: Duration::from_secs(3),
            timer_patience: Duration::from_secs(5),
            guard: None,
        }
    }
}

/// A node broke the protocol, died by itself or never answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct NodeFailure {
    what: String,
    restless: Option<String>,
}

impl NodeFailure {
    /// What a node did, and what can be done about it.
    pub(super) fn new(node: &str, what: &str, remedy: &str) -> Self {
        Self {
            what: format!("node {node}: {what}; {remedy}"),
            restless: None,
        }
    }

    /// A node whose rest cannot be seen: it can only be judged in real time.
    pub(super) fn restless(node: &str, what: &str) -> Self {
        Self {
            restless: Some(format!("node {node}: {what}")),
            ..Self::new(node, what, "judge it in real time: --time real")
        }
    }

    /// Why the node, which did nothing wrong, can only be judged in real time.
    pub fn why_restless(&self) -> Option<&str> {
        self.restless.as_deref()
    }

    /// What became of a process, which names its node and the remedy itself.
    pub(super) fn process(error: &ExternalError) -> Self {
        Self {
            what: error.to_string(),
            restless: None,
        }
    }
}

/// Oddities that were tolerated, by kind. They go over all runs of a program.
#[derive(Debug, Default)]
pub struct Tolerated {
    counts: [AtomicU64; Sin::ALL.len()],
}

/// What programs do that the protocol does not allow, and that can be understood all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sin {
    /// Two messages stood on one line.
    MergedLines,
    /// An answer did not say what it answers.
    NoReplyTo,
    /// An answer came to a client that waited for nothing, or for something else.
    Unasked,
    /// A message was addressed to nobody.
    NoReceiver,
    /// A node went on running after its input had ended, and had to be killed.
    StaysAlive,
}

impl Sin {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::MergedLines,
        Self::NoReplyTo,
        Self::Unasked,
        Self::NoReceiver,
        Self::StaysAlive,
    ];

    /// What it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MergedLines => "several messages on one line",
            Self::NoReplyTo => "answers without in_reply_to",
            Self::Unasked => "answers that nobody waited for",
            Self::NoReceiver => "messages to somebody who does not exist",
            Self::StaysAlive => "nodes that did not end with their input",
        }
    }
}

impl Tolerated {
    /// Notes one.
    pub fn note(&self, sin: Sin) {
        self.counts[sin as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often one was noted.
    pub fn count(&self, sin: Sin) -> u64 {
        self.counts[sin as usize].load(Ordering::Relaxed)
    }

    /// Every kind that occurred, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Sin, u64)> + '_ {
        Sin::ALL
            .into_iter()
            .map(|sin| (sin, self.count(sin)))
            .filter(|(_, count)| *count > 0)
    }
}
