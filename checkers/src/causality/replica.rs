//! Causality in the replica model: by time alone. Reported clocks are for the checks to add.
//!
//! A write may supersede what was invoked before it completed: a prefix of the writes in their
//! order of invocation (itself included, which does no harm and keeps the prefix whole). Nothing
//! must supersede anything, so a read certainly holds what it returned and no more. See
//! [`object_model`](crate::object_model). O(n log n).

use super::KeyView;
use crate::{
    history::{Status, TimeNs},
    write_set::WriteSet,
};

impl KeyView<'_> {
    pub(super) fn settle_as_replica(&mut self) {
        let mut by_end: Vec<_> = (0..self.writes.len())
            .map(|write| (self.last_moment(write), write))
            .collect();
        by_end.sort_unstable();
        let (mut before, mut next) = (WriteSet::EMPTY, 0);
        for (end, write) in by_end {
            while self
                .writes
                .get(next)
                .is_some_and(|write| write.invoked <= end)
            {
                before.insert(next);
                next += 1;
            }
            self.writes[write].covers_may = before.clone();
            self.writes[write].settled = true;
        }
        for slot in 0..self.reads.len() {
            self.settle_read(slot);
        }
    }

    /// When a write had certainly taken effect, if ever.
    fn last_moment(&self, write: usize) -> TimeNs {
        let write = &self.writes[write];
        let completed = write.completed.filter(|_| write.status != Status::Info);
        completed.unwrap_or(TimeNs::MAX)
    }
}
