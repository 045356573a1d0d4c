//! Seeded randomness, split by purpose.
//!
//! The one algorithm is `ChaCha` with 8 rounds (`rand_chacha`), one stream of it for each
//! [`Purpose`]: drawing more for one purpose never changes what another one draws.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::time::Nanos;

/// What randomness is drawn for. The numbers are part of the format of saved plans: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The shape of a plan: swarm weights, keys, clients.
    Shape = 1,
    /// The client operations of a plan.
    Operations = 2,
    /// The faults of a plan.
    Faults = 3,
    /// Message latencies while a plan runs.
    Latency = 4,
    /// Which messages are lost.
    Loss = 5,
    /// Which messages are duplicated.
    Duplication = 6,
    /// The keys and values of a plan.
    Names = 7,
    /// What survives of the batches that crashes tear while a plan runs.
    Storage = 8,
}

/// A stream of random numbers for one purpose.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `purpose` under `seed`.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// True with a probability of `ppm` parts per million.
    pub fn chance_ppm(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(1_000_000) < u64::from(ppm)
    }

    /// An exponentially distributed span with this mean, cut at ten times the mean so that a
    /// settled network really is empty.
    pub fn exponential(&mut self, mean: Nanos) -> Nanos {
        // 53 bits make a uniform number in (0, 1]; libm's logarithm is the same on every platform.
        #[expect(clippy::cast_precision_loss)]
        let uniform = ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let factor = -libm::log(uniform);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let span = (factor.min(10.0) * mean.0 as f64) as u64;
        Nanos(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_independent_and_repeatable() {
        let draw = |purpose| {
            let mut random = Random::new(7, purpose);
            [random.bits(), random.bits()]
        };
        assert_eq!(draw(Purpose::Loss), draw(Purpose::Loss));
        assert_ne!(draw(Purpose::Loss), draw(Purpose::Latency));
    }

    #[test]
    fn the_stream_never_changes() {
        // Saved plans depend on these bytes: when this fails, the format's version must rise.
        let mut random = Random::new(1, Purpose::Latency);
        assert_eq!(
            [
                random.below(1_000),
                random.below(1_000),
                random.below(1_000)
            ],
            [662, 405, 413]
        );
        assert_eq!(random.exponential(Nanos::from_millis(1)), Nanos(219_908));
    }

    #[test]
    fn draws_stay_in_range() {
        let mut random = Random::new(3, Purpose::Shape);
        assert_eq!(random.below(0), 0);
        assert!((0..1_000).all(|_| random.below(7) < 7));
        assert!((0..1_000).all(|_| random.exponential(Nanos(1_000)).0 <= 10_000));
        assert!(!(0..1_000).any(|_| random.chance_ppm(0)));
        assert!((0..1_000).all(|_| random.chance_ppm(1_000_000)));
    }
}
