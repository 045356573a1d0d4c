//! Compact sets of the writes of one key.
//!
//! Writes are numbered in invocation order, and what a replica holds is nearly a prefix of that
//! order. A set is therefore the number of leading words (of 64 writes) that are full, the word
//! after them inline, and a vector for what lies further on. A key with at most 64 writes never
//! allocates; a healthy long history costs a word or two a set.
//!
//! The form is canonical, so that derived equality is equality of sets: the inline word is never
//! full, and the last word of the vector is never empty.

/// A set of write numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteSet {
    full: usize,
    word: u64,
    spill: Vec<u64>,
}

/// The writes in a word.
pub(crate) const BITS: usize = 64;

/// The set of nothing, to borrow.
pub(crate) static NOTHING: WriteSet = WriteSet::EMPTY;

impl WriteSet {
    /// The set of nothing.
    pub(crate) const EMPTY: Self = Self {
        full: 0,
        word: 0,
        spill: Vec::new(),
    };

    /// True when the set holds no write.
    pub(crate) fn is_empty(&self) -> bool {
        self.full == 0 && self.word == 0 && self.spill.is_empty()
    }

    /// How many writes the set holds.
    pub(crate) fn len(&self) -> usize {
        let ones = |word: &u64| word.count_ones() as usize;
        self.full * BITS + ones(&self.word) + self.spill.iter().map(ones).sum::<usize>()
    }

    /// True when `write` is in the set.
    pub(crate) fn contains(&self, write: usize) -> bool {
        self.word_at(write / BITS) >> (write % BITS) & 1 == 1
    }

    /// Adds `write`; false when it was there already.
    pub(crate) fn insert(&mut self, write: usize) -> bool {
        if self.contains(write) {
            return false;
        }
        let bit = 1 << (write % BITS);
        match write / BITS - self.full {
            0 => {
                self.word |= bit;
                self.absorb();
            }
            beyond => {
                if self.spill.len() < beyond {
                    self.spill.resize(beyond, 0);
                }
                self.spill[beyond - 1] |= bit;
            }
        }
        true
    }

    /// Adds every write of `other`.
    pub(crate) fn union_with(&mut self, other: &Self) {
        if self.full == other.full && other.spill.is_empty() {
            self.word |= other.word;
        } else {
            if self.full < other.full {
                let words = (other.full..self.end()).map(|at| self.word_at(at));
                let spill: Vec<u64> = words.collect();
                self.full = other.full;
                self.word = spill.first().copied().unwrap_or(0);
                self.spill = spill.get(1..).unwrap_or_default().to_vec();
            }
            self.word |= other.word_at(self.full);
            let theirs = other.end().saturating_sub(self.full + 1);
            if self.spill.len() < theirs {
                self.spill.resize(theirs, 0);
            }
            for (beyond, word) in self.spill.iter_mut().enumerate() {
                *word |= other.word_at(self.full + 1 + beyond);
            }
        }
        self.absorb();
    }

