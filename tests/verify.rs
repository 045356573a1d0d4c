//! `sibcheck verify` on every foreign format, and `sibcheck generate`, through the real binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value as Json;

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
