//! What only clients of one habit can see is not left to luck: eight runs meet every stratum.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::path::PathBuf;

use sibcheck::{
    laboratory::Laboratory,
    nodes::{StoreName, external::Program},
    plans::{Act, Plan, STRATA, SeededChoices, Shape, Stratum, generate},
    protocol::Dialect,
};
use sibcheck_checkers::Outcome;

fn shape() -> Shape {
    Shape {
        program: Some(Dialect::Vc),
        faults: Vec::new(),
        ..Shape::new(StoreName::Versioned)
    }
}

fn plan(seed: u64) -> Plan {
    generate(&shape(), &mut SeededChoices::new(seed), String::new())
}

/// A node that drops the part of a context which its coordinator has not received is caught by the
/// fewest runs that a rung ever has, from whatever seed on.
#[test]
fn a_context_that_is_forgotten_before_its_writes_arrive_is_caught_from_every_seed_on() {
    if std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: there is no python3 on this machine");
        return;
    }
    let node = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/nodes/forgetful_store.py"
    );
    let laboratory = |flags: &[&str]| {
        let argv = [&["python3", node], flags].concat();
        let argv = argv.into_iter().map(str::to_owned).collect();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("strata-forgetful");
        Laboratory::new(Program::new(argv, Dialect::Vc, folder))
    };
    let outcome = |laboratory: &Laboratory, seed| {
        let judged = laboratory.run(&plan(seed)).unwrap();
        judged.verdict.outcome
    };
    let forgetful = laboratory(&[]);
    for first in [0, 1, 77, 123_456, 900_000_001, 31, 58] {
        let mut runs = first..first + STRATA;
        let caught = runs.any(|seed| outcome(&forgetful, seed) == Outcome::Violated);
        assert!(caught, "not in the runs from seed {first} on");
    }
    let correct = laboratory(&["--keep"]);
    for seed in 0..STRATA {
        assert_eq!(outcome(&correct, seed), Outcome::Valid, "seed {seed}");
    }
}

#[test]
fn each_stratum_shows_its_habit() {
    for seed in 0..10 * STRATA {
        let (plan, tame) = (plan(seed), plan(STRATA * seed + 7));
        let moves = |plan: &Plan| {
            let pairs = plan.clients.iter().flat_map(|steps| steps.windows(2));
            pairs.filter(|pair| pair[0].node != pair[1].node).count()
        };
        let steps = plan.clients.iter().flatten();
        match Stratum::of(seed, &shape()) {
            Stratum::Free => assert!(seed % STRATA > 4),
            Stratum::Staying => assert_eq!(moves(&plan), 0),
            Stratum::Roaming => assert!(moves(&plan) > 20),
            Stratum::Outrunning => {
                let pairs = plan.clients.iter().flat_map(|steps| steps.windows(2));
                let at_once = pairs.filter(|pair| {
                    pair[0].node != pair[1].node
                        && pair[0].key == pair[1].key
                        && pair[1].think_ns.0 == 0
                        && matches!(pair[1].act, Act::Write { .. })
                });
                assert!(at_once.count() > 10);
            }
            Stratum::HotKey => {
                let mut uses = [0; 3];
                steps.for_each(|step| uses[step.key as usize] += 1);
                assert!(uses.iter().max().unwrap() * 10 > 8 * uses.iter().sum::<i32>());
            }
            Stratum::Alike => {
                let numbered = |key: &str| key.len() == 2 && key.starts_with('k');
                assert!(
                    !plan.keys.iter().all(|key| numbered(key)),
                    "{:?}",
                    plan.keys
                );
            }
        }
        assert_eq!(tame.operations(), plan.operations());
    }
}
