//! The real binary: exit codes, messages, formats, and what it leaves on disk.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value as Json;

fn sibcheck(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

/// An empty folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_clean_check_reports_what_was_exercised_and_exits_with_0() {
    let folder = folder("clean");
    let output = sibcheck(&folder, &["check", "--seed", "5", "--runs", "40"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report = stdout(&output);
    let command = "seed 5, repeat with: sibcheck check --seed 5 --runs 40";
    assert!(report.starts_with(command), "{report}");
    assert!(
        report.lines().last().unwrap().starts_with(command),
        "{report}"
    );
    for word in [
        "versioned: VALID (claim eventual)",
        "dotted: VALID (claim eventual)",
        "40 of 40: 40 valid",
        " partition",
        "each count: --verbose",
    ] {
        assert!(report.contains(word), "{word:?} is missing:\n{report}");
    }
    let verbose = ["check", "--seed", "5", "--runs", "40", "--verbose"];
    let counts = stdout(&sibcheck(&folder, &verbose));
    for word in [
        "concurrent writes through one coordinator",
        "tests made",
        "nothing of: dot discipline; context covers",
        " operations a second on ",
    ] {
        assert!(counts.contains(word), "{word:?} is missing:\n{counts}");
    }
    assert!(!report.contains('\u{1b}'), "no colours into a pipe");
    assert!(
        fs::read_dir(&folder).unwrap().next().is_none(),
        "nothing is saved"
    );
}

#[test]
fn a_violation_is_explained_saved_and_replayed() {
    let folder = folder("violation");
    let check = ["check", "--seed", "1", "--store", "faulty:last-writer-wins"];
    let output = sibcheck(&folder, &check);
    assert_eq!(code(&output), 1);
    let report = stdout(&output);
    let (_, proof) = report.split_once("\n\nVIOLATED").unwrap();
    let first_five: Vec<_> = proof
        .lines()
        .take(5)
        .flat_map(str::split_whitespace)
        .collect();
    let first_five = first_five.join(" ");
    for word in [
        "sibling preservation, key k",
        "should have returned",
        "are concurrent",
        "1. at",
    ] {
        assert!(
            first_five.contains(word),
            "{word:?} is missing:\n{first_five}"
        );
    }
    let saved = "sibcheck-results/faulty-last-writer-wins-seed-1";
    assert!(report.contains(&format!("sibcheck replay {saved}/plan.json")));
    for file in [
        "plan.json",
        "original-plan.json",
        "history.jsonl",
        "verdict.json",
    ] {
        assert!(folder.join(saved).join(file).exists(), "{file}");
    }

    let replay = sibcheck(&folder, &["replay", &format!("{saved}/plan.json")]);
    assert_eq!(code(&replay), 1);
    assert!(
        stdout(&replay).starts_with("BAD   plan"),
        "{}",
        stdout(&replay)
    );
    assert!(
        stdout(&replay).contains("should have returned"),
        "{}",
        stdout(&replay)
    );
    let folder_replay = sibcheck(&folder, &["replay", saved]);
    assert_eq!(code(&folder_replay), 1);
    assert!(stdout(&folder_replay).ends_with("3 cases judged, 0 as expected\n"));
    let verify = sibcheck(&folder, &["verify", &format!("{saved}/history.jsonl")]);
    assert_eq!(code(&verify), 1);
    let told = stdout(&verify);
    assert!(told.starts_with("VIOLATED (claim eventual)\n"), "{told}");
    assert!(told.contains("\n  sibling preservation"), "{told}");
    let verdict = fs::read(folder.join(saved).join("verdict.json")).unwrap();
    let verdict: Json = serde_json::from_slice(&verdict).unwrap();
    assert_eq!(verdict["outcome"], "violated");

    // The same finding is not saved twice, and another one does not overwrite it.
    assert_eq!(code(&sibcheck(&folder, &check)), 1);
    assert_eq!(
        fs::read_dir(folder.join("sibcheck-results"))
            .unwrap()
            .count(),
        1
    );
    fs::write(folder.join(saved).join("plan.json"), "mine").unwrap();
    assert_eq!(code(&sibcheck(&folder, &check)), 1);
    assert_eq!(
        fs::read_dir(folder.join("sibcheck-results"))
            .unwrap()
            .count(),
        2
    );
    assert_eq!(
        fs::read(folder.join(saved).join("plan.json")).unwrap(),
        b"mine"
    );
}

#[test]
fn a_fault_belongs_to_the_proof_and_to_the_history() {
    let folder = folder("fault");
    let store = "faulty:ack-before-durable";
    let output = sibcheck(&folder, &["check", "--seed", "9", "--store", store]);
    let crash = " crashed and lost what it had not synced (";
    assert!(stdout(&output).contains(crash), "{}", stdout(&output));
    let saved = "sibcheck-results/faulty-ack-before-durable-seed-9";
    let verify = sibcheck(&folder, &["verify", &format!("{saved}/history.jsonl")]);
    assert_eq!(code(&verify), 1);
    assert!(stdout(&verify).contains(crash), "{}", stdout(&verify));
    let verdict = fs::read(folder.join(saved).join("verdict.json")).unwrap();
    let verdict: Json = serde_json::from_slice(&verdict).unwrap();
    let timeline = verdict["violations"][0]["timeline"].as_array().unwrap();
    let mut faults = timeline.iter().filter(|moment| moment["fault"].is_object());
    assert!(
        faults.any(|moment| moment["fault"]["kind"] == "crash"),
        "{timeline:#?}"
    );
}

#[test]
fn the_printed_command_gives_the_same_run() {
    let folder = folder("repeat");
    let store = "faulty:dot-from-context";
    let output = sibcheck(
        &folder,
        &["check", "--seed", "7", "--store", store, "--ops", "60"],
    );
    let report = stdout(&output);
    let last = report.lines().last().unwrap();
    let (_, command) = last.split_once("sibcheck ").unwrap();
    let words: Vec<_> = command.split_whitespace().collect();
    let again = stdout(&sibcheck(&folder, &words));
    let proof = |report: &str| {
        let (_, proof) = report.split_once("VIOLATED:").unwrap();
        proof.split_once("saved in").unwrap().0.to_owned()
    };
    assert_eq!(proof(&report), proof(&again));
}

#[test]
fn the_first_run_is_saved_when_asked_for_and_is_the_same_every_time() {
    let folder = folder("first");
    let saved = |results: &str, seed: &str| {
        let store = ["--store", "dotted", "--runs", "3", "--save-first"];
        let check = ["check", "--seed", seed, "--results", results];
        assert_eq!(code(&sibcheck(&folder, &[&check[..], &store].concat())), 0);
        let history = format!("{results}/dotted-seed-{seed}/history.jsonl");
        fs::read(folder.join(history)).unwrap()
    };
    let history = saved("a", "8");
    assert_eq!(history, saved("b", "8"));
    assert_ne!(history, saved("c", "9"));
    let verify = sibcheck(&folder, &["verify", "a/dotted-seed-8/history.jsonl"]);
    assert_eq!(code(&verify), 0, "{}", stdout(&verify));
    let replay = sibcheck(&folder, &["replay", "a"]);
    assert_eq!(code(&replay), 0, "{}", stdout(&replay));
}

#[test]
fn histories_are_judged_by_any_claim_and_by_all() {
    let folder = folder("claims");
    let histories = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora/histories");
    let verify = |name: &str, flags: &[&str]| {
        let file = histories.join(name).to_str().unwrap().to_owned();
        sibcheck(&folder, &[&["verify", &file], flags].concat())
    };
    let causal = "causal-photo-before-the-new-rights.jsonl";
    let named = verify(causal, &[]);
    assert_eq!(code(&named), 1);
    let told = stdout(&named);
    assert!(told.starts_with("VIOLATED (claim causal)\n"), "{told}");
    assert!(told.contains("\n  causality, key acl"), "{told}");
    assert!(told.contains("is before"), "{told}");
    let monotonic = verify(causal, &["--claim", "eventual", "--replica-monotonic"]);
    assert!(stdout(&monotonic).contains("(claim eventual, replica-monotonic)"));
    assert_eq!(code(&monotonic), 0, "{}", stdout(&monotonic));

    let all = verify(causal, &["--strongest"]);
    let told = stdout(&all);
    assert_eq!(code(&all), 0, "{told}");
    for line in [
        "holds: read-your-writes",
        "fails: causal",
        "undecided: session",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let json = verify(causal, &["--strongest", "--format", "json"]);
    let json: Json = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        json["strongest"]["failing"],
        serde_json::json!(["causal", "quorum"])
    );
    let verdicts = json["strongest"]["verdicts"].as_array().unwrap();
    let causal = verdicts
        .iter()
        .find(|verdict| verdict["claim"] == "causal")
        .unwrap();
    let links = causal["violations"][0]["links"].as_array().unwrap();
    assert!(
        links.iter().any(|link| link["relation"] == "program_order"),
        "{links:?}"
    );

    let both = verify(
        "two-reads-cross.jsonl",
        &["--strongest", "--claim", "session"],
    );
    assert_eq!(code(&both), 2);
    let lossy = verify("last-writer-wins-by-arrival.jsonl", &["--strongest"]);
    assert_eq!(code(&lossy), 1);
    assert!(
        stdout(&lossy).contains("fails: eventual"),
        "{}",
        stdout(&lossy)
    );
}

#[test]
fn json_reports_have_a_schema_version() {
    let folder = folder("json");
    let format = ["--format", "json"];
    let check = [
        &["check", "--seed", "3", "--runs", "20", "--store", "dotted"][..],
        &format,
    ]
    .concat();
    let report: Json = serde_json::from_slice(&sibcheck(&folder, &check).stdout).unwrap();
    assert_eq!(
        (&report["schema_version"], &report["exit_code"]),
        (&2.into(), &0.into())
    );
    assert_eq!(report["stores"][0]["runs"]["valid"], 20);
    assert!(report["stores"][0]["situations"]["reads of two siblings"].as_u64() > Some(0));

    let check = [
        &["check", "--seed", "1", "--store", "faulty:never-supersede"][..],
        &format,
    ]
    .concat();
    let report: Json = serde_json::from_slice(&sibcheck(&folder, &check).stdout).unwrap();
    assert_eq!(report["exit_code"], 1);
    let violation = &report["stores"][0]["violation"]["verdict"]["violations"][0];
    assert_eq!(violation["invariant"], "dominance");
    assert!(
        violation["sentence"]
            .as_str()
            .unwrap()
            .contains("should have returned")
    );
}

#[test]
fn a_check_in_which_nothing_happens_is_inconclusive() {
    let folder = folder("nothing");
    let output = sibcheck(
        &folder,
        &["check", "--seed", "1", "--runs", "3", "--ops", "1"],
    );
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("UNKNOWN"), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("inconclusive in 2 runs: nothing was written"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn wrong_usage_is_told_with_a_remedy_and_exits_with_2() {
    let folder = folder("usage");
    for (arguments, words) in [
        (
            &["check", "--store", "riak"][..],
            &["no store \"riak\"", "versioned", "faulty:"][..],
        ),
        (
            &["check", "--claim", "strong"],
            &["no claim \"strong\"", "eventual"],
        ),
        (
            &["check", "--claim", "linearizable", "--nodes", "3"],
            &["contradict", "drop one"],
        ),
        (
            &["check", "--faults", "fire"],
            &["no fault \"fire\"", "partition"],
        ),
        (
            &["check", "--faults", "partition", "--nodes", "1"],
            &["two nodes"],
        ),
        (&["check", "--runs", "0"], &["--runs"]),
        (&["check", "--seed", "x"], &["--seed"]),
        (&["node"], &["--store"]),
        (&["verify"], &["<FILE>"]),
        (&["juggle"], &["juggle"]),
        (&[], &["Usage"]),
    ] {
        let output = sibcheck(&folder, arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        for word in words {
            assert!(
                stderr(&output).contains(word),
                "{arguments:?}: {}",
                stderr(&output)
            );
        }
    }
}

#[test]
fn bad_files_are_told_with_their_place() {
    let folder = folder("files");
    let header = "{\"sibcheck_history\":1,\"origin\":\"a test\",\"tombstones\":\"shown\",\"operations\":2}\n";
    let op = "{\"op\":0,\"client\":\"c1\",\"node\":\"n1\",\"key\":\"x\",\"invoked_ns\":0,\"completed_ns\":5,\"status\":\"ok\",\"write\":{\"value\":1}}\n";
    let files = [
        ("empty.jsonl", String::new(), "line 1"),
        ("version.jsonl", header.replace(":1,", ":9,"), "version 9"),
        (
            "count.jsonl",
            format!("{header}{op}"),
            "announces 2 operations",
        ),
        ("cut.jsonl", format!("{header}{op}{}", &op[..40]), "line 3"),
        (
            "value.jsonl",
            format!("{header}{}", op.replace("\"value\":1", "\"value\":oops")),
            "line 2, column",
        ),
        (
            "field.jsonl",
            format!("{header}{}", op.replace("\"key\"", "\"kee\"")),
            "kee",
        ),
        (
            "plan.json",
            "{\"sibcheck_plan\": 4}".to_owned(),
            "version 4",
        ),
        (
            "cut.json",
            "{\"sibcheck_plan\": 1,\n \"origin\":".to_owned(),
            "line 2",
        ),
        ("case.txt", "IN {}\nOUT {\n".to_owned(), "line 2"),
        ("notes.md", String::new(), "does not tell what it is"),
    ];
    for (name, content, word) in files {
        fs::write(folder.join(name), content).unwrap();
        let command = if name.contains(".jsonl") {
            "verify"
        } else {
            "replay"
        };
        let output = sibcheck(&folder, &[command, name]);
        assert_eq!(code(&output), 2, "{name}: {}", stderr(&output));
        assert!(
            stderr(&output).contains(word),
            "{name}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(name),
            "{name}: {}",
            stderr(&output)
        );
    }
    for command in ["verify", "replay"] {
        let output = sibcheck(&folder, &[command, "not-there.jsonl"]);
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains("not-there.jsonl"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn one_bad_file_does_not_hide_the_verdicts_of_the_others() {
    let folder = folder("one-bad");
    fs::write(folder.join("a.json"), "{}").unwrap();
    let case = "IN {\"src\":\"c0\",\"dest\":\"n1\",\"body\":{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n1\",\"node_ids\":[\"n1\"]}}\nOUT {\"src\":\"n1\",\"dest\":\"c0\",\"body\":{\"type\":\"init_ok\",\"in_reply_to\":1,\"msg_id\":0}}\n";
    fs::write(folder.join("b.txt"), case).unwrap();
    let output = sibcheck(&folder, &["replay", "."]);
    assert_eq!(code(&output), 2);
    assert!(
        stdout(&output).contains("ok    conformance"),
        "{}",
        stdout(&output)
    );
    assert!(stderr(&output).contains("a.json"), "{}", stderr(&output));
}

#[test]
fn results_that_cannot_be_saved_are_still_reported() {
    let folder = folder("unsaved");
    // The folder can be written, and the finding's own in it cannot be made.
    let taken = folder.join("taken/faulty-never-supersede-seed-1");
    fs::create_dir_all(folder.join("taken")).unwrap();
    fs::write(&taken, "a file").unwrap();
    let check = [
        "check",
        "--seed",
        "1",
        "--store",
        "faulty:never-supersede",
        "--results",
        "taken",
    ];
    let output = sibcheck(&folder, &check);
    assert_eq!(code(&output), 1);
    assert!(
        stdout(&output).contains("not saved: failed to save it in taken"),
        "{}",
        stdout(&output)
    );
    assert_eq!(fs::read(&taken).unwrap(), b"a file");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = folder("pipe");
    let mut child = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(["check", "--seed", "1", "--runs", "20"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn verify_reads_standard_input() {
    let folder = folder("stdin");
    let mut child = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(["verify", "-"])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let header = "{\"sibcheck_history\":1,\"origin\":\"a test\",\"tombstones\":\"shown\",\"operations\":0}\n";
    child
        .stdin
        .take()
        .unwrap()
        .write_all(header.as_bytes())
        .unwrap();
    let mut report = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut report)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(report.starts_with("UNKNOWN"), "{report}");
}

#[test]
fn colours_can_be_asked_for() {
    let folder = folder("colour");
    let check = ["check", "--seed", "1", "--runs", "5", "--color", "always"];
    assert!(stdout(&sibcheck(&folder, &check)).contains('\u{1b}'));
}
