//! The writes that an answer returned, where they are few without another place in memory.

use crate::{provenance::number, write_set::WriteSet};

/// What a sibling out of thin air has for a write.
const NONE: u32 = u32::MAX;

/// How many siblings need no other place.
const FEW: usize = 4;

/// Numbers of writes.
#[derive(PartialEq, Eq)]
enum Few {
    /// How many, and they themselves; the other places hold `NONE`.
    Inline(u32, [u32; FEW]),
    Many(Box<[u32]>),
}

impl Few {
    fn of(many: usize, writes: impl Iterator<Item = u32>) -> Self {
        if many > FEW {
            return Self::Many(writes.collect());
        }
        let mut all = [NONE; FEW];
        for (place, write) in all.iter_mut().zip(writes) {
            *place = write;
        }
        Self::Inline(number(many), all)
    }

    fn one(write: u32) -> Self {
        let mut all = [NONE; FEW];
        all[0] = write;
        Self::Inline(1, all)
    }

    fn all(&self) -> &[u32] {
        match self {
            Self::Inline(many, all) => &all[..*many as usize],
            Self::Many(all) => all,
        }
    }

    fn all_mut(&mut self) -> &mut [u32] {
        match self {
            Self::Inline(many, all) => &mut all[..*many as usize],
            Self::Many(all) => all,
        }
    }
}

/// The writes of an answer's siblings, in its order; `None` for one out of thin air.
pub(crate) struct Siblings(Few);

impl Siblings {
    pub(super) fn of(writes: impl ExactSizeIterator<Item = Option<u32>>) -> Self {
        let many = writes.len();
        Self(Few::of(many, writes.map(|write| write.unwrap_or(NONE))))
    }

    fn all(&self) -> &[u32] {
        self.0.all()
    }

    /// How many there are, those out of thin air included.
    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }

    /// Their writes.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Option<usize>> + '_ {
        let write = |write: &u32| (*write != NONE).then_some(*write as usize);
        self.all().iter().map(write)
    }

    /// The writes of those that have one.
    pub(crate) fn writes(&self) -> impl Iterator<Item = usize> + '_ {
        self.iter().flatten()
    }

    /// The write of a sibling.
    pub(crate) fn get(&self, at: usize) -> Option<usize> {
        let write = self.all().get(at).filter(|write| **write != NONE);
        write.map(|write| *write as usize)
    }

    /// The write of the only sibling.
    pub(super) fn only(&self) -> Option<usize> {
        self.get(0).filter(|_| self.len() == 1)
    }

    /// Leaves those without a write that are not to be kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(usize) -> bool) {
        for write in self.0.all_mut() {
            if *write != NONE && !is_kept(*write as usize) {
                *write = NONE;
            }
        }
    }
}

/// The different writes that an answer returned, in their order.
#[derive(PartialEq, Eq)]
pub(crate) struct Returned(Few);

impl Returned {
    pub(super) const NOTHING: Self = Self(Few::Inline(0, [NONE; FEW]));

    pub(super) fn of(siblings: &Siblings) -> Self {
        let mut writes = Self::NOTHING;
        if let Some(write) = siblings.only() {
            writes.0 = Few::one(number(write));
        } else if siblings.len() > 0 {
            let mut sorted: Vec<_> = siblings.writes().map(number).collect();
            sorted.sort_unstable();
            sorted.dedup();
            writes.0 = Few::of(sorted.len(), sorted.into_iter());
        }
        writes
    }

    pub(crate) fn len(&self) -> usize {
        self.0.all().len()
    }

    pub(crate) fn contains(&self, write: usize) -> bool {
        match &self.0 {
            Few::Inline(..) => self.iter().any(|returned| returned == write),
            Few::Many(all) => all.binary_search(&number(write)).is_ok(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.all().iter().map(|write| *write as usize)
    }

    /// Those that a set does not hold.
    pub(crate) fn difference<'a>(
        &'a self,
        other: &'a WriteSet,
    ) -> impl Iterator<Item = usize> + 'a {
        self.iter().filter(|write| !other.contains(*write))
    }

    /// True when a set holds them all.
    pub(crate) fn is_subset(&self, other: &WriteSet) -> bool {
        self.difference(other).next().is_none()
    }
}
