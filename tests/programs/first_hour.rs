//! The first hour of a stranger: what a program is taken for, and how mistakes on the command line are
//! told: the cause first, once, and as one document for programs.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use crate::support::{self, CHECK_NODE, Said, have, of_each};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs `sibcheck` in an empty folder of the test's own.
fn sibcheck(name: &str, arguments: &[&str]) -> Said {
    Said::by(&mut support::sibcheck(&folder(name), arguments))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("first-hour-{name}"));
    let _ = fs::create_dir_all(&folder);
    folder
}

fn node(name: &str) -> String {
    format!("python3 {ROOT}/tests/nodes/{name}")
}

#[test]
fn maelstroms_workloads_are_named_and_nobody_is_blamed() {
    if !have("python3") {
        return;
    }
    let workloads = [
        ("echo", "echo"),
        ("unique-ids", "unique-ids"),
        ("broadcast", "broadcast"),
        ("g-set", "g-set"),
        ("g-counter", "g-counter or pn-counter"),
        ("kafka", "kafka"),
        ("txn-list-append", "txn-list-append"),
        ("txn-rw-register", "txn-rw-register"),
    ];
    of_each(&workloads, |(workload, name)| {
        let bin = node(&format!("workloads.py {workload}"));
        let place = format!("workloads-{workload}");
        let said = sibcheck(&place, &["check", "--bin", &bin]);
        assert_eq!(said.code, Some(2), "{said:?}");
        let told =
            format!("workload {name}, which is not judged yet; judged are stores of siblings");
        assert!(said.stderr.contains(&told), "{said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        assert_eq!(said.stdout, "");
        let left = folder(&place).join("sibcheck-results");
        assert!(!left.exists(), "a healthy node leaves nothing behind");
    });
}

#[test]
fn those_who_need_a_service_are_told_that_there_is_none() {
    if !have("python3") {
        return;
    }
    // The request that it takes there tells the workload, though it is never answered.
    let bin = node("workloads.py g-counter service");
    let said = sibcheck("services", &["check", "--bin", &bin]);
    let told = "workload g-set or g-counter or pn-counter, which is not judged yet (nor are there \
                services such as seq-kv, to which it writes)";
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    said.expect(2, &[told]);
    let bin = node("workloads.py kafka service");
    let said = sibcheck("services", &["conform", "--bin", &bin]);
    let told = "workload kafka, which is not judged yet (nor are there services such as seq-kv";
    said.expect(2, &[told]);
    // A dialect that is named is no reason to look for anything else.
    let program = folder("services").join("node.py");
    let text = fs::read_to_string(Path::new(ROOT).join("tests/nodes/workloads.py")).unwrap();
    let text = text.replace("case \"echo\", \"echo\":", "case \"vc\", _:");
    fs::write(&program, text.replace("body[\"echo\"]", "0")).unwrap();
    let bin = format!("python3 {} vc service", program.display());
    // Nor does what is asked tell anything where all is taken to the service.
    let told = "service seq-kv, and there are no services yet";
    sibcheck("services", &["check", "--bin", &bin]).expect(2, &[told]);
    for command in ["check", "conform"] {
        let said = sibcheck("services", &[command, "--bin", &bin, "--dialect", "vc"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert_eq!(said.stdout.matches(told).count(), 1, "{said:?}");
    }
}

#[test]
fn a_program_that_dies_at_its_start_is_told_once_and_first() {
    if !have("python3") {
        return;
    }
    fs::write(folder("start").join("node.py"), "import no_such_module\n").unwrap();
    let bin = "python3 node.py";
    let said = sibcheck("start", &["check", "--bin", bin]);
    assert_eq!(said.code, Some(4), "{said:?}");
    let told = said.stderr.matches("ModuleNotFoundError").count();
    assert_eq!(
        (told, said.stderr.lines().count() < 9),
        (1, true),
        "{said:?}"
    );
    assert!(said.stderr.starts_with("error: node n1 died"), "{said:?}");
    for command in [
        &["check", "--bin", bin, "--dialect", "vc"][..],
        &["conform", "--bin", bin, "--dialect", "vc"],
    ] {
        let said = sibcheck("start", command);
        assert_eq!(said.code, Some(4), "{said:?}");
        assert_eq!(said.stdout.matches("ModuleNotFoundError").count(), 1);
        assert!(!said.stdout.contains("not taken"), "{said:?}");
    }
}

#[test]
fn what_answers_nothing_is_told_in_few_lines() {
    let said = sibcheck("cat", &["check", "--bin", "cat", "--patience-ms", "50"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.lines().count() <= 3, "{said:?}");
    assert!(
        said.stderr
            .contains("vc_read, dvv_get, vv_read, kv_get, mv_read, write: no answer")
    );
}

#[test]
fn a_folder_and_a_command_without_quotes_are_told_as_such() {
    let said = sibcheck("folder", &["check", "--bin", ROOT]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("it is a folder"), "{said:?}");
    for command in [
        &["check", "--bin", "python3", "x.py", "--seed", "1"][..],
        &["conform", "--bin", "python3", "x.py"],
    ] {
        let said = sibcheck("quotes", command);
        assert_eq!(said.code, Some(2), "{said:?}");
        let hint = "a command of several words is given in quotes: --bin 'python3 x.py'";
        assert!(said.stderr.contains(hint), "{said:?}");
    }
}

#[test]
fn a_program_that_reads_the_report_always_gets_one_document() {
    let history = format!("{ROOT}/corpora/histories/none.jsonl");
    let folder_bin = ["conform", "--bin", ROOT, "--format", "json"];
    for (command, code) in [
        (
            &["check", "--format", "json", "--bin", "no-such-program"][..],
            2,
        ),
        (&["check", "--format=json", "--no-such-flag"], 2),
        (
            &[
                "check",
                "--format",
                "json",
                "--nodes",
                "1",
                "--faults",
                "partition",
            ],
            2,
        ),
        (
            &[
                "check", "--format", "json", "--seed", "1", "--runs", "5", "--store", "dotted",
            ],
            0,
        ),
        (&folder_bin, 2),
        (&["verify", "--format", "json", &history], 2),
        (&["replay", "--format", "json", &history], 2),
        (&["replay", "--format", "json", "."], 3),
    ] {
        let said = sibcheck("document", command);
        assert_eq!(said.code, Some(code), "{command:?}: {said:?}");
        let document: Json = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(document["schema_version"], 2, "{document:#}");
        let told = document["exit_code"].as_i64();
        assert!(
            told.is_none_or(|told| told == i64::from(code)),
            "{document:#}"
        );
    }
}

#[test]
fn how_many_runs_and_nodes_there_are_is_said() {
    let (bin, store) = (node("kv_store.py"), ["check", "--store", "dotted"]);
    let too_many = [
        "check",
        "--bin",
        &bin,
        "--nodes",
        "3",
        "--runs",
        "1,2,3,4,5",
    ];
    let said = sibcheck("runs", &too_many);
    assert_eq!(said.code, Some(2), "{said:?}");
    let told = "5 numbers, and there are 3 rungs (no faults, reordering, partitions)";
    assert!(said.stderr.contains(told), "{said:?}");
    // What a run gives depends on its seed alone, whatever made an end.
    let timed = sibcheck(
        "runs",
        &[&store[..], &["--seed", "5", "--for", "300ms"]].concat(),
    );
    assert_eq!(timed.code, Some(0), "{timed:?}");
    let (_, runs) = timed.stdout.split_once("--runs ").unwrap();
    let runs = runs.split_whitespace().next().unwrap();
    let again = sibcheck(
        "runs",
        &[&store[..], &["--seed", "5", "--runs", runs]].concat(),
    );
    assert_eq!(timed.stdout, again.stdout);
    let both = [&store[..], &["--for", "1s", "--runs", "5"]].concat();
    assert_eq!(sibcheck("runs", &both).code, Some(2));
    if have("python3") {
        let bin = node("gossip_store.py");
        let claimed = ["check", "--bin", &bin, "--seed", "1", "--claim", "eventual"];
        let brief = ["--for", "1s", "--leave-out", "all", "--ops", "20"];
        let said = sibcheck("runs", &[&claimed[..], &brief].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        let told =
            "nodes       3, as --claim eventual speaks of replicas; for another number: --nodes";
        assert!(said.stdout.contains(told), "{said:?}");
    }
}

/// Each of several stores has a number of its own, so that the command of a check that a time ended
/// repeats what was run of each.
#[test]
fn each_store_is_run_as_often_as_the_command_says() {
    let stores = ["--store", "versioned", "--store", "dotted"];
    let check = |flags: &[&str]| {
        let all = [&["check", "--seed", "5"], &stores[..], flags].concat();
        sibcheck("each-store", &all)
    };
    let runs = |said: &Said| -> Vec<String> {
        let rows = said.stdout.lines();
        let rows = rows.filter_map(|row| row.trim().strip_prefix("runs "));
        let runs = rows.map(|row| row.trim().split(" of ").next().unwrap());
        runs.map(|runs| runs.replace(',', "")).collect()
    };
    let each = check(&["--runs", "40,30"]).expect(0, &["--runs 40,30"]);
    assert_eq!(runs(&each), ["40", "30"]);
    let both = check(&["--runs", "30"]).expect(0, &["--runs 30"]);
    assert_eq!(runs(&both), ["30", "30"]);
    let told = "--runs gives 3 numbers, and there are 2 stores (versioned, dotted)";
    check(&["--runs", "1,2,3"]).expect(2, &[told]);
    let timed = check(&["--for", "400ms"]).expect(0, &[]);
    let (_, told) = timed.stdout.split_once("--runs ").unwrap();
    let told: Vec<_> = told.split_whitespace().next().unwrap().split(',').collect();
    // One number stands for two that are equal.
    assert_eq!([told[0], told[told.len() - 1]], *runs(&timed), "{timed:?}");
}

/// What is named on the command line and not there is wrong usage, whoever asks for it.
#[test]
fn a_program_that_is_not_there_is_wrong_usage_everywhere() {
    let plan = format!("{ROOT}/tests/plans/version-1");
    for program in ["no-such-program", "./no-such-program", ROOT] {
        for command in [
            &["check", "--bin", program][..],
            &["check", "--bin", program, "--dialect", "vc"],
            &["conform", "--bin", program],
            &["conform", "--bin", program, "--dialect", "vc"],
            &["replay", "--bin", program, &plan],
        ] {
            sibcheck("not-there", command).expect(2, &["cannot start"]);
        }
    }
    for dialect in ["no-such-dialect", "no-such-file.toml"] {
        for command in ["check", "conform"] {
            let asked = [command, "--bin", "true", "--dialect", dialect];
            sibcheck("not-there", &asked).expect(2, &[dialect]);
        }
    }
}

/// A vc store for one node that handles each message in a thread of its own, and between looking at the
/// siblings and writing them takes no lock.
const RACING_NODE: &str = r#"
import json, sys, threading
sys.setswitchinterval(1e-5)
values, lock, me = {}, threading.Lock(), None
def covers(a, b): return all(a.get(k, 0) >= v for k, v in b.items())
def answer(m):
    b = m["body"]; r = {"in_reply_to": b["msg_id"]}
    if b["type"] == "vc_write":
        old = list(values.get(b["key"], []))
        vc = dict(b["context"] or {})
        vc[m["src"]] = max([vc.get(m["src"], 0)] + [o["vc"].get(m["src"], 0) for o in old]) + 1
        kept = [o for o in old if not covers(vc, o["vc"])]
        for _ in range(3000): vc.get("x")
        values[b["key"]] = kept + [{"value": b["value"], "vc": vc}]
        r.update(type="vc_write_ok", vc=vc)
    elif b["type"] == "vc_read": r.update(type="vc_read_ok", values=values.get(b["key"], []))
    else: r.update(type="error", code=10)
    with lock: print(json.dumps({"src": me, "dest": m["src"], "body": r}), flush=True)
for line in sys.stdin:
    m = json.loads(line)
    if m["body"]["type"] == "init":
        me = m["body"]["node_id"]
        print(json.dumps({"src": me, "dest": m["src"], "body": {"type": "init_ok", "in_reply_to": m["body"]["msg_id"]}}), flush=True)
    else: threading.Thread(target=answer, args=(m,)).start()
"#;

#[test]
fn handlers_that_race_are_seen_in_bursts_only() {
    if !have("python3") {
        return;
    }
    fs::write(folder("race").join("node.py"), RACING_NODE).unwrap();
    let check = [&CHECK_NODE[..], &["3"]].concat();
    let brief = [
        "--faults",
        "none",
        "--leave-out",
        "all",
        "--keys",
        "1",
        "--shrink-for",
        "1s",
    ];
    let one_by_one = sibcheck("race", &[&check[..], &brief, &["--runs", "2"]].concat());
    assert_eq!(one_by_one.code, Some(0), "{one_by_one:?}");
    let bursts = sibcheck(
        "race",
        &[&check[..], &brief, &["--runs", "1,8", "--bursts"]].concat(),
    );
    assert_eq!(bursts.code, Some(1), "{bursts:?}");
    assert!(
        bursts.stdout.contains("found with bursts")
            || bursts.stdout.contains("first failed with bursts"),
        "{bursts:?}"
    );
    assert!(
        bursts
            .stdout
            .contains("--keys 1 --faults none --leave-out all --time lockstep --bursts"),
        "{bursts:?}"
    );
    // Correct stores hold.
    let correct = [
        "check",
        "--bin",
        &node("gossip_store.py"),
        "--dialect",
        "vc",
        "--seed",
        "3",
    ];
    let three = [
        "--nodes",
        "3",
        "--no-ladder",
        "--bursts",
        "--runs",
        "2",
        "--leave-out",
        "all",
    ];
    let holds = sibcheck(
        "race",
        &[&correct[..], &three, &["--faults", "none"]].concat(),
    );
    assert_eq!(holds.code, Some(0), "{holds:?}");
}

#[test]
fn what_a_fuzzer_left_is_replayed() {
    let artifacts = folder("artifacts").join("fuzz/artifacts/protocol_decode");
    fs::create_dir_all(&artifacts).unwrap();
    fs::write(artifacts.join("crash-0123"), b"{\"src\":").unwrap();
    let crash = "fuzz/artifacts/protocol_decode/crash-0123";
    let said = sibcheck("artifacts", &["replay", crash]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("ok    protocol_decode"), "{said:?}");
}

#[test]
fn a_second_init_ok_is_seen() {
    if !have("python3") {
        return;
    }
    let text = fs::read_to_string(Path::new(ROOT).join("tests/nodes/gossip_store.py")).unwrap();
    let once = "send(src, type=\"init_ok\", in_reply_to=mid)";
    let twice = text.replace(once, &format!("{once}; {once}"));
    assert_ne!(text, twice);
    fs::write(folder("twice").join("node.py"), twice).unwrap();
    let check = [&CHECK_NODE[..], &["1"]].concat();
    let brief = [
        "--runs",
        "1",
        "--no-ladder",
        "--faults",
        "none",
        "--leave-out",
        "all",
    ];
    let tolerant = sibcheck("twice", &[&check[..], &brief].concat());
    assert_eq!(tolerant.code, Some(0), "{tolerant:?}");
    assert!(
        tolerant.stdout.contains("requests answered more than once"),
        "{tolerant:?}"
    );
    let strict = sibcheck("twice", &[&check[..], &brief, &["--strict"]].concat());
    assert_eq!(strict.code, Some(4), "{strict:?}");
}
