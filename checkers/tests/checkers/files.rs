//! The history format: what is written reads back, and what is wrong is told with its place.

use std::io::BufReader;

use proptest::prelude::*;
use sibcheck_checkers::{
    Claim, HistoryFault, Invariant, ObjectModel, Outcome,
    format::{FormatError, read_history, read_what_is_readable, write_history},
    history::{Action, AffectedMessage, Expectation, Fault, FaultKind, History, Party, Version},
    judge,
};

use crate::support::history;

fn bytes(history: &History) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_history(history, &mut bytes).unwrap();
    bytes
}

fn example() -> History {
    let mut history = history(
        "c1@n1 tag=1 write a -> {n1:1}\n\
         c2@n2 [1..2] key=y tag=2 delete with {} -> n2.1/{n1:1}\n\
         c1@n1 [20..30] tag=3 write b after 0 with {n1:1} info\n\
         c1@n1 [40..50] final a~1={n1:1} †~2=n2.1 b~3 context {n1:1,n2:1}\n\
         c2@n1 [60..70] read fail",
    );
    history.header.claim = Some(Claim::Eventual);
    history.header.expect = Some(Expectation {
        outcome: Outcome::Violated,
        invariants: vec![Invariant::NoLostUpdate],
        why: "an \"example\"".to_owned(),
    });
    history
}

#[test]
fn what_is_written_reads_back() {
    let history = example();
    assert_eq!(read_history(bytes(&history).as_slice()).unwrap(), history);
    let text = String::from_utf8(bytes(&history)).unwrap();
    let expected = r#"{"sibcheck_history":1,"origin":"a test","claim":"eventual","tombstones":"shown","operations":5,"expect":{"verdict":"violated","invariants":["no lost update"],"why":"an \"example\""}}
{"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":0,"completed_ns":5000000,"status":"ok","write":{"value":"a","tag":1,"clock":{"n1":1}}}
{"op":1,"client":"c2","node":"n2","key":"y","invoked_ns":1000000,"completed_ns":2000000,"status":"ok","delete":{"tag":2,"context":{},"dot":["n2",1],"past":{"n1":1}}}
{"op":2,"client":"c1","node":"n1","key":"x","invoked_ns":20000000,"status":"info","write":{"value":"b","tag":3,"sources":[0],"context":{"n1":1}}}
{"op":3,"client":"c1","node":"n1","key":"x","invoked_ns":40000000,"completed_ns":50000000,"status":"ok","read":{"siblings":[{"value":"a","tag":1,"clock":{"n1":1}},{"tombstone":true,"tag":2,"dot":["n2",1]},{"value":"b","tag":3}],"context":{"n1":1,"n2":1},"final":true}}
{"op":4,"client":"c2","node":"n1","key":"x","invoked_ns":60000000,"completed_ns":70000000,"status":"fail","read":{"siblings":[]}}
"#;
    assert_eq!(text, expected);
}

/// The example with three faults.
fn example_with_faults() -> History {
    let mut history = example();
    let message = |at, from, to| AffectedMessage { at, from, to };
    let (c2, n1, n2) = (Party::Client(1), Party::Node(0), Party::Node(1));
    let fault = |kind, messages, first| Fault {
        kind,
        began: 1,
        ended: Some(9),
        messages,
        first,
        unsynced: None,
    };
    history.faults = vec![
        fault(
            FaultKind::Partition(vec![(1, 0)]),
            7,
            vec![message(3, n2, n1)],
        ),
        Fault {
            ended: None,
            unsynced: Some(2),
            ..fault(FaultKind::Crash(1), 1, vec![message(4, c2, n2)])
        },
        fault(FaultKind::ClientLoss, 1, vec![message(5, n1, c2)]),
        fault(
            FaultKind::Clock {
                node: 0,
                jump_ns: -3,
                drift_ppm: 20,
            },
            1,
            Vec::new(),
        ),
        Fault {
            unsynced: Some(3),
            ..fault(FaultKind::PowerLoss(0), 0, Vec::new())
        },
    ];
    history
}

