//! Saved plans: those of version 1 run as they did when they were saved.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{fs, path::PathBuf};

use sibcheck::{
    campaign::run_and_judge,
    nodes::external::Program,
    plans::{Plan, SeededChoices, Shape, generate, read_plan, write_plan},
    program_under_test::{ProgramUnderTest, Purpose},
    runner,
    simulation::Nanos,
    stores::StoreName,
};
use sibcheck_checkers::{
    Outcome,
    format::{read_history, write_history},
    history::{Action, History},
};

fn saved(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plans/version-1");
    PathBuf::from(folder).join(name)
}

/// A plan of version 1, and the history that the build which wrote it recorded.
fn old(name: &str) -> (Plan, History) {
    let text = fs::read_to_string(saved(&format!("{name}.json"))).unwrap();
    assert!(text.contains("\"sibcheck_plan\": 1,"));
    let plan = read_plan(&text).unwrap();
    let history = fs::read(saved(&format!("{name}.jsonl"))).unwrap();
    (plan, read_history(&history[..]).unwrap())
}

fn again(plan: &Plan) -> Plan {
    let mut bytes = Vec::new();
    write_plan(plan, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("\"sibcheck_plan\": 2,"));
    read_plan(&text).unwrap()
}

/// The histories are the same once both have been written and read, but for faults, which were not
/// recorded then.
fn assert_same(now: &History, then: &History) {
    let mut bytes = Vec::new();
    write_history(now, &mut bytes).unwrap();
    let mut now = read_history(&bytes[..]).unwrap();
    now.faults.clear();
    assert_eq!(&now, then);
}

#[test]
fn plans_of_version_1_for_stores_run_as_they_did() {
    for store in ["versioned", "dotted"] {
        let (plan, then) = old(store);
        assert_eq!(plan.keys, ["k1", "k2"]);
        assert_same(&runner::run(plan.store.unwrap(), &plan).history, &then);
        assert_same(
            &runner::run(plan.store.unwrap(), &again(&plan)).history,
            &then,
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn plans_of_version_1_for_programs_run_as_they_did() {
    if std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: there is no python3 on this machine");
        return;
    }
    for (name, node) in [
        ("basket", "tests/nodes/basket_store.py"),
        ("vc", "examples/nodes/python/vc_store.py"),
    ] {
        let (plan, then) = old(name);
        let node = format!("{}/{node}", env!("CARGO_MANIFEST_DIR"));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("plans-{name}"));
        let program = Program::new(
            vec!["python3".into(), node],
            plan.program.clone().unwrap(),
            folder,
        );
        let subject = ProgramUnderTest::new(program);
        for plan in [again(&plan), plan] {
            let told = subject.run(&plan, Purpose::Repeat).unwrap().judged.told;
            let now = told.of::<Action>().unwrap();
            assert_same(&now.history, &then);
        }
    }
}

/// Bounds that are harmless alone multiply: anti-entropy every 100 µs for an hour.
#[test]
fn a_run_without_end_is_ended_and_undecided() {
    let mut plan = generate(
        &Shape::new(StoreName::Dotted),
        &mut SeededChoices::new(1),
        "a test".into(),
    );
    plan.clients.truncate(1);
    plan.clients[0].truncate(2);
    plan.faults.clear();
    plan.anti_entropy_ns = Nanos(100_000);
    plan.settle_ns = Nanos(3_600_000_000_000);
    let judged = run_and_judge(StoreName::Dotted, &again(&plan)).unwrap();
    let told = &judged.told;
    let events = judged.run.cut_short.unwrap();
    assert!(events >= plan.most_events());
    assert!(events < 10_000_000);
    assert_eq!(told.outcome(), Outcome::Unknown);
    let why = told.why(&told.unknown()[0]);
    let words = format!("the run was ended after {events} simulated events");
    assert!(why.starts_with(&words), "{why}");
    plan.settle_ns = Nanos(1_000_000);
    assert_eq!(
        run_and_judge(StoreName::Dotted, &plan)
            .unwrap()
            .run
            .cut_short,
        None
    );
}
