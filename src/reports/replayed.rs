//! What became of saved cases.

use std::path::PathBuf;

use crate::{
    cases::{Judged, Saved},
    exit::{Exit, Failure},
};

/// What `sibcheck replay` found.
#[derive(Debug, Default)]
pub struct Replayed {
    /// The cases that were judged.
    pub judged: Vec<(Saved, Judged)>,
    /// Those that could not be, and why.
    pub unreadable: Vec<(PathBuf, Failure)>,
}

impl Replayed {
    /// How the process should exit.
    pub fn exit(&self) -> Exit {
        let verdicts = self.judged.iter().map(|(_, judged)| {
            if judged.as_expected {
                Exit::Holds
            } else if judged.expected.is_none() {
                judged.outcome.into()
            } else {
                Exit::Violation
            }
        });
        let failures = self.unreadable.iter().map(|(_, failure)| failure.exit);
        verdicts.chain(failures).fold(Exit::Holds, Exit::and)
    }
}