#[test]
fn faults_are_version_2() {
    let history = example_with_faults();
    let text = String::from_utf8(bytes(&history)).unwrap();
    let head: Vec<&str> = text.lines().take(6).collect();
    let expected = [
        r#"{"sibcheck_history":2,"origin":"a test","claim":"eventual","tombstones":"shown","operations":5,"faults":5,"expect":{"verdict":"violated","invariants":["no lost update"],"why":"an \"example\""}}"#,
        r#"{"fault":0,"kind":"partition","links":[["n2","n1"]],"began_ns":1,"ended_ns":9,"affected":7,"messages":[{"ns":3,"from":"n2","to":"n1"}]}"#,
        r#"{"fault":1,"kind":"crash","node":"n2","began_ns":1,"affected":1,"unsynced":2,"messages":[{"ns":4,"client":"c2","to":"n2"}]}"#,
        r#"{"fault":2,"kind":"client-loss","began_ns":1,"ended_ns":9,"affected":1,"messages":[{"ns":5,"client":"c2","from":"n1"}]}"#,
        r#"{"fault":3,"kind":"clock","node":"n1","jump_ns":-3,"drift_ppm":20,"began_ns":1,"ended_ns":9,"affected":1}"#,
        r#"{"fault":4,"kind":"power-loss","node":"n1","began_ns":1,"ended_ns":9,"affected":0,"unsynced":3}"#,
    ];
    assert_eq!(head, expected);
    assert_eq!(read_history(text.as_bytes()).unwrap(), history);
    // Version 2 need not have any.
    let plain = String::from_utf8(bytes(&example())).unwrap();
    let without = plain.replace("\"sibcheck_history\":1", "\"sibcheck_history\":2");
    assert_eq!(read_history(without.as_bytes()).unwrap(), example());
}

#[test]
fn wrong_faults_are_told_with_their_place() {
    let text = String::from_utf8(bytes(&example_with_faults())).unwrap();
    for (from, to, told) in [
        (
            "\"sibcheck_history\":2",
            "\"sibcheck_history\":1",
            "line 1, column",
        ),
        ("\"faults\":5", "\"faults\":4", "line 6, column"),
        ("\"faults\":5", "\"faults\":6", "line 7, column"),
        (
            "\"fault\":1",
            "\"fault\":2",
            "expected fault 1, found fault 2",
        ),
        ("\"client-loss\"", "\"fire\"", "unknown variant `fire`"),
        ("\"node\":\"n2\",", "", "line 3, column"),
        (
            "\"crash\"",
            "\"reorder\"",
            "a crash, power-loss, stop, pause, leave or clock names",
        ),
        (
            "\"crash\"",
            "\"pause\"",
            "only a crash or a power-loss loses",
        ),
        ("\"jump_ns\":-3,", "", "a wrong clock has its"),
        ("\"clock\"", "\"pause\"", "a wrong clock has its"),
        ("\"affected\":7", "\"affected\":0", "more \"messages\" than"),
        ("\"client\":\"c2\",\"to\"", "\"to\"", "a message goes"),
        (
            "\"began_ns\":1,",
            "\"began_ns\":1,\"colour\":1,",
            "unknown field `colour`",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let error = read_history(text.replacen(from, to, 1).as_bytes());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(told), "{error:?} does not tell {told:?}");
    }
    let cut: String = text
        .lines()
        .take(2)
        .map(|line| line.to_owned() + "\n")
        .collect();
    let error = read_history(cut.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("announces 5 faults and the file holds 1"),
        "{error}"
    );
    let mut nameless = example_with_faults();
    nameless.faults[0].kind = FaultKind::Pause(9);
    assert!(write_history(&nameless, Vec::new()).is_err());
}

