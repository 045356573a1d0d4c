//! What nodes in the wild do: each habit of `tests/nodes/wild.py` through the real binary.
//!
//! A habit is either no matter, or tolerated and counted (and a failure under `--strict`), or a
//! failure that names the node, the line, what was expected and what to do. None ends in a pass
//! that says nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use sibcheck::nodes::external::Deviation;

use crate::support::{self, have, of_each};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Checks a node with a habit, in a folder of its own. What it takes is not found out: that has tests
/// of its own.
fn check(habit: &str, flags: &[&str]) -> (Option<i32>, String) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "wild-{habit}{}",
        flags.concat().replace([' ', ','], "")
    ));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let output = sibcheck(&folder, habit, flags);
    let report = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), report)
}

fn sibcheck(folder: &Path, habit: &str, flags: &[&str]) -> Output {
    let node = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes/wild.py");
    let bin = format!("python3 {node} {habit}");
    let check = [
        "check",
        "--bin",
        &bin,
        "--seed",
        "1",
        "--runs",
        "1",
        "--ops",
        "40",
        "--faults",
        "none",
        "--leave-out",
        "all",
    ];
    let arguments = [&check[..], flags].concat();
    support::sibcheck(folder, &arguments).output().unwrap()
}

const MESSAGES: &str = "write nothing but messages to stdout";
const VC: [&str; 2] = ["--dialect", "vc"];
const THREE: [&str; 4] = ["--dialect", "vc", "--nodes", "3"];

#[track_caller]
fn holds(habit: &str, flags: &[&str]) -> String {
    let (code, report) = check(habit, flags);
    assert_eq!(code, Some(0), "{habit}: {report}");
    report
}

/// Exit 4, the node's name, and these words; in no more than a screen. Failures are not shrunk: that
/// has tests of its own, and takes time.
#[track_caller]
fn fails(habit: &str, flags: &[&str], words: &[&str]) {
    let (code, report) = check(habit, &[flags, &["--shrink-for", "0s"]].concat());
    assert_eq!(code, Some(4), "{habit}: {report}");
    for word in words.iter().chain(&["program: FAILED", "node n1"]) {
        assert!(
            report.contains(word),
            "{habit}: {word:?} is missing:\n{report}"
        );
    }
    assert!(report.len() < 4_000, "{habit}: {} bytes", report.len());
}

#[test]
fn what_the_protocol_allows_is_no_matter() {
    if !have("python3") {
        return;
    }
    let habits = [
        ("plain", &VC[..]),
        ("plain", &THREE),
        // Detection by asking: it dies of unknown requests.
        ("plain", &[]),
        ("select", &THREE),
        ("forwards", &THREE),
        ("crlf", &VC),
        ("long-lines", &VC),
        ("extra", &VC),
        ("stderr", &VC),
        ("slow-start", &[]),
        ("needs-pipe", &VC),
        ("children", &VC),
    ];
    of_each(&habits, |(habit, flags)| {
        let report = holds(habit, &[flags, &["--strict"][..]].concat());
        assert!(!report.contains("tolerated"), "{habit}: {report}");
    });
}

#[test]
fn what_can_be_understood_is_tolerated_and_counted_and_fails_when_strict() {
    if !have("python3") {
        return;
    }
    let habits = [
        ("merged", &VC[..], Deviation::MergedLines),
        ("pretty", &VC, Deviation::SplitLines),
        ("no-line-end", &VC, Deviation::NoLineEnd),
        ("naked", &VC, Deviation::NoEnvelope),
        ("null-dest", &VC, Deviation::NoEnvelope),
        ("without", &VC, Deviation::NoReplyTo),
        ("text-ids", &VC, Deviation::LooseId),
        ("no-type", &VC, Deviation::NoType),
        ("null", &VC, Deviation::NullForEmpty),
        ("error-without-code", &VC, Deviation::LooseErrorCode),
        ("foreign", &VC, Deviation::ForeignSender),
        ("stranger", &VC, Deviation::NoReceiver),
        ("unasked", &VC, Deviation::Unasked),
        ("twice", &VC, Deviation::Repeated),
        ("early-talk", &THREE, Deviation::EarlyTalk),
        ("storm", &VC, Deviation::NoReceiver),
    ];
    of_each(&habits, |(habit, flags, deviation)| {
        let report = holds(habit, flags);
        let told = format!("{} (n1 line ", deviation.name());
        let flat = report.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&told), "{habit}: {told:?}:\n{report}");
        assert!(flat.contains(deviation.remedy()), "{habit}:\n{report}");
        let strict = [flags, &["--strict"][..]].concat();
        fails(habit, &strict, &["--strict: ", "line ", "remedy"]);
    });
}

