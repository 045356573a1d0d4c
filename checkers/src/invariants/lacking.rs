//! What it takes to show that a read lacks a write.

use super::preservation;
use crate::{
    causality::{KeyView, ReadView},
    history::OpId,
    verdict::Finding,
};

/// A write that a read lacks, and the operations that show it.
pub(super) struct Lacking<'v, 'h> {
    view: &'v KeyView<'h>,
    read: OpId,
    write: OpId,
    /// The returned sibling that shows that nothing superseded the write.
    pub(super) ignored: Option<OpId>,
    evidence: Vec<OpId>,
}

impl<'v, 'h> Lacking<'v, 'h> {
    /// The read, what it returned, the write, and what refutes that something returned might have
    /// superseded it.
    pub(super) fn of(view: &'v KeyView<'h>, read: &ReadView<'_>, write: usize) -> Self {
        let mut evidence = vec![view.writes[write].id, read.id];
        evidence.extend(view.ids(&read.returned));
        let ignored = preservation::ignored(view, read, write);
        if let Some(ignored) = ignored {
            evidence.extend(view.proof(ignored, write));
        } else {
            evidence.extend(preservation::shown_early(view, read, write));
        }
        Self {
            view,
            read: read.id,
            write: view.writes[write].id,
            ignored: ignored.map(|ignored| view.writes[ignored].id),
            evidence,
        }
    }

    /// Adds the read that showed the write.
    pub(super) fn shown_by(mut self, read: &ReadView<'_>) -> Self {
        self.evidence.push(read.id);
        self.evidence.extend(self.view.ids(&read.returned));
        self
    }

    /// Adds other operations, of whatever keys.
    pub(super) fn with(mut self, operations: impl IntoIterator<Item = OpId>) -> Self {
        self.evidence.extend(operations);
        self
    }

    /// That the read lacks a write that it should have seen since it was acknowledged.
    pub(super) fn missed(self) -> (Vec<OpId>, Finding) {
        let finding = Finding::WriteMissed {
            read: self.read,
            write: self.write,
            ignored: self.ignored,
        };
        self.proves(finding)
    }

    pub(super) fn proves(self, finding: Finding) -> (Vec<OpId>, Finding) {
        (self.evidence, finding)
    }
}
