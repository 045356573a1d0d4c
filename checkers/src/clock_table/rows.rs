//! Rows of counters, of which most may be zero.
//!
//! A row is cut into blocks of a few counters, and holds the blocks that are not all zero, in order.
//! Where a key has few entries that is one block a row; where each of many clients has an entry of
//! its own and clocks hold few of them, it is about one block for each entry of each clock, not one
//! counter for each clock and client. Two rows are compared in O(blocks).

use std::cmp::Ordering;

/// So many counters are one block.
const LANES: u32 = 8;

type Block = [u32; LANES as usize];

/// Rows, numbered as they were added.
pub(super) struct Rows {
    /// Where the blocks of each row start, and where those of the last end.
    starts: Vec<usize>,
    /// Where in its row each block belongs.
    places: Vec<u32>,
    blocks: Vec<Block>,
}

impl Rows {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        Self {
            starts,
            places: Vec::with_capacity(rows),
            blocks: Vec::with_capacity(rows),
        }
    }

    /// Adds a row, given its counters by growing entries.
    pub(super) fn push(&mut self, counters: impl Iterator<Item = (u32, u32)>) {
        let start = self.places.len();
        for (entry, counter) in counters.filter(|(_, counter)| *counter > 0) {
            let (place, lane) = place(entry);
            if self.places[start..].last() != Some(&place) {
                self.places.push(place);
                self.blocks.push(Block::default());
            }
            if let Some(block) = self.blocks.last_mut() {
                block[lane] = counter;
            }
        }
        self.starts.push(self.places.len());
    }

    pub(super) fn get(&self, row: usize) -> Row<'_> {
        let blocks = self.starts[row]..self.starts[row + 1];
        Row {
            places: &self.places[blocks.clone()],
            blocks: &self.blocks[blocks],
        }
    }
}

/// The block of an entry, and its lane there.
fn place(entry: u32) -> (u32, usize) {
    (entry / LANES, (entry % LANES) as usize)
}

/// A row, ordered as if all its zeros were written out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'r> {
    places: &'r [u32],
    blocks: &'r [Block],
}

impl<'r> Row<'r> {
    pub(super) const EMPTY: Self = Self {
        places: &[],
        blocks: &[],
    };

    /// The counter of an entry.
    pub(super) fn get(self, entry: u32) -> u32 {
        let (place, lane) = place(entry);
        // Where no block is left out, each is at its place.
        let at = if self.places.get(place as usize) == Some(&place) {
            Ok(place as usize)
        } else {
            self.places.binary_search(&place)
        };
        at.map_or(0, |at| self.blocks[at][lane])
    }

    /// The counters that are not zero, by growing entries.
    pub(super) fn counters(self) -> impl Iterator<Item = (u32, u32)> + Clone + use<'r> {
        let blocks = self.places.iter().zip(self.blocks);
        let counters = blocks.flat_map(|(place, block)| (place * LANES..).zip(*block));
        counters.filter(|(_, counter)| *counter > 0)
    }

    /// True when no counter is larger than that of the other row.
    pub(super) fn is_at_most(self, other: Self) -> bool {
        // Counted without branches: all lanes at once.
        let no_larger = |low: &Block, up: &Block| {
            let larger = low.iter().zip(up).map(|(low, up)| u32::from(low > up));
            larger.sum::<u32>() == 0
        };
        if self.places == other.places {
            let mut blocks = self.blocks.iter().zip(other.blocks);
            return blocks.all(|(low, up)| no_larger(low, up));
        }
        let mut others = other.places.iter().zip(other.blocks);
        let mut blocks = self.places.iter().zip(self.blocks);
        blocks.all(|(place, low)| {
            let other = others.find(|(other, _)| *other >= place);
            other.is_some_and(|(other, up)| other == place && no_larger(low, up))
        })
    }
}

impl Ord for Row<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let blocks = |row: &Self| row.places.iter().zip(row.blocks);
        let mut both = blocks(self).zip(blocks(other));
        // A block that the other row has only zeros for makes the larger one.
        let first = both.find_map(|((place, block), (other_place, other))| {
            let order = other_place.cmp(place).then_with(|| block.cmp(other));
            Some(order).filter(|order| order.is_ne())
        });
        first.unwrap_or_else(|| self.places.len().cmp(&other.places.len()))
    }
}

impl PartialOrd for Row<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn rows_are_what_they_would_be_with_all_zeros() {
        let mut state = 1_u64;
        let mut roll = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let full: Vec<Vec<u32>> = (0..60)
            .map(|row| {
                let often = 1 + row % 6;
                (0..40)
                    .map(|_| {
                        if roll(often) == 0 {
                            u32::try_from(roll(3)).unwrap()
                        } else {
                            0
                        }
                    })
                    .collect()
            })
            .collect();
        let mut rows = Rows::with_capacity(full.len());
        for row in &full {
            rows.push((0..).zip(row.iter().copied()));
        }
        let mut at_most = 0;
        for (a, one) in full.iter().enumerate() {
            for (b, other) in full.iter().enumerate() {
                let (row, second) = (rows.get(a), rows.get(b));
                assert_eq!(row.cmp(&second), one.cmp(other));
                assert_eq!(row == second, one == other);
                let expected = one.iter().zip(other).all(|(low, up)| low <= up);
                assert_eq!(row.is_at_most(second), expected);
                at_most += u32::from(expected && a != b);
            }
            let row = rows.get(a);
            assert!(
                (0..)
                    .zip(one)
                    .all(|(entry, counter)| row.get(entry) == *counter)
            );
            let counters = (0..).zip(one.iter().copied());
            assert!(
                row.counters()
                    .eq(counters.filter(|(_, counter)| *counter > 0))
            );
        }
        assert!(at_most > 10, "{at_most}");
    }
}
