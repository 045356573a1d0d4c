//! Where the operations of one key stand in any linearization, given what its reads saw.
//!
//! What reads saw has to nest. Reads that saw the same are of one class: those of class `c` have rank
//! `2c + 1`, and the writes that they saw first have rank `2c`. Acknowledged writes that no read saw come
//! after all of them.

use crate::{
    index::{Index, number},
    write_set::{NOTHING, WriteSet},
};

/// The ranks of one key's writes and reads.
pub(crate) struct Ranks {
    writes: Vec<Option<Index>>,
    reads: Vec<Option<Index>>,
    /// One read of each class.
    classes: Vec<Index>,
}

impl Ranks {
    /// Ranks operations, given the reads and what they saw, in an order in which that nests. O(differences
    /// between neighbours).
    pub(crate) fn of<'s>(
        ordered: impl Iterator<Item = (usize, &'s WriteSet)>,
        [writes, reads]: [usize; 2],
        is_acknowledged: impl Fn(usize) -> bool,
    ) -> Self {
        let mut ranks = Self {
            writes: vec![None; writes],
            reads: vec![None; reads],
            classes: Vec::new(),
        };
        let mut last = &NOTHING;
        for (read, seen) in ordered {
            if ranks.classes.is_empty() || seen.len() != last.len() {
                let rank = ranks.next();
                for write in seen.difference(last) {
                    ranks.writes[write] = Some(rank);
                }
                ranks.classes.push(Index::new(number(read)));
            }
            ranks.reads[read] = Some(Index::new(2 * number(ranks.classes.len()) - 1));
            last = seen;
        }
        let rank = ranks.next();
        for (write, place) in ranks.writes.iter_mut().enumerate() {
            if is_acknowledged(write) {
                place.get_or_insert(rank);
            }
        }
        ranks
    }

    /// The rank of a write that no read saw yet.
    fn next(&self) -> Index {
        Index::new(2 * number(self.classes.len()))
    }

    /// The rank of a write; none for one that need not have happened.
    pub(crate) fn write(&self, write: usize) -> Option<Index> {
        self.writes[write]
    }

    /// The rank of a read; none for one that is not ordered.
    pub(crate) fn read(&self, read: usize) -> Option<Index> {
        self.reads[read]
    }

    /// One of the reads that were the first to see a write.
    pub(crate) fn first_to_see(&self, write: usize) -> Option<usize> {
        let class = self.writes[write]?.at() / 2;
        self.classes.get(class).map(|read| read.at())
    }
}
