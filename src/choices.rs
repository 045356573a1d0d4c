//! Where a plan's choices come from: a seed or bytes. Whatever one of them can reach, all can.

use arbitrary::Unstructured;

use crate::simulation::{Purpose, Random};

/// An abstract source of choices.
///
/// Choices are drawn for a [`Purpose`], so that drawing more of one kind leaves the others alone
/// where the source can keep them apart.
pub trait Choices {
    /// A number below `bound`, 0 when `bound` is 0. A source that has run dry gives 0, so
    /// generators put the plainest choice first.
    fn below(&mut self, purpose: Purpose, bound: u64) -> u64;

    /// The seed, where there is one. What must not be left to luck follows from it: consecutive seeds
    /// take turns.
    fn seed(&self) -> Option<u64> {
        None
    }

    /// A number between two bounds, both included.
    fn between(&mut self, purpose: Purpose, low: u64, high: u64) -> u64 {
        low + self.below(purpose, high.saturating_sub(low).saturating_add(1))
    }

    /// True in `percent` of a hundred cases.
    fn percent(&mut self, purpose: Purpose, percent: u64) -> bool {
        // The high end, so that a source that has run dry says no.
        self.below(purpose, 100) + percent >= 100
    }

    /// One of several things; `None` only when there is none.
    fn pick<'a, T>(&mut self, purpose: Purpose, things: &'a [T]) -> Option<&'a T> {
        let index = self.below(purpose, things.len() as u64);
        things.get(usize::try_from(index).unwrap_or(usize::MAX))
    }

    /// The index of one of several weights, in proportion; 0 when all weights are zero.
    fn weighted(&mut self, purpose: Purpose, weights: &[u64]) -> usize {
        let mut point = self.below(purpose, weights.iter().sum());
        weights
            .iter()
            .position(|&weight| {
                let here = point < weight;
                point = point.saturating_sub(weight);
                here
            })
            .unwrap_or(0)
    }
}

/// Choices from a seed: the fast path of `check`.
#[derive(Clone, Debug)]
pub struct SeededChoices {
    seed: u64,
    shape: Random,
    operations: Random,
    faults: Random,
    names: Random,
}

impl SeededChoices {
    /// The choices of this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            shape: Random::new(seed, Purpose::Shape),
            operations: Random::new(seed, Purpose::Operations),
            faults: Random::new(seed, Purpose::Faults),
            names: Random::new(seed, Purpose::Names),
        }
    }
}

impl Choices for SeededChoices {
    fn seed(&self) -> Option<u64> {
        Some(self.seed)
    }

    fn below(&mut self, purpose: Purpose, bound: u64) -> u64 {
        match purpose {
            Purpose::Operations => self.operations.below(bound),
            Purpose::Faults => self.faults.below(bound),
            Purpose::Names => self.names.below(bound),
            _ => self.shape.below(bound),
        }
    }
}

/// Choices from bytes: fuzzing, and property tests.
#[derive(Debug)]
pub struct ByteChoices<'a>(Unstructured<'a>);

impl<'a> ByteChoices<'a> {
    /// The choices that these bytes make, one after the other.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }
}

impl Choices for ByteChoices<'_> {
    fn below(&mut self, _: Purpose, bound: u64) -> u64 {
        match bound {
            0 | 1 => 0,
            _ => self.0.int_in_range(0..=bound - 1).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_stay_in_range_and_follow_their_weights() {
        let mut choices = SeededChoices::new(1);
        let mut counts = [0u32; 4];
        for _ in 0..10_000 {
            counts[choices.weighted(Purpose::Shape, &[1, 0, 2, 1])] += 1;
            assert!((3..=5).contains(&choices.between(Purpose::Shape, 3, 5)));
        }
        assert_eq!(counts[1], 0);
        assert!((4_500..5_500).contains(&counts[2]), "{counts:?}");
        assert_eq!(choices.weighted(Purpose::Shape, &[0, 0]), 0);
        assert_eq!(choices.pick::<u8>(Purpose::Shape, &[]), None);
    }

    #[test]
    fn percent_means_percent_and_a_dry_source_says_no() {
        let mut choices = SeededChoices::new(2);
        let hits = (0..10_000)
            .filter(|_| choices.percent(Purpose::Faults, 30))
            .count();
        assert!((2_700..3_300).contains(&hits), "{hits}");
        let mut dry = ByteChoices::new(&[]);
        assert!(!dry.percent(Purpose::Faults, 99));
        assert_eq!(dry.between(Purpose::Faults, 4, 9), 4);
    }

    #[test]
    fn the_draws_of_one_purpose_leave_the_others_alone() {
        let (mut a, mut b) = (SeededChoices::new(9), SeededChoices::new(9));
        a.below(Purpose::Faults, 100);
        assert_eq!(
            a.below(Purpose::Operations, 1 << 40),
            b.below(Purpose::Operations, 1 << 40)
        );
    }
}
