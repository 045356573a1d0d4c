//! Files of people: what has no end is not read to it, what is not complete has no name, and what
//! cannot be written is said before anything is started.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]
#![cfg(unix)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support;

fn folder(name: &str) -> PathBuf {
    support::empty_folder(&format!("files-{name}"))
}

fn sibcheck(folder: &Path) -> Command {
    support::sibcheck(folder, &[])
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn inside(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
#[cfg(target_os = "linux")]
fn what_has_no_end_is_refused_with_its_bound() {
    let folder = folder("endless");
    for kind in ["dialect.toml", "plan.json", "case.txt", "history.jsonl"] {
        std::os::unix::fs::symlink("/dev/zero", folder.join(kind)).unwrap();
    }
    fs::create_dir_all(folder.join("fuzz/histories")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("fuzz/histories/input")).unwrap();
    for (arguments, bound) in [
        (
            &["check", "--bin", "true", "--dialect", "dialect.toml"][..],
            "1048576 bytes",
        ),
        (&["replay", "plan.json"], "268435456 bytes"),
        (&["replay", "case.txt"], "16777216 bytes"),
        (&["replay", "fuzz/histories/input"], "16777216 bytes"),
        (&["replay", "history.jsonl"], "268435456 bytes"),
        (&["conform", "--bin", "true", "case.txt"], "16777216 bytes"),
        // Its beginning is that of no format.
        (&["verify", "history.jsonl"], "no known format"),
    ] {
        let output = sibcheck(&folder).args(arguments).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(bound), "{arguments:?}: {said}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_no_file_that_looks_whole() {
    let folder = folder("full");
    for what in ["register", "siblings"] {
        let output = sibcheck(&folder)
            .args(["generate", what, "--output", "/dev/full"])
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("No space left"), "{said}");
        // A file may have 8 blocks of half a kilobyte or one: then writing fails as on a full disk.
        let program = env!("CARGO_BIN_EXE_sibcheck");
        let command = format!(
            "trap '' XFSZ; ulimit -f 8; exec {} generate {what} --operations 5000 --output history",
            shell_words::quote(program)
        );
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("history"), "{said}");
        assert_eq!(inside(&folder), [""; 0]);
    }
    // What was there before stays.
    fs::write(folder.join("history"), "before").unwrap();
    let output = sibcheck(&folder)
        .args([
            "generate",
            "siblings",
            "--operations",
            "1000",
            "--output",
            "history",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(inside(&folder), ["history"]);
    let written = fs::read_to_string(folder.join("history")).unwrap();
    assert!(written.starts_with("{\"sibcheck_history\""));
}

#[test]
fn results_that_cannot_be_written_are_told_before_anything_starts() {
    let folder = folder("results");
    fs::write(folder.join("file"), "").unwrap();
    for results in ["file", "file/below", "/dev/null", "/proc/results"] {
        let bin = "sh -c 'touch started; cat > /dev/null'";
        for what in [&["--bin", bin, "--dialect", "vc"][..], &["--runs", "1"]] {
            let output = sibcheck(&folder)
                .args(["check", "--results", results])
                .args(what)
                .output()
                .unwrap();
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(5), "{results}: {said}");
            assert!(
                said.contains(results) && said.contains("--results"),
                "{said}"
            );
            assert!(output.stdout.is_empty());
        }
    }
    assert_eq!(inside(&folder), ["file"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_replay_on_a_node_that_fails_leaves_nothing_in_the_temporary_folder() {
    let folder = folder("replay");
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let check = "check --bin false --dialect vc --seed 1 --runs 1 --ops 3 --leave-out all";
    let arguments: Vec<&str> = check.split(' ').collect();
    let output = support::sibcheck(&folder, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let plan = "sibcheck-results/program-seed-1/plan.json";
    for bin in ["false", "sh -c 'echo no; echo why >&2; exit 1'"] {
        let output = support::sibcheck(&folder, &["replay", "--bin", bin, plan])
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert_eq!(inside(&temporary), [""; 0], "{bin}");
        // Nor is anything there said to be found.
        let told = stderr(&output);
        assert!(!told.contains("sibcheck-replay"), "{told}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_conform_that_fails_leaves_nothing_in_the_temporary_folder() {
    let folder = folder("conform");
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    fs::write(folder.join("case.txt"), "nonsense\n").unwrap();
    fs::write(folder.join("good.txt"), "IN {}\nOUT {\"dest\":\"c1\"}\n").unwrap();
    for arguments in [
        &["--bin", "false"][..],
        &["--bin", "cat"],
        &["--bin", "no-such-program"],
        &["--bin", "false", "case.txt"],
        &["--bin", "false", "good.txt"],
        &["--bin", "false", "good.txt", "none.txt"],
        &["--bin", "false", "--dialect", "vc"],
        &["--bin", "sh -c 'echo no; exit 1'", "--dialect", "vc"],
    ] {
        let output = sibcheck(&folder)
            .arg("conform")
            .args(arguments)
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(inside(&temporary), [""; 0], "{arguments:?}");
    }
}
