//! How many of some counters are smaller than another, in O(1) where counters are dense.

/// How many of some counters are smaller than another.
pub(crate) enum Ranks {
    /// For each counter how many are smaller: for counters that are not much more than they are
    /// many.
    Dense(Vec<u32>),
    Sorted(Vec<u32>),
}

impl Ranks {
    pub(crate) fn of(counters: impl Iterator<Item = u32> + Clone) -> Self {
        let mut size = Size::default();
        counters.clone().for_each(|counter| size.add(counter));
        let mut ranks = Self::for_size(&size);
        counters.for_each(|counter| ranks.add(counter));
        ranks.settled()
    }

    /// The ranks of each entry's counters.
    pub(super) fn of_each(
        entries: usize,
        counters: impl Iterator<Item = (u32, u32)> + Clone,
    ) -> Vec<Self> {
        let mut sizes = vec![Size::default(); entries];
        for (entry, counter) in counters.clone() {
            sizes[entry as usize].add(counter);
        }
        let mut ranks: Vec<_> = sizes.iter().map(Self::for_size).collect();
        for (entry, counter) in counters {
            ranks[entry as usize].add(counter);
        }
        ranks.into_iter().map(Self::settled).collect()
    }

    fn for_size(size: &Size) -> Self {
        if size.largest > 4 * size.many + 64 {
            Self::Sorted(Vec::with_capacity(size.many))
        } else {
            Self::Dense(vec![0; size.largest + 2])
        }
    }

    fn add(&mut self, counter: u32) {
        match self {
            Self::Dense(smaller) => smaller[counter as usize + 1] += 1,
            Self::Sorted(counters) => counters.push(counter),
        }
    }

    fn settled(mut self) -> Self {
        match &mut self {
            Self::Dense(smaller) => {
                for counter in 1..smaller.len() {
                    smaller[counter] += smaller[counter - 1];
                }
            }
            Self::Sorted(counters) => counters.sort_unstable(),
        }
        self
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dense(smaller) => smaller.last().map_or(0, |all| *all as usize),
            Self::Sorted(counters) => counters.len(),
        }
    }

    /// How many are smaller.
    pub(crate) fn below(&self, counter: u32) -> usize {
        match self {
            Self::Dense(smaller) => smaller[(counter as usize).min(smaller.len() - 1)] as usize,
            Self::Sorted(counters) => counters.partition_point(|known| *known < counter),
        }
    }

    /// How many are not larger.
    pub(crate) fn up_to(&self, counter: u32) -> usize {
        self.below(counter + 1)
    }

    /// True when two of them are equal.
    pub(crate) fn has_equal(&self) -> bool {
        match self {
            Self::Dense(smaller) => smaller.windows(2).any(|pair| pair[1] - pair[0] > 1),
            Self::Sorted(counters) => counters.windows(2).any(|pair| pair[0] == pair[1]),
        }
    }
}

/// How many counters there are, and the largest.
#[derive(Clone, Copy, Default)]
struct Size {
    many: usize,
    largest: usize,
}

impl Size {
    fn add(&mut self, counter: u32) {
        self.many += 1;
        self.largest = self.largest.max(counter as usize);
    }
}
