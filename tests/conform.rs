//! `sibcheck conform`: samples by dialect, detection, files of one's own, diffs and exit codes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

mod support;

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value as Json;

use support::have;

fn conform(node: &str, flags: &[&str]) -> (Option<i32>, String) {
    let root = env!("CARGO_MANIFEST_DIR");
    let bin = format!("python3 {root}/{node}");
    let output = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(["conform", "--bin", &bin])
        .args(flags)
        .current_dir(root)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// A file with a case.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("conform-{name}.txt"));
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

const VC: &str = "examples/nodes/python/vc_store.py";

#[test]
fn the_samples_of_each_dialect_pass_on_a_correct_store() {
    if !have("python3") {
        return;
    }
    for (dialect, cases) in [("vv", 2), ("kv", 1), ("mv", 1)] {
        for (plain, flag) in [("", "--strict"), (" plain", "--format=human")] {
            let node = format!("tests/nodes/dialects.py {dialect}{plain}");
            let (code, report) = conform(&node, &["--dialect", dialect, flag]);
            assert_eq!(code, Some(0), "{dialect}: {report}");
            assert!(report.contains(&format!("{cases} passed")), "{report}");
            assert_eq!(report.contains("other msg_ids"), !plain.is_empty());
        }
        let node = format!("tests/nodes/dialects.py {dialect} plain");
        let (code, report) = conform(&node, &["--dialect", dialect, "--strict"]);
        assert_eq!(code, Some(1), "{report}");
        assert!(report.contains("at /body/msg_id: expected 0, got nothing"));
    }
    let (code, report) = conform(VC, &["--dialect", "vc", "--strict"]);
    assert_eq!(code, Some(0), "{report}");
}

#[test]
fn without_a_dialect_it_is_found_out() {
    if !have("python3") {
        return;
    }
    for (node, sample) in [
        (VC, "vc-write-read"),
        ("tests/nodes/dialects.py vv", "vv-read"),
    ] {
        let (code, report) = conform(node, &[]);
        assert_eq!(code, Some(0), "{report}");
        assert!(report.contains(sample), "{report}");
    }
}

const INIT: &str = r#"IN  {"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}
OUT {"src":"n1","dest":"c0","body":{"type":"init_ok","in_reply_to":1,"msg_id":0}}
"#;

#[test]
fn a_failing_case_shows_what_differs() {
    if !have("python3") {
        return;
    }
    let wrong = format!(
        "{INIT}{}",
        r#"IN  {"src":"c1","dest":"n1","body":{"type":"vc_write","msg_id":2,"key":"x","value":"a","context":{}}}
OUT {"src":"n1","dest":"c1","body":{"type":"vc_write_ok","key":"x","vc":{"n1":1},"in_reply_to":2,"msg_id":1}}
OUT {"src":"n1","dest":"c2","body":{"type":"news"}}
TIMEOUT_MS 300
"#
    );
    let (wrong, right) = (file("wrong", &wrong), file("right", INIT));
    let (code, report) = conform(VC, &[&wrong, &right]);
    assert_eq!(code, Some(1), "{report}");
    for words in [
        "conform-wrong.txt: 2 lines not as expected, 1 as expected",
        "  to c1\n    - {\"body\":",
        "\n    + {\"body\":",
        "      at /body/vc/c1: expected nothing, got 1",
        "      at /body/vc/n1: expected 1, got nothing",
        "  to c2\n    - {\"body\":{\"type\":\"news\"}",
        "conform-right.txt: 1 line\n",
        "2 cases run, 1 passed",
    ] {
        assert!(report.contains(words), "{words:?}:\n{report}");
    }
    assert!(!report.contains('\u{1b}'), "no colours in a pipe");

    let (code, report) = conform(VC, &["--format", "json", &wrong, &right]);
    let report: Json = serde_json::from_str(&report).unwrap();
    assert_eq!((code, &report["exit_code"]), (Some(1), &Json::from(1)));
    let fields = &report["cases"][0]["destinations"][1]["lines"][0]["fields"];
    assert_eq!(fields[0]["pointer"], "/body/vc/n1", "{report:#}");
    assert_eq!(report["cases"][1]["outcome"], "passed");
}

#[test]
fn what_goes_wrong_has_its_exit_code() {
    if !have("python3") {
        return;
    }
    for (node, flags, code, word) in [
        (VC, &["--dialect", "klingon"][..], 2, "vc, vv, dvv, kv, mv"),
        (VC, &["no-such-file.txt"], 5, "no-such-file.txt"),
        (VC, &["README.md"], 2, "README.md: line"),
        ("tests/nodes/wild.py noise", &["--dialect", "kv"], 4, "died"),
        (
            "tests/nodes/wild.py block-buffered",
            &["--dialect", "vc"],
            4,
            "block-buffered",
        ),
    ] {
        let (found, report) = conform(node, flags);
        assert_eq!(found, Some(code), "{node} {flags:?}: {report}");
        assert!(report.contains(word), "{word:?}: {report}");
    }
}
