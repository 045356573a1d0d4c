//! Whether session guarantees can be broken.
//!
//! What a read may have seen holds all that the reads before it certainly saw, and what the client
//! wrote since. Then nothing that was looked for once needs to be looked for again.

use super::{Seen, Written};
use crate::{
    verdict::{Exercised, Invariant},
    write_set::WriteSet,
};

/// What a client has been told of a key.
#[derive(Default)]
pub(super) struct Past {
    /// What its reads certainly saw.
    seen: WriteSet,
    /// What its last read may have seen, where that is more.
    wider: Option<Box<WriteSet>>,
    /// Its acknowledged writes since that read.
    open: Vec<usize>,
    pub(super) has_written: bool,
}

impl Past {
    /// Takes up an acknowledged write.
    pub(super) fn wrote(&mut self, write: usize) {
        self.open.push(write);
        self.has_written = true;
    }

    /// Takes up a read; `None` when it might lack something that the client was told before.
    pub(super) fn read(&mut self, read: &Seen, exercised: &mut Exercised) -> Option<()> {
        let may = read.may();
        if self.has_written {
            exercised.add(Invariant::ReadYourWrites, 1);
        }
        if !self.seen.is_empty() {
            exercised.add(Invariant::MonotonicReads, 1);
        }
        let confirmed = self
            .wider
            .as_deref()
            .is_none_or(|wider| wider.is_subset(may));
        let written = self.open.iter().all(|write| may.contains(*write));
        if !confirmed || !written || !self.seen.is_subset(may) {
            return None;
        }
        self.open.clear();
        self.seen.union_with(&read.must);
        self.wider.clone_from(&read.may);
        Some(())
    }

    /// Whether the client had read anything before a write; what it had, unless the write covers
    /// that, is to be in every answer that holds the write.
    pub(super) fn is_followed_by(&self, write: &Written) -> (bool, Option<WriteSet>) {
        let covered = self.seen.is_subset(write.may());
        (!self.seen.is_empty(), (!covered).then(|| self.seen.clone()))
    }
}
