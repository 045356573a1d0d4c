//! `sibcheck verify` on every foreign format, and `sibcheck generate`, through the real binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value as Json, json};

fn sibcheck(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

fn sample(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("checkers/tests/checkers/samples");
    folder.join(name).display().to_string()
}

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
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
fn every_format_is_found_out_and_judged() {
    for (name, exit, words) in [
        (
            "register.edn",
            1,
            &[
                "VIOLATED (claim linearizable)",
                "which had been replaced",
                "Jepsen EDN",
                "not checked: 1 failed",
            ][..],
        ),
        (
            "keyed.edn",
            0,
            &["VALID (claim linearizable)", "a key and a value"],
        ),
        ("map.edn", 1, &["VIOLATED", "registers are taken to hold"]),
        ("register.log", 0, &["VALID", "read as Jepsen log"]),
        ("registers.jsonl", 0, &["VALID", "read as plain JSON lines"]),
        (
            "siblings-clocks.jsonl",
            1,
            &[
                "VIOLATED (claim eventual)",
                "no lost update",
                "provenance is not recorded",
            ],
        ),
        (
            "siblings-opaque.jsonl",
            0,
            &[
                "VALID (claim eventual)",
                "key y was not judged",
                "no answer carries a clock",
            ],
        ),
    ] {
        let output = sibcheck(&["verify", &sample(name)]);
        assert_eq!(
            code(&output),
            exit,
            "{name}: {}{}",
            stdout(&output),
            stderr(&output)
        );
        for word in words {
            let text = stdout(&output)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            assert!(text.contains(word), "{name}: {word:?} is missing: {text}");
        }
        let output = sibcheck(&["verify", "--format", "json", &sample(name)]);
        assert_eq!(code(&output), exit, "{name}");
        let report: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["schema_version"], 2);
        assert!(
            report["format"].is_string() && report["notes"].is_array(),
            "{report}"
        );
        assert_eq!(
            report["verdict"]["violations"]
                .as_array()
                .unwrap()
                .is_empty(),
            exit == 0
        );
    }
}

#[test]
fn several_files_are_judged_and_the_worst_decides() {
    let output = sibcheck(&["verify", &sample("keyed.edn"), &sample("register.log")]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output).matches("VALID").count(), 2);
    let own = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpora/histories/one-write-tells-nothing.jsonl");
    let files = [
        "not-there.edn",
        &own.display().to_string(),
        &sample("register.edn"),
    ];
    let output = sibcheck(&["verify", files[0], files[1], files[2]]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("not-there.edn"));
    assert!(stdout(&output).contains("UNKNOWN") && stdout(&output).contains("VIOLATED"));
}

#[test]
fn several_files_make_one_document() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let files = [
        "not-there.edn".to_owned(),
        folder.to_owned(),
        sample("register.edn"),
        sample("outside/counter.edn"),
        format!("{folder}/corpora/histories/one-write-tells-nothing.jsonl"),
    ];
    let mut arguments = vec!["verify", "--format", "json"];
    arguments.extend(files.iter().map(String::as_str));
    let output = sibcheck(&arguments);
    assert_eq!(code(&output), 1);
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    let told = report["files"].as_array().unwrap();
    assert_eq!(told.len(), files.len());
    for (told, file) in told.iter().zip(&files) {
        assert_eq!(told["file"], **file);
        assert!(
            told["error"].is_string() != told["verdict"].is_object(),
            "{told}"
        );
    }
    let error = told[3]["error"].as_str().unwrap();
    assert!(error.contains("line 3") && error.contains("add"), "{error}");
    for (file, words) in [(&files[0], "not-there.edn"), (&files[1], "is a folder")] {
        let output = sibcheck(&["verify", "--format", "json", file]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        let report: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["file"], **file);
        assert_eq!(report["exit_code"], 2);
    }
}

#[test]
fn replay_names_what_it_could_not_read() {
    let own = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/corpora/histories/one-write-tells-nothing.jsonl"
    );
    let output = sibcheck(&["replay", "--format", "json", "not-there.jsonl", own]);
    assert_eq!(code(&output), 2);
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["cases"][0]["path"], own);
    assert_eq!(report["unreadable"][0]["path"], "not-there.jsonl");
    assert!(report["unreadable"][0]["error"].is_string());
}