#[test]
fn what_cannot_be_understood_fails_with_its_line_and_a_remedy() {
    if !have("python3") {
        return;
    }
    let habits = [
        // The longest waits come first, beside all others.
        ("never-init", &["no answer to its init", "flush"][..]),
        (
            "block-buffered",
            &["no answer to its init", "block-buffered", "python3 -u"],
        ),
        (
            "noise",
            &[
                "is not a message",
                "DEBUG: about",
                "more characters)",
                MESSAGES,
            ],
        ),
        ("cut-off", &["is cut off", "\"body\"", MESSAGES]),
        ("not-utf8", &["is not a message", MESSAGES]),
        ("no-body", &["no \"body\" that is an object", MESSAGES]),
        ("number-dest", &["no \"dest\" that is a string", MESSAGES]),
        (
            "naked-nameless",
            &["no \"dest\" that is a string", MESSAGES],
        ),
        ("deep", &["is not a message", "more characters)", MESSAGES]),
        ("list-line", &["an array", MESSAGES]),
        (
            "wrong-client",
            &[
                "answers the wrong client: msg_id",
                "send an answer to the src",
            ],
        ),
        (
            "unheard-client",
            &["answers the wrong client", "not by c77"],
        ),
        (
            "refuses-init",
            &["refuses its init", "too few nodes", "--node-names"],
        ),
        ("dies", &["died (signal: 11", "out of luck"]),
        ("dies-midway", &["died (exit status: 3)"]),
        ("dies-at-start", &["died", "no configuration found"]),
        ("dies-after-init", &["died (exit status: 7)"]),
        ("closes-stdout", &["closed its stdout"]),
        ("endless", &["for one message", "look for a loop"]),
        (
            "endless-line",
            &["line", "end every message with a line feed"],
        ),
        ("never-answers", &["none of its first 5 requests", "flush"]),
        (
            "buffered-later",
            &["none of its first 5", "block-buffered", "python3 -u"],
        ),
    ];
    of_each(&habits, |(habit, words)| fails(habit, &VC, words));
}

#[test]
fn a_program_with_its_names_built_in_is_given_them() {
    if !have("python3") {
        return;
    }
    let brief = ["--shrink-for", "0s", "--patience-ms", "100"];
    let (_, report) = check("hard-coded", &[&THREE[..], &brief].concat());
    assert!(report.contains("--node-names"), "{report}");
    let named = [&THREE[..], &["--node-names", "n0", "--strict"]].concat();
    let report = holds("hard-coded", &named);
    assert!(report.contains("--node-names n0"), "{report}");
    let listed = [&THREE[..], &["--node-names", "a,b,d"]].concat();
    assert!(holds("plain", &listed).contains("--node-names a,b,d"));
    let (code, report) = check("plain", &["--node-names", "a,b"]);
    assert_eq!(code, Some(2), "{report}");
    let (code, report) = check("plain", &["--node-names", "c1"]);
    assert_eq!(code, Some(2), "{report}");
}

#[test]
fn a_node_that_outlives_its_input_is_ended_and_counted() {
    if !have("python3") {
        return;
    }
    let report = holds("never-ends", &VC);
    assert!(report.contains(Deviation::StaysAlive.name()), "{report}");
    let strict = [&VC[..], &["--strict"]].concat();
    fails("never-ends", &strict, &["--strict forbids"]);
}

#[test]
fn a_node_that_falls_silent_is_no_pass() {
    if !have("python3") {
        return;
    }
    let words = [
        "answered no read after all faults",
        Deviation::Silence.name(),
    ];
    // Whatever the patience, it gets no answer.
    let brief = [&VC[..], &["--patience-ms", "100"]].concat();
    fails("mute-later", &brief, &words);
}

#[test]
fn answers_out_of_order_find_their_requests() {
    if !have("python3") {
        return;
    }
    let brief = [&VC[..], &["--shrink-for", "0s", "--patience-ms", "200"]].concat();
    let (code, report) = check("unordered", &brief);
    assert!([Some(0), Some(3)].contains(&code), "{report}");
    assert!(!report.contains("VIOLATED"), "{report}");
}

#[test]
fn gossip_every_five_seconds_is_waited_for() {
    if !have("python3") {
        return;
    }
    let report = holds("gossip", &THREE);
    assert!(!report.contains("tolerated"), "{report}");
}
