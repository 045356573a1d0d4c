//! Programs outside, in lockstep: the example nodes, and small programs that misbehave.
//!
//! A test whose interpreter is missing says so and passes; continuous integration installs them.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value as Json;
use sibcheck::{
    nodes::external::Program,
    plans::{SeededChoices, Shape, generate},
    program_under_test::{ProgramUnderTest, Purpose},
    simulation::{Fault, FaultKind, Nanos},
    workloads::Dialect,
};
use sibcheck_checkers::Outcome;

use crate::support::{self, have};

/// An empty folder of the test's own.
fn folder(name: &str) -> PathBuf {
    support::empty_folder(&format!("programs-{name}"))
}

fn sibcheck(folder: &Path, arguments: &[&str]) -> Output {
    support::sibcheck(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn example(path: &str) -> String {
    let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nodes/");
    format!("{nodes}{path}")
}

/// Runs a Python program, given as text, as the node of `check`.
fn check_python(name: &str, program: &str, flags: &[&str]) -> Output {
    let folder = folder(name);
    fs::write(folder.join("node.py"), program).unwrap();
    let check = ["check", "--bin", "python3 node.py", "--seed", "1"];
    sibcheck(&folder, &[&check[..], flags].concat())
}

/// A correct `vc` node for one node and one key, in which a test replaces a line.
const SMALL_NODE: &str = r#"
import json, sys
values, n, count = {}, 0, 0
def covers(a, b): return all(a.get(k, 0) >= v for k, v in b.items())
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; r = {"in_reply_to": b["msg_id"]}
    count += 1
    if b["type"] == "init": me = b["node_id"]; r["type"] = "init_ok"
    elif b["type"] == "vc_write":
        old = values.get(b["key"], [])
        vc = dict(b["context"] or {})
        vc[m["src"]] = max([vc.get(m["src"], 0)] + [o["vc"].get(m["src"], 0) for o in old]) + 1
        values[b["key"]] = [o for o in old if not covers(vc, o["vc"])] + [{"value": b["value"], "vc": vc}]
        r.update(type="vc_write_ok", key=b["key"], vc=vc)
    elif b["type"] == "vc_read":
        vs = values.get(b["key"], []); r.update(type="vc_read_ok", values=vs, siblings=len(vs))
    else: sys.exit(1)
    print(json.dumps({"src": me, "dest": m["src"], "body": r}), flush=True)
"#;

#[test]
fn a_correct_node_holds_and_its_dialect_is_found_out() {
    if !have("python3") {
        return;
    }
    let output = check_python("small", SMALL_NODE, &["--runs", "3"]);
    let report = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{report}{}",
        text(&output.stderr)
    );
    for word in [
        "program: VALID (claim linearizable)",
        "python3 node.py (dialect vc)",
        "no faults             held in 3 runs",
    ] {
        assert!(report.contains(word), "{word:?} is missing:\n{report}");
    }
    let left = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("programs-small/sibcheck-results");
    let left = fs::read_dir(left).map_or(0, Iterator::count);
    assert_eq!(left, 0, "a run that holds leaves nothing behind");
}

#[test]
fn the_same_seed_gives_the_same_history_bytes() {
    if !have("python3") {
        return;
    }
    let mut histories = Vec::new();
    for name in ["same-a", "same-b"] {
        check_python(name, SMALL_NODE, &["--runs", "1", "--save-first"]);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("programs-{name}"));
        let saved = folder.join("sibcheck-results/program-seed-1/history.jsonl");
        histories.push(fs::read(saved).unwrap());
    }
    assert_eq!(histories[0], histories[1]);
}

#[test]
fn a_classic_mistake_is_caught_shrunk_saved_and_replayed() {
    if !have("python3") {
        return;
    }
    // The new value replaces whatever was there.
    let program = SMALL_NODE.replace("[o for o in old if not covers(vc, o[\"vc\"])]", "[]");
    assert_ne!(program, SMALL_NODE);
    let output = check_python("mistake", &program, &[]);
    let report = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{report}{}",
        text(&output.stderr)
    );
    assert!(report.contains("program: VIOLATED"), "{report}");
    assert!(report.contains("sibling preservation"), "{report}");
    assert!(
        report.contains("no faults             failed in run"),
        "{report}"
    );

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("programs-mistake");
    let saved = "sibcheck-results/program-seed-1";
    let plan = fs::read(folder.join(saved).join("plan.json")).unwrap();
    let plan: Json = serde_json::from_slice(&plan).unwrap();
    let steps = plan["clients"].as_array().unwrap().iter();
    let steps: usize = steps.map(|client| client.as_array().unwrap().len()).sum();
    assert!(steps <= 6, "{plan:#}");

    let plan = format!("{saved}/plan.json");
    let again = sibcheck(&folder, &["replay", "--bin", "python3 node.py", &plan]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stdout));
    fs::write(folder.join("node.py"), SMALL_NODE).unwrap();
    let mended = sibcheck(&folder, &["replay", "--bin", "python3 node.py", &plan]);
    assert_eq!(mended.status.code(), Some(0), "{}", text(&mended.stdout));
    let without = sibcheck(&folder, &["replay", &plan]);
    assert_eq!(without.status.code(), Some(2));
    assert!(text(&without.stderr).contains("name it with --bin"));
}

