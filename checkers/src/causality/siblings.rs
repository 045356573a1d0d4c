//! The writes that an answer returned, where they are few without another place in memory.

use crate::{
    index::{Index, number},
    write_set::WriteSet,
};

/// How many siblings need no other place.
const FEW: usize = 4;

/// Numbers of writes, one for each of several siblings; `None` for one without a write.
#[derive(PartialEq, Eq)]
enum Few {
    /// How many, and they themselves; the other places hold `None`.
    Inline(u32, [Option<Index>; FEW]),
    Many(Box<[Option<Index>]>),
}

impl Few {
    fn of(many: usize, writes: impl Iterator<Item = Option<Index>>) -> Self {
        if many > FEW {
            return Self::Many(writes.collect());
        }
        let mut all = [None; FEW];
        for (place, write) in all.iter_mut().zip(writes) {
            *place = write;
        }
        Self::Inline(number(many), all)
    }

    fn one(write: Index) -> Self {
        let mut all = [None; FEW];
        all[0] = Some(write);
        Self::Inline(1, all)
    }

    fn all(&self) -> &[Option<Index>] {
        match self {
            Self::Inline(many, all) => &all[..*many as usize],
            Self::Many(all) => all,
        }
    }

    fn all_mut(&mut self) -> &mut [Option<Index>] {
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
        Self(Few::of(many, writes.map(|write| write.map(Index::new))))
    }

    fn all(&self) -> &[Option<Index>] {
        self.0.all()
    }

    /// How many there are, those out of thin air included.
    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }

    /// Their writes.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Option<usize>> + '_ {
        self.all().iter().map(|write| write.map(Index::at))
    }

    /// The writes of those that have one.
    pub(crate) fn writes(&self) -> impl Iterator<Item = usize> + '_ {
        self.iter().flatten()
    }

    /// The write of a sibling.
    pub(crate) fn get(&self, at: usize) -> Option<usize> {
        self.all().get(at)?.map(Index::at)
    }

    /// Leaves those without a write that are not to be kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(usize) -> bool) {
        for write in self.0.all_mut() {
            *write = write.filter(|write| is_kept(write.at()));
        }
    }
}

/// The different writes that an answer returned, in their order.
#[derive(PartialEq, Eq)]
pub(crate) struct Returned(Few);

impl Returned {
    pub(super) const NOTHING: Self = Self(Few::Inline(0, [None; FEW]));

    pub(super) fn of(siblings: &Siblings) -> Self {
        let mut writes = Self::NOTHING;
        if let [Some(write)] = siblings.all() {
            writes.0 = Few::one(*write);
        } else if siblings.len() > 0 {
            let mut sorted: Vec<_> = siblings.all().iter().flatten().copied().collect();
            sorted.sort_unstable();
            sorted.dedup();
            writes.0 = Few::of(sorted.len(), sorted.into_iter().map(Some));
        }
        writes
    }

    pub(crate) fn len(&self) -> usize {
        self.0.all().len()
    }

    pub(crate) fn contains(&self, write: usize) -> bool {
        match &self.0 {
            Few::Inline(..) => self.iter().any(|returned| returned == write),
            Few::Many(all) => all.binary_search(&Some(Index::new(number(write)))).is_ok(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.all().iter().flatten().map(|write| write.at())
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
