//! `sibcheck conform`: correct stores of every dialect pass and wrong ones do not; habits are notes;
//! files of one's own, diffs and exit codes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use crate::support::{have, of_each, sibcheck};

fn conform(node: &str, flags: &[&str]) -> (Option<i32>, String) {
    let root = env!("CARGO_MANIFEST_DIR");
    let bin = format!("python3 {root}/{node}");
    let arguments = [&["conform", "--bin", &bin], flags].concat();
    let output = sibcheck(root.as_ref(), &arguments).output().unwrap();
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

/// Runs `conform` on a node of the folder `tests/nodes`.
fn node(node: &str, flags: &[&str]) -> (Option<i32>, String) {
    conform(&format!("tests/nodes/{node}"), flags)
}

/// What stands in the report's last line.
fn last_line(report: &str) -> &str {
    report.lines().last().unwrap_or_default()
}

#[test]
fn correct_stores_conform_whatever_their_habits() {
    if !have("python3") {
        return;
    }
    let documents = [
        "--dialect",
        "tests/nodes/document_store.toml",
        "--nodes",
        "3",
    ];
    let stores = [
        ("../../examples/nodes/python/vc_store.py", &[][..]),
        ("gossip_store.py", &["--nodes", "3", "--node-names", "n0"]),
        ("dialects.py vv plain", &[]),
        ("dialects.py kv plain", &["--dialect", "kv"]),
        ("dialects.py mv plain", &["--dialect", "mv"]),
        ("clock_forms.py dvv opaque", &["--dialect", "dvv"]),
        ("document_store.py", &documents),
        (
            "basket_store.py",
            &["--dialect", "examples/dialects/basket.toml"],
        ),
    ];
    of_each(&stores, |(name, flags)| {
        let (code, report) = node(name, flags);
        assert_eq!(code, Some(0), "{name} {flags:?}: {report}");
        let all = last_line(&report);
        let (run, passed) = all.split_once(" cases run, ").unwrap();
        assert_eq!(passed, format!("{run} passed"));
        assert!(run.parse::<u32>().unwrap() >= 5, "{report}");
    });
}

#[test]
fn the_other_examples_conform_and_the_faulty_one_does_not() {
    let conform = |bin: &str| {
        let root = env!("CARGO_MANIFEST_DIR").as_ref();
        let output = sibcheck(root, &["conform", "--bin", bin]).output();
        output.unwrap().status.code()
    };
    if have("node") {
        let store = "node examples/nodes/javascript/dvv_store";
        assert_eq!(conform(&format!("{store}.js")), Some(0));
        assert_eq!(conform(&format!("{store}_dup_dots.js")), Some(1));
    }
    let rust = Path::new(env!("CARGO_BIN_EXE_sibcheck")).with_file_name("examples/vc_store");
    assert_eq!(conform(rust.to_str().unwrap()), Some(0));
}

#[test]
fn wrong_stores_do_not_conform() {
    if !have("python3") {
        return;
    }
    let documents = [
        "--dialect",
        "tests/nodes/document_store.toml",
        "--nodes",
        "3",
    ];
    let counted = file("starts", "");
    let dies_later = format!("dies_later.py {counted}");
    let mark = format!("{counted}.mark");
    let _ = fs::remove_file(&mark);
    let loses_once = format!("loses_once.py {mark}");
    let stores = [
        (
            "../../examples/nodes/python/vc_store_lossy.py",
            &[][..],
            "FAIL  of two writes without a context both values stay: ",
        ),
        (
            "gossip_store.py --bug cap3",
            &[],
            "FAIL  of five writes without a context all values stay: sibling preservation",
        ),
        (&dies_later, &[], "n1 → c1  {\"in_reply_to\":1"),
        (&loses_once, &[], "FAIL  of five writes"),
        (
            "document_store.py --delete-all",
            &documents,
            "FAIL  a delete of one sibling leaves the others: no lost update",
        ),
        (
            "mv_store.py --last-writer-wins",
            &["--nodes", "3"],
            "FAIL  no write of several clients is lost",
        ),
    ];
    of_each(&stores, |(name, flags, word)| {
        let (code, report) = node(name, flags);
        assert_eq!(code, Some(1), "{name} {flags:?}: {report}");
        assert!(report.contains(word), "{name}: {word:?}: {report}");
        // The first is told in full, what follows from it mostly by name.
        assert_eq!(report.matches("what was said").count(), 1, "{report}");
    });
}

#[test]
fn nodes_that_never_talk_to_each_other_are_told_so() {
    if !have("python3") {
        return;
    }
    let cause = "no node sent a message to its peers, though there were 3 nodes";
    let silent = "picky_store.py";
    // Where something was said, or was right all the same, or could not be said, that is no cause.
    let stores = [
        (silent, &["--nodes", "3"][..], 1),
        (silent, &["--nodes", "3", "--format", "json"], 1),
        ("mv_store.py --last-writer-wins", &["--nodes", "3"], 0),
        ("gossip_store.py --bug cap3", &[], 0),
        (silent, &[], 0),
    ];
    of_each(&stores, |(name, flags, times)| {
        let (code, report) = node(name, flags);
        let flat: Vec<_> = report.split_whitespace().collect();
        let fails = *name != silent || flags.len() > 1;
        assert_eq!(code, Some(i32::from(fails)), "{name} {flags:?}: {report}");
        let told = flat.join(" ").matches(cause).count();
        assert_eq!(told, *times, "{name} {flags:?}: {report}");
    });
}

#[test]
fn habits_of_the_samples_are_notes_unless_strict() {
    if !have("python3") {
        return;
    }
    let (code, report) = node("gossip_store.py", &[]);
    assert_eq!(code, Some(0), "{report}");
    for words in [
        "not demanded, but different from the published samples",
        "vc-read-missing: /body/msg_id, /body/siblings",
        "/body/vc/c1@n1",
    ] {
        assert!(report.contains(words), "{words:?}: {report}");
    }
    let (code, report) = node("gossip_store.py", &["--strict"]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("at /body/siblings: expected 0, got nothing"));
    // Those who have the habits have nothing to be told.
    let stores = [
        ("dialects.py vv", &["--strict"][..]),
        ("dialects.py kv", &["--strict", "--dialect", "kv"]),
        ("../../examples/nodes/python/vc_store.py", &["--strict"]),
    ];
    of_each(&stores, |(name, flags)| {
        let (code, report) = node(name, flags);
        assert_eq!(code, Some(0), "{name} {flags:?}: {report}");
        assert!(!report.contains("note"), "{name}: {report}");
    });
}

#[test]
fn a_refusal_is_told_as_one() {
    if !have("python3") {
        return;
    }
    // As they may be where a write names the one version that it replaces.
    let (code, report) = node(
        "document_store.py",
        &["--dialect", "tests/nodes/document_store.toml"],
    );
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("(1 of 2 writes refused)"), "{report}");
    let (code, report) = node("kv_store.py --refuse error", &[]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("an operation was refused: "), "{report}");
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
    let mistakes = [
        (VC, &["--dialect", "klingon"][..], 2, "vc, dvv, vv, kv, mv"),
        (VC, &["no-such-file.txt"], 2, "no-such-file.txt"),
        (VC, &["tests"], 2, "tests: "),
        (VC, &["README.md"], 2, "README.md: line"),
        ("tests/nodes/wild.py noise", &["--dialect", "kv"], 4, "died"),
        (
            "tests/nodes/wild.py block-buffered",
            &["--dialect", "vc"],
            4,
            "block-buffered",
        ),
    ];
    of_each(&mistakes, |(node, flags, code, word)| {
        let (found, report) = conform(node, flags);
        assert_eq!(found, Some(*code), "{node} {flags:?}: {report}");
        assert!(report.contains(word), "{word:?}: {report}");
    });
}