    /// True when `other` holds every write of this set.
    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        (other.full..self.end()).all(|at| self.word_at(at) & !other.word_at(at) == 0)
    }

    /// The writes of this set that `other` does not hold, in order.
    pub(crate) fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        self.difference_from(other, 0)
    }

    /// The writes from `start` on of this set that `other` does not hold, in order.
    pub(crate) fn difference_from<'a>(
        &'a self,
        other: &'a Self,
        start: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let words = other.full.max(start / BITS)..self.end();
        let writes = words.flat_map(|at| {
            ones(self.word_at(at) & !other.word_at(at)).map(move |bit| at * BITS + bit)
        });
        writes.skip_while(move |write| *write < start)
    }

    /// How many writes of this set `other` does not hold.
    pub(crate) fn difference_len(&self, other: &Self) -> usize {
        (other.full..self.end())
            .map(|at| (self.word_at(at) & !other.word_at(at)).count_ones() as usize)
            .sum()
    }

    /// Takes every write of `other` out.
    pub(crate) fn subtract(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        let end = self.end();
        let mut words = (0..end)
            .map(|at| self.word_at(at) & !other.word_at(at))
            .skip_while(|word| *word == u64::MAX)
            .collect::<Vec<_>>();
        let used = words
            .iter()
            .rposition(|word| *word != 0)
            .map_or(0, |last| last + 1);
        let full = end - words.len();
        words.truncate(used);
        *self = Self {
            full,
            word: words.first().copied().unwrap_or(0),
            spill: words.get(1..).unwrap_or_default().to_vec(),
        };
    }

    /// The writes of this set, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.difference(&NOTHING)
    }

    /// The writes below `bound` that are not in this set, in order.
    pub(crate) fn missing(&self, bound: usize) -> impl Iterator<Item = usize> + '_ {
        (self.full..bound.div_ceil(BITS)).flat_map(move |at| {
            let valid = match bound - at * BITS {
                left @ 1..BITS => (1 << left) - 1,
                _ => u64::MAX,
            };
            ones(!self.word_at(at) & valid).map(move |bit| at * BITS + bit)
        })
    }

    /// The writes of a plain bit set, 64 a word, that are not in this set, in order.
    pub(crate) fn missing_of<'a>(&'a self, words: &'a [u64]) -> impl Iterator<Item = usize> + 'a {
        (self.full..words.len())
            .flat_map(|at| ones(words[at] & !self.word_at(at)).map(move |bit| at * BITS + bit))
    }

    /// The number of words after which nothing is held.
    fn end(&self) -> usize {
        self.full + 1 + self.spill.len()
    }

    fn word_at(&self, at: usize) -> u64 {
        match at.checked_sub(self.full) {
            None => u64::MAX,
            Some(0) => self.word,
            Some(beyond) => self.spill.get(beyond - 1).copied().unwrap_or(0),
        }
    }

    /// Moves full words into the prefix.
    fn absorb(&mut self) {
        if self.word != u64::MAX {
            return;
        }
        let full = self
            .spill
            .iter()
            .take_while(|word| **word == u64::MAX)
            .count();
        self.full += 1 + full;
        self.word = self.spill.get(full).copied().unwrap_or(0);
        self.spill.drain(..self.spill.len().min(full + 1));
    }
}

impl FromIterator<usize> for WriteSet {
    fn from_iter<I: IntoIterator<Item = usize>>(writes: I) -> Self {
        let mut set = Self::EMPTY;
        for write in writes {
            set.insert(write);
        }
        set
    }
}

/// The positions of the ones of `word`, lowest first.
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros() as usize;
            word &= word - 1;
            bit
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Runs of writes, so that full words and prefixes are common.
    fn runs() -> impl Strategy<Value = BTreeSet<usize>> {
        let run = (prop_oneof![Just(0), 0..400_usize], 0..200_usize);
        prop::collection::vec(run, 0..4).prop_map(|runs| {
            let writes = runs
                .into_iter()
                .flat_map(|(start, length)| start..start + length);
            writes.collect()
        })
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(a in runs(), b in runs(), probe in 0..700_usize) {
            let (left, right): (WriteSet, WriteSet) =
                (a.iter().copied().collect(), b.iter().rev().copied().collect());
            let mut union = left.clone();
            union.union_with(&right);
            prop_assert_eq!(union.iter().collect::<BTreeSet<_>>(), &a | &b);
            prop_assert_eq!(&union, &(&a | &b).into_iter().collect::<WriteSet>());
            prop_assert_eq!(left.difference(&right).collect::<BTreeSet<_>>(), &a - &b);
            prop_assert_eq!(left.difference_len(&right), (&a - &b).len());
            let from: BTreeSet<_> = left.difference_from(&right, probe).collect();
            prop_assert_eq!(from, (&a - &b).split_off(&probe));
            let mut rest = left.clone();
            rest.subtract(&right);
            prop_assert_eq!(rest, (&a - &b).into_iter().collect::<WriteSet>());
            prop_assert_eq!(left.is_subset(&right), a.is_subset(&b));
            prop_assert!(left.is_subset(&union) && right.is_subset(&union));
            prop_assert_eq!(left.contains(probe), a.contains(&probe));
            prop_assert_eq!(left.len(), a.len());
            prop_assert_eq!(left.is_empty(), a.is_empty());
            let mut words = vec![0_u64; 12];
            for write in &a {
                words[write / BITS] |= 1 << (write % BITS);
            }
            prop_assert_eq!(right.missing_of(&words).collect::<BTreeSet<_>>(), &a - &b);
            let missing: BTreeSet<_> = (0..probe).filter(|write| !a.contains(write)).collect();
            prop_assert_eq!(left.missing(probe).collect::<BTreeSet<_>>(), missing);
        }
    }

    #[test]
    fn a_prefix_costs_no_vector() {
        let set: WriteSet = (0..1000).collect();
        assert!(set.spill.is_empty());
        assert_eq!(set.len(), 1000);
    }
}
