//! What was not exercised is never valid, what was found first is kept, and nothing that was cut
//! short passes.
//!
//! A test whose interpreter is missing says so and passes; continuous integration installs it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a panic fails the test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use crate::support::{self, CHECK_NODE, Said, have, of_each};

const NODES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes");

/// An empty folder of the test's own.
fn folder(name: &str) -> PathBuf {
    support::empty_folder(&format!("evidence-{name}"))
}

fn sibcheck(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = support::sibcheck(folder, arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
fn run(folder: &Path, arguments: &[&str]) -> Said {
    Said::by(&mut sibcheck(folder, arguments))
}

/// Checks a node of `tests/nodes` with seed 1.
fn check(folder: &Path, node: &str, flags: &[&str]) -> Said {
    let bin = format!("python3 {NODES}/{node}");
    let check = ["check", "--bin", &bin, "--seed", "1"];
    run(folder, &[&check[..], flags].concat())
}

fn json(folder: &Path, file: &str) -> Json {
    serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap()
}

/// A correct `vc` node of a cluster whose nodes share a file and never write to each other, so that
/// no fault of the network affects anything. So it is, in virtual time, with nodes that speak on
/// timers only.
const SHARES_A_FILE: &str = r#"
import json, os, sys
def covers(a, b): return all(a.get(k, 0) >= v for k, v in b.items())
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; r = {"in_reply_to": b["msg_id"]}
    values = json.load(open("../values")) if os.path.exists("../values") else {}
    if b["type"] == "init": me = b["node_id"]; r["type"] = "init_ok"
    elif b["type"] == "vc_write":
        old = values.get(b["key"], [])
        vc = dict(b["context"] or {})
        vc[m["src"]] = max([vc.get(m["src"], 0)] + [o["vc"].get(m["src"], 0) for o in old]) + 1
        values[b["key"]] = [o for o in old if not covers(vc, o["vc"])] + [{"value": b["value"], "vc": vc}]
        json.dump(values, open("../values", "w"))
        r.update(type="vc_write_ok", vc=vc)
    else: r.update(type="vc_read_ok", values=values.get(b["key"], []))
    print(json.dumps({"src": me, "dest": m["src"], "body": r}), flush=True)
"#;

#[test]
fn faults_that_affect_nothing_are_not_held_against() {
    if !have("python3") {
        return;
    }
    let flags = ["--nodes", "3", "--faults", "partition,loss", "--runs", "2"];
    let (_, said) = check_text("shared-file", SHARES_A_FILE, &flags);
    said.expect(
        3,
        &[
            "program: UNKNOWN (claim eventual",
            "no faults held in 2 runs",
            "partitions not exercised in 2",
            "loss not exercised in 2",
            "loss: no message was affected by loss",
            "--time real --ops 2000",
        ],
    );
}

#[test]
fn a_named_fault_that_affects_nothing_leaves_stores_inside_unknown_too() {
    let folder = folder("named");
    let one_run = |seed, faults: &[&str]| {
        let check = ["check", "--seed", seed, "--runs", "1", "--store", "dotted"];
        run(&folder, &[&check[..], faults].concat())
    };
    let loss = ["--faults", "loss"];
    one_run("1", &loss).expect(0, &["dotted: VALID", "faults 1 loss"]);
    // Its plan draws none.
    let none = [
        "dotted: UNKNOWN",
        "not tested no message was affected by loss",
        "--runs 200",
    ];
    one_run("2", &loss).expect(3, &none);
    // Of faults that are not named, none need be drawn.
    one_run("2", &[]).expect(0, &["dotted: VALID"]);
    one_run("2", &["--faults", "none"]).expect(0, &["dotted: VALID"]);
}

#[test]
fn overtaking_is_not_asked_of_one_node() {
    let folder = folder("one-node");
    let asked = ["check", "--nodes", "1", "--faults", "reorder"];
    let said = run(&folder, &asked);
    assert_eq!(said.code, Some(2), "{}", said.stdout);
    assert!(
        said.stderr.contains("needs at least two nodes"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_race_that_does_not_come_back_is_reported_with_all_its_evidence() {
    if !have("python3") {
        return;
    }
    let folder = folder("race");
    // The node's marker lies where all runs see it: what it loses once never gets lost again.
    let mark = folder.join("mark").display().to_string();
    let said = check(&folder, &format!("loses_once.py {mark}"), &[]);
    let said = said.expect(
        1,
        &[
            "program: VIOLATED",
            "failed again 0 of 5 times: timers, threads or randomness of its own",
        ],
    );
    assert!(said.stderr.contains("VIOLATED ("), "{}", said.stderr);
    let results = folder.join("sibcheck-results/program-seed-1");
    for file in ["plan.json", "history.jsonl", "trace.jsonl", "verdict.json"] {
        assert!(results.join("first-seen").join(file).exists(), "{file}");
    }
    assert_eq!(
        json(&results, "first-seen/verdict.json")["outcome"],
        "violated"
    );
    assert_eq!(json(&results, "verdict.json")["outcome"], "violated");
}

/// It forgets all when it is started again, though no message came for it while it was down.
#[test]
fn an_end_of_a_node_that_explains_a_loss_is_part_of_its_proof() {
    if !have("python3") {
        return;
    }
    let brief = "--dialect vc --nodes 1 --runs 8 --ops 40 --leave-out all --shrink-for 5s --faults";
    let brief: Vec<&str> = brief.split(' ').collect();
    // A crash may be shrunk to an end in good order, which explains as much.
    of_each(&["crash", "stop"], |fault| {
        let folder = folder(&format!("forgets-{fault}"));
        let flags = [&brief[..], &[*fault]].concat();
        let said = check(&folder, "gossip_store.py", &flags);
        let said = said.expect(1, &["no lost update", "s n1 was ", "; it was back at "]);
        assert!(!said.stdout.contains("takes no fault"), "{}", said.stdout);
    });
}

#[test]
fn a_node_that_dies_in_a_repeat_takes_nothing_back() {
    if !have("python3") {
        return;
    }
    let folder = folder("dies-later");
    let count = folder.join("count").display().to_string();
    let said = check(&folder, &format!("dies_later.py {count}"), &[]);
    said.expect(
        1,
        &["VIOLATED", "in a repeat, node n1 died (exit status: 3)"],
    );
    let results = folder.join("sibcheck-results/program-seed-1");
    assert_eq!(
        json(&results, "first-seen/verdict.json")["outcome"],
        "violated"
    );
}

/// A `vc` node that keeps one version only (last writer wins), and dies at its fifth write.
const LOSES_AND_DIES: &str = r#"
import json, sys
values, writes = {}, 0
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; r = {"in_reply_to": b["msg_id"]}
    if b["type"] == "init": me = b["node_id"]; r["type"] = "init_ok"
    elif b["type"] == "vc_write":
        writes += 1
        if writes == WRITES: raise RuntimeError("no room for write %d" % writes)
        vc = dict(b["context"] or {}); vc[m["src"]] = vc.get(m["src"], 0) + 1
        values[b["key"]] = [{"value": b["value"], "vc": vc}]
        r.update(type="vc_write_ok", vc=vc)
    else: r.update(type="vc_read_ok", values=values.get(b["key"], []))
    print(json.dumps({"src": me, "dest": m["src"], "body": r}), flush=True)
"#;

fn check_text(name: &str, program: &str, flags: &[&str]) -> (PathBuf, Said) {
    let folder = folder(name);
    fs::write(folder.join("node.py"), program).unwrap();
    let said = run(&folder, &[&CHECK_NODE[..], &["1"], flags].concat());
    (folder, said)
}

#[test]
fn a_failing_node_is_shrunk_saved_and_judged_by_what_it_did_before() {
    if !have("python3") {
        return;
    }
    let program = LOSES_AND_DIES.replace("WRITES", "2");
    let (folder, said) = check_text(
        "dies",
        &program,
        &["--clients", "1", "--ops", "10", "--shrink-for", "1m"],
    );
    let said = said.expect(
        4,
        &[
            "program: FAILED",
            "RuntimeError: no room for write 2",
            "it failed after 2 operations:",
            "1. at",
            "2. at",
        ],
    );
    assert!(!said.stdout.contains("VIOLATED"), "{}", said.stdout);
    let results = folder.join("sibcheck-results/program-seed-1");
    let verdict = json(&results, "verdict.json");
    assert!(verdict["node_failure"].as_str().unwrap().contains("died"));
    let log = fs::read_to_string(results.join("n1.stderr")).unwrap();
    assert!(log.contains("no room for write 2"), "{log}");

    // What was lost before it died outranks its death.
    let program = LOSES_AND_DIES.replace("WRITES", "20");
    let (_, said) = check_text("loses-and-dies", &program, &["--shrink-for", "2s"]);
    said.expect(1, &["program: VIOLATED"]);
}

#[test]
fn a_store_that_refuses_every_write_is_said_to_do_so() {
    if !have("python3") {
        return;
    }
    let refuses = LOSES_AND_DIES.replace("writes == WRITES", "False").replace(
        "r.update(type=\"vc_write_ok\", vc=vc)",
        "values.clear(); r.update(type=\"error\", code=11)",
    );
    let (_, said) = check_text("refuses", &refuses, &["--runs", "2"]);
    let said = said.expect(
        3,
        &["every write was refused, so nothing could be lost", "0 of "],
    );
    assert!(
        !said.stdout.contains("nothing was tested"),
        "{}",
        said.stdout
    );
}

/// Waits until a program has written something that contains `word` to a file.
fn await_word(file: &Path, word: &str) {
    let began = Instant::now();
    while !fs::read_to_string(file).is_ok_and(|text| text.contains(word)) {
        assert!(began.elapsed() < Duration::from_mins(1), "no {word:?} came");
        sleep(Duration::from_millis(20));
    }
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    let stderr = fs::File::create(folder.join("stderr")).unwrap();
    sibcheck(folder, arguments).stderr(stderr).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let killed = Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn an_interrupt_during_shrinking_keeps_the_smallest_within_a_moment() {
    if !have("python3") {
        return;
    }
    let folder = folder("interrupt-shrinking");
    // Slow, so that every try takes seconds.
    let slow = LOSES_AND_DIES.replace("writes == WRITES", "False").replace(
        "    m = json",
        "    import time; time.sleep(0.05); m = json",
    );
    fs::write(folder.join("node.py"), slow).unwrap();
    let brief = ["--ops", "60", "--leave-out", "all"];
    let check = [&CHECK_NODE[..], &["1"], &brief].concat();
    let child = start(&folder, &check);
    await_word(
        &folder.join("stderr"),
        "shrinking; Ctrl-C keeps the smallest",
    );
    sleep(Duration::from_secs(2));
    signal(&child, "-INT");
    let asked = Instant::now();
    let said = Said::of(child.wait_with_output().unwrap());
    // Generous: a second is what is wanted, and machines are busy.
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    said.expect(
        1,
        &[
            "program: VIOLATED",
            "saved in sibcheck-results/program-seed-1",
        ],
    );
}

#[test]
fn what_was_interrupted_is_never_said_to_hold() {
    of_each(&[("-INT", 130), ("-TERM", 143)], |&(name, code)| {
        let folder = folder(&format!("interrupt{name}"));
        let child = start(
            &folder,
            &[
                "check",
                "--seed",
                "1",
                "--runs",
                "100000000",
                "--store",
                "dotted",
            ],
        );
        sleep(Duration::from_secs(2));
        signal(&child, name);
        let said = Said::of(child.wait_with_output().unwrap());
        said.expect(
            code,
            &["dotted: VALID", "interrupted after", "of 100,000,000 runs"],
        );
    });
}
