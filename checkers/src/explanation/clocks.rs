//! Findings about versions: clocks, dots and contexts.

use super::Teller;
use crate::history::OpId;

impl Teller<'_> {
    /// A clock that is not above the clock of a write that its context covers.
    pub(super) fn clock_not_above(&self, lower: OpId, through: OpId, upper: OpId) -> String {
        format!(
            "{} of {} should be above {} of {}: {} wrote {} with the context of {}, which covers {}",
            self.version(upper),
            self.value(upper),
            self.version(lower),
            self.value(lower),
            self.who(upper),
            self.value(upper),
            self.source(through),
            self.value(lower)
        )
    }

    /// A clock that is above the clock of a write that it cannot know.
    pub(super) fn false_dominance(&self, lower: OpId, upper: OpId) -> String {
        format!(
            "{} of {} should not be above {} of {}: {}",
            self.version(upper),
            self.subject(upper),
            self.version(lower),
            self.described_write(lower),
            self.cannot_know(upper, lower)
        )
    }

    /// A clock that is not above the context of its write.
    pub(super) fn not_advanced(&self, write: OpId) -> String {
        format!(
            "{} should be answered with a version strictly above the context {} that it carried, not with {}",
            self.subject(write),
            self.context(write),
            self.version(write)
        )
    }

    /// Two writes with one clock.
    pub(super) fn shared_version(&self, [first, second]: [OpId; 2]) -> String {
        format!(
            "{} and {} should have different versions: both have {}",
            self.subject(first),
            self.subject(second),
            self.version(first)
        )
    }

    /// A value that was returned with another clock than before.
    pub(super) fn version_changed(&self, write: OpId, known_from: OpId, read: OpId) -> String {
        format!(
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
        )
    }

    /// Two clocks of one answer that are not concurrent.
    pub(super) fn ordered_answer(&self, read: OpId, [low, high]: [usize; 2]) -> String {
        format!(
            "{} should not have returned {} and {} together: {} is not concurrent with {}",
            self.read(read),
            self.sibling(read, low),
            self.sibling(read, high),
            self.sibling_version(read, low),
            self.sibling_version(read, high)
        )
    }

    /// A context that lacks a dot returned with it.
    pub(super) fn context_omits_dot(&self, read: OpId, sibling: usize) -> String {
        format!(
            "{} should have returned a context that includes {} of {}: its context is {}",
            self.read(read),
            self.sibling_version(read, sibling),
            self.sibling(read, sibling),
            self.context(read)
        )
    }

    /// A context of a final read that lacks some of an earlier one.
    pub(super) fn context_shrank(&self, earlier: OpId, read: OpId) -> String {
        format!(
            "{} should have returned a context that includes {}, the context of {}: its context is {}",
            self.read(read),
            self.context(earlier),
            self.read(earlier),
            self.context(read)
        )
    }

    /// A dot that is in its own past.
    pub(super) fn dot_in_own_past(&self, write: OpId) -> String {
        format!(
            "{} should have a dot that is not in its own past: it has {}",
            self.subject(write),
            self.version(write)
        )
    }

    /// A coordinator's later dot without a larger counter.
    pub(super) fn counter_not_grown(&self, earlier: OpId, later: OpId) -> String {
        format!(
            "{} should have a larger counter than {} of {}, which was acknowledged before: it has {}",
            self.subject(later),
            self.version(earlier),
            self.value(earlier),
            self.version(later)
        )
    }
}