#[test]
fn what_is_in_doubt_names_the_option_that_decides() {
    let doubtful = sample("outside/keyed-or-not.edn");
    let output = sibcheck(&["verify", &doubtful]);
    assert_eq!(code(&output), 3);
    assert!(
        stderr(&output).contains("--keyed yes"),
        "{}",
        stderr(&output)
    );
    let keyed = sample("outside/keyed.json");
    for (says, exit) in [("yes", 0), ("no", 1)] {
        let output = sibcheck(&["verify", "--keyed", says, &keyed]);
        assert_eq!(code(&output), exit, "{says}: {}", stdout(&output));
    }
    let delete = sample("outside/delete-then-empty.jsonl");
    let output = sibcheck(&["verify", &delete]);
    assert_eq!(code(&output), 0);
    assert!(
        stdout(&output).contains("--tombstones"),
        "{}",
        stdout(&output)
    );
    let output = sibcheck(&["verify", "--tombstones", "shown", &delete]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
}

#[test]
fn a_search_that_ends_early_names_its_budget() {
    let path = temporary("repeated.jsonl");
    let mut events = Vec::new();
    for (client, round) in (0..6).flat_map(|client| (0..20).map(move |round| (client, round))) {
        let value = (client + round) % 3;
        events.extend([
            json!({"type": "invoke", "client": client, "f": "write", "key": "x", "value": value}),
            json!({"type": "ok", "client": client}),
            json!({"type": "invoke", "client": "r", "f": "read", "key": "x"}),
            json!({"type": "ok", "client": "r", "value": value}),
        ]);
    }
    let lines: Vec<_> = events.iter().map(Json::to_string).collect();
    let text = lines.join("\n");
    fs::write(&path, text).unwrap();
    let name = path.display().to_string();
    assert_eq!(code(&sibcheck(&["verify", &name])), 0);
    for option in ["--budget-steps", "--budget-bytes"] {
        let output = sibcheck(&["verify", option, "8", &name]);
        assert_eq!(code(&output), 3, "{option}: {}", stdout(&output));
        assert!(stdout(&output).contains(option), "{}", stdout(&output));
    }
}

#[test]
fn what_was_readable_is_judged_and_the_fault_is_told() {
    let whole = fs::read_to_string(sample("register.edn")).unwrap();
    let path = temporary("cut-off.edn");
    fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let name = path.display().to_string();
    let output = sibcheck(&["verify", &name]);
    assert_eq!(code(&output), 2, "{}", stdout(&output));
    assert!(stdout(&output).starts_with("UNKNOWN") || stdout(&output).starts_with("VALID"));
    let told = stderr(&output);
    assert!(
        told.contains("cut-off.edn: line 10") && told.contains("what came before was judged"),
        "{told}"
    );
    let output = sibcheck(&["verify", "--claim", "eventual", &sample("register.edn")]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("linearizability only"),
        "{}",
        stderr(&output)
    );
    fs::write(&path, "hello\n").unwrap();
    let output = sibcheck(&["verify", &name]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("no known format begins like this"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn generated_registers_have_their_verdict() {
    let path = temporary("generated.jsonl").display().to_string();
    let generate = [
        "generate",
        "register",
        "--operations",
        "3000",
        "--keys",
        "5",
        "--seed",
        "7",
        "-o",
    ];
    for (more, exit) in [
        (&[][..], 0),
        (&["--broken"], 1),
        (&["--unknown", "50", "--broken"], 1),
    ] {
        let output = sibcheck(&[&generate[..], &[path.as_str()], more].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let written = fs::read(&path).unwrap();
        let verify = sibcheck(&["verify", &path]);
        assert_eq!(
            code(&verify),
            exit,
            "{more:?}: {}{}",
            stdout(&verify),
            stderr(&verify)
        );
        let again = sibcheck(&[&generate[..8], more].concat());
        assert!(again.stdout == written, "the same seed, the same bytes");
    }
}
