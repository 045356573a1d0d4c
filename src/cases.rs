//! Saved cases and what became of them, as values.

use std::{fmt, path::PathBuf, sync::Arc};

use sibcheck_checkers::{AnyJudged, Outcome};

/// What a file of the corpus holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plan to be run.
    Plan,
    /// A recorded history to be judged.
    History,
    /// Scripted input and output of a node.
    Conformance,
    /// Input of the fuzz target of this name.
    Fuzz(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plan => "plan",
            Self::History => "history",
            Self::Conformance => "conformance",
            Self::Fuzz(target) => target,
        })
    }
}

/// A file of the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
}

/// What came of judging a file.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The verdict that the file expects; `None` when it names none, and then validity is expected.
    pub expected: Option<String>,
    /// The verdict that it got.
    pub found: String,
    /// The outcome, whatever was expected.
    pub outcome: Outcome,
    /// True when the verdict is the expected one.
    pub as_expected: bool,
    /// The history and the verdict on it, for plans and histories.
    pub evidence: Option<Arc<dyn AnyJudged>>,
}
