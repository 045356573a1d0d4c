//! What was found in recorded histories.

use std::path::PathBuf;

use sibcheck_checkers::{
    History, Outcome, Verdict,
    import::{self, Fault, Note},
    registers,
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
    /// What was judged.
    pub judged: Judged,
    /// How it was read; `None` for a history in this project's own form.
    pub source: Option<Source>,
}

/// A history and what came of it.
#[derive(Debug)]
pub enum Judged {
    /// Of registers.
    Registers {
        /// What was judged.
        history: registers::History,
        /// The verdict.
        verdict: registers::Verdict,
    },
    /// Of siblings.
    Siblings {
        /// What was judged.
        history: History,
        /// The verdict.
        verdict: Box<Verdict>,
    },
    /// Of siblings, by every claim.
    Strongest {
        /// What was judged.
        history: History,
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

impl Judged {
    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Registers { verdict, .. } => verdict.outcome,
            Self::Siblings { verdict, .. } => verdict.outcome,
            Self::Strongest { strongest, .. } => strongest.outcome(),
        }
    }
}
