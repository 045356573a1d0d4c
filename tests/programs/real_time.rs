//! Programs outside, by the clock on the wall: asked for, or because they never rest.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{fs, path::PathBuf, process::Output};

use serde_json::Value as Json;

use crate::support::{CHECK_NODE, empty_folder, have, sibcheck};

/// A correct `vc` node for one node, with places for additions.
const NODE: &str = r#"
import json, sys, threading, time
values, me = {}, None
def covers(a, b): return all(a.get(k, 0) >= v for k, v in b.items())
def say(to, body): sys.stdout.write(json.dumps({"src": me, "dest": to, "body": body}) + "\n"); sys.stdout.flush()
# BEFORE
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; r = {"in_reply_to": b.get("msg_id")}
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
    say(m["src"], r)
"#;

struct Checked {
    folder: PathBuf,
    output: Output,
    report: String,
}

/// Checks a node, given as text; `None` where there is no Python.
fn check(name: &str, node: &str, flags: &[&str]) -> Option<Checked> {
    if !have("python3") {
        return None;
    }
    let folder = empty_folder(&format!("real-time-{name}"));
    fs::write(folder.join("node.py"), node).unwrap();
    let check = [&CHECK_NODE[..], &["1"], flags].concat();
    let output = sibcheck(&folder, &check).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(Checked {
        folder,
        output,
        report,
    })
}

#[test]
fn a_correct_node_holds_in_real_time() {
    let faults = "pause,crash,stop,client-loss";
    let flags = [
        "--time", "real", "--ops", "60", "--runs", "4", "--claim", "eventual",
    ];
    // Its values live in a file, so that they outlast what happens to it.
    let node = NODE.replace(
        "# BEFORE",
        "import os\nif os.path.exists('data'): values = json.load(open('data'))",
    );
    let node = node.replace("        r.update(type=\"vc_write_ok\"", "        json.dump(values, open('new', 'w')); os.rename('new', 'data')\n        r.update(type=\"vc_write_ok\"");
    let flags = [&flags[..], &["--nodes", "1", "--faults", faults]].concat();
    let Some(Checked { output, report, .. }) = check("correct", &node, &flags) else {
        return;
    };
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(report.contains("time        real\n"), "{report}");
    assert!(
        report.contains("--time real"),
        "the command repeats it: {report}"
    );
}

#[test]
fn a_faulty_node_is_caught_in_real_time() {
    let node = NODE.replace("[o for o in old if not covers(vc, o[\"vc\"])]", "[]");
    let flags = ["--time", "real", "--runs", "3", "--shrink-for", "5s"];
    let Some(Checked {
        output,
        report,
        folder,
    }) = check("faulty", &node, &flags)
    else {
        return;
    };
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("sibling preservation"), "{report}");
    let plan = fs::read(folder.join("sibcheck-results/program-seed-1/plan.json")).unwrap();
    let plan: Json = serde_json::from_slice(&plan).unwrap();
    assert_eq!(plan["time"], "real");
}

#[test]
fn a_program_that_never_rests_is_judged_in_real_time_and_the_report_says_so() {
    let spin =
        "def spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()";
    let node = NODE.replace("# BEFORE", spin);
    let flags = ["--ops", "20", "--runs", "1", "--faults", "none"];
    let Some(Checked {
        output,
        report,
        folder,
    }) = check("spins", &node, &flags)
    else {
        return;
    };
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(
        report.contains("real instead of virtual: node n1: it went on running"),
        "{report}"
    );
    assert!(report.contains("--time real --faults none\n"), "{report}");
    assert!(
        !folder.join("sibcheck-results").exists(),
        "nothing is left behind"
    );
}

#[test]
fn answers_that_a_timer_delays_come_in_time() {
    let node = NODE.replace(
        "    say(m[\"src\"], r)",
        "    threading.Timer(0.02, say, (m[\"src\"], r)).start()",
    );
    let flags = [
        "--time", "real", "--ops", "30", "--runs", "1", "--faults", "none", "--format", "json",
    ];
    let Some(Checked { output, report, .. }) = check("timer", &node, &flags) else {
        return;
    };
    assert_eq!(output.status.code(), Some(0), "{report}");
    let report: Json = serde_json::from_str(&report).unwrap();
    let program = &report["stores"][0]["program"];
    assert_eq!(program["time"], "real", "{report:#}");
    assert!(program["real_time_because"].is_null());
}

#[test]
fn a_node_that_dies_or_stays_silent_in_real_time_is_told() {
    let node = NODE.replace(
        "    say(m",
        "    if b.get(\"msg_id\", 0) > 9: sys.exit(3)\n    say(m",
    );
    let flags = ["--time", "real", "--shrink-for", "0s"];
    let Some(Checked { output, report, .. }) = check("dies", &node, &flags) else {
        return;
    };
    assert_eq!(output.status.code(), Some(4), "{report}");
    assert!(report.contains("node n1 died (exit status: 3)"), "{report}");
}

#[test]
fn what_is_kept_of_a_violation_tells_the_whole_story() {
    let node = NODE
        .replace("[o for o in old if not covers(vc, o[\"vc\"])]", "[]")
        .replace("# BEFORE", "print('I am up', file=sys.stderr)");
    let Some(Checked { report, folder, .. }) = check("story", &node, &["--shrink-for", "2s"])
    else {
        return;
    };
    let saved = folder.join("sibcheck-results/program-seed-1");
    let log = fs::read_to_string(saved.join("n1.stderr")).unwrap_or_else(|_| panic!("{report}"));
    assert_eq!(log, "I am up\n");
    let trace = fs::read_to_string(saved.join("trace.jsonl")).unwrap();
    let lines: Vec<Json> = trace
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |event: &str, kind: &str| {
        let is = |line: &&Json| line["event"] == event && line["message"]["body"]["type"] == kind;
        lines.iter().filter(is).count()
    };
    for event in ["sent", "delivered"] {
        assert!(count(event, "vc_write") >= 2, "{trace}");
        assert_eq!(
            count(event, "vc_write"),
            count(event, "vc_write_ok"),
            "{trace}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let flags = [
        "--runs",
        "1",
        "--save-first",
        "--faults",
        "pause,client-loss",
    ];
    let traces = ["trace-a", "trace-b"].map(|name| {
        let checked = check(name, NODE, &flags)?;
        let saved = checked.folder.join("sibcheck-results/program-seed-1");
        Some(fs::read(saved.join("trace.jsonl")).unwrap_or_else(|_| panic!("{}", checked.report)))
    });
    assert_eq!(traces[0], traces[1]);
    if let Some(trace) = &traces[0] {
        assert!(trace.len() > 1_000);
    }
}
