//! Every foreign format is told apart and read, and faults name their line.

use std::{fs, path::Path};

use proptest::prelude::*;
use sibcheck_checkers::{
    Claim, Invariant, Outcome,
    history::Action,
    import::{Content, Format, Import, ImportError, Note, import, write_registers},
    judge,
    registers::{self, Budget, history::Status},
};

fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkers/samples");
    fs::read(folder.join(name)).unwrap()
}

fn read(name: &str) -> Import {
    import(sample(name).as_slice(), name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn of_registers(import: &Import) -> &registers::History {
    match &import.content {
        Content::Registers(history) => history,
        Content::Siblings(_) => panic!("siblings"),
    }
}

fn outcome(import: &Import) -> (Outcome, Vec<String>) {
    match &import.content {
        Content::Registers(history) => {
            let verdict = registers::judge(history, Budget::default()).unwrap();
            let told = verdict.violations.iter().map(|v| v.sentence(history));
            (verdict.outcome, told.collect())
        }
        Content::Siblings(history) => {
            let verdict = judge(history, Claim::Eventual).unwrap();
            let told = verdict.violations.iter().map(|v| v.sentence(history));
            (verdict.outcome, told.collect())
        }
    }
}

#[test]
fn a_register_in_edn() {
    let import = read("register.edn");
    assert_eq!(import.format, Format::JepsenEdn);
    assert_eq!(import.fault, None);
    assert!(
        import
            .notes
            .contains(&Note::FailuresSayNothing { failed: 1 })
    );
    assert!(import.notes.contains(&Note::Skipped { events: 1 }));
    assert_eq!(of_registers(&import).operations.len(), 4);
    let (outcome, told) = outcome(&import);
    assert_eq!(outcome, Outcome::Violated);
    assert_eq!(
        told,
        [
            "the read of 1 by 0 at 7 found 1, which had been replaced: the compare-and-set from 1 to 2 by 1 at 3 had completed before"
        ]
    );
}

#[test]
fn keys_in_pairs_and_an_unknown_outcome() {
    let import = read("keyed.edn");
    assert!(import.notes.contains(&Note::Keyed));
    let history = of_registers(&import);
    assert_eq!(history.keys, ["x", "y"]);
    assert_eq!(history.operations[1].status, Status::Info);
    assert_eq!(outcome(&import), (Outcome::Valid, vec![]));
}

#[test]
fn a_map_with_appends() {
    let import = read("map.edn");
    let initial = "\"\"".to_owned();
    assert!(import.notes.contains(&Note::Initial { value: initial }));
    let (outcome, told) = outcome(&import);
    assert_eq!(outcome, Outcome::Violated);
    assert!(told[0].contains("\"0 1 \""), "{told:?}");
}

#[test]
fn lines_of_a_log() {
    let import = read("register.log");
    assert_eq!(import.format, Format::JepsenLog);
    assert!(import.notes.contains(&Note::Skipped { events: 2 }));
    assert_eq!(of_registers(&import).operations.len(), 4);
    assert_eq!(outcome(&import), (Outcome::Valid, vec![]));
}

/// A number that is cut off is another number, and must not be taken for one that was read.
#[test]
fn a_log_that_is_cut_off_anywhere_is_not_violated() {
    let log = "0 :invoke :write 1\n0 :ok :write 1\n0 :invoke :write 123\n0 :ok :write 123\n\
        1 :invoke :read nil\n1 :ok :read 123\n1 :invoke :cas [123 4]\n1 :ok :cas [123 4]\n\
        2 :invoke :read nil\n2 :ok :read 4\n";
    let whole = import(log.as_bytes(), "whole").unwrap();
    assert_eq!((outcome(&whole).0, whole.fault), (Outcome::Valid, None));
    let line = |end: usize| log[..end].lines().count() as u64;
    for end in 0..log.len() {
        let fault = match import(&log.as_bytes()[..end], "cut off") {
            Ok(import) => {
                assert_ne!(outcome(&import).0, Outcome::Violated, "{:?}", &log[..end]);
                import.fault
            }
            Err(ImportError::Fault(fault)) => Some(fault),
            Err(ImportError::Unrecognised { .. }) => None,
            Err(error) => panic!("{:?}: {error}", &log[..end]),
        };
        let number = log[..end].ends_with(|last: char| last.is_ascii_digit());
        let answer = log[..end]
            .lines()
            .last()
            .is_some_and(|line| line.contains(":ok :read"));
        if number && answer {
            let fault = fault.unwrap_or_else(|| panic!("{:?} is taken for whole", &log[..end]));
            assert_eq!(fault.line, line(end), "{fault}");
            assert!(fault.to_string().contains("line feed"), "{fault}");
        }
    }
    // Nothing is said of what would be the same with more behind it.
    for whole in [
        "2 :ok :read nil",
        "2 :info :write 9 :timeout",
        "2 :ok :write 9",
        "2 :ok :read \"9\"",
    ] {
        let log = format!(
            "2 :invoke :{} 9\n{whole}",
            whole.split([' ', ':']).nth(4).unwrap()
        );
        let import = import(log.as_bytes(), "without a line feed").unwrap();
        assert_eq!(import.fault, None, "{log:?}");
    }
    // Another object is one, whether its last line is ended or not.
    for log in ["0 :invoke :enqueue 5", "0 :invoke :enqueue 5\n"] {
        let error = import(log.as_bytes(), "a queue").unwrap_err();
        assert!(matches!(error, ImportError::OtherObject { .. }), "{error}");
    }
}

#[test]
fn plain_registers() {
    let import = read("registers.jsonl");
    assert_eq!(import.format, Format::Plain);
    let history = of_registers(&import);
    assert_eq!(history.header.origin, "a sample");
    assert_eq!(history.clients, ["c1", "c2", "7"]);
    assert_eq!(outcome(&import), (Outcome::Valid, vec![]));
    // Had the refused one come first, nothing would explain it.
    let text = String::from_utf8(sample("registers.jsonl")).unwrap();
    let early = text.replace(
        r#""expected":0,"value":"b""#,
        r#""expected":"a","value":"b""#,
    );
    let swapped = early.replace(
        r#""client":"c1","swapped""#,
        r#""client":"c1","f":"cas","swapped""#,
    );
    let import = sibcheck_checkers::import::import(swapped.as_bytes(), "changed").unwrap();
    assert_eq!(
        outcome(&import).0,
        Outcome::Valid,
        "it may have come before"
    );
}

#[test]
fn plain_siblings_get_their_provenance_by_joining_clocks() {
    let import = read("siblings-clocks.jsonl");
    let Content::Siblings(history) = &import.content else {
        panic!()
    };
    let Action::Write(write) = &history.operations[3].action else {
        panic!()
    };
    assert_eq!(*write.sources, [2], "the read carried both clocks");
    let matched = Note::Matched {
        carried: 1,
        joined: 0,
    };
    assert!(import.notes.contains(&matched), "{:?}", import.notes);
    let verdict = judge(history, Claim::Eventual).unwrap();
    assert_eq!(verdict.outcome, Outcome::Violated);
    let found: Vec<_> = verdict.violations.iter().map(|v| v.invariant).collect();
    assert!(found.contains(&Invariant::NoLostUpdate), "{found:?}");
}

#[test]
fn a_context_may_join_several_answers() {
    let text = String::from_utf8(sample("siblings-clocks.jsonl")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.drain(4..6);
    let without_read = lines.join("\n");
    let import = import(without_read.as_bytes(), "joined").unwrap();
    let Content::Siblings(history) = &import.content else {
        panic!()
    };
    let Action::Write(write) = &history.operations[2].action else {
        panic!()
    };
    assert_eq!(*write.sources, [0, 1]);
    assert!(import.notes.contains(&Note::Matched {
        carried: 0,
        joined: 1
    }));
}

#[test]
fn opaque_contexts_match_and_unknown_ones_leave_their_key_out() {
    let import = read("siblings-opaque.jsonl");
    let Content::Siblings(history) = &import.content else {
        panic!()
    };
    let left_out = Note::LeftOut {
        key: "y".into(),
        line: 7,
    };
    for note in [left_out, Note::NoNodes, Note::NoClocks] {
        assert!(import.notes.contains(&note), "{note:?} {:?}", import.notes);
        assert!(note.limits() && !note.to_string().is_empty() && !note.kind().is_empty());
    }
    assert_eq!(history.operations.len(), 4);
    let Action::Write(write) = &history.operations[2].action else {
        panic!()
    };
    assert_eq!(*write.sources, [1]);
    assert_eq!(outcome(&import), (Outcome::Valid, vec![]));
}

#[test]
fn faults_name_their_line_and_what_came_before_is_kept() {
    for name in [
        "register.edn",
        "map.edn",
        "registers.jsonl",
        "siblings-clocks.jsonl",
        "keyed.edn",
    ] {
        let whole = sample(name);
        let lines = whole.split(|byte| *byte == b'\n').count() as u64;
        let mut broken = whole.clone();
        let end = broken.trim_ascii_end().len() - 5;
        broken.truncate(end);
        let import = import(broken.as_slice(), name).unwrap();
        let fault = import.fault.clone().unwrap();
        assert_eq!(fault.line, lines - 1, "{name}: {fault}");
        let (outcome, told) = outcome(&import);
        assert_ne!(
            outcome,
            Outcome::Violated,
            "{name}: the last answer is missing: {told:?}"
        );
    }
    let nowhere = import(&b"{\"type\":\"ok\",\"client\":\"c1\"}\n"[..], "x").unwrap_err();
    assert!(
        nowhere
            .to_string()
            .starts_with("line 1: expected an invocation by c1"),
        "{nowhere}"
    );
    let garbage = import(&b"what is this?\n"[..], "x").unwrap_err();
    assert!(
        matches!(garbage, ImportError::Unrecognised { .. }),
        "{garbage}"
    );
    let empty = import(&b""[..], "x").unwrap_err();
    assert!(matches!(empty, ImportError::Unrecognised { .. }), "{empty}");
    let version = import(&b"{\"sibcheck_events\":9}\n"[..], "x").unwrap_err();
    assert!(version.to_string().contains("version 1"), "{version}");
    let transaction = import(
        &b"{:process 0, :type :invoke, :f :txn, :value nil}"[..],
        "x",
    )
    .unwrap_err();
    assert!(
        transaction.to_string().contains("\"txn\" is no operation"),
        "{transaction}"
    );
}

#[test]
fn formats_are_told_by_their_beginning() {
    let own = br#"{"sibcheck_history":1,"origin":"x"}"#;
    for (beginning, format) in [
        (&own[..], Some(Format::Sibcheck)),
        (br#"{"op":0}"#, Some(Format::Sibcheck)),
        (b"  \n[{:process 0", Some(Format::JepsenEdn)),
        (b"; a comment", Some(Format::JepsenEdn)),
        (br#"{"type": "invoke"}"#, Some(Format::Plain)),
        (b"", None),
        (b"hello", None),
    ] {
        assert_eq!(
            Format::detect(beginning),
            format,
            "{}",
            String::from_utf8_lossy(beginning)
        );
    }
}

#[test]
fn what_is_written_reads_back() {
    for name in [
        "registers.jsonl",
        "register.edn",
        "keyed.edn",
        "map.edn",
        "register.log",
    ] {
        let first = read(name);
        let history = of_registers(&first);
        let mut bytes = Vec::new();
        write_registers(history, &mut bytes).unwrap();
        let again = import(bytes.as_slice(), "again").unwrap();
        assert_eq!(outcome(&first).0, outcome(&again).0, "{name}");
        let mut twice = Vec::new();
        write_registers(of_registers(&again), &mut twice).unwrap();
        assert_eq!(bytes, twice, "{name}");
    }
}

proptest! {
    #![proptest_config(crate::property_tests::drawing(256))]

    #[test]
    fn no_damage_makes_an_importer_or_a_judge_panic(
        which in 0..7_usize,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
    ) {
        let names = ["register.edn", "keyed.edn", "map.edn", "register.log", "registers.jsonl",
            "siblings-clocks.jsonl", "siblings-opaque.jsonl"];
        let mut bytes = sample(names[which]);
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() / 2 + end.index(bytes.len()));
        if let Ok(import) = import(bytes.as_slice(), "damaged") {
            match &import.content {
                Content::Registers(history) => {
                    let budget = Budget { steps: 100_000, bytes: 1 << 20 };
                    let verdict = registers::judge(history, budget).unwrap();
                    let _ = verdict.to_json(history).to_string();
                }
                Content::Siblings(history) => for claim in Claim::ALL {
                    let _ = judge(history, claim);
                },
            }
        }
    }
}
