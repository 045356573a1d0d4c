//! A simulated disk with an explicit promise: what was synced survives a crash. Of the rest nothing does,
//! or what was written first.

use std::collections::{BTreeMap, BTreeSet};

/// Records by key, on stable storage or on their way to it.
#[derive(Clone, Debug)]
pub struct Disk<K, R> {
    durable: BTreeMap<K, R>,
    /// What is to become durable at the next sync, in this order; none where a record is removed.
    unsynced: Vec<(K, Option<R>)>,
}

impl<K: Ord, R> Default for Disk<K, R> {
    fn default() -> Self {
        Self {
            durable: BTreeMap::new(),
            unsynced: Vec::new(),
        }
    }
}

impl<K: Ord, R> Disk<K, R> {
    /// Writes a record; it may be lost in a crash until [`Disk::sync`].
    pub fn write(&mut self, key: K, record: R) {
        self.unsynced.push((key, Some(record)));
    }

    /// Removes a record; it may be there again after a crash until [`Disk::sync`].
    pub fn remove(&mut self, key: K) {
        self.unsynced.push((key, None));
    }

    /// Makes everything written and removed so far durable.
    pub fn sync(&mut self) {
        let all = self.unsynced.len();
        self.settle(all);
    }

    /// How many writes and removals were not synced.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Loses what was not synced but for so many of the oldest writes and removals: a batch is torn between
    /// two records, never out of order. Returns of how many keys something was lost.
    pub fn crash(&mut self, survive: usize) -> usize {
        self.settle(survive);
        let lost: BTreeSet<K> = self.unsynced.drain(..).map(|(key, _)| key).collect();
        lost.len()
    }

    /// Makes so many of the oldest writes and removals durable.
    fn settle(&mut self, oldest: usize) {
        let oldest = oldest.min(self.unsynced.len());
        for (key, record) in self.unsynced.drain(..oldest) {
            match record {
                Some(record) => self.durable.insert(key, record),
                None => self.durable.remove(&key),
            };
        }
    }

    /// What a restarted node finds, in key order.
    pub fn recover(&self) -> impl Iterator<Item = (&K, &R)> {
        self.durable.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_loses_exactly_what_was_not_synced() {
        let mut disk = Disk::default();
        disk.write("a", 1);
        disk.write("b", 1);
        disk.sync();
        disk.write("a", 2);
        disk.write("c", 2);
        disk.write("a", 3);
        assert_eq!(disk.crash(0), 2);
        assert_eq!(disk.recover().collect::<Vec<_>>(), [(&"a", &1), (&"b", &1)]);
        disk.write("a", 3);
        disk.sync();
        assert_eq!(disk.crash(0), 0);
        assert_eq!(disk.recover().next(), Some((&"a", &3)));
        disk.remove("a");
        assert_eq!(disk.crash(0), 1);
        assert_eq!(disk.recover().next(), Some((&"a", &3)));
        disk.remove("a");
        disk.sync();
        assert_eq!(disk.recover().next(), Some((&"b", &1)));
    }

    #[test]
    fn a_torn_batch_leaves_what_was_written_first() {
        let torn = |survive| {
            let mut disk = Disk::default();
            disk.write("b", 0);
            disk.sync();
            disk.write("c", 1);
            disk.remove("b");
            disk.write("a", 1);
            disk.write("c", 2);
            let lost = disk.crash(survive);
            assert_eq!(disk.unsynced(), 0);
            (lost, disk.durable.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(torn(0), (3, vec![("b", 0)]));
        assert_eq!(torn(1), (3, vec![("b", 0), ("c", 1)]));
        assert_eq!(torn(2), (2, vec![("c", 1)]));
        assert_eq!(torn(3), (1, vec![("a", 1), ("c", 1)]));
        assert_eq!(torn(4), (0, vec![("a", 1), ("c", 2)]));
        assert_eq!(torn(9), (0, vec![("a", 1), ("c", 2)]));
    }
}
