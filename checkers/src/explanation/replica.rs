//! Findings of the replica model, where time and clocks say what a write may have replaced.

use super::{Teller, time};
use crate::history::{OpId, Status};

impl Teller<'_> {
    /// Several siblings of an atomic register.
    pub(super) fn register_split(&self, read: OpId) -> String {
        format!(
            "{} should have returned one value, the last: it returned {}",
            self.read(read),
            self.siblings(read)
        )
    }

    /// A value that had been replaced in an atomic register.
    pub(super) fn register_went_back(
        &self,
        read: OpId,
        first_done: Option<OpId>,
        replaced_by: OpId,
        begun: OpId,
        done: OpId,
    ) -> String {
        let replaced = format!(
            "{} had ended at {}",
            self.source(done),
            self.completed(done)
        );
        match first_done {
            None => format!(
                "{} should have returned {} or a later value, not nothing: {replaced}",
                self.read(read),
                self.value(replaced_by)
            ),
            Some(first) => format!(
                "{} should have returned {} or a later value, not {}: {} began only after {} \
                 had ended at {}, and {replaced}",
                self.read(read),
                self.value(replaced_by),
                self.siblings(read),
                self.source(begun),
                self.source(first),
                self.completed(first)
            ),
        }
    }

    /// Values that each had to be there before the next, in a circle.
    pub(super) fn register_circle(&self, steps: &[[OpId; 2]]) -> String {
        let told = steps.iter().map(|[done, begun]| {
            format!(
                "{} had ended before {} began",
                self.source(*done),
                self.source(*begun)
            )
        });
        let told: Vec<_> = told.collect();
        format!(
            "no order of the writes explains the answers, as each value is there only once: {}",
            told.join(", ")
        )
    }

    /// Why no sibling that a read returned can have superseded a write.
    pub(super) fn nothing_replaced(&self, read: OpId, write: OpId) -> String {
        let Some(answer) = self.answered(read) else {
            return String::new();
        };
        let operations = (0..).zip(&self.0.operations);
        let returned = operations.filter(|(id, _)| self.returned_as(read, answer, *id).is_some());
        let reasons = returned.map(|(sibling, op)| {
            let over = op.completed.filter(|_| op.status != Status::Info);
            if over.is_some_and(|over| over < self.op(write).invoked) {
                self.over_before(sibling, write)
            } else {
                format!(
                    "{} of {} is not above {}",
                    self.version(sibling),
                    self.value(sibling),
                    self.version(write)
                )
            }
        });
        reasons.collect::<Vec<_>>().join(", and ")
    }

    /// That one write had ended when another began.
    pub(super) fn over_before(&self, first: OpId, second: OpId) -> String {
        format!(
            "{} had been written by {}, before {} was invoked at {}",
            self.value(first),
            self.completed(first),
            self.again(second),
            time(self.op(second).invoked)
        )
    }
}
