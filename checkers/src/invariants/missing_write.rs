//! What it takes to show that a read lacks a write.
//!
//! A read lacks what is not in its `V_may`, and `V_may` holds whatever may have been superseded in
//! the read: by what it returned, and by deletes that it may hide. Evidence is judged by itself, so
//! it must hold what refutes each excuse that its own operations give. Two things refute one:
//!
//! - a returned sibling that the write must supersede, and the proof of that;
//! - where something in the read might have taken effect after a later write of its client, and so
//!   have superseded what that covers (`late_writes.rs`): a read that shows that
//!   it had taken effect before.
//!
//! ```text
//! c1  delete ─ info  read ─ ok [deleted]  write "a" ─ ok  read ─ ok ["a"]
//! c1                                                                     read ─ ok []
//! ```
//!
//! The last read may hide the delete. Without the first one, the delete might have come after "a".

use crate::{
    causality::{KeyView, Node, ReadView},
    history::OpId,
    verdict::Finding,
};

/// A write that a read lacks, and the operations that show it.
pub(super) struct MissingWrite<'v, 'h> {
    view: &'v KeyView<'h>,
    read: &'v ReadView<'h>,
    write: usize,
    /// The returned sibling that shows that nothing superseded the write.
    pub(super) ignored: Option<OpId>,
    evidence: Vec<OpId>,
}

impl<'v, 'h> MissingWrite<'v, 'h> {
    /// The read, what it returned, the write, and what refutes that something returned might have
    /// superseded it.
    pub(super) fn of(view: &'v KeyView<'h>, read: &'v ReadView<'h>, write: usize) -> Self {
        let mut evidence = vec![view.writes[write].id, read.id];
        evidence.extend(view.ids(&read.returned));
        let ignored = ignored(view, read, write);
        if let Some(ignored) = ignored {
            evidence.extend(view.proof(ignored, write));
        }
        Self {
            view,
            read,
            write,
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
            read: self.read.id,
            write: self.view.writes[self.write].id,
            ignored: self.ignored,
        };
        self.proves(finding)
    }

    pub(super) fn proves(mut self, finding: Finding) -> (Vec<OpId>, Finding) {
        if self.ignored.is_none() {
            self.evidence.extend(self.in_time());
        }
        (self.evidence, finding)
    }

    /// The reads that show that what the read may have held had taken effect before later writes of
    /// its client that cover the missing one, for all that is evidence.
    fn in_time(&self) -> Vec<OpId> {
        let Self { view, read, .. } = self;
        if !view.has_open_writes() {
            return Vec::new();
        }
        let of_key = |op: &&OpId| view.operation(**op).key == view.key;
        let of_key = self.evidence.iter().filter(of_key);
        let writes = of_key.filter_map(|op| match view.node(*op) {
            Some(Node::Write(write, _)) => Some(write),
            _ => None,
        });
        let covers = |later: &usize| {
            *later == self.write || view.writes[*later].covers_may.contains(self.write)
        };
        let later: Vec<_> = writes.clone().filter(covers).collect();
        let held = writes.filter(|write| read.visible_may.contains(*write));
        let shown = |write| later.iter().filter_map(move |l| view.shown_by(write, *l));
        held.flat_map(shown).collect()
    }
}

/// Whether a missing write might be hidden, or superseded by another of its client, if the read
/// alone were known, and had not returned what it supersedes.
pub(super) fn excused(view: &KeyView<'_>, read: &ReadView<'_>, write: usize) -> bool {
    let mut returned = read.returned.iter();
    view.hides(write)
        || read.refuted.contains(write)
        || returned.any(|sibling| view.shown_by(sibling, write).is_some())
}

/// The returned sibling that shows a missing write to be missing nevertheless.
fn ignored(view: &KeyView<'_>, read: &ReadView<'_>, write: usize) -> Option<usize> {
    let covers = &view.writes[write].covers_must;
    let mut returned = read.returned.iter().filter(|_| excused(view, read, write));
    returned.find(|sibling| covers.contains(*sibling))
}
