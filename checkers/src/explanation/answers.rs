//! Findings about answers: what one answer must not hold, and what final reads must.

use super::{Teller, counted, time};
use crate::verdict::{Difference, Finding, ThinAir};

impl Teller<'_> {
    /// What is wrong with one answer.
    pub(super) fn answer(&self, finding: &Finding) -> String {
        match *finding {
            Finding::ThinAir {
                read,
                sibling,
                origin,
            } => {
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
            Finding::Duplicate {
                read,
                siblings: [first, _],
            } => format!(
                "{} should have returned {} once: the answer holds the same write twice",
                self.read(read),
                self.sibling(read, first)
            ),
            Finding::Dominated {
                read,
                superseded,
                by,
            } => format!(
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
            ),
            Finding::TooManySiblings { read, chains } => format!(
                "{} should have returned no more than {}, not {}: every other write was superseded by its \
                 own client's next, whose context covers it",
                self.read(read),
                counted(chains),
                self.answered(read).map_or(0, |read| read.siblings.len())
            ),
            _ => String::new(),
        }
    }

    /// What is wrong with what a final read returned.
    pub(super) fn final_read(&self, finding: &Finding) -> String {
        match finding {
            Finding::SiblingDropped {
                read,
                write,
                seen_by,
                beside,
            } => format!(
                "{} should have returned {} beside {}: {}, and {} are concurrent, so neither may replace the other",
                self.read(*read),
                self.value(*write),
                self.value(*beside),
                self.known_write(*write, *seen_by),
                self.subject(*beside)
            ),
            Finding::UpdateLost {
                read,
                write,
                seen_by,
                ignored,
            } => {
                let verb = if self.is_delete(*write) {
                    "heeded"
                } else {
                    "returned"
                };
                format!(
                    "{} should have {verb} {}: {}",
                    self.read(*read),
                    self.known_write(*write, *seen_by),
                    self.not_superseded(*read, *write, *ignored)
                )
            }
            Finding::Resurrected {
                read,
                write,
                by,
                seen_by,
            } => format!(
                "{} should not have returned {}: {}{} with a context that covers it, had superseded it in {}",
                self.read(*read),
                self.value(*write),
                self.described_write(*by),
                if self.is_delete(*by) { "," } else { "" },
                self.read(*seen_by)
            ),
            Finding::Diverged {
                reads: [first, second],
                difference,
            } => {
                let (one, other) = (self.read(*first), self.read(*second));
                match difference {
                    Difference::Siblings { .. } => format!(
                        "{one} and {other} should have returned the same siblings of {}: they returned [{}] and [{}]",
                        self.key(*first),
                        self.siblings(*first),
                        self.siblings(*second)
                    ),
                    Difference::Version { write } => format!(
                        "{one} and {other} should have returned {} with one clock: they returned it with {} and {}",
                        self.value(*write),
                        self.version_in(*first, *write),
                        self.version_in(*second, *write)
                    ),
                    Difference::Contexts => format!(
                        "{one} and {other} should have returned one context with the same siblings: they returned {} and {}",
                        self.context(*first),
                        self.context(*second)
                    ),
                }
            }
            _ => String::new(),
        }
    }
}
