//! Generated histories get the verdict that they were made for, however they are read and judged.

use std::fmt::Write as _;

use sibcheck_checkers::{
    Claim, History, Invariant, Outcome, Violation,
    format::{
        FormatError, HistoryReader, HistoryWriter, Names, read_history, read_what_is_readable,
        write_history,
    },
    judge,
    verdict::Finding,
};
use sibcheck_oracles::siblings::generate::{Shape, ShapeFault, SiblingHistory, Versions};

use crate::support::history;

const SHAPE: Shape = Shape {
    operations: 3_000,
    keys: 3,
    clients: 5,
    nodes: 3,
    versions: Versions::Dots,
    roaming: false,
    seed: 1,
    broken: false,
};

fn generated(shape: Shape) -> History {
    SiblingHistory::new(shape).unwrap().collect_history()
}

fn bytes(history: &History) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_history(history, &mut bytes).unwrap();
    bytes
}

#[test]
fn generated_histories_get_the_verdict_they_announce() {
    for (nodes, keys) in [(1, 1), (1, 4), (3, 1), (4, 5)] {
        for versions in [Versions::Dots, Versions::Clocks] {
            for (seed, broken) in [(1, false), (2, false), (3, true)] {
                let shape = Shape {
                    nodes,
                    keys,
                    versions,
                    seed,
                    broken,
                    roaming: seed == 2,
                    ..SHAPE
                };
                let history = generated(shape);
                let expected = history.header.expect.clone().unwrap();
                let verdict = judge(&history, shape.claim()).unwrap();
                assert_eq!(history.operations.len(), 3_000, "{shape:?}");
                assert_eq!(verdict.outcome, expected.outcome, "{shape:?}");
                for invariant in expected.invariants {
                    let mut found = verdict.violations.iter();
                    assert!(found.any(|v| v.invariant == invariant), "{shape:?}");
                }
                if broken && nodes == 1 {
                    let linearizability = Invariant::Linearizability;
                    let mut found = verdict.violations.iter();
                    assert!(found.any(|v| v.invariant == linearizability), "{shape:?}");
                }
            }
        }
    }
}

#[test]
fn one_shape_is_one_history_and_shapes_that_cannot_be_are_refused() {
    assert_eq!(generated(SHAPE), generated(SHAPE));
    let other = Shape { seed: 2, ..SHAPE };
    assert_ne!(generated(SHAPE).operations, generated(other).operations);
    let fault = |shape| SiblingHistory::new(shape).err();
    let keyless = Shape { keys: 0, ..SHAPE };
    assert_eq!(fault(keyless), Some(ShapeFault::Nothing("key")));
    let short = Shape {
        operations: 19,
        ..SHAPE
    };
    let told = fault(short).unwrap().to_string();
    assert!(told.contains("19 operations are too few"), "{told}");
}

/// More siblings than are compared each with each, every one with a clock entry of its own.
#[test]
fn what_is_wrong_among_many_siblings_is_found() {
    let judged = |wrong: &dyn Fn(usize) -> Option<&'static str>| {
        let clock = |client| wrong(client).map_or(format!("{{c{client}:1}}"), str::to_owned);
        let mut text = String::new();
        for client in 0..100 {
            writeln!(text, "c{client}@n1 write v{client} -> {}", clock(client)).unwrap();
        }
        let siblings = (0..100).map(|client| format!(" v{client}={}", clock(client)));
        writeln!(text, "r@n1 final{}", siblings.collect::<String>()).unwrap();
        let history = history(&text);
        judge(&history, Claim::Eventual).unwrap()
    };
    let verdict = judged(&|_| None);
    assert_eq!(verdict.outcome, Outcome::Valid);
    let antichain = Invariant::AnswerAntichain;
    assert_eq!(verdict.exercised.count(antichain), 4_950);
    let verdict = judged(&|client| (client == 70).then_some("{c3:1,c70:1}"));
    let mut violations = verdict.violations.iter();
    let violation = violations.find(|violation| violation.invariant == antichain);
    let violation = violation.unwrap();
    let ordered = Finding::OrderedAnswer {
        read: 100,
        siblings: [3, 70],
    };
    assert_eq!((&violation.finding, violation.more), (&ordered, 0));
    let precision = |violation: &Violation| violation.invariant == Invariant::ClockPrecision;
    assert!(verdict.violations.iter().any(precision));
}

#[test]
fn a_superseded_one_among_many_siblings_is_found() {
    let mut text = String::from("c0@n1 write v0\nc1@n1 read v0\n");
    for client in 1..100 {
        let context = if client == 40 { "after 1" } else { "" };
        writeln!(text, "c{client}@n1 write v{client} {context}").unwrap();
    }
    let siblings = (0..100).map(|client| format!(" v{client}"));
    writeln!(text, "r@n1 final{}", siblings.collect::<String>()).unwrap();
    let verdict = judge(&history(&text), Claim::Eventual).unwrap();
    let dominated = Finding::Dominated {
        read: 101,
        superseded: 0,
        by: 41,
    };
    let [violation] = &verdict.violations[..] else {
        panic!("{verdict:?}")
    };
    assert_eq!((&violation.finding, violation.more), (&dominated, 0));
}

/// Long enough to be judged on all threads.
#[test]
fn the_number_of_threads_changes_nothing() {
    let shape = Shape {
        operations: 60_000,
        keys: 7,
        broken: true,
        ..SHAPE
    };
    let history = generated(shape);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| judge(&history, Claim::Eventual).unwrap())
    };
    let alone = with(1);
    assert_eq!(alone.outcome, Outcome::Violated);
    assert_eq!(alone, with(3));
}

/// Written lines are read without detours; lines with a space are not.
#[test]
fn plain_lines_are_read_as_all_others() {
    for versions in [Versions::Dots, Versions::Clocks] {
        let history = generated(Shape { versions, ..SHAPE });
        let plain = bytes(&history);
        let spaced = String::from_utf8(plain.clone()).unwrap();
        let spaced = spaced.replace("{\"op\"", "{ \"op\"");
        let read = read_history(plain.as_slice()).unwrap();
        assert!(bytes(&read) == plain);
        assert!(read_history(spaced.as_bytes()).unwrap() == read);
    }
}

#[test]
fn histories_are_read_and_written_operation_by_operation() {
    let history = generated(SHAPE);
    let whole = bytes(&history);
    let mut reader = HistoryReader::new(whole.as_slice()).unwrap();
    let mut copy = Vec::new();
    let mut writer = HistoryWriter::new(&mut copy, reader.header(), 3_000).unwrap();
    while let Some(operation) = reader.next_operation().unwrap() {
        let names = Names {
            clients: reader.clients(),
            nodes: reader.nodes(),
            keys: reader.keys(),
        };
        writer.write(names, &operation).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(copy, whole);
    let writer = HistoryWriter::new(Vec::new(), &history.header, 1).unwrap();
    let told = writer.finish().unwrap_err().to_string();
    assert_eq!(told, "announced 1 operations and wrote 0");
}

#[test]
fn what_is_before_a_fault_is_kept() {
    let mut damaged = bytes(&generated(SHAPE));
    let whole = read_history(damaged.as_slice()).unwrap();
    let starts = (0..damaged.len()).filter(|at| damaged[*at] == b'\n');
    let line = starts.map(|at| at + 1).nth(100).unwrap();
    damaged[line] = b'[';
    let read = read_what_is_readable(damaged.as_slice()).unwrap();
    assert!(read.history.operations == whole.operations[..100]);
    let fault = read.fault.unwrap();
    assert!(
        matches!(fault, FormatError::Malformed { line: 102, .. }),
        "{fault}"
    );
}
