//! Registers end to end: found out, drawn, judged, shrunk, saved and replayed.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic fails the test"
)]

use std::{fs, path::Path};

use serde_json::Value as Json;

use crate::support::{empty_folder, have, of_each, sibcheck};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const PYTHON: &str = "examples/nodes/python/lin_kv.py";
const JAVASCRIPT: &str = "examples/nodes/javascript/lin_kv.js";
const RAFT: &str = "examples/nodes/python/raft_kv.py";

/// The command line of a node, with flags.
fn bin(node: &str) -> String {
    let interpreter = if node.contains(".js") {
        "node"
    } else {
        "python3"
    };
    format!("{interpreter} {ROOT}/{node}")
}

/// Runs a command in a folder; its exit code and what it said.
fn said(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = sibcheck(folder, arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn json(folder: &Path, file: &str) -> Json {
    serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap()
}

#[test]
fn correct_stores_are_linearizable_on_one_node_and_on_three() {
    for (node, interpreter) in [(PYTHON, "python3"), (JAVASCRIPT, "node")] {
        if !have(interpreter) {
            continue;
        }
        let folder = empty_folder(&format!("registers-correct-{interpreter}"));
        let node = bin(node);
        let check = ["check", "--bin", &node, "--seed", "1", "--runs", "2"];
        let (code, told) = said(&folder, &check);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("VALID (claim linearizable)") && told.contains("dialect lin-kv"));
        let faults = "partition,stop";
        let three = ["--nodes", "3", "--faults", faults, "--no-ladder"];
        let (code, told) = said(&folder, &[&check[..], &three].concat());
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("VALID (claim linearizable)"), "{told}");
        for nodes in ["1", "3"] {
            let (code, told) = said(&folder, &["conform", "--bin", &node, "--nodes", nodes]);
            assert_eq!(code, Some(0), "{told}");
        }
    }
}

#[test]
fn faulty_stores_are_caught_shrunk_saved_and_replayed() {
    let nodes = [
        (format!("{PYTHON} --stale"), "python3", 4),
        (format!("{JAVASCRIPT} --lost-cas"), "node", 12),
        ("tests/nodes/lin_kv.py --stale".to_owned(), "python3", 12),
    ];
    of_each(&[0, 1, 2], |&at: &usize| {
        let (node, interpreter, most) = &nodes[at];
        if !have(interpreter) {
            return;
        }
        let folder = empty_folder(&format!("registers-faulty-{at}"));
        let node = bin(node);
        let many = if at == 2 { "1" } else { "3" };
        let check = ["check", "--bin", &node, "--seed", "1", "--nodes", many];
        let check = [&check[..], &["--shrink-for", "2m"]].concat();
        let (code, told) = said(&folder, &check);
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains("VIOLATED: linearizability, key 0: "),
            "{told}"
        );
        let results = fs::read_dir(folder.join("sibcheck-results")).unwrap();
        let found = results.last().unwrap().unwrap().file_name();
        let saved = format!("sibcheck-results/{}", found.display());
        let plan = json(&folder, &format!("{saved}/plan.json"));
        let clients = plan["clients"].as_array().unwrap();
        let steps: usize = clients.iter().map(|c| c.as_array().unwrap().len()).sum();
        assert!(steps <= *most, "{steps} steps: {told}");
        assert!(
            plan.get("store").is_none(),
            "it is for no store in this process"
        );
        let verdict = json(&folder, &format!("{saved}/verdict.json"));
        assert_eq!(
            (&verdict["object"], &verdict["outcome"]),
            (&"register".into(), &"violated".into())
        );
        let history = format!("{saved}/history.jsonl");
        let (code, told) = said(&folder, &["verify", &history]);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("linearizability, key 0"), "{told}");
        let plan = format!("{saved}/plan.json");
        let (code, told) = said(&folder, &["replay", "--bin", &node, &plan]);
        assert_eq!(code, Some(1), "{told}");
        let (code, told) = said(&folder, &["replay", &history]);
        assert_eq!(code, Some(1), "{told}");
    });
}

