//! Whose time passes for a program: chosen by what it does, and the same every time.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{fs, path::Path, process::Command};

use serde_json::Value as Json;

use crate::support::{self, Said, compiled, empty_folder, have};

const NODES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes");

/// The command that checks a `vc` node with seed 1 and plain keys and values.
fn check(folder: &Path, bin: &str, nodes: &str, flags: &[&str]) -> Command {
    let check = ["check", "--bin", bin, "--dialect", "vc", "--nodes", nodes];
    let plain = ["--leave-out", "all", "--seed", "1"];
    support::sibcheck(folder, &[&check[..], &plain, flags].concat())
}

/// Checks the store that gossips, with these options of its own.
fn check_gossip(folder: &Path, options: &str, flags: &[&str]) -> Said {
    let bin = format!("python3 {NODES}/gossip_store.py {options}");
    Said::by(&mut check(folder, &bin, "3", flags))
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
                let flags = [
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
                let said = Said::by(&mut check(&folder, &bin, "3", &flags));
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
    let run = |bug: &str, time: &str| {
        let folder = empty_folder(&format!("time-crash{bug}-{time}"));
        let bin = format!("python3 {NODES}/durable_store.py {bug}");
        let flags = [
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
        Said::by(&mut check(&folder, &bin, "1", &flags))
    };
    let correct = run("", "virtual");
    assert_eq!(correct.code, Some(0), "{correct:?}");
    let found = run("--reply-first", "virtual");
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("n1 was killed"), "{found:?}");
    // In lockstep all that follows an answer is done before a crash can come.
    let missed = run("--reply-first", "lockstep");
    assert_ne!(missed.code, Some(1), "{missed:?}");
}

/// Refuses ptrace, as some containers do, and becomes the rest of its words.
const WITHOUT_PTRACE: &str = r#"
import ctypes, os, struct, sys
# The call's number; is it ptrace? EPERM; else allowed.
code = b"".join(struct.pack("=HBBI", *each) for each in [(32, 0, 0, 0), (21, 0, 1, 101), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)])
class Program(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Program(4, code)), 0, 0): sys.exit(99)
os.execvp(sys.argv[1], sys.argv[1:])
"#;

#[test]
fn where_ptrace_is_refused_it_is_said_why_and_what_would_permit_it() {
    if !have("python3") {
        return;
    }
    let folder = empty_folder("time-without-ptrace");
    let bin = format!("python3 {NODES}/gossip_store.py --gossip 0.25");
    for (time, code) in [("auto", 0), ("virtual", 4)] {
        let brief = ["--runs", "1", "--ops", "9", "--faults", "none"];
        let sibcheck = check(
            &folder,
            &bin,
            "1",
            &[&brief[..], &["--time", time]].concat(),
        );
        let mut refused = Command::new("python3");
        refused
            .args(["-c", WITHOUT_PTRACE])
            .arg(sibcheck.get_program());
        refused.args(sibcheck.get_args());
        refused.current_dir(&folder);
        for (name, value) in sibcheck.get_envs() {
            refused.env(name, value.unwrap_or_default());
        }
        let said = Said::by(&mut refused);
        assert_eq!(said.code, Some(code), "{time}: {said:?}");
        // Lines are broken anywhere.
        let told = said.unwrapped();
        for words in [
            "Operation not permitted",
            "it needs ptrace and seccomp",
            "--cap-add SYS_PTRACE",
        ] {
            assert!(told.contains(words), "{time}: {words}: {said:?}");
        }
    }
}

#[test]
fn a_program_that_goes_on_for_ever_ends_virtual_time_and_that_is_said() {
    if !have("python3") {
        return;
    }
    let folder = empty_folder("time-for-ever");
    for what in ["pass", "time.monotonic()", "os.urandom(1)"] {
        let node = format!("{SPINNER}        while True: {what}\n{SPINNER_ANSWERS}");
        fs::write(folder.join("node.py"), node).unwrap();
        let brief = ["--runs", "1", "--ops", "9", "--faults", "none"];
        let time = [
            "--time",
            "virtual",
            "--period",
            "100ms",
            "--patience-ms",
            "200",
        ];
        let flags = [&brief[..], &time].concat();
        let said = Said::by(&mut check(&folder, "python3 node.py", "1", &flags));
        let told = said.unwrapped();
        assert!(told.contains("it went on running for"), "{what}: {said:?}");
        assert!(told.contains("real instead of virtual"), "{what}: {said:?}");
    }
}

