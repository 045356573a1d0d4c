//! Positive controls: every planted bug is caught with its invariant named, and the correct stores
//! stay clean. The long campaigns are ignored; their commands are in the README.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

use sibcheck::{
    campaign::{Campaign, Tally, run_and_judge},
    interrupt::Interrupt,
    plans::{Shape, plans},
    simulation::{FaultKind, FaultName, Nanos},
    stores::StoreName,
    stores::faulty::Flaw,
};
use sibcheck_checkers::{Claim, Outcome};

fn campaign(store: StoreName, nodes: u32, seed: u64, runs: u64) -> Campaign {
    let mut shape = Shape::new(store);
    shape.nodes = nodes;
    if nodes == 1 {
        shape.claim = Claim::Linearizable;
    }
    Campaign {
        store,
        shape,
        seed,
        runs,
        threads: std::thread::available_parallelism().map_or(1, Into::into),
    }
}

fn run(campaign: &Campaign) -> Tally {
    campaign.run(&Interrupt::default(), |_| {}).unwrap().0
}

fn assert_clean(nodes: u32, runs: u64) {
    for store in StoreName::CORRECT {
        let campaign = campaign(store, nodes, 1_000_000 * u64::from(nodes), runs);
        let (tally, failure) = campaign.run(&Interrupt::default(), |_| {}).unwrap();
        if let Some(failure) = failure {
            let judged = run_and_judge(store, &failure.plan).unwrap();
            let violation = judged.told.violations()[0];
            panic!(
                "{store} is correct, but with seed {}: {}: {}",
                failure.seed,
                violation.invariant,
                violation.sentence()
            );
        }
        assert_eq!(tally.runs(Outcome::Valid), runs, "{:?}", tally.unknown);
    }
}

#[test]
fn correct_stores_are_clean_alone_and_in_clusters() {
    assert_clean(1, 300);
    assert_clean(2, 200);
    assert_clean(3, 500);
    assert_clean(5, 100);
}

/// `cargo test --release --test controls -- --ignored`
#[test]
#[ignore = "a minute of campaigns"]
fn correct_stores_are_clean_over_ten_thousand_runs() {
    assert_clean(3, 10_000);
    assert_clean(1, 10_000);
    assert_clean(5, 3_000);
}

/// From each of these seeds on, every bug must be caught under its invariant within so many runs.
const STARTS: [u64; 5] = [0, 1_000, 2_000, 3_000, 4_000];
const RUNS_TO_CATCH: u64 = 200;

#[test]
fn every_planted_bug_is_caught_and_its_invariant_named() {
    for flaw in Flaw::ALL {
        for start in STARTS {
            let campaign = campaign(
                StoreName::Faulty(flaw),
                StoreName::Faulty(flaw).nodes(),
                start,
                RUNS_TO_CATCH,
            );
            let caught = (start..start + RUNS_TO_CATCH).find(|seed| {
                run_and_judge(campaign.store, &campaign.plan(*seed))
                    .unwrap()
                    .violates(Some(flaw.breaks()))
            });
            assert!(
                caught.is_some(),
                "{} did not break {} in {RUNS_TO_CATCH} runs from seed {start} on",
                flaw.name(),
                flaw.breaks()
            );
        }
    }
}

/// `cargo test --test controls -- --ignored --nocapture`
#[test]
#[ignore = "a minute of campaigns"]
fn every_planted_bug_is_caught_within_twenty_runs_in_the_median() {
    for flaw in Flaw::ALL {
        let mut runs: Vec<u64> = (0..50)
            .map(|start| {
                let start = start * 1_000;
                let campaign = campaign(
                    StoreName::Faulty(flaw),
                    StoreName::Faulty(flaw).nodes(),
                    start,
                    RUNS_TO_CATCH,
                );
                let caught = (0..RUNS_TO_CATCH).find(|run| {
                    let plan = campaign.plan(start + run);
                    let judged = run_and_judge(campaign.store, &plan).unwrap();
                    judged.told.outcome() == Outcome::Violated
                });
                caught.unwrap_or(RUNS_TO_CATCH) + 1
            })
            .collect();
        runs.sort_unstable();
        let (median, worst) = (runs[25], runs[49]);
        println!("{}: median {median}, worst {worst} runs", flaw.name());
        assert!(median <= 20, "{}: {runs:?}", flaw.name());
    }
}

