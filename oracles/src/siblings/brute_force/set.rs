//! A set of operations by their numbers, in one word: small histories need no more.

use std::ops::{BitOr, BitOrAssign};

/// The most operations of a history that are told apart.
pub(super) const LARGEST: usize = 64;

/// A set of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set(u64);

impl Set {
    pub(super) const fn contains(self, op: usize) -> bool {
        self.0 >> op & 1 == 1
    }

    pub(super) const fn insert(&mut self, op: usize) {
        self.0 |= 1 << op;
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn is_within(self, other: Self) -> bool {
        self.without(other).is_empty()
    }

    pub(super) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Those members that meet a condition.
    pub(super) fn that(self, mut condition: impl FnMut(usize) -> bool) -> Self {
        self.into_iter().filter(|op| condition(*op)).collect()
    }
}

impl BitOr for Set {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Set {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl FromIterator<usize> for Set {
    fn from_iter<I: IntoIterator<Item = usize>>(ops: I) -> Self {
        let mut set = Self::default();
        for op in ops {
            set.insert(op);
        }
        set
    }
}

impl IntoIterator for Set {
    type Item = usize;
    type IntoIter = Members;

    fn into_iter(self) -> Members {
        Members(self.0)
    }
}

/// The members of a set, smallest first.
pub(super) struct Members(u64);

impl Iterator for Members {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        (self.0 != 0).then(|| {
            let op = self.0.trailing_zeros() as usize;
            self.0 &= self.0 - 1;
            op
        })
    }
}