#[test]
fn a_node_that_fails_is_told_with_what_and_where() {
    if !have("python3") {
        return;
    }
    let count = "    count += 1\n";
    let insert = |line: &str| SMALL_NODE.replace(count, &format!("{count}    {line}\n"));
    let cases = [
        (
            "dies",
            insert("if count > 9: sys.exit(3)"),
            &["died", "exit status: 3"][..],
        ),
        (
            "traceback",
            insert("if count > 9: raise KeyError('lost my keys')"),
            &["died", "lost my keys"],
        ),
        (
            "noise",
            insert("if count == 9: print('hello from my debugger')"),
            &["is not a message", "hello from my debugger", "stderr"],
        ),
        (
            "naked",
            insert("if count == 9: print(json.dumps(b))"),
            &["no \"dest\"", "vc_"],
        ),
        (
            "wrong-answer",
            SMALL_NODE.replace("vc_read_ok\", values=vs", "vc_read_ok\", values=7"),
            &[
                "its answer to vc_read makes no sense",
                "a number, not an array",
            ],
        ),
    ];
    for (name, program, words) in cases {
        assert_ne!(program, SMALL_NODE, "{name}");
        let flags = ["--dialect", "vc", "--runs", "2", "--shrink-for", "0s"];
        let output = check_python(
            name,
            &program,
            &[&flags[..], &["--leave-out", "all"]].concat(),
        );
        let report = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(4),
            "{name}: {report}{}",
            text(&output.stderr)
        );
        for word in words.iter().chain(&["program: FAILED", "node n1"]) {
            assert!(
                report.contains(word),
                "{name}: {word:?} is missing:\n{report}"
            );
        }
    }
}

