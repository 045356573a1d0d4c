//! Keys and values that break stores: what a program does not take is found out and left out, what it
//! confuses is a violation.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{fs, ops::Range, path::PathBuf, process::Output};

use serde_json::Value as Json;
use sibcheck::{
    nodes::external::Program,
    plans::{Kinds, SeededChoices, Shape, generate},
    program_under_test::{ProgramUnderTest, Purpose},
    workloads::Dialect,
};
use sibcheck_checkers::Outcome;

use crate::support::{have, of_each, python, sibcheck};

/// Checks `tests/nodes/picky_store.py` with these flags of its own.
fn check(test: &str, flags: &str, arguments: &[&str]) -> Output {
    let name = format!("vocabulary-{test}");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let node = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes/picky_store.py");
    let bin = format!("python3 '{node}' {flags}");
    let check = [&["check", "--bin", &bin], arguments].concat();
    sibcheck(&folder, &check).output().unwrap()
}

fn report(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A report with its lines joined.
fn unwrapped(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_a_program_does_not_take_is_told_and_not_drawn() {
    if !have("python3") {
        return;
    }
    let long = "--patience-ms";
    for (flag, kind, how) in [
        ("--refuse-empty", "empty-keys", "write: error 12"),
        ("--drop-nulls", "nulls", "was not returned"),
        ("--die-on-long", "long-texts", "died of it"),
        ("--hang-on-paths", "path-keys", "got no answer in 200ms"),
    ] {
        let arguments = [
            "--seed", "1", "--runs", "20", "--format", "json", long, "200",
        ];
        let output = check(flag, flag, &arguments);
        assert_eq!(output.status.code(), Some(0), "{flag}");
        let store = &report(&output)["stores"][0];
        let not_taken = store["program"]["not_taken"].as_object().unwrap();
        assert_eq!(not_taken.len(), 1, "{flag}: {not_taken:?}");
        assert_eq!(not_taken[kind], how, "{flag}");
        assert_eq!(store["left_out"], kind);
    }
    let output = check("floats", "--round-floats", &["--seed", "1", "--runs", "3"]);
    let text = unwrapped(&output);
    let told = "fractions (returned 0.5 as 0), whole floats (returned 0.0 as 0)";
    assert!(text.contains(told), "{text}");
    let output = check(
        "values",
        "--normalise-values",
        &["--seed", "1", "--runs", "3"],
    );
    let text = unwrapped(&output);
    let told = "unicode texts (returned \"cafe\\u0301\" as \"caf\\u00e9\")";
    assert!(text.contains(told), "{text}");
}

#[test]
fn the_printed_command_draws_the_same_without_finding_out_again() {
    if !have("python3") {
        return;
    }
    let arguments = ["--seed", "5", "--runs", "12", "--format", "json"];
    let first = report(&check("again", "--drop-nulls --refuse-empty", &arguments));
    let command = first["command"].as_str().unwrap();
    assert!(
        command.contains(" --leave-out empty-keys,nulls"),
        "{command}"
    );
    let words = shell_words::split(command).unwrap();
    let again = sibcheck(env!("CARGO_TARGET_TMPDIR").as_ref(), &[])
        .args(&words[1..])
        .args(["--format", "json"])
        .output()
        .unwrap();
    let again = report(&again);
    for what in [
        "messages",
        "situations",
        "exercised",
        "left_out",
        "operations",
    ] {
        assert_eq!(again["stores"][0][what], first["stores"][0][what], "{what}");
    }
    assert_eq!(
        again["stores"][0]["program"]["not_taken"],
        serde_json::json!({})
    );
}

/// The first of so many runs on one node, from a seed on, that violates its claim.
fn first_violation(name: &str, flag: &str, seeds: Range<u64>, left_out: Kinds) -> Option<u64> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let node = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes/picky_store.py");
    let argv = python(node, &[flag]);
    let subject = ProgramUnderTest::new(Program::new(argv, Dialect::Vc, folder));
    let shape = Shape {
        faults: Vec::new(),
        left_out,
        ..Shape::of_program(Dialect::Vc, 1)
    };
    seeds.into_iter().find(|seed| {
        let plan = generate(&shape, &mut SeededChoices::new(*seed), String::new());
        let judged = subject.run(&plan, Purpose::Search).unwrap().judged;
        judged.told.outcome() == Outcome::Violated
    })
}

/// Plain keys and values let all of these pass. With others each is caught.
#[test]
fn what_a_program_confuses_is_a_violation() {
    if !have("python3") {
        return;
    }
    let flags = [
        "--equal-numbers",
        "--fold-case",
        "--normalise-keys",
        "--trim",
        "--cut-keys",
        "--same-prefix",
    ];
    of_each(&flags, |flag| {
        let name = format!("vocabulary-confused{flag}");
        let found = first_violation(&name, flag, 1..81, Kinds::NONE);
        println!("{flag}: {found:?}");
        assert!(found.is_some(), "{flag}");
        let plain = first_violation(&name, flag, 1..9, Kinds::ALL);
        assert_eq!(plain, None, "{flag} with plain keys and values");
    });
}

#[test]
fn evidence_shows_what_was_confused_and_nothing_else_that_is_odd() {
    if !have("python3") {
        return;
    }
    let output = check(
        "evidence",
        "--normalise-keys",
        &["--seed", "1", "--runs", "60", "--faults", "none"],
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("key \"") && text.contains("\\u"), "{text}");
    // Values are plain again: the failure did not need others.
    let evidence = text.lines().filter(|line| line.contains(": write "));
    for line in evidence {
        assert!(line.contains(": write \"v"), "{line}");
    }
}
