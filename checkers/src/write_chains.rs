//! Chains of one client's writes of a key, each of which must supersede the one before: a write joins
//! the first chain of its client that it extends (`invariants/dominance.rs`).
//!
//! Nothing ever extends a chain whose last write was replaced by a blind one: no context will hold
//! it. So a client may come to have nearly as many chains as writes, and looking through them all
//! for each write would be quadratic. But what a client's writes cover differs little from one to
//! the next. So the first few chains are looked at, in which most writes find theirs; of the others
//! it is remembered which of them one set extends, and for another set only that is looked at in
//! which the two differ.

use std::collections::BTreeSet;

use crate::{
    index::{Index, number},
    write_set::{BITS, NOTHING, WriteSet},
};

/// So many chains are looked at without further ado.
const FEW: usize = 4;

/// The chains of a client's writes of one key.
///
/// A write costs O(log writes) for each word of 64 writes in which the set that it covers differs from
/// the one that was looked up before; so at worst, where one client's contexts again and again have
/// little in common, O(writes / 64 · log writes). O(writes) in memory.
#[derive(Default)]
pub(crate) struct WriteChains {
    /// The last write of each chain, in the order in which they began; none where nothing can
    /// cover it.
    ends: Vec<Option<Index>>,
    /// The writes that became the last of a chain beyond the first few, by growing numbers, each
    /// with its chain. It may have been extended since.
    ended: Vec<(u32, u32)>,
    /// The set that was looked up last.
    looked_up: WriteSet,
    /// How much other sets held that were looked through since.
    looked_through: usize,
    /// Of the chains beyond the first few those whose last write is in that set.
    covered: BTreeSet<u32>,
}

impl WriteChains {
    /// Lets the client's next write extend the first chain that it can, and begin one where there
    /// is none: false. Writes come by growing numbers; `None` is one that nothing can cover.
    pub(crate) fn extend(&mut self, write: Option<usize>, covers: &WriteSet) -> bool {
        let end = write.map(|write| Index::new(number(write)));
        let extended = self.first_covered(covers);
        let chain = if let Some(chain) = extended {
            self.ends[chain] = end;
            chain
        } else {
            self.ends.push(end);
            self.ends.len() - 1
        };
        if chain >= FEW {
            // At one instant a set may hold what is numbered only later.
            if write.is_some_and(|write| self.looked_up.contains(write)) {
                self.covered.insert(number(chain));
            } else {
                self.covered.remove(&number(chain));
            }
            self.ended
                .extend(end.map(|end| (end.number(), number(chain))));
        }
        extended.is_some()
    }

    /// The first chain whose last write is in a set.
    fn first_covered(&mut self, covers: &WriteSet) -> Option<usize> {
        if covers.is_empty() {
            return None;
        }
        let is_covered = |end: &Option<Index>| end.is_some_and(|end| covers.contains(end.at()));
        let few = &self.ends[..self.ends.len().min(FEW)];
        if let Some(chain) = few.iter().position(is_covered) {
            return Some(chain);
        }
        if self.ended.is_empty() {
            return None;
        }
        // What is covered through a client's own write alone may be little, and the next one much
        // again: then the little is looked through, until that has cost more than to go there.
        let much = self.looked_up.len();
        if covers.len() < much / 2 && self.looked_through < much {
            self.looked_through += covers.len();
            let words = covers.difference_words(&NOTHING);
            let first = ends_in(&self.ends, &self.ended, words).min();
            return first.map(|chain| chain as usize);
        }
        self.look_up(covers);
        self.covered.first().map(|chain| *chain as usize)
    }

    /// Finds the chains that a set extends, given those that another one does.
    fn look_up(&mut self, covers: &WriteSet) {
        let (ends, ended) = (&self.ends, &self.ended);
        for chain in ends_in(ends, ended, covers.difference_words(&self.looked_up)) {
            self.covered.insert(chain);
        }
        for chain in ends_in(ends, ended, self.looked_up.difference_words(covers)) {
            self.covered.remove(&chain);
        }
        self.looked_up.clone_from(covers);
        self.looked_through = 0;
    }
}

/// The chains whose last write is in some words, which come in order.
fn ends_in(
    ends: &[Option<Index>],
    ended: &[(u32, u32)],
    words: impl Iterator<Item = (usize, u64)>,
) -> impl Iterator<Item = u32> {
    let mut rest = ended;
    words.flat_map(move |(at, word)| {
        let start = rest.partition_point(|(write, _)| (*write as usize) < at * BITS);
        let from_start = &rest[start..];
        let many = from_start
            .iter()
            .take_while(|(write, _)| *write as usize / BITS == at);
        let (here, later) = from_start.split_at(many.count());
        rest = later;
        let holds = move |write: u32| word >> (write as usize % BITS) & 1 == 1;
        let is_end = move |(write, chain): &&(u32, u32)| {
            holds(*write) && ends[*chain as usize] == Some(Index::new(*write))
        };
        here.iter().filter(is_end).map(|(_, chain)| *chain)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::property_tests::drawing(256))]

        /// Sets that grow with gaps, and now and then an old one again.
        #[test]
        fn writes_join_the_first_chain_that_they_extend(
            steps in prop::collection::vec((0..8_usize, 0..200_usize, 0..400_usize), 1..120),
        ) {
            let mut chains = WriteChains::default();
            let mut plain: Vec<Option<usize>> = Vec::new();
            let (mut number, mut known) = (0, vec![WriteSet::EMPTY]);
            for (kind, gap, pick) in steps {
                let mut covers = known[known.len() - 1].clone();
                match kind {
                    0 => covers = WriteSet::EMPTY,
                    1 => covers = known[pick % known.len()].clone(),
                    // What may be numbered only later.
                    2 => {
                        covers.insert(number + pick % 100);
                    }
                    3 => {
                        for write in number.saturating_sub(pick)..number {
                            covers.insert(write);
                        }
                    }
                    _ => {
                        if let Some(Some(end)) = plain.get(pick % plain.len().max(1)) {
                            covers.insert(*end);
                        }
                    }
                }
                let is_covered = |end: &Option<usize>| end.is_some_and(|end| covers.contains(end));
                let expected = plain.iter().position(is_covered);
                let write = (gap % 20 != 7).then_some(number);
                match expected {
                    Some(chain) => plain[chain] = write,
                    None => plain.push(write),
                }
                prop_assert_eq!(chains.extend(write, &covers), expected.is_some());
                let ends = chains.ends.iter();
                let ends = ends.map(|end| end.map(Index::at));
                prop_assert!(ends.eq(plain.iter().copied()));
                known.push(covers);
                number += 1 + gap % 20;
            }
        }
    }
}
