//! The timers of a served node, by when they go off.

use std::collections::BTreeMap;

use crate::simulation::Nanos;

/// Timers that are set. Those for the same moment go off in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    now: Nanos,
    set: BTreeMap<(Nanos, u64), u32>,
    count: u64,
}

impl Timers {
    /// Sets a timer for so long after the present moment. O(log timers).
    pub(super) fn set(&mut self, after: Nanos, timer: u32) {
        let due = Nanos(self.now.0.saturating_add(after.0));
        self.set.insert((due, self.count), timer);
        self.count += 1;
    }

    /// When the first one goes off.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.set.keys().next().map(|(due, _)| *due)
    }

    /// It is this late: the timers that go off, in their order. One that is set anew waits for the next call,
    /// so that nobody who is late catches up on rounds that were missed.
    pub(super) fn advance(&mut self, now: Nanos) -> Vec<u32> {
        self.now = self.now.max(now);
        let later = self
            .set
            .split_off(&(Nanos(self.now.0.saturating_add(1)), 0));
        std::mem::replace(&mut self.set, later)
            .into_values()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_go_off_when_they_are_due_and_in_order() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Nanos(20), 2);
        timers.set(Nanos(10), 1);
        timers.set(Nanos(20), 0);
        assert_eq!(timers.next(), Some(Nanos(10)));
        assert_eq!(timers.advance(Nanos(9)), [0; 0]);
        assert_eq!(timers.advance(Nanos(10)), [1]);
        assert_eq!(timers.advance(Nanos(25)), [2, 0]);
        // From the present moment, which never goes back.
        assert_eq!(timers.advance(Nanos(3)), [0; 0]);
        timers.set(Nanos(5), 7);
        assert_eq!(timers.next(), Some(Nanos(30)));
        timers.set(Nanos(u64::MAX), 8);
        assert_eq!(timers.advance(Nanos(29)), [0; 0]);
        assert_eq!(timers.advance(Nanos(1_000)), [7]);
        assert_eq!(timers.next(), Some(Nanos(u64::MAX)));
    }
}
