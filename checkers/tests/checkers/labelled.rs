//! Histories that others recorded and labelled get the verdicts of their labels.
//!
//! They lie beside the repository, in `../shared/histories`, and are not copied into it. Where the
//! folder is absent the tests say so and pass.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sibcheck_checkers::{
    Outcome,
    import::{Content, Import, import},
    registers::{self, Budget, verdict::Reason},
};
use sibcheck_oracles::registers::brute_force;

/// The folder of the labelled histories, where it is there.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/histories");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// The verdict on a file.
fn verdict(path: &Path) -> (registers::History, registers::Verdict) {
    let name = path.display().to_string();
    let bytes = fs::read(path).unwrap();
    let Import {
        content,
        fault,
        notes,
        ..
    } = import(bytes.as_slice(), &name).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(fault, None, "{name}");
    assert!(!notes.is_empty(), "{name}");
    let Content::Registers(history) = content else {
        panic!("{name} holds registers");
    };
    let verdict = registers::judge(&history, Budget::default()).unwrap();
    for violation in &verdict.violations {
        println!(
            "{name}: {} {:?}\n  {:#?}",
            violation.sentence(&history),
            violation.finding.start,
            violation.steps(&history)
        );
        assert!(violation.evidence.len() < 30, "{name}: {violation:?}");
        if violation.evidence.len() <= 9 {
            assert!(
                brute_force::proves(&history, violation),
                "{name}: {violation:?}"
            );
        }
    }
    (history, verdict)
}

fn assert_label(path: &Path, linearizable: bool) {
    let (_, verdict) = verdict(path);
    // A file in which nothing was observed is labelled good as well.
    let nothing = verdict
        .unknown
        .iter()
        .any(|u| u.reason == Reason::NothingTested);
    let expected = match linearizable {
        true if nothing => Outcome::Unknown,
        true => Outcome::Valid,
        false => Outcome::Violated,
    };
    assert_eq!(verdict.outcome, expected, "{}: {verdict:?}", path.display());
    println!("{}: {expected}, {:?}", path.display(), verdict.figures);
}

#[test]
fn logs_of_etcd() {
    let Some(folder) = folder().map(|folder| folder.join("etcd")) else {
        return;
    };
    let labels = fs::read_to_string(folder.join("VERDICTS.txt")).unwrap();
    let mut judged = 0;
    for line in labels.lines() {
        let (file, label) = line.split_once(' ').unwrap();
        assert_label(&folder.join(file), label == "linearizable");
        judged += 1;
    }
    assert!(judged > 40);
}

#[test]
fn maps_with_appends() {
    let Some(folder) = folder() else { return };
    for (file, linearizable) in [("c01-ok", true), ("c10-ok", true), ("c10-bad", false)] {
        assert_label(&folder.join(format!("{file}.txt")), linearizable);
    }
}

#[test]
fn registers_of_knossos() {
    let Some(folder) = folder() else { return };
    let mut judged = 0;
    for (name, linearizable) in [("good", true), ("bad", false)] {
        let mut files: Vec<_> = fs::read_dir(folder.join("knossos").join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            assert_label(&file, linearizable);
            judged += 1;
        }
    }
    assert!(judged > 20);
}
