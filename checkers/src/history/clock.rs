//! Clocks as stores report them, in few bytes: clocks over the same names share one list of them.

use std::{fmt, hash::Hasher as _, iter::Zip, slice::Iter, sync::Arc};

use hashbrown::{HashTable, hash_table::Entry};
use rustc_hash::FxHasher;

use super::Name;

/// A vector of counters as a store reported it: sorted by name, without zeros. Data only.
///
/// A clock is one pointer, and clones share what it points to.
#[derive(Clone, Default)]
pub struct ReportedClock(Arc<Vector>);

#[derive(Default)]
struct Vector {
    names: Names,
    counters: Counters,
}

/// Sorted names. The inner box keeps the pointer to it narrow.
type Names = Arc<Box<[Name]>>;

/// As many counters are held without another place in memory.
const FEW: usize = 3;

/// Counters, one for each name.
enum Counters {
    /// No more than fit in here; as many are in use as there are names.
    Few([u64; FEW]),
    Many(Box<[u64]>),
}

impl Default for Counters {
    fn default() -> Self {
        Self::Few([0; FEW])
    }
}

impl Counters {
    fn of(counters: &[u64]) -> Self {
        let mut few = [0; FEW];
        match few.get_mut(..counters.len()) {
            Some(used) => {
                used.copy_from_slice(counters);
                Self::Few(few)
            }
            None => Self::Many(counters.into()),
        }
    }
}

impl Vector {
    fn counters(&self) -> &[u64] {
        match &self.counters {
            Counters::Few(few) => few.get(..self.names.len()).unwrap_or(few),
            Counters::Many(many) => many,
        }
    }
}

impl ReportedClock {
    /// Takes entries in any order; zeros mean the same as no entry and are dropped; of two
    /// entries with one name the larger counts.
    pub fn from_entries(entries: impl IntoIterator<Item = (Name, u64)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().filter(|(_, n)| *n > 0).collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        entries.dedup_by(|later, first| later.0 == first.0);
        Self::from_sorted(&entries)
    }

    /// Takes entries that are already sorted by name and without zeros.
    pub fn from_sorted(entries: &[(Name, u64)]) -> Self {
        let names: Box<[Name]> = entries.iter().map(|(name, _)| name.clone()).collect();
        let counters: Vec<_> = entries.iter().map(|(_, counter)| *counter).collect();
        Self::new(Arc::new(names), &counters)
    }

    /// A clock over the names of this one, which both then share; `None` unless there is one
    /// counter of 1 or more for each name.
    pub fn with_counters(&self, counters: &[u64]) -> Option<Self> {
        let fits = counters.len() == self.0.names.len() && !counters.contains(&0);
        fits.then(|| Self::new(Arc::clone(&self.0.names), counters))
    }

    fn new(names: Names, counters: &[u64]) -> Self {
        debug_assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        debug_assert!(names.len() == counters.len() && !counters.contains(&0));
        let counters = Counters::of(counters);
        Self(Arc::new(Vector { names, counters }))
    }

    /// The entries, sorted by name.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            names: &self.0.names,
            counters: self.0.counters(),
        }
    }

    /// The counter of `name`; 0 without an entry.
    pub fn get(&self, name: &str) -> u64 {
        let names = &self.0.names;
        names
            .binary_search_by(|entry| entry.as_str().cmp(name))
            .ok()
            .and_then(|at| self.0.counters().get(at).copied())
            .unwrap_or(0)
    }

    /// True when both share one allocation, which settles equality at once.
    pub fn same_allocation(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for ReportedClock {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        let same_names = || Arc::ptr_eq(&a.names, &b.names) || a.names == b.names;
        Arc::ptr_eq(a, b) || a.counters() == b.counters() && same_names()
    }
}

impl Eq for ReportedClock {}

impl fmt::Debug for ReportedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries()).finish()
    }
}

/// The entries of a clock, sorted by name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entries<'c> {
    names: &'c [Name],
    counters: &'c [u64],
}