/// Bugs that nothing rare is needed for show their invariant in the very first failure.
#[test]
fn the_first_failure_names_the_invariant() {
    for flaw in [
        Flaw::LastWriterWins,
        Flaw::ServerIdClock,
        Flaw::NeverSupersede,
        Flaw::DotFromContext,
        Flaw::ReconcileOneParent,
        Flaw::OverwriteOnReplication,
    ] {
        for start in STARTS {
            let campaign = campaign(
                StoreName::Faulty(flaw),
                StoreName::Faulty(flaw).nodes(),
                start,
                RUNS_TO_CATCH,
            );
            let (_, failure) = campaign.run(&Interrupt::default(), |_| {}).unwrap();
            let judged = run_and_judge(campaign.store, &failure.unwrap().plan).unwrap();
            let violations = judged.told.violations();
            let named: Vec<_> = violations.iter().map(|v| v.invariant).collect();
            assert!(named.contains(&flaw.breaks()), "{}: {named:?}", flaw.name());
        }
    }
}

#[test]
fn a_bug_that_needs_a_crash_is_not_seen_without_one() {
    let mut campaign = campaign(StoreName::Faulty(Flaw::AckBeforeDurable), 3, 0, 200);
    campaign.shape.faults.clear();
    assert_eq!(run(&campaign).outcome(), Outcome::Valid);
}

/// Neither is one that needs a clock to jump back seen without: not when clocks are right, nor where
/// they only jump ahead and are right at the end of every run.
#[test]
fn a_bug_that_needs_a_wrong_clock_is_not_seen_without_one() {
    let mut campaign = campaign(StoreName::Faulty(Flaw::WallClockDots), 3, 0, 500);
    campaign.shape.faults = Shape::usual_faults(Some(StoreName::Dotted), 3);
    assert_eq!(run(&campaign).outcome(), Outcome::Valid);
    campaign.shape.faults = vec![FaultName::Clock];
    for seed in 0..500 {
        let mut plan = campaign.plan(seed);
        for fault in &mut plan.faults {
            if let FaultKind::Clock { jump_ns, .. } = &mut fault.what {
                *jump_ns = jump_ns.abs();
                fault.end_ns = Nanos(u64::MAX);
            }
        }
        let judged = run_and_judge(campaign.store, &plan).unwrap();
        assert_ne!(judged.told.outcome(), Outcome::Violated, "seed {seed}");
    }
}

/// Correct stores do not use the clock, and say so.
#[test]
fn a_wrong_clock_that_no_node_uses_is_not_exercised() {
    for store in StoreName::CORRECT {
        let mut campaign = campaign(store, 3, 0, 50);
        campaign.shape.faults = vec![FaultName::Clock];
        let tally = run(&campaign);
        assert_ne!(tally.outcome(), Outcome::Violated);
        assert_eq!(tally.faults[&FaultName::Clock].exercised, 0);
    }
}

mod property {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 100,
            rng_seed: proptest::test_runner::RngSeed::Fixed(0),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// The same claim through proptest, whose failures shrink as those of `check` do.
        #[test]
        fn correct_stores_are_valid(versioned in plans(Shape::new(StoreName::Versioned)), dotted in plans(Shape::new(StoreName::Dotted))) {
            for (store, plan) in [(StoreName::Versioned, versioned), (StoreName::Dotted, dotted)] {
                let told = run_and_judge(store, &plan).unwrap().told;
                prop_assert_eq!(told.outcome(), Outcome::Valid, "{}", told.to_json());
            }
        }
    }

    #[test]
    fn proptest_shrinks_a_failing_plan() {
        use proptest::test_runner::{TestCaseError, TestError, TestRunner};

        let mut runner = TestRunner::deterministic();
        let store = StoreName::Faulty(Flaw::LastWriterWins);
        let failed = runner.run(&plans(Shape::new(store)), |plan| {
            match run_and_judge(store, &plan).unwrap().told.outcome() {
                Outcome::Violated => Err(TestCaseError::fail("violated")),
                _ => Ok(()),
            }
        });
        match failed {
            Err(TestError::Fail(_, plan)) => {
                assert!(plan.operations() <= 3, "{:?}", plan.clients);
            }
            other => panic!("the bug should have been found: {other:?}"),
        }
    }
}
