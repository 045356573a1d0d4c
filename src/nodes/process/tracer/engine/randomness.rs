//! Randomness for a node: a stream that follows from the plan's seed and the node.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Where a program's random bytes come from.
#[derive(Debug)]
pub(super) struct Randomness(ChaCha8Rng);

/// How much one opening of `/dev/urandom` can be read.
const FILE_BYTES: usize = 256 << 10;

/// The most that one call is given, as the kernel does for one that a signal could break off.
const MOST: u64 = 1 << 20;

impl Randomness {
    /// One of the streams under a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// At most so many bytes.
    pub(super) fn bytes(&mut self, count: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(count.min(MOST)).unwrap_or(0)];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// What a file of random bytes is to hold.
    pub(super) fn file(&mut self) -> Vec<u8> {
        self.bytes(FILE_BYTES as u64)
    }
}
