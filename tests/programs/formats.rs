//! The formats of reports: each is named wherever there is a report, and none calls valid what is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::{fs, path::Path};

use crate::support::{Said, empty_folder, have, sibcheck};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus};
use sibcheck::reports::FORMATS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(folder: &Path, words: &[&str]) -> Said {
    Said::by(&mut sibcheck(folder, words))
}

#[test]
fn every_format_is_named_wherever_there_is_a_report() {
    let folder = empty_folder("formats-help");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for format in FORMATS {
        for command in ["check", "conform", "replay", "verify"] {
            let help = said(&folder, &[command, "--help"]).stdout;
            let row = format!("- {}:", format.name);
            assert!(help.contains(&row), "{command}: {help}");
        }
        assert!(
            readme.contains(&format!("`--format {}`", format.name)),
            "README.md does not name the format {}",
            format.name
        );
    }
}

/// The test cases of a report for CI servers, and whether all passed or were skipped.
fn cases(xml: &str) -> (Vec<TestCase>, bool) {
    let report = Report::deserialize_from_str(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let suites = report.test_suites.iter();
    let cases: Vec<TestCase> = suites.flat_map(|suite| suite.test_cases.clone()).collect();
    let good = cases
        .iter()
        .all(|case| !matches!(case.status, TestCaseStatus::NonSuccess { .. }));
    assert_eq!(good, report.failures + report.errors == 0);
    assert_eq!(report.tests, cases.len());
    (cases, good)
}

fn names(cases: &[TestCase], wanted: NonSuccessKind) -> Vec<&str> {
    let wrong = cases.iter().filter(|case| match &case.status {
        TestCaseStatus::NonSuccess { kind, .. } => *kind == wanted,
        _ => false,
    });
    wrong.map(|case| case.name.as_str()).collect()
}

#[test]
fn a_junit_report_of_a_history_is_good_only_with_exit_code_0() {
    let folder = empty_folder("formats-histories");
    let (mut good, mut bad) = (0, 0);
    for entry in fs::read_dir(root().join("corpora/histories")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.to_str().unwrap();
        for flags in [
            &[][..],
            &["--strongest"],
            &["--claim", "causal"],
            &["--claim", "linearizable"],
        ] {
            let words = [&["verify", "--format", "junit", file][..], flags].concat();
            let said = said(&folder, &words);
            let (cases, passed) = cases(&said.stdout);
            assert!(!cases.is_empty());
            assert_eq!(passed, said.code == Some(0), "{words:?}: {said:?}");
            let failed = names(&cases, NonSuccessKind::Failure);
            assert_eq!(failed.is_empty(), said.code != Some(1), "{words:?}");
            *(if passed { &mut good } else { &mut bad }) += 1;
        }
    }
    assert!(good > 30 && bad > 30, "{good} good, {bad} bad");
}

/// What shrinking left out may have been violated as well, so it does not pass.
#[test]
fn nothing_passes_beside_a_violation_in_a_junit_report() {
    let folder = empty_folder("formats-violated");
    let words = "check --store faulty:reconcile-one-parent --seed 3 --runs 200 --format junit";
    let words: Vec<&str> = words.split(' ').collect();
    let (cases, _) = cases(&said(&folder, &words).stdout);
    let passed = |case: &&TestCase| matches!(case.status, TestCaseStatus::Success { .. });
    assert_eq!(cases.iter().filter(passed).count(), 0, "{cases:?}");
}

#[test]
fn a_case_that_is_not_judged_does_not_pass_in_a_junit_report() {
    let folder = empty_folder("formats-unjudged");
    let case = [
        "STORE none",
        r#"IN  {"src":"c1","dest":"n1","body":{"type":"x"}}"#,
        r#"OUT {"src":"n1","dest":"c1","body":{"type":"x_ok"}}"#,
    ];
    let case = case.join("\n") + "\n";
    fs::write(folder.join("case.txt"), case).unwrap();
    let said = said(&folder, &["replay", "case.txt", "--format", "junit"]);
    let (cases, _) = cases(&said.stdout);
    assert_eq!(cases.len(), 1, "{said:?}");
    let status = &cases[0].status;
    assert!(matches!(status, TestCaseStatus::Skipped { .. }), "{said:?}");
}

#[test]
fn a_junit_report_of_a_check_is_good_only_with_exit_code_0() {
    let folder = empty_folder("formats-checks");
    for (words, code, failure, error) in [
        ("check --runs 40 --seed 5", 0, None, None),
        (
            "check --runs 40 --seed 5 --store faulty:last-writer-wins",
            1,
            Some("no lost update"),
            None,
        ),
        ("check --runs 3 --seed 1 --ops 1", 3, None, Some("decided")),
        (
            "check --runs 20 --seed 1 --faults clock --store dotted",
            3,
            None,
            Some("exercised"),
        ),
        ("check --nonsense", 2, None, Some("command")),
        ("replay nowhere.json", 2, None, Some("nowhere.json")),
        ("verify nowhere.jsonl", 2, None, Some("readable")),
    ] {
        let words: Vec<&str> = words.split(' ').chain(["--format", "junit"]).collect();
        let said = said(&folder, &words);
        assert_eq!(said.code, Some(code), "{words:?}: {said:?}");
        let (cases, good) = cases(&said.stdout);
        assert_eq!(good, code == 0, "{words:?}: {said:?}");
        for (kind, expected) in [
            (NonSuccessKind::Failure, failure),
            (NonSuccessKind::Error, error),
        ] {
            let found = names(&cases, kind);
            match expected {
                Some(name) => assert!(
                    found.iter().any(|found| found.starts_with(name)),
                    "{words:?}: {found:?}"
                ),
                None => assert!(found.is_empty(), "{words:?}: {found:?}"),
            }
        }
    }
}

#[test]
fn a_junit_report_tells_of_saved_cases_and_of_demands() {
    let folder = empty_folder("formats-cases");
    let plans = root().join("corpora/plans");
    let replayed = said(
        &folder,
        &["replay", plans.to_str().unwrap(), "--format", "junit"],
    );
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let (replayed, good) = cases(&replayed.stdout);
    assert!(good && replayed.len() > 5);
    if !have("python3") {
        return;
    }
    let nodes = root().join("examples/nodes/python");
    for (node, code) in [("vc_store.py", 0), ("vc_store_lossy.py", 1)] {
        let bin = format!("python3 {}/{node}", nodes.to_str().unwrap());
        let said = said(&folder, &["conform", "--bin", &bin, "--format", "junit"]);
        assert_eq!(said.code, Some(code), "{said:?}");
        let (cases, good) = cases(&said.stdout);
        assert_eq!(good, code == 0);
        assert!(cases.len() > 3, "{cases:?}");
    }
}
