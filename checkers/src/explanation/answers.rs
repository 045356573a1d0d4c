//! Findings about answers: what one answer must not hold, and what final reads must.

use super::{Teller, counted, time};
use crate::{
    history::OpId,
    verdict::{Difference, ThinAir},
};

impl Teller<'_> {
    /// A returned value that no write explains.
    pub(super) fn thin_air(&self, read: OpId, sibling: usize, origin: ThinAir) -> String {
        let value = self.sibling(read, sibling);
        let why = match origin {
            ThinAir::NeverWritten => {
                format!("nothing ever wrote it to {}", self.key(read))
            }
            ThinAir::OtherKey { write } => {
                format!(
                    "it was written to {}, by {}",
                    self.key(write),
                    self.who(write)
                )
            }
            ThinAir::Altered { write } => {
                format!("its tag belongs to {}", self.known_write(write, None))
            }
            ThinAir::Failed { write } => {
                format!("its write by {} was refused", self.who(write))
            }
            ThinAir::NotYetWritten { write } => {
                let invoked = time(self.op(write).invoked);
                format!("{} invoked its write only at {invoked}", self.who(write))
            }
        };
        format!(
            "{} should not have returned {value}: {why}",
            self.read(read)
        )
    }

    /// One write returned twice.
    pub(super) fn duplicate(&self, read: OpId, first: usize) -> String {
        format!(
            "{} should have returned {} once: the answer holds the same write twice",
            self.read(read),
            self.sibling(read, first)
        )
    }

    /// A write returned together with one that supersedes it.
    pub(super) fn dominated(&self, read: OpId, superseded: OpId, by: OpId) -> String {
        format!(
            "{} should have returned {} without {}: {} {} by {} with a context that covers {}",
            self.read(read),
            self.value(by),
            self.value(superseded),
            if self.is_delete(by) {
                "that delete".to_owned()
            } else {
                self.value(by)
            },
            if self.is_delete(by) {
                "was made"
            } else {
                "was written"
            },
            self.who(by),
            self.value(superseded)
        )
    }

    /// More siblings than the writers can have caused.
    pub(super) fn too_many_siblings(&self, read: OpId, chains: usize) -> String {
        format!(
            "{} should have returned no more than {}, not {}: every other write was superseded by its \
             own client's next, whose context covers it",
            self.read(read),
            counted(chains),
            self.answered(read).map_or(0, |read| read.siblings.len())
        )
    }

    /// A concurrent write that a final read lacks.
    pub(super) fn sibling_dropped(
        &self,
        read: OpId,
        write: OpId,
        seen_by: Option<OpId>,
        beside: OpId,
    ) -> String {
        format!(
            "{} should have returned {} beside {}: {}, and {} are concurrent, so neither may replace the other",
            self.read(read),
            self.value(write),
            self.value(beside),
            self.known_write(write, seen_by),
            self.subject(beside)
        )
    }

    /// A write that a final read lacks.
    pub(super) fn update_lost(
        &self,
        read: OpId,
        write: OpId,
        seen_by: Option<OpId>,
        ignored: Option<OpId>,
    ) -> String {
        let verb = if self.is_delete(write) {
            "heeded"
        } else {
            "returned"
        };
        format!(
            "{} should have {verb} {}: {}",
            self.read(read),
            self.known_write(write, seen_by),
            self.not_superseded(read, write, ignored)
        )
    }

    /// A superseded write that came back.
    pub(super) fn resurrected(&self, read: OpId, write: OpId, by: OpId, seen_by: OpId) -> String {
        format!(
            "{} should not have returned {}: {}{} with a context that covers it, had superseded it in {}",
            self.read(read),
            self.value(write),
            self.described_write(by),
            if self.is_delete(by) { "," } else { "" },
            self.read(seen_by)
        )
    }

    /// Two final reads that disagree.
    pub(super) fn diverged(&self, [first, second]: [OpId; 2], difference: &Difference) -> String {
        let (one, other) = (self.read(first), self.read(second));
        match difference {
            Difference::Siblings { .. } => format!(
                "{one} and {other} should have returned the same siblings of {}: they returned [{}] and [{}]",
                self.key(first),
                self.siblings(first),
                self.siblings(second)
            ),
            Difference::Version { write } => format!(
                "{one} and {other} should have returned {} with one clock: they returned it with {} and {}",
                self.value(*write),
                self.version_in(first, *write),
                self.version_in(second, *write)
            ),
            Difference::Contexts => format!(
                "{one} and {other} should have returned one context with the same siblings: they returned {} and {}",
                self.context(first),
                self.context(second)
            ),
        }
    }
}
