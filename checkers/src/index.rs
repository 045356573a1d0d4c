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

/// Makes a type of index of its own, so that what counts one thing cannot index another.
macro_rules! typed_index {
    ($(#[$meaning:meta])* $name:ident) => {
        $(#[$meaning])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name($crate::index::Index);

        impl $name {
            /// The index of an element.
            pub(crate) fn new(at: usize) -> Self {
                Self($crate::index::Index::new($crate::index::number(at)))
            }

            /// To index with.
            pub(crate) const fn at(self) -> usize {
                self.0.at()
            }
        }
    };
}

pub(crate) use typed_index;

/// Narrows a position. [`Provenance::of`](crate::provenance::Provenance::of) has made sure that those of
/// a history fit; another that does not is none that anything has.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
