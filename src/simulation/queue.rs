//! The event queue: earliest first, and first scheduled first among equals.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::time::Nanos;

/// Entries ordered by time, then by the order in which they were pushed.
pub(super) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    /// The sequence of the next entry.
    next: u64,
    /// The sequence of the next entry that goes before others of its time.
    next_before: u64,
}

/// The sequence of the first ordinary entry: those that go before others have smaller ones.
const ORDINARY: u64 = 1 << 32;

struct Entry<T> {
    at: Nanos,
    sequence: u64,
    item: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            next: ORDINARY,
            next_before: 0,
        }
    }
}

impl<T> Queue<T> {
    /// O(log n).
    pub(super) fn push(&mut self, at: Nanos, item: T) {
        let sequence = self.next;
        self.next += 1;
        self.heap.push(Entry { at, sequence, item });
    }

    /// As [`Queue::push`], but before all that was pushed for the same time in the ordinary way:
    /// for what would have come earlier, had it not been held back. O(log n).
    pub(super) fn push_before(&mut self, at: Nanos, item: T) {
        let sequence = self.next_before;
        self.next_before += 1;
        self.heap.push(Entry { at, sequence, item });
    }

    /// What [`Queue::pop`] would return. O(1).
    pub(super) fn peek(&self) -> Option<&T> {
        self.heap.peek().map(|entry| &entry.item)
    }

    /// The time of what [`Queue::pop`] would return. O(1).
    pub(super) fn next_time(&self) -> Option<Nanos> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// O(log n).
    pub(super) fn pop(&mut self) -> Option<(Nanos, T)> {
        self.heap.pop().map(|entry| (entry.at, entry.item))
    }
}

impl<T> Entry<T> {
    fn order(&self) -> (Nanos, u64) {
        (self.at, self.sequence)
    }
}

impl<T> Ord for Entry<T> {
    /// Reversed, because [`BinaryHeap`] pops the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_then_first_pushed_first() {
        let mut queue = Queue::default();
        for (at, item) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            queue.push(Nanos(at), item);
        }
        queue.push_before(Nanos(5), 'x');
        queue.push_before(Nanos(5), 'y');
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, c)| c).collect();
        assert_eq!(order, "abxycd");
    }
}
