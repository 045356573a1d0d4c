//! Findings about versions: clocks, dots and contexts.

use super::Teller;
use crate::verdict::Finding;

impl Teller<'_> {
    /// What is wrong with a clock, dot or context.
    pub(super) fn clock(&self, finding: &Finding) -> String {
        match *finding {
            Finding::ClockNotAbove {
                lower,
                through,
                upper,
            } => format!(
                "{} of {} should be above {} of {}: {} wrote {} with the context of {}, which covers {}",
                self.version(upper),
                self.value(upper),
                self.version(lower),
                self.value(lower),
                self.who(upper),
                self.value(upper),
                self.source(through),
                self.value(lower)
            ),
            Finding::FalseDominance { lower, upper } => format!(
                "{} of {} should not be above {} of {}: {}",
                self.version(upper),
                self.subject(upper),
                self.version(lower),
                self.described_write(lower),
                self.cannot_know(upper, lower)
            ),
            Finding::NotAdvanced { write } => format!(
                "{} should be answered with a version strictly above the context {} that it carried, not with {}",
                self.subject(write),
                self.context(write),
                self.version(write)
            ),
            Finding::SharedVersion {
                writes: [first, second],
            } => format!(
                "{} and {} should have different versions: both have {}",
                self.subject(first),
                self.subject(second),
                self.version(first)
            ),
            Finding::VersionChanged {
                write,
                known_from,
                read,
            } => format!(
                "{} should have returned {} with {} as {} did, not with {}",
                self.read(read),
                self.value(write),
                self.version_in(known_from, write),
                if known_from == write {
                    "its acknowledgement".to_owned()
                } else {
                    self.read(known_from)
                },
                self.version_in(read, write)
            ),
            Finding::OrderedAnswer {
                read,
                siblings: [low, high],
            } => format!(
                "{} should not have returned {} and {} together: {} is not concurrent with {}",
                self.read(read),
                self.sibling(read, low),
                self.sibling(read, high),
                self.sibling_version(read, low),
                self.sibling_version(read, high)
            ),
            Finding::ContextOmitsDot { read, sibling } => format!(
                "{} should have returned a context that includes {} of {}: its context is {}",
                self.read(read),
                self.sibling_version(read, sibling),
                self.sibling(read, sibling),
                self.context(read)
            ),
            Finding::ContextShrank { earlier, read } => format!(
                "{} should have returned a context that includes {}, the context of {}: its context is {}",
                self.read(read),
                self.context(earlier),
                self.read(earlier),
                self.context(read)
            ),
            Finding::DotInOwnPast { write } => format!(
                "{} should have a dot that is not in its own past: it has {}",
                self.subject(write),
                self.version(write)
            ),
            Finding::CounterNotGrown { earlier, later } => format!(
                "{} should have a larger counter than {} of {}, which was acknowledged before: it has {}",
                self.subject(later),
                self.version(earlier),
                self.value(earlier),
                self.version(later)
            ),
            _ => String::new(),
        }
    }
}
