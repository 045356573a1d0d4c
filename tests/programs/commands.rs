//! Printed commands can be pasted: a shell that runs one sees the same verdict, whatever quotes and
//! dollars are in the names of programs and folders.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]
#![cfg(unix)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support;

/// A name that a shell would take apart.
const NAME: &str = "a 'b' \"c\" $(touch acted) `touch acted` $HOME & ; # é";

fn folder(name: &str) -> PathBuf {
    support::empty_folder(&format!("commands-{name}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs what was printed, in the folder where it was.
fn paste(folder: &Path, command: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_sibcheck"));
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(env::split_paths(&support::path()));
    Command::new("sh")
        .args(["-c", command])
        .env("PATH", env::join_paths(path).unwrap())
        .current_dir(folder)
        .output()
        .unwrap()
}

/// What stands behind this on a line.
fn behind<'r>(report: &'r str, words: &str) -> &'r str {
    let found = report.lines().find_map(|line| line.split_once(words));
    let Some((_, command)) = found else {
        panic!("{words:?} is missing:\n{report}");
    };
    command
}

/// Runs all commands of a report of a violation and looks for the invariant in each.
fn assert_repeats(folder: &Path, report: &str) {
    let proof = report.lines().find(|line| line.starts_with("VIOLATED"));
    let Some(proof) = proof else {
        panic!("nothing is violated:\n{report}");
    };
    let invariant = proof.split([':', ',']).nth(1).unwrap().trim();
    let whole = report.lines().next().unwrap();
    let single = report.lines().last().unwrap();
    for (line, words) in [
        (whole, "repeat with: "),
        (single, "repeat with: "),
        (report, "run it again: "),
    ] {
        let command = behind(line, words);
        let again = paste(folder, command);
        let said = stdout(&again);
        assert_eq!(again.status.code(), Some(1), "{command}: {again:?}");
        assert!(said.contains(invariant), "{command}: {said}");
    }
    assert!(!folder.join("acted").exists(), "{report}");
}

fn sibcheck(folder: &Path, arguments: &[&str]) -> String {
    let mut command = support::sibcheck(folder, arguments);
    stdout(&command.env("COLUMNS", "100").output().unwrap())
}

#[test]
fn commands_of_a_store_can_be_pasted() {
    let folder = folder("store");
    let store = "faulty:last-writer-wins";
    let report = sibcheck(
        &folder,
        &[
            "check",
            "--seed",
            "1",
            "--store",
            store,
            "--runs",
            "50",
            "--results",
            NAME,
        ],
    );
    assert!(folder.join(NAME).is_dir());
    assert_repeats(&folder, &report);
}

#[test]
#[cfg(target_os = "linux")]
fn commands_of_a_program_can_be_pasted() {
    if !support::have("python3") {
        return;
    }
    let folder = folder("program");
    let node = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes/gossip_store.py");
    fs::copy(node, folder.join(format!("{NAME}.py"))).unwrap();
    let name = format!("{NAME}.py");
    let bin = format!("python3 {} --bug lww", shell_words::quote(&name));
    let report = sibcheck(
        &folder,
        &[
            "check",
            "--bin",
            &bin,
            "--dialect",
            "vc",
            "--seed",
            "1",
            "--runs",
            "2",
            "--ops",
            "20",
            "--faults",
            "none",
            "--results",
            NAME,
            "--shrink-for",
            "1s",
            "--leave-out",
            "all",
        ],
    );
    assert_repeats(&folder, &report);
}
