//! The seed of property tests, here and in the other test programs of the workspace, which include
//! this file.

/// What property tests draw from: the same every time, or what `SIBCHECK_SEED` says.
pub(crate) fn drawing(cases: u32) -> proptest::test_runner::Config {
    let seed = std::env::var("SIBCHECK_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(0);
    proptest::test_runner::Config {
        cases,
        rng_seed: proptest::test_runner::RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Default::default()
    }
}
