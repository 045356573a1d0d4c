//! Writes that have to be in one read after another, of which more and more are known.
//!
//! What one read held need not be looked for again in the next: only what the next does not hold of
//! all that the first did, and what has been added since. Healthy reads hold nearly the same, so
//! that a read costs what it differs in from the one before.

use crate::{
    causality::{KeyView, ReadView, WriteView},
    history::TimeNs,
};

/// The writes that are to be in the next read.
#[derive(Default)]
pub(super) struct Required {
    any: bool,
    /// The number of the last read. What was required of it is in its `V_may`, or in `open`.
    last: Option<usize>,
    open: Vec<usize>,
}

impl Required {
    pub(super) fn add(&mut self, write: usize) {
        self.any = true;
        self.open.push(write);
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }

    /// The first write that is not in the read's `V_may`, where any is not.
    pub(super) fn missing_in(
        &mut self,
        view: &KeyView<'_>,
        number: usize,
        was_required: impl Fn(&WriteView<'_>, &ReadView<'_>) -> bool,
    ) -> Option<usize> {
        let read = &view.reads[number];
        self.open.retain(|write| !read.visible_may.contains(*write));
        let last = self.last.replace(number).map(|last| &view.reads[last]);
        if let Some(last) = last.filter(|last| !last.visible_may.is_subset(&read.visible_may)) {
            let gone = last.visible_may.difference(&read.visible_may);
            let gone = gone.filter(|write| was_required(&view.writes[*write], last));
            self.open.extend(gone);
        }
        self.open.iter().copied().min()
    }
}

/// True when a write was acknowledged before a time.
pub(super) fn acknowledged_before(write: &WriteView<'_>, time: TimeNs) -> bool {
    write.acknowledged() && write.completed.is_some_and(|completed| completed < time)
}
