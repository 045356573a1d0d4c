//! Reports for people, as they are printed: files of `tests/reports/` hold a command, what it reads behind
//! `<`, and what it prints on a terminal of 80 columns.
//!
//! `SIBCHECK_REGENERATE=1 cargo test --test reports` writes what is printed anew.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sibcheck::stores::faulty::Flaw;

const COLUMNS: usize = 80;

/// What a command prints on a terminal of 80 columns, and the code it exits with.
fn printed(name: &str, command: &str, input: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reports-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let words = shell_words::split(command).unwrap();
    let (program, arguments) = words.split_first().unwrap();
    assert_eq!(program, "sibcheck");
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora");
    std::os::unix::fs::symlink(corpora, folder.join("corpora")).unwrap();
    fs::write(folder.join("input"), input).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sibcheck"))
        .args(arguments)
        .current_dir(&folder)
        .env("COLUMNS", COLUMNS.to_string())
        .stdin(fs::File::open(folder.join("input")).unwrap())
        .output()
        .unwrap();
    let code = output.status.code().unwrap();
    format!(
        "{}exit code {code}\n",
        String::from_utf8(output.stdout).unwrap()
    )
}

#[test]
fn reports_are_printed_as_saved() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    let mut wrong = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (head, saved) = text.split_once("----\n").unwrap();
        let command = head
            .lines()
            .find_map(|line| line.strip_prefix("$ "))
            .unwrap();
        let input = head.lines().filter_map(|line| line.strip_prefix("< "));
        let input = input.collect::<Vec<_>>().join("\n");
        let name = file.file_stem().unwrap().to_str().unwrap();
        let now = printed(name, command, &input);
        if now == saved {
            continue;
        }
        if env::var_os("SIBCHECK_REGENERATE").is_some() {
            fs::write(&file, format!("{head}----\n{now}")).unwrap();
        } else {
            writeln!(wrong, "{} should be:\n{now}", file.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// How many lines of the terminal a text takes.
fn height(text: &str) -> usize {
    let lines = text.lines().map(|line| line.chars().count());
    lines.map(|width| width.div_ceil(COLUMNS).max(1)).sum()
}

#[test]
fn a_proof_of_few_operations_fits_the_screen_with_its_outcome_and_its_place() {
    for flaw in Flaw::ALL {
        let store = format!("faulty:{}", flaw.name());
        let command = format!("sibcheck check --store {store} --seed 4");
        let report = printed(flaw.name(), &command, "");
        let (_, proof) = report.split_once("\n\nVIOLATED: ").unwrap();
        let (proof, _) = proof.split_once("exit code 1").unwrap();
        let numbered = |line: &&str| {
            let number = line.trim_start().split_once(". at ");
            number.is_some_and(|(number, _)| number.parse::<u32>().is_ok())
        };
        if proof.lines().filter(numbered).count() <= 6 {
            assert!(height(proof) <= 24, "{proof}");
        }
        assert!(
            proof.contains(" saved in sibcheck-results/faulty-"),
            "{proof}"
        );
        // What is to be copied stands in one piece.
        let whole = |line: &&str| line.contains(": sibcheck ") || line.contains(" saved in ");
        for line in report.lines().filter(|line| !whole(line)) {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }
}

#[test]
fn a_clean_check_is_told_in_ten_lines() {
    for store in ["versioned", "dotted"] {
        let command = format!("sibcheck check --store {store} --seed 5 --runs 40");
        let report = printed(store, &command, "");
        let told = report.strip_suffix("exit code 0\n").unwrap();
        assert!(height(told) <= 11, "{told}");
        assert!(told.contains("--verbose"), "{told}");
    }
}
