//! What answers reveal: the sets of writes that contexts cover and that reads saw (docs/semantics.md,
//! "Contexts" and "What a read saw"), wherever their parts are kept.
//!
//! The quick path and the examination keep different things of writes and reads, and read from the same
//! definitions.

use crate::write_set::WriteSet;

/// An answer that a context was made of.
pub(crate) enum Answer<'s> {
    /// It acknowledged this write, which covers that.
    Write(usize, &'s WriteSet),
    /// It answered a read, which saw that.
    Read(&'s WriteSet),
}

impl Answer<'_> {
    /// Adds what the answer revealed: so a context made of several covers what any of them did. O(the
    /// sets).
    pub(crate) fn add_to(self, past: &mut WriteSet) {
        match self {
            Self::Write(write, covers) => {
                past.union_with(covers);
                past.insert(write);
            }
            Self::Read(seen) => past.union_with(seen),
        }
    }
}

/// What a replica held that returned some writes: first what these cover, then they themselves.
pub(crate) struct Visible(WriteSet);

impl Visible {
    pub(crate) const NOTHING: Self = Self(WriteSet::EMPTY);

    /// Adds what one of the returned writes covers.
    pub(crate) fn cover(&mut self, covers: &WriteSet) {
        self.0.union_with(covers);
    }

    /// Adds the returned writes; gives also how much they cover. Where none of them covers another, the
    /// rest is the writes themselves.
    pub(crate) fn with(mut self, returned: impl Iterator<Item = usize>) -> (WriteSet, usize) {
        let covered = self.0.len();
        for write in returned {
            self.0.insert(write);
        }
        (self.0, covered)
    }
}

/// What a replica cannot have held although it may: what it need not have held and would have had to
/// supersede something that it returned. `first_above` is the first write that must supersede anything
/// that was returned; nothing before it contradicts.
pub(crate) fn refuted<'s>(
    may: &'s WriteSet,
    must: &'s WriteSet,
    first_above: Option<usize>,
    contradicts: impl Fn(usize) -> bool + 's,
) -> impl Iterator<Item = usize> + 's {
    let from = first_above.into_iter();
    let open = from.flat_map(move |from| may.difference_from(must, from));
    open.filter(move |write| contradicts(*write))
}
