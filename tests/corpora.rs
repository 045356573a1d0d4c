//! The saved corpus: every file gets the verdict that it names. One test for each folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic fails the test"
)]

use std::path::Path;

use sibcheck::{corpus, fuzzing::TARGETS};
use sibcheck_checkers::{
    Invariant, Outcome,
    format::{Recorded, read_any},
};

/// Judges every file below a folder of `corpora/`, and tells how many there were.
fn replay(folder: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpora")
        .join(folder);
    let saved = corpus::find(&path).unwrap();
    for case in &saved {
        let judged = case.judge(None).unwrap();
        assert!(
            judged.as_expected,
            "{}: {}, expected: {:?}",
            case.path.display(),
            judged.found,
            judged.expected
        );
        assert!(
            judged.expected.is_some(),
            "{}: it names no verdict",
            case.path.display()
        );
    }
    saved.len()
}

#[test]
fn plans_get_their_verdicts() {
    assert!(replay("plans") >= 8);
}

#[test]
fn histories_get_their_verdicts() {
    assert!(replay("histories") >= 10);
}

#[test]
fn conformance_cases_pass() {
    assert!(replay("conformance") >= 4);
}

#[test]
fn fuzz_inputs_pass() {
    for (target, _) in TARGETS {
        assert!(replay(&format!("fuzz/{target}")) >= 3, "{target}");
    }
}

#[test]
fn the_histories_show_every_invariant_violated_and_some_held() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora/histories");
    let mut outcomes = Vec::new();
    let mut named = Vec::new();
    for case in corpus::find(&folder).unwrap() {
        let recorded = read_any(&std::fs::read(&case.path).unwrap()[..]).unwrap();
        let header = match recorded {
            Recorded::Siblings(history) => history.header,
            Recorded::Registers(history) => history.header,
        };
        let expect = header.expect.unwrap();
        assert!(
            !expect.why.is_empty(),
            "{}: it says no why",
            case.path.display()
        );
        outcomes.push(expect.outcome);
        named.extend(expect.invariants);
    }
    for outcome in Outcome::ALL {
        assert!(
            outcomes.contains(&outcome),
            "no history is {}",
            outcome.name()
        );
    }
    // A history names a claim; that nodes never go backwards is promised beside it.
    let by_claims = |invariant: &Invariant| *invariant != Invariant::ReplicaMonotonicity;
    for invariant in Invariant::ALL.into_iter().filter(by_claims) {
        assert!(
            named.contains(&invariant),
            "no history violates {invariant}"
        );
    }
}