/// Answers, and a thread of it never rests from then on.
const SPINNER: &str = "
import json, os, sys, threading, time
def for_ever():
    while True:
";
const SPINNER_ANSWERS: &str = r#"
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; r = {"in_reply_to": b["msg_id"]}
    if b["type"] == "init":
        me = b["node_id"]; r["type"] = "init_ok"
        threading.Thread(target=for_ever, daemon=True).start()
    else: r.update(type="error", code=11, text="busy")
    print(json.dumps({"src": me, "dest": m["src"], "body": r}), flush=True)
"#;

/// The command lines of a correct store in each kind of runtime that there is here.
fn runtimes(folder: &Path) -> Vec<String> {
    let folder = folder.display();
    let mut bins = Vec::new();
    if have("python3") {
        bins.push(format!("python3 {NODES}/runtimes.py threads"));
        bins.push(format!("python3 {NODES}/runtimes.py asyncio"));
    }
    if have("node") {
        bins.push(format!("node {NODES}/runtimes.js"));
    }
    let go = format!("{folder}/go");
    if compiled("go", &["build", "-o", &go, &format!("{NODES}/runtimes.go")]) {
        bins.push(go);
    }
    bins
}

#[test]
fn every_kind_of_runtime_is_tested_in_virtual_time_under_all_faults() {
    let folder = empty_folder("time-runtimes");
    support::of_each(&runtimes(&folder), |bin| {
        check_runtime(&folder, bin, "2");
    });
}

#[test]
#[ignore = "takes half a minute a run"]
fn so_is_java() {
    let folder = empty_folder("time-java");
    let classes = folder.display().to_string();
    if compiled(
        "javac",
        &["-d", &classes, &format!("{NODES}/Runtimes.java")],
    ) {
        check_runtime(&folder, &format!("java -cp {classes} Runtimes"), "2");
    }
}

fn check_runtime(folder: &Path, bin: &str, runs: &str) {
    let time = ["--time", "virtual", "--period", "200ms"];
    let brief = ["--runs", runs, "--no-ladder", "--format", "json"];
    let faults = ["--faults", "partition,loss,pause,crash"];
    let flags = [&time[..], &brief, &faults].concat();
    let said = Said::by(&mut check(folder, bin, "3", &flags));
    // Not every fault affects something in few runs.
    assert!(matches!(said.code, Some(0 | 3)), "{bin}: {said:?}");
    let program = program(&said);
    assert_eq!(program["real_time_because"], Json::Null, "{bin}");
    assert_eq!(program["failure"], Json::Null, "{bin}");
    assert_eq!(program["leaks"]["calls"], Json::Array(Vec::new()), "{bin}");
}

#[test]
fn counters_from_the_time_of_day_are_found_out_by_a_clock_that_jumps_back() {
    if !have("node") {
        return;
    }
    let folder = empty_folder("time-wrong-clocks");
    let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nodes/javascript");
    let check = |node: &str, flags: &[&str]| {
        let bin = format!("node {nodes}/{node}");
        let check = ["check", "--bin", &bin, "--dialect", "dvv", "--nodes", "2"];
        let brief = ["--seed", "1", "--runs", "8", "--leave-out", "all"];
        let words = [&check[..], &brief, flags].concat();
        Said::by(&mut support::sibcheck(&folder, &words))
    };
    let wrong = ["--faults", "clock"];
    let found = check("dvv_store_wall_clock.js", &wrong);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("the clock of n"), "{found:?}");
    let right = check(
        "dvv_store_wall_clock.js",
        &["--faults", "reorder", "--time", "virtual"],
    );
    assert_eq!(right.code, Some(0), "{right:?}");
    let other_time = check("dvv_store.js", &["--faults", "clock", "--time", "lockstep"]);
    assert_eq!(other_time.code, Some(2), "{other_time:?}");
    assert!(
        other_time.stderr.contains("leave clock out of --faults"),
        "{other_time:?}"
    );
}
