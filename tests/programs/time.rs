//! Whose time passes for a program: chosen by what it does, and the same every time.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{fs, path::Path};

use serde_json::Value as Json;

use crate::support::{self, Said, empty_folder, have};

const NODES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes");

/// Checks the store that gossips, with these options of its own.
fn check_gossip(folder: &Path, options: &str, flags: &[&str]) -> Said {
    let bin = format!("python3 {NODES}/gossip_store.py {options}");
    let check = [
        "check",
        "--bin",
        &bin,
        "--dialect",
        "vc",
        "--nodes",
        "3",
        "--leave-out",
        "all",
        "--seed",
        "1",
    ];
    Said::by(&mut support::sibcheck(
        folder,
        &[&check[..], flags].concat(),
    ))
}

fn program(said: &Said) -> Json {
    let report: Json = serde_json::from_str(&said.stdout).unwrap();
    report["stores"][0]["program"].clone()
}

#[test]
fn a_program_with_timers_is_run_in_virtual_time_and_others_in_lockstep() {
    if !have("python3") {
        return;
    }
    let folder = empty_folder("time-chosen");
    let brief = [
        "--runs", "1", "--faults", "none", "--ops", "9", "--format", "json",
    ];
    for (options, time, period) in [
        ("--gossip 0.25", "virtual", Json::from(250_000_000)),
        ("--gossip 5", "virtual", Json::from(5_000_000_000_u64)),
        ("", "lockstep", Json::Null),
    ] {
        let said = check_gossip(&folder, options, &brief);
        assert_eq!(said.code, Some(0), "{said:?}");
        let program = program(&said);
        assert_eq!(program["time"], time, "{options}");
        assert_eq!(program["period_ns"], period, "{options}");
    }
    let asked = [&brief[..], &["--time", "lockstep"]].concat();
    let said = check_gossip(&folder, "--gossip 0.25", &asked);
    assert_eq!(program(&said)["time"], "lockstep");
}

#[test]
fn gossip_is_tested_under_faults_and_what_is_sent_once_is_found_lost() {
    if !have("python3") {
        return;
    }
    let folder = empty_folder("time-gossip");
    let flags = [
        "--faults",
        "partition,loss",
        "--no-ladder",
        "--shrink-for",
        "20s",
    ];
    let correct = check_gossip(
        &folder,
        "--gossip 0.25",
        &[&flags[..], &["--runs", "8"]].concat(),
    );
    assert_eq!(correct.code, Some(0), "{correct:?}");
    assert!(correct.stdout.contains("VALID"), "{correct:?}");
    let found = check_gossip(
        &folder,
        "--gossip 0.25 --bug delta",
        &[&flags[..], &["--runs", "20", "--format", "json"]].concat(),
    );
    assert_eq!(found.code, Some(1), "{found:?}");
    let report: Json = serde_json::from_str(&found.stdout).unwrap();
    let plan = find(&folder.join("sibcheck-results"));
    let plan: Json = serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap();
    assert_eq!(plan["time"], "virtual");
    let clients = plan["clients"].as_array().unwrap();
    let steps: usize = clients
        .iter()
        .map(|steps| steps.as_array().unwrap().len())
        .sum();
    assert!(steps <= 4, "{steps} operations are left: {report:#}");
}

/// The shrunk plan of the only finding.
fn find(results: &Path) -> std::path::PathBuf {
    let mut findings = fs::read_dir(results).unwrap();
    findings.next().unwrap().unwrap().path().join("plan.json")
}

#[test]
fn the_same_seed_gives_the_same_run_with_timers_and_randomness() {
    let rust = concat!(
        env!("CARGO_TARGET_TMPDIR"),
        "/../debug/examples/gossip_store"
    );
    let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nodes");
    for (interpreter, bin) in [
        ("python3", format!("python3 {nodes}/python/gossip_store.py")),
        ("node", format!("node {nodes}/javascript/gossip_store.js")),
        ("cargo", rust.to_owned()),
    ] {
        if !have(interpreter) {
            continue;
        }
        let runs: Vec<[Vec<u8>; 2]> = (0..3)
            .map(|run| {
                let folder = empty_folder(&format!("time-same-{interpreter}-{run}"));
                let check = [
                    "check",
                    "--bin",
                    &bin,
                    "--dialect",
                    "vc",
                    "--nodes",
                    "3",
                    "--leave-out",
                    "all",
                    "--seed",
                    "1",
                    "--runs",
                    "1",
                    "--no-ladder",
                    "--faults",
                    "partition,loss,reorder",
                    "--save-first",
                    "--time",
                    "virtual",
                    "--period",
                    "300ms",
                ];
                let said = Said::by(&mut support::sibcheck(&folder, &check));
                // Not every fault affects something in one run.
                assert!(matches!(said.code, Some(0 | 3)), "{said:?}");
                let saved = folder.join("sibcheck-results/program-seed-1");
                ["history.jsonl", "trace.jsonl"].map(|file| fs::read(saved.join(file)).unwrap())
            })
            .collect();
        assert!(runs.iter().all(|run| *run == runs[0]), "{bin}");
    }
}

#[test]
fn a_crash_falls_between_an_answer_and_the_file_that_should_have_come_before_it() {
    if !have("python3") {
        return;
    }
    let check = |bug: &str, time: &str| {
        let folder = empty_folder(&format!("time-crash{bug}-{time}"));
        let bin = format!("python3 {NODES}/durable_store.py {bug}");
        let check = [
            "check",
            "--bin",
            &bin,
            "--dialect",
            "vc",
            "--nodes",
            "1",
            "--leave-out",
            "all",
            "--seed",
            "1",
            "--runs",
            "16",
            "--no-ladder",
            "--faults",
            "crash",
            "--time",
            time,
            "--shrink-for",
            "10s",
        ];
        Said::by(&mut support::sibcheck(&folder, &check))
    };
    let correct = check("", "virtual");
    assert_eq!(correct.code, Some(0), "{correct:?}");
    let found = check("--reply-first", "virtual");
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("n1 was killed"), "{found:?}");
    // In lockstep all that follows an answer is done before a crash can come.
    let missed = check("--reply-first", "lockstep");
    assert_ne!(missed.code, Some(1), "{missed:?}");
}