#[test]
fn oddities_are_tolerated_and_told() {
    if !have("python3") {
        return;
    }
    let program = SMALL_NODE.replace(
        "    print(json.dumps({\"src\": me, \"dest\": m[\"src\"], \"body\": r}), flush=True)",
        "    if count % 3: r[\"in_reply_to\"] = str(r[\"in_reply_to\"])\n    elif count > 3: del r[\"in_reply_to\"]\n    print(json.dumps({\"src\": me, \"dest\": m[\"src\"], \"body\": r}), end=\"\\r\\n\", flush=True)",
    );
    assert_ne!(program, SMALL_NODE);
    let output = check_python("odd", &program, &["--dialect", "vc", "--runs", "2"]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(report.contains("answers without in_reply_to"), "{report}");
}

#[test]
fn a_program_that_is_not_there_is_told_with_a_remedy() {
    let folder = folder("absent");
    for bin in ["no-such-program-here", "./no-such-file"] {
        let check = ["check", "--bin", bin, "--dialect", "vc"];
        let output = sibcheck(&folder, &check);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        // Once, and whatever is asked of it: there is nothing to be asked.
        let without = sibcheck(&folder, &check[..3]);
        assert_eq!(output.stderr, without.stderr);
        let told = text(&output.stderr);
        let once = told.lines().count() == 1 && told.contains(bin);
        assert!(once && output.stdout.is_empty(), "{told}");
    }
    let empty = sibcheck(&folder, &["check", "--bin", ""]);
    assert_eq!(empty.status.code(), Some(2));
}

/// Nodes that tell each other all they have, again and again, and never listen.
const DEAF_NODE: &str = r#"
import json, sys, threading, time
values, lock, peers = {}, threading.Lock(), []
def send(to, **body): print(json.dumps({"src": me, "dest": to, "body": body}), flush=True)
def gossip():
    while True:
        time.sleep(float(sys.argv[1]))
        with lock:
            for peer in peers: send(peer, type="all", values=values)
for line in sys.stdin:
    with lock:
        m = json.loads(line); b = m["body"]
        if b["type"] == "init":
            me = b["node_id"]; peers = [n for n in b["node_ids"] if n != me]
            send(m["src"], type="init_ok", in_reply_to=b["msg_id"])
            threading.Thread(target=gossip, daemon=True).start()
        elif b["type"] == "vc_write":
            vc = dict(b["context"] or {}); actor = m["src"] + "@" + me
            vc[actor] = vc.get(actor, 0) + 1 + len(values.get(b["key"], []))
            values.setdefault(b["key"], []).append({"value": b["value"], "vc": vc})
            send(m["src"], type="vc_write_ok", key=b["key"], vc=vc, in_reply_to=b["msg_id"])
        elif b["type"] == "vc_read":
            send(m["src"], type="vc_read_ok", values=values.get(b["key"], []), in_reply_to=b["msg_id"])
"#;

/// However often they talk, and whatever the patience: they were once waited for until it was over,
/// and those that never paused three times as long.
#[test]
fn nodes_that_stay_apart_are_not_waited_for_long() {
    if !have("python3") {
        return;
    }
    let folder = folder("deaf");
    let node = folder.join("node.py");
    fs::write(&node, DEAF_NODE).unwrap();
    let shape = Shape {
        operations: 12,
        faults: Vec::new(),
        ..Shape::of_program(Dialect::Vc, 3)
    };
    let plan = generate(&shape, &mut SeededChoices::new(1), String::new());
    for gossip in ["0.25", "0.02"] {
        let argv = support::python(node.to_str().unwrap(), &[gossip]);
        let program = Program {
            timer_patience: Duration::from_mins(1),
            ..Program::new(argv, Dialect::Vc, folder.clone())
        };
        let subject = ProgramUnderTest::new(program);
        for (purpose, most) in [(Purpose::Search, 15), (Purpose::Shrink, 7)] {
            let judged = subject.run(&plan, purpose).unwrap().judged;
            assert_eq!(judged.told.outcome(), Outcome::Violated);
            if let Some(why) = subject.real_time_because() {
                println!("skipped: this machine is too busy for such gossip: {why}");
                return;
            }
            let reads = judged.told.operations() - judged.run.planned;
            let rounds = reads / (plan.nodes as usize * plan.keys.len());
            // Twice before it is waited; on a busy machine a node may miss a round.
            assert!((5..=most).contains(&rounds), "{gossip}: {rounds} rounds");
        }
    }
}

/// All nodes were once started anew then, and all but the first waited for an `init` for ever.
#[test]
fn the_first_node_may_be_restarted_before_anything_is_asked() {
    if !have("python3") {
        return;
    }
    let folder = folder("restarted-early");
    let shape = Shape {
        operations: 12,
        faults: Vec::new(),
        ..Shape::of_program(Dialect::Vc, 3)
    };
    let mut plan = generate(&shape, &mut SeededChoices::new(1), String::new());
    for steps in &mut plan.clients {
        if let Some(first) = steps.first_mut() {
            first.think_ns = Nanos::from_millis(50);
        }
    }
    plan.faults = vec![Fault {
        what: FaultKind::Stop { node: 0 },
        begin_ns: Nanos::from_millis(1),
        end_ns: Nanos::from_millis(2),
    }];
    let node = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/nodes/python/vc_store.py"
    );
    let program = Program::new(support::python(node, &[]), Dialect::Vc, folder);
    let observed = ProgramUnderTest::new(program).run(&plan, Purpose::Search);
    let observed = observed.unwrap();
    assert!(observed.failure.is_none(), "{:?}", observed.failure);
    assert_eq!(observed.judged.told.outcome(), Outcome::Valid);
}

#[test]
fn conformance_cases_run_against_a_program() {
    if !have("python3") {
        return;
    }
    let folder = folder("conform");
    fs::write(folder.join("node.py"), SMALL_NODE).unwrap();
    let samples = ["conform", "--bin", "python3 node.py", "--dialect", "vc"];
    let output = sibcheck(&folder, &samples);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    // The samples number a node's own messages, and this node does not.
    let strict = sibcheck(&folder, &[&samples[..], &["--strict"]].concat());
    assert_eq!(strict.status.code(), Some(1), "{}", text(&strict.stdout));
    let report = text(&strict.stdout);
    assert!(report.contains("at /body/msg_id"), "{report}");
    let case = "IN {\"src\":\"c0\",\"dest\":\"n1\",\"body\":{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n1\",\"node_ids\":[\"n1\"]}}\nOUT {\"src\":\"n1\",\"dest\":\"c0\",\"body\":{\"type\":\"init_ok\",\"in_reply_to\":1}}\n";
    fs::write(folder.join("case.txt"), case).unwrap();
    let own = sibcheck(
        &folder,
        &["conform", "--bin", "python3 node.py", "case.txt"],
    );
    assert_eq!(own.status.code(), Some(0), "{}", text(&own.stdout));
}

