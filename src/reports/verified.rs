//! What was found in recorded histories.

use std::{path::PathBuf, sync::Arc};

use sibcheck_checkers::{
    AnyJudged, History, Outcome,
    import::{self, Fault, Note},
    strongest::Strongest,
};

use crate::exit::Failure;

/// What `sibcheck verify` found in one file.
#[derive(Debug)]
pub struct Verified {
    /// The file.
    pub file: PathBuf,
    /// No other file was given.
    pub alone: bool,
    /// The verdict, or why there is none.
    pub came: Result<Judgement, Failure>,
}

/// A history with the verdict on it.
#[derive(Debug)]
pub struct Judgement {
    /// What came of it.
    pub found: Found,
    /// How it was read; `None` for a history in this project's own form.
    pub source: Option<Source>,
}

/// A history and what came of it.
#[derive(Debug)]
pub enum Found {
    /// Of one claim.
    Judged(Box<dyn AnyJudged>),
    /// Of siblings, by every claim.
    Strongest {
        /// What was judged.
        history: Arc<History>,
        /// The verdicts.
        strongest: Box<Strongest>,
    },
}

/// How a file in a form of others was read.
#[derive(Debug)]
pub struct Source {
    /// The format.
    pub format: import::Format,
    /// What was assumed, and what could therefore not be checked.
    pub notes: Vec<Note>,
    /// Where reading stopped before the end, and why.
    pub fault: Option<Fault>,
}

impl Found {
    /// The outcome.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Judged(judged) => judged.outcome(),
            Self::Strongest { strongest, .. } => strongest.outcome(),
        }
    }
}
