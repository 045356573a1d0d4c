//! A simulated disk with an explicit promise: what was synced survives a crash, the rest is lost.

use std::collections::BTreeMap;

/// Records by key, on stable storage or on their way to it.
#[derive(Clone, Debug)]
pub struct Disk<K, R> {
    durable: BTreeMap<K, R>,
    /// What is written there when it is synced; none where a record is removed.
    unsynced: BTreeMap<K, Option<R>>,
}

impl<K: Ord, R> Default for Disk<K, R> {
    fn default() -> Self {
        Self {
            durable: BTreeMap::new(),
            unsynced: BTreeMap::new(),
        }
    }
}

impl<K: Ord, R> Disk<K, R> {
    /// Writes a record; it is lost in a crash until [`Disk::sync`].
    pub fn write(&mut self, key: K, record: R) {
        self.unsynced.insert(key, Some(record));
    }

    /// Removes a record; it is there again after a crash until [`Disk::sync`].
    pub fn remove(&mut self, key: K) {
        self.unsynced.insert(key, None);
    }

    /// Makes everything written and removed so far durable.
    pub fn sync(&mut self) {
        for (key, record) in std::mem::take(&mut self.unsynced) {
            match record {
                Some(record) => self.durable.insert(key, record),
                None => self.durable.remove(&key),
            };
        }
    }

    /// Loses what was not synced, and tells how many records that were.
    pub fn crash(&mut self) -> usize {
        let lost = self.unsynced.len();
        self.unsynced.clear();
        lost
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
        assert_eq!(disk.crash(), 2);
        assert_eq!(disk.recover().collect::<Vec<_>>(), [(&"a", &1), (&"b", &1)]);
        disk.write("a", 3);
        disk.sync();
        assert_eq!(disk.crash(), 0);
        assert_eq!(disk.recover().next(), Some((&"a", &3)));
        disk.remove("a");
        assert_eq!(disk.crash(), 1);
        assert_eq!(disk.recover().next(), Some((&"a", &3)));
        disk.remove("a");
        disk.sync();
        assert_eq!(disk.recover().next(), Some((&"b", &1)));
    }
}
