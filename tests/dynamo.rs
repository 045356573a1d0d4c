//! The Dynamo-style store keeps what each of its configurations promises, and its mechanisms are at work
//! while it does. How its planted bugs are caught is in `controls.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use sibcheck::{
    campaign::{Campaign, run_and_judge},
    interrupt::Interrupt,
    plans::Shape,
    stores::StoreName,
};
use sibcheck_checkers::{Claim, Outcome};

/// Configurations with the claims that they earn on so many nodes.
const CONFIGURATIONS: [(&str, u32, Claim); 10] = [
    ("dynamo", 5, Claim::Quorum),
    ("dynamo", 3, Claim::Quorum),
    ("dynamo", 1, Claim::Linearizable),
    ("dynamo:3-1-3", 7, Claim::Quorum),
    ("dynamo:5-3-3", 6, Claim::Quorum),
    ("dynamo:3-2-2-sloppy", 5, Claim::Eventual),
    ("dynamo:3-1-1-sloppy", 4, Claim::Eventual),
    ("dynamo:1-1-1-sloppy", 5, Claim::Eventual),
    ("dynamo:1-1-1", 5, Claim::Quorum),
    ("dynamo:3-1-1-background", 5, Claim::Eventual),
];

fn keeps_its_claims(runs: u64) {
    for (number, (name, nodes, claim)) in (0u64..).zip(CONFIGURATIONS) {
        let store: StoreName = name.parse().unwrap();
        let shape = Shape::with_nodes(store, nodes);
        assert_eq!(shape.claim, claim, "{name} on {nodes} nodes");
        let campaign = Campaign {
            store,
            shape,
            seed: 1_000_000 * (number + 1),
            runs,
            threads: std::thread::available_parallelism().map_or(1, Into::into),
        };
        let (tally, failure) = campaign.run(&Interrupt::default(), |_| {}).unwrap();
        if let Some(failure) = failure {
            let judged = run_and_judge(store, &failure.plan).unwrap();
            let violation = judged.told.violations()[0];
            let (seed, sentence) = (failure.seed, violation.sentence());
            panic!(
                "{name} on {nodes} nodes, seed {seed}: {}: {sentence}",
                violation.invariant
            );
        }
        assert_eq!(tally.runs(Outcome::Valid), runs, "{:?}", tally.unknown);
        for (mechanism, _) in store.mechanisms(nodes) {
            let times = tally.situations.count(mechanism);
            assert!(
                times >= runs / 20,
                "{name} on {nodes} nodes: {times} {mechanism} in {runs} runs"
            );
        }
    }
}

#[test]
fn every_configuration_keeps_what_it_promises() {
    keeps_its_claims(100);
}

/// `cargo test --release --test dynamo -- --ignored`
#[test]
#[ignore = "some minutes of campaigns"]
fn every_configuration_keeps_it_over_many_runs() {
    keeps_its_claims(10_000);
}