/// Checks an example node alone and in a cluster, and tells the two exit codes.
fn check_example(name: &str, bin: &str) -> [Option<i32>; 2] {
    let folder = folder(name);
    [["--nodes", "1"], ["--nodes", "3"]].map(|nodes| {
        let check = [
            "check",
            "--bin",
            bin,
            "--seed",
            "1",
            "--runs",
            "3",
            "--ops",
            "60",
            "--shrink-for",
            "1s",
        ];
        let output = sibcheck(&folder, &[&check[..], &nodes].concat());
        println!("{}{}", text(&output.stdout), text(&output.stderr));
        output.status.code()
    })
}

const HOLDS: [Option<i32>; 2] = [Some(0), Some(0)];
const CAUGHT: [Option<i32>; 2] = [Some(1), Some(1)];

#[test]
fn the_python_examples_are_judged_right() {
    if have("python3") {
        let node = |file: &str| format!("python3 {}", example(file));
        assert_eq!(check_example("py", &node("python/vc_store.py")), HOLDS);
        assert_eq!(
            check_example("py-lossy", &node("python/vc_store_lossy.py")),
            CAUGHT
        );
    }
}

#[test]
fn the_javascript_examples_are_judged_right() {
    if have("node") {
        let node = |file: &str| format!("node {}", example(file));
        assert_eq!(check_example("js", &node("javascript/dvv_store.js")), HOLDS);
        assert_eq!(
            check_example("js-dup", &node("javascript/dvv_store_dup_dots.js")),
            CAUGHT
        );
    }
}

#[test]
fn the_go_example_is_judged_right() {
    // `go --version` is wrong usage, but it starts.
    if have("go") {
        let binary = folder("go-build").join("dvv_store");
        let built = Command::new("go")
            .args(["build", "-o", binary.to_str().unwrap()])
            .arg(example("go/dvv_store.go"))
            .env("GOCACHE", folder("go-cache"))
            .status();
        assert!(built.unwrap().success());
        assert_eq!(check_example("go", binary.to_str().unwrap()), HOLDS);
    }
}

#[test]
fn the_rust_example_is_judged_right() {
    // Cargo builds the examples beside the binary before it runs tests.
    let binary = Path::new(env!("CARGO_BIN_EXE_sibcheck")).with_file_name("examples/vc_store");
    assert_eq!(check_example("rust", binary.to_str().unwrap()), HOLDS);
}

#[test]
fn this_programs_own_nodes_can_be_checked_from_outside() {
    let folder = folder("own");
    for store in ["versioned", "dotted"] {
        let bin = format!("{} node --store {store}", env!("CARGO_BIN_EXE_sibcheck"));
        let output = sibcheck(
            &folder,
            &["check", "--bin", &bin, "--seed", "1", "--runs", "3"],
        );
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    }
    let bin = format!(
        "{} node --store faulty:dot-from-context",
        env!("CARGO_BIN_EXE_sibcheck")
    );
    let output = sibcheck(&folder, &["check", "--bin", &bin, "--seed", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("clock identity"),
        "{}",
        text(&output.stdout)
    );
}

/// Processes of this test's own nodes that still run, by their folder.
#[test]
fn no_node_outlives_its_run() {
    if !have("python3") {
        return;
    }
    let folder = folder("orphans");
    fs::write(folder.join("node.py"), SMALL_NODE).unwrap();
    let check = [
        "check",
        "--bin",
        "python3 node.py",
        "--dialect",
        "vc",
        "--nodes",
        "3",
    ];
    let mut child = support::sibcheck(&folder, &check)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    // Killed without a chance to clean up.
    child.kill().unwrap();
    child.wait().unwrap();
    let here = folder.to_str().unwrap().to_owned();
    let orphans = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|entry| {
                fs::read_link(entry.path().join("cwd"))
                    .is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&here))
            })
            .count()
    };
    for _ in 0..50 {
        if orphans() == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{} nodes still run", orphans());
}