#[test]
fn nodes_that_do_not_talk_to_each_other_are_caught() {
    if !have("python3") {
        return;
    }
    let folder = empty_folder("registers-apart");
    let node = bin("tests/nodes/lin_kv.py");
    let (code, told) = said(
        &folder,
        &["check", "--bin", &node, "--seed", "1", "--nodes", "3"],
    );
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("shrunk from 100 operations to 1 "), "{told}");
    let (code, told) = said(&folder, &["conform", "--bin", &node, "--nodes", "3"]);
    assert_eq!(code, Some(1), "{told}");
}

#[test]
fn registers_are_judged_for_linearizability_only() {
    if !have("python3") {
        return;
    }
    let folder = empty_folder("registers-claims");
    let node = bin(PYTHON);
    let check = ["check", "--bin", &node, "--nodes", "3"];
    for (flags, words) in [
        (&["--claim", "eventual"][..], "it is judged by linearizable"),
        (
            &["--replica-monotonic"],
            "--replica-monotonic speaks of siblings",
        ),
    ] {
        let (code, told) = said(&folder, &[&check[..], flags].concat());
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_described_dialect_of_registers_is_spoken() {
    if !have("python3") {
        return;
    }
    let folder = empty_folder("registers-described");
    let dialect = format!("{ROOT}/examples/dialects/lease.toml");
    let with = |flags: &str| bin(&format!("tests/nodes/lease_store.py{flags}"));
    let check = |node: &str| {
        let check = [
            "check",
            "--bin",
            node,
            "--dialect",
            &dialect,
            "--seed",
            "1",
            "--runs",
            "8",
        ];
        said(&folder, &check)
    };
    let (code, told) = check(&with(""));
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("dialect lease") && !told.contains("deletes:"),
        "{told}"
    );
    for (flag, word) in [
        (" --keeps-released", "read"),
        (" --ignores-from", "compare"),
    ] {
        let (code, told) = check(&with(flag));
        assert_eq!(code, Some(1), "{flag}: {told}");
        assert!(told.contains(word), "{flag}: {told}");
    }
}

/// Elections by timers, in virtual time; on the lowest rungs, as each run takes a while.
#[test]
fn a_raft_store_is_linearizable_in_virtual_time() {
    if !have("python3") || !cfg!(target_arch = "x86_64") {
        return;
    }
    let folder = empty_folder("registers-raft");
    let node = bin(RAFT);
    let check = [
        "check", "--bin", &node, "--seed", "7", "--nodes", "3", "--runs", "3",
    ];
    let faults = [
        "--faults",
        "partition,crash",
        "--no-ladder",
        "--time",
        "virtual",
    ];
    let (code, told) = said(&folder, &[&check[..], &faults].concat());
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("VALID (claim linearizable"), "{told}");
}

/// What other languages make of numbers and of what is equal is no fault of a store, and what was never
/// answered is said.
#[test]
fn habits_of_languages_are_no_faults() {
    if !have("python3") {
        return;
    }
    for (flag, words) in [
        ("--floats", &["VALID"][..]),
        ("--identity", &["VALID", "compare-and-set: error 22"]),
        ("--dumb", &["VALID", "no read returned a value"]),
    ] {
        let folder = empty_folder(&format!("registers-habits{flag}"));
        let node = bin(&format!("tests/nodes/odd_registers.py {flag}"));
        let check = [
            "check",
            "--bin",
            &node,
            "--dialect",
            "lin-kv",
            "--seed",
            "1",
        ];
        let check = [&check[..], &["--runs", "16"]].concat();
        let (code, told) = said(&folder, &check);
        assert_eq!(code, Some(0), "{told}");
        for word in words {
            assert!(told.contains(word), "{flag}, {word}: {told}");
        }
        let loose = told.contains("tolerated") && flag != "--floats";
        assert!(!loose, "{told}");
    }
}
