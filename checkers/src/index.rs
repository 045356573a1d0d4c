//! Indices with a niche for none.

use std::num::NonZeroU32;

/// An index into a list. `Option<Index>` takes four bytes, as `Index` does.
///
/// What is indexed is fewer than `u32::MAX`: [`Provenance::of`](crate::provenance::Provenance::of)
/// refuses longer histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Index(NonZeroU32);

impl Index {
    /// The index of an element.
    pub(crate) fn new(at: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(at))
    }

    /// As a number.
    pub(crate) const fn number(self) -> u32 {
        self.0.get() - 1
    }

    /// To index with.
    pub(crate) const fn at(self) -> usize {
        self.number() as usize
    }
}