#[test]
fn the_object_model_is_context_unless_it_is_named() {
    let mut history = example();
    history.header.model = ObjectModel::Replica;
    let text = String::from_utf8(bytes(&history)).unwrap();
    assert!(text.contains(r#""tombstones":"shown","model":"replica","operations":5"#));
    assert_eq!(read_history(text.as_bytes()).unwrap(), history);
    history.header.model = ObjectModel::Context;
    let named = text.replace("\"replica\"", "\"context\"");
    assert_eq!(read_history(named.as_bytes()).unwrap(), history);
    let unknown = text.replace("\"replica\"", "\"mirror\"");
    let error = read_history(unknown.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("mirror") && error.contains("context"),
        "{error}"
    );
}

#[test]
fn faults_of_a_file_are_told_with_their_place() {
    let text = String::from_utf8(bytes(&example())).unwrap();
    let header = text.lines().next().unwrap();
    let with = |operation: &str| {
        let header = header.replace("\"operations\":5", "\"operations\":1");
        format!("{header}\n{operation}\n")
    };
    let operation = |rest: &str| {
        with(&format!(
            r#"{{"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":0,"completed_ns":5,{rest}}}"#
        ))
    };
    for (file, told) in [
        (String::new(), "an empty file"),
        ("noise\n".to_owned(), "line 1: expected a header"),
        (r#"{"op":0}"#.to_owned() + "\n", "found an operation"),
        (
            text.replace("\"sibcheck_history\":1", "\"sibcheck_history\":3"),
            "found one of version 3, which is of registers",
        ),
        (
            text.replace("\"sibcheck_history\":1", "\"sibcheck_history\":4"),
            "reads versions 1 to 3 of the history format, and the file has version 4",
        ),
        (
            text[..text.len() - 20].to_owned(),
            "line 6: the file ends in the middle",
        ),
        (
            header[..40].to_owned(),
            "line 1: the file ends in the middle",
        ),
        (
            text.lines()
                .take(3)
                .map(|line| line.to_owned() + "\n")
                .collect(),
            "announces 5 operations and the file holds 2",
        ),
        (
            operation(r#""status":"ok","write":{"value":1,"speed":9}"#),
            "unknown field `speed`",
        ),
        (
            operation(r#""status":"maybe","write":{"value":1}"#),
            "unknown variant `maybe`, expected one of",
        ),
        (
            operation(r#""status":"ok","write":{}"#),
            "missing field `value`",
        ),
        (
            operation(r#""status":"ok""#),
            "exactly one of \"write\", \"delete\" and \"read\"",
        ),
        (
            operation(r#""status":"ok","read":{"siblings":[{}]}"#),
            "\"value\" or \"tombstone\":true",
        ),
        (
            operation(r#""status":"ok","write":{"value":1,"dot":["n1",0]}"#),
            "a counter of 1 or more",
        ),
        (
            operation(r#""status":"ok","write":{"value":1,"past":{}}"#),
            "a \"dot\" beside \"past\"",
        ),
        (
            operation(r#""status":"ok","write":{"value":1,"clock":{},"dot":["n1",1]}"#),
            "found both",
        ),
        (
            operation(r#""status":"ok","write":{"value":1,"clock":{"a":1,"a":2}}"#),
            "one entry for \"a\"",
        ),
        (
            operation(r#""status":"ok","write":{"value":1}"#).replace("\"op\":0", "\"op\":7"),
            "expected operation 0, found operation 7",
        ),
    ] {
        let error = read_history(file.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(told), "{error:?} does not tell {told:?}");
    }
    let error =
        read_history(operation(r#""status":"ok","write":{"value":1,"speed":9}"#).as_bytes());
    assert!(
        matches!(
            error,
            Err(FormatError::Malformed {
                line: 2,
                column: 103..,
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn however_the_bytes_come_the_history_is_the_same() {
    let history = example();
    let plain = String::from_utf8(bytes(&history)).unwrap();
    let windows = plain.replace('\n', "\r\n\r\n");
    let spaced = plain.replace("\"status\"", " \"status\"");
    let open = plain.trim_end();
    for text in [&plain, &windows, &spaced, open] {
        for buffer in [1, 2, 7, 64, 200, 1 << 16] {
            let reader = BufReader::with_capacity(buffer, text.as_bytes());
            assert_eq!(read_history(reader).unwrap(), history, "{buffer}: {text}");
        }
    }
    let cut = &plain[..plain.len() - 5];
    for buffer in [1, 7, 1 << 16] {
        let reader = BufReader::with_capacity(buffer, cut.as_bytes());
        let read = read_what_is_readable(reader).unwrap();
        assert_eq!(read.history.operations, history.operations[..4]);
        assert!(matches!(
            read.fault,
            Some(FormatError::Truncated { line: 6 })
        ));
    }
}

#[test]
fn fields_may_come_in_any_order_and_numbers_may_be_large() {
    let read = |line: &str| {
        let header =
            r#"{"sibcheck_history":1,"origin":"a test","tombstones":"shown","operations":1}"#;
        read_history(format!("{header}\n{line}\n").as_bytes()).unwrap()
    };
    let one = read(
        r#"{"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":7,"completed_ns":18446744073709551615,"status":"ok","write":{"value":18446744073709551615,"tag":9999999999999999999,"sources":[0],"clock":{"a":1,"b":10000000000000000000}}}"#,
    );
    let other = read(
        r#"{"write":{"clock":{"b":10000000000000000000,"a":1,"c":0},"sources":[0],"tag":9999999999999999999,"value":18446744073709551615},"status":"ok","completed_ns":18446744073709551615,"invoked_ns":7,"key":"x","node":"n1","client":"c1","op":0}"#,
    );
    assert_eq!(one, other);
    assert_eq!(one.operations[0].completed, Some(u64::MAX));
    let Action::Write(write) = &one.operations[0].action else {
        unreachable!()
    };
    assert_eq!(write.value.data.as_u64(), Some(u64::MAX));
    assert_eq!(write.value.tag, Some(9_999_999_999_999_999_999));
    let Some(Version::Clock(clock)) = &write.version else {
        unreachable!()
    };
    assert_eq!(clock.get("b"), 10_000_000_000_000_000_000);
}

#[test]
fn what_a_header_announces_is_not_believed() {
    let header = r#"{"sibcheck_history":1,"origin":"a test","tombstones":"shown","operations":18446744073709551615}"#;
    let line = r#"{"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":7,"completed_ns":8,"status":"ok","read":{}}"#;
    let read = read_what_is_readable(format!("{header}\n{line}\n").as_bytes()).unwrap();
    assert_eq!(read.history.operations.len(), 1);
    assert!(matches!(
        read.fault,
        Some(FormatError::WrongCount { found: 1, .. })
    ));
}

#[test]
fn equal_answers_and_clocks_are_held_once() {
    let history = history(
        "c1@n1 [0..1] write a -> {n1:1}\n\
         c2@n1 [2..3] read a={n1:1}\n\
         c3@n1 [4..5] read a={n1:1}",
    );
    let back = read_history(bytes(&history).as_slice()).unwrap();
    assert_eq!(back, history);
    let answers: Vec<_> = back
        .operations
        .iter()
        .filter_map(|op| match &op.action {
            Action::Read(read) => Some(read.siblings.as_ptr()),
            Action::Write(_) => None,
        })
        .collect();
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_null_value_is_a_value_and_zeros_are_no_entries() {
    let text = r#"{"sibcheck_history":1,"origin":"","tombstones":"shown","operations":1}

{"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":0,"completed_ns":5,"status":"ok","read":{"siblings":[{"value":null,"clock":{"b":1,"a":0}}]}}"#;
    let history = read_history(text.as_bytes()).unwrap();
    let written = String::from_utf8(bytes(&history)).unwrap();
    assert!(
        written.contains(r#"{"value":null,"clock":{"b":1}}"#),
        "{written}"
    );
}

#[test]
fn histories_that_contradict_themselves_are_refused() {
    let fault = |text: &str| judge(&history(text), Claim::Eventual).unwrap_err();
    assert_eq!(
        fault("c1@n1 [5..6] read\nc1@n1 [4..6] read"),
        HistoryFault::NotSorted { op: 1 }
    );
    assert_eq!(
        fault("c1@n1 [5..4] read"),
        HistoryFault::CompletedTooEarly { op: 0 }
    );
    assert_eq!(
        fault("c1@n1 [5..] read"),
        HistoryFault::NeverCompleted { op: 0 }
    );
    assert_eq!(
        fault("c1@n1 tag=1 write a\nc1@n1 tag=1 write b"),
        HistoryFault::TagUsedTwice {
            op: 1,
            first: 0,
            tag: 1
        }
    );
    assert_eq!(
        fault("c1@n1 tag=900000 write a\nc1@n1 tag=900000 write b"),
        HistoryFault::TagUsedTwice {
            op: 1,
            first: 0,
            tag: 900_000
        }
    );
    assert_eq!(
        fault("c1@n1 write a\nc1@n1 write a"),
        HistoryFault::ValueUsedTwice { op: 1, first: 0 }
    );
    assert_eq!(
        fault("c1@n1 write a after 0"),
        HistoryFault::SourceNotEarlier {
            op: 0,
            source_op: 0
        }
    );
    assert_eq!(
        fault("c1@n1 key=y read\nc1@n1 write a after 0"),
        HistoryFault::SourceOfOtherKey {
            op: 1,
            source_op: 0
        }
    );
    assert_eq!(
        fault("c1@n1 read fail\nc1@n1 write a after 0"),
        HistoryFault::SourceWithoutAnswer {
            op: 1,
            source_op: 0
        }
    );
    assert_eq!(
        fault("c1@n1 [0..9] read\nc1@n1 [5..9] write a after 0"),
        HistoryFault::SourceTooLate {
            op: 1,
            source_op: 0
        }
    );
    let mut nameless = history("c1@n1 read");
    nameless.operations[0].node = 3;
    let expected = HistoryFault::NoSuchName {
        op: 0,
        what: "node",
        index: 3,
        names: 1,
    };
    assert_eq!(judge(&nameless, Claim::Eventual), Err(expected));
    assert!(write_history(&nameless, Vec::new()).is_err());
}

proptest! {
    #![proptest_config(crate::property_tests::drawing(256))]

    #[test]
    fn numbers_read_back_bit_for_bit(number in prop_oneof![any::<f64>(), -1e9..1e9_f64]) {
        let mut history = example();
        let json = serde_json::Value::from(number);
        if let Action::Write(write) = &mut history.operations[0].action {
            write.value.data = json.clone().into();
        }
        let back = read_history(bytes(&history).as_slice()).unwrap();
        let Action::Write(write) = &back.operations[0].action else { unreachable!() };
        prop_assert_eq!(write.value.data.to_json().as_f64().map(f64::to_bits), json.as_f64().map(f64::to_bits));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_history(noise.as_slice());
    }

    #[test]
    fn no_damage_makes_the_reader_or_the_judge_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes(&example());
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read_history(&bytes[..end.index(bytes.len())]);
        if let Ok(history) = read_history(bytes.as_slice()) {
            for claim in Claim::ALL {
                if let Ok(verdict) = judge(&history, claim) {
                    let _ = verdict.to_json(&history).to_string();
                }
            }
        }
    }
}
