//! Failures end small: a planted bug is shown by the few operations and faults that it needs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

use sibcheck::{
    campaign::{Campaign, run_and_judge, shrink_failure},
    interrupt::Interrupt,
    plans::{Plan, Shape, Shrunk},
    stores::StoreName,
    stores::faulty::Flaw,
};
use sibcheck_checkers::Invariant;

/// Shrinks the first failure from a seed on; with the invariant that it is shrunk to.
fn shrunk(flaw: Flaw, nodes: u32, seed: u64) -> (Shrunk, Invariant) {
    let store = StoreName::Faulty(flaw);
    let campaign = Campaign {
        store,
        shape: Shape::with_nodes(store, nodes),
        seed,
        runs: 1_000,
        threads: 1,
    };
    let (_, failure) = campaign.run(&Interrupt::default(), |_| {}).unwrap();
    let plan = failure.expect("every planted bug is found").plan;
    let invariant = run_and_judge(store, &plan).unwrap().gravest();
    let shrunk = shrink_failure(store, plan, invariant, |_, _| true);
    (shrunk, invariant.expect("it failed"))
}

fn shape_of(plan: &Plan) -> (usize, usize) {
    (plan.operations(), plan.faults.len())
}

#[test]
fn every_planted_bug_ends_in_a_few_operations() {
    for flaw in Flaw::ALL {
        let mut sizes = Vec::new();
        for seed in [0, 10_000, 20_000] {
            let (shrunk, invariant) = shrunk(flaw, StoreName::Faulty(flaw).nodes(), seed);
            let judged = run_and_judge(StoreName::Faulty(flaw), &shrunk.plan).unwrap();
            let violates = judged.violates(Some(invariant));
            assert!(violates, "{}: seed {seed}, {invariant}", flaw.name());
            sizes.push(shrunk.plan.operations());
        }
        sizes.sort_unstable();
        assert!(
            sizes[1] <= 4 && sizes[2] <= 5,
            "{}: {sizes:?} operations",
            flaw.name()
        );
    }
}

/// It used to end at 22 operations, because each one that was left out moved the others away from
/// the crash.
#[test]
fn a_lost_write_is_shown_with_the_crash_that_lost_it_and_little_else() {
    let (shrunk, _) = shrunk(Flaw::AckBeforeDurable, 3, 77);
    let (operations, faults) = shape_of(&shrunk.plan);
    assert!(
        operations <= 4 && (1..=2).contains(&faults),
        "{:#?}",
        shrunk.plan
    );
}

#[test]
fn the_same_failure_is_always_shrunk_to_the_same_plan() {
    let once = || shrunk(Flaw::MergeEqualValues, 3, 5);
    assert_eq!(once().0.plan, once().0.plan);
}

#[test]
fn a_node_alone_has_small_failures_too() {
    let (shrunk, _) = shrunk(Flaw::LastWriterWins, 1, 0);
    assert_eq!(shape_of(&shrunk.plan), (2, 0));
}
