//! What only clients of one habit can see is not left to luck: eight runs meet every stratum.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{path::PathBuf, time::Duration};

use sibcheck::{
    campaign::JudgedRun,
    nodes::external::Program,
    plans::{Kinds, Plan, STRATA, SeededChoices, Shape, Step, Stratum, generate},
    program_under_test::{ProgramUnderTest, Purpose},
    runner,
    simulation::{Latency, Nanos},
    stores::StoreName,
    workloads::{
        self, Dialect,
        siblings::{Act, CONTEXTS_AHEAD, ContextChoice},
    },
};
use sibcheck_checkers::Outcome;

use crate::support::{self, have, of_each};

fn shape() -> Shape {
    Shape {
        faults: Vec::new(),
        ..Shape::of_program(Dialect::Vc, 3)
    }
}

/// How often the clients of a run got into a situation.
fn count(run: &runner::Run, situation: &str) -> u64 {
    let mut situations = run.situations.iter();
    let found = situations.find(|(name, _)| *name == situation);
    found.unwrap_or_else(|| panic!("{situation}")).1
}

fn plan(seed: u64) -> Plan {
    generate(&shape(), &mut SeededChoices::new(seed), String::new())
}

/// A node that drops the part of a context which its coordinator has not received is caught by the
/// fewest runs that a rung ever has, from whatever seed on.
#[test]
fn a_context_that_is_forgotten_before_its_writes_arrive_is_caught_from_every_seed_on() {
    if !have("python3") {
        return;
    }
    let node = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/nodes/forgetful_store.py"
    );
    let subject = |name: u64, flags: &[&str]| {
        let argv = support::python(node, flags);
        let name = format!("strata-forgetful-{name}");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        ProgramUnderTest::new(Program::new(argv, Dialect::Vc, folder))
    };
    let outcome = |subject: &ProgramUnderTest, seed| {
        let judged = subject.run(&plan(seed), Purpose::Search).unwrap().judged;
        judged.told.outcome()
    };
    of_each(&[0, 1, 77, 123_456, 900_000_001, 31, 58], |&first| {
        let forgetful = subject(first, &[]);
        let mut runs = first..first + STRATA;
        let caught = runs.any(|seed| outcome(&forgetful, seed) == Outcome::Violated);
        assert!(caught, "not in the runs from seed {first} on");
    });
    let correct = subject(STRATA, &["--keep"]);
    let mut ahead = Vec::new();
    for seed in 0..STRATA {
        let judged = correct.run(&plan(seed), Purpose::Search).unwrap().judged;
        assert_eq!(judged.told.outcome(), Outcome::Valid, "seed {seed}");
        ahead.push(count(&judged.run, CONTEXTS_AHEAD));
    }
    assert!(ahead[0] == 0 && ahead[2] > 20, "{ahead:?}");
}

#[test]
fn a_delete_of_what_its_client_never_saw_is_caught_from_every_seed_on() {
    if !have("python3") {
        return;
    }
    let dialect = Dialect::from_toml(include_str!("../nodes/document_store.toml")).unwrap();
    let shape = Shape {
        program: Some(dialect.clone()),
        ..shape()
    };
    let node = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes/document_store.py");
    let run = |flags: &[&str], seed| {
        let argv = support::python(node, flags);
        let name = format!("strata-documents{}", flags.concat());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let program = Program {
            // There are no timers to be waited for.
            timer_patience: Duration::from_millis(500),
            ..Program::new(argv, dialect.clone(), folder)
        };
        let subject = ProgramUnderTest::new(program);
        let plan = generate(&shape, &mut SeededChoices::new(seed), String::new());
        let observed = subject.run(&plan, Purpose::Search).unwrap();
        assert_eq!(observed.failure, None);
        observed.judged
    };
    let violated = |judged: &JudgedRun| judged.told.outcome() == Outcome::Violated;
    let flags = ["--delete-all", "--no-deleted-leaves", "--winner-only"];
    of_each(&flags, |flag| {
        for first in [0, 33] {
            let caught = (first..first + STRATA).any(|seed| violated(&run(&[flag], seed)));
            assert!(caught, "{flag} not in the runs from seed {first} on");
        }
    });
    // Clients pass back the revision of one of several, to write over it and to delete the loser.
    let (mut writes, mut deletes) = (0, 0);
    for seed in 0..STRATA {
        let judged = run(&[], seed);
        assert!(!violated(&judged), "seed {seed}");
        writes += count(&judged.run, "writes in place of one of several siblings");
        deletes += count(&judged.run, "deletes of one of several siblings");
    }
    assert!(
        writes > 50 && deletes > 5,
        "{writes} writes, {deletes} deletes"
    );
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
            Stratum::Deleting | Stratum::Emptying => panic!("there are no words for a delete"),
            Stratum::Staying => assert_eq!(moves(&plan), 0),
            Stratum::Roaming => assert!(moves(&plan) > 20),
            Stratum::Outrunning => {
                let pairs = plan.clients.iter().flat_map(|steps| steps.windows(2));
                let at_once = pairs.filter(|pair| {
                    pair[0].node != pair[1].node
                        && pair[0].key == pair[1].key
                        && pair[1].think_ns.0 == 0
                        && matches!(pair[1].act, workloads::Act::Siblings(Act::Write { .. }))
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
                    !plan.keys.iter().all(|key| numbered(key.as_str())),
                    "{:?}",
                    plan.keys
                );
            }
        }
        assert_eq!(tame.operations(), plan.operations());
    }
}

/// A write at one node, and one with its context at another, so much later.
fn ahead(wait: u64, relay: bool) -> u64 {
    let shape = Shape {
        faults: Vec::new(),
        left_out: Kinds::ALL,
        ..Shape::new(StoreName::Versioned)
    };
    let mut plan = generate(&shape, &mut SeededChoices::new(1), String::new());
    let constant = |ns| Latency::Constant { ns: Nanos(ns) };
    plan.network.client_latency = constant(10);
    plan.network.node_latency = constant(1_000);
    plan.network.links.clear();
    let step = |node, think, act: Act| Step {
        think_ns: Nanos(think),
        node,
        key: 0,
        act: act.into(),
    };
    let (last, blind) = (ContextChoice::LastWrite, ContextChoice::Blind);
    let write = |value, context| Act::Write { value, context };
    plan.clients = vec![vec![
        step(0, 0, write(0, blind)),
        step(1, wait, write(1, last)),
    ]];
    if relay {
        // What was written at the first node is read there, and its context used at the second.
        plan.clients[0].truncate(1);
        plan.clients.push(vec![
            step(0, 100, Act::Read),
            step(1, wait, write(1, ContextChoice::LastRead)),
        ]);
    }
    count(
        &runner::run(StoreName::Versioned, &plan).run,
        CONTEXTS_AHEAD,
    )
}

/// The first write is taken after 10 ns, when its copies leave, which arrive at 1,010 ns. The second is
/// sent at 20 ns and taken 10 ns later.
#[test]
fn a_context_is_ahead_until_word_of_its_writes_can_have_come() {
    assert_eq!((ahead(0, false), ahead(970, false)), (1, 1));
    assert_eq!((ahead(990, false), ahead(5_000, false)), (0, 0));
    assert_eq!((ahead(0, true), ahead(5_000, true)), (1, 0));
}