impl<'c> Entries<'c> {
    /// The names, which clocks made over the same list share.
    pub fn names(&self) -> &'c [Name] {
        self.names
    }

    /// The counters, in the order of the names.
    pub fn counters(&self) -> &'c [u64] {
        self.counters
    }

    /// Each name with its counter.
    pub fn iter(&self) -> Zip<Iter<'c, Name>, Iter<'c, u64>> {
        self.names.iter().zip(self.counters)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl<'c> IntoIterator for Entries<'c> {
    type Item = (&'c Name, &'c u64);
    type IntoIter = Zip<Iter<'c, Name>, Iter<'c, u64>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'c> IntoIterator for &Entries<'c> {
    type Item = (&'c Name, &'c u64);
    type IntoIter = Zip<Iter<'c, Name>, Iter<'c, u64>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Clocks that came up lately, and all lists of names that ever did, so that equal ones are held
/// once: a clock is mostly reported several times, by its write, by reads and as a context.
#[derive(Debug)]
pub struct ClockPool {
    /// Clocks, each in the place that a hash of its counters gives.
    recent: Box<[ReportedClock]>,
    lists: HashTable<Names>,
    /// The list of the latest clock that was new.
    latest: Names,
}

impl ClockPool {
    /// A pool that remembers so many clocks, at least one.
    pub fn remembering(many: usize) -> Self {
        Self {
            recent: vec![ReportedClock::default(); many.max(1)].into(),
            lists: HashTable::new(),
            latest: Names::default(),
        }
    }

    /// A clock of these names and counters; `None` when there are not as many of both, the names
    /// are not UTF-8, not sorted, or one comes twice, or a counter is zero.
    pub fn clock<'n>(
        &mut self,
        names: impl Iterator<Item = &'n [u8]> + Clone,
        counters: &[u64],
    ) -> Option<ReportedClock> {
        let is = |list: &[Name]| {
            list.iter()
                .map(|name| name.as_str().as_bytes())
                .eq(names.clone())
        };
        let mut hasher = FxHasher::default();
        for &counter in counters {
            hasher.write_u64(counter);
        }
        let place = usize::try_from(hasher.finish() >> 32).unwrap_or(0) % self.recent.len();
        let recent = &mut self.recent[place];
        if recent.0.counters() == counters && is(&recent.0.names) {
            return Some(recent.clone());
        }
        if !is(&self.latest) {
            let wanted = hash(names.clone());
            let rehash = |list: &Names| hash(list.iter().map(|name| name.as_str().as_bytes()));
            let list = match self.lists.entry(wanted, |list| is(list), rehash) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(Arc::new(sorted(names)?)).into_mut(),
            };
            self.latest = Arc::clone(list);
        }
        if counters.len() != self.latest.len() || counters.contains(&0) {
            return None;
        }
        *recent = ReportedClock::new(Arc::clone(&self.latest), counters);
        Some(recent.clone())
    }
}

/// Names that are sorted and UTF-8.
fn sorted<'n>(names: impl Iterator<Item = &'n [u8]>) -> Option<Box<[Name]>> {
    let names = names.map(|name| std::str::from_utf8(name).ok().map(Name::from));
    let names: Box<[Name]> = names.collect::<Option<_>>()?;
    let sorted = names.windows(2).all(|pair| pair[0] < pair[1]);
    sorted.then_some(names)
}

fn hash<'n>(names: impl Iterator<Item = &'n [u8]>) -> u64 {
    let mut hasher = FxHasher::default();
    for name in names {
        hasher.write(name);
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(of: &[(&str, u64)]) -> Vec<(Name, u64)> {
        of.iter().map(|(name, n)| (Name::from(*name), *n)).collect()
    }

    #[test]
    fn clocks_are_what_they_are_made_of() {
        for many in 0..9_u64 {
            let names: Vec<_> = (0..many).map(|at| format!("n{at}")).collect();
            let sorted: Vec<_> = names.iter().map(Name::from).zip(1..).collect();
            let clock = ReportedClock::from_sorted(&sorted);
            let held = clock.entries().iter();
            assert!(held.eq(sorted.iter().map(|(name, n)| (name, n))));
            assert_eq!(clock.entries().len(), names.len());
            for (name, counter) in &sorted {
                assert_eq!(clock.get(name.as_str()), *counter);
            }
            assert_eq!(clock.get("other"), 0);
            let reversed = sorted.iter().rev().cloned();
            assert_eq!(ReportedClock::from_entries(reversed), clock);
        }
    }

    #[test]
    fn zeros_are_no_entries_and_the_larger_of_two_counts() {
        let given = entries(&[("b", 2), ("a", 0), ("b", 3)]);
        let clock = ReportedClock::from_entries(given);
        assert_eq!(clock, ReportedClock::from_entries(entries(&[("b", 3)])));
        assert_ne!(clock, ReportedClock::from_entries(entries(&[("b", 2)])));
        assert_ne!(clock, ReportedClock::from_entries(entries(&[("c", 3)])));
        assert_ne!(clock, ReportedClock::default());
    }

    fn pooled(pool: &mut ClockPool, names: &[&str], counters: &[u64]) -> Option<ReportedClock> {
        pool.clock(names.iter().map(|name| name.as_bytes()), counters)
    }

    #[test]
    fn equal_clocks_are_one_and_those_over_the_same_names_share_them() {
        let mut pool = ClockPool::remembering(16);
        let one = pooled(&mut pool, &["a", "b"], &[1, 2]).expect("a clock");
        let none = pooled(&mut pool, &[], &[]).expect("a clock");
        let two = pooled(&mut pool, &["a", "b"], &[7, 8]).expect("a clock");
        let again = pooled(&mut pool, &["a", "b"], &[1, 2]).expect("a clock");
        let other = pooled(&mut pool, &["a", "c"], &[1, 2]).expect("a clock");
        assert!(one.same_allocation(&again) && !one.same_allocation(&two));
        assert!(Arc::ptr_eq(&one.0.names, &two.0.names));
        assert_eq!(
            two,
            ReportedClock::from_entries(entries(&[("a", 7), ("b", 8)]))
        );
        assert_eq!(
            other,
            ReportedClock::from_entries(entries(&[("a", 1), ("c", 2)]))
        );
        assert_eq!(none, ReportedClock::default());
        assert_eq!(one.with_counters(&[7, 8]).as_ref(), Some(&two));
        assert_eq!(one.with_counters(&[7, 0]), None);
        assert_eq!(one.with_counters(&[7]), None);
    }

    #[test]
    fn what_is_no_clock_is_not_made_one() {
        let mut pool = ClockPool::remembering(16);
        for (names, counters) in [
            (&["b", "a"][..], &[1, 2][..]),
            (&["a", "a"], &[1, 2]),
            (&["a", "b"], &[1, 0]),
            (&["a"], &[1, 2]),
        ] {
            assert_eq!(pooled(&mut pool, names, counters), None);
        }
        let not_text: [&[u8]; 1] = [&[0xc3]];
        assert_eq!(pool.clock(not_text.into_iter(), &[1]), None);
    }
}
