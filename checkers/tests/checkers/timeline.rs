//! The timeline of a proof: all operations that matter, and the faults between them.

use std::fmt::Write;

use sibcheck_checkers::{
    Claim, History, Outcome, Violation,
    explanation::{Moment, What},
    format::{read_history, write_history},
    judge,
};

use crate::support::history;

/// The lines of the first violation's timeline.
fn told(history: &History) -> Vec<String> {
    let violation = first(history);
    let timeline = violation.timeline(history);
    timeline.moments.iter().map(Moment::line).collect()
}

fn first(history: &History) -> Violation {
    let verdict = judge(history, Claim::Eventual).unwrap();
    assert_eq!(verdict.outcome, Outcome::Violated);
    verdict.violations[0].clone()
}

/// A lost update with these faults: written at 0, gone at 100 ms.
fn lost(faults: &[&str]) -> History {
    let mut lost = history(
        "c1@n1 [0..5] write a -> {n1:1}\n\
         c2@n2 [10..15] write b -> {n2:1}\n\
         c9@n1 [100..105] final b={n2:1}",
    );
    let mut bytes = Vec::new();
    write_history(&lost, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (header, operations) = text.split_once('\n').unwrap();
    let count = faults.len();
    let header = header.replace("\"sibcheck_history\":1", "\"sibcheck_history\":2");
    let header = header.replace(
        "\"operations\":3",
        &format!("\"operations\":3,\"faults\":{count}"),
    );
    let lines: Vec<String> = (0..)
        .zip(faults)
        .map(|(number, rest)| format!("{{\"fault\":{number},{rest}}}\n"))
        .collect();
    let text = format!("{header}\n{}{operations}", lines.concat());
    lost = read_history(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(lost.faults.len(), faults.len());
    lost
}

#[test]
fn faults_stand_between_the_operations() {
    let faults = [
        r#""kind":"partition","links":[["n1","n2"],["n2","n1"]],"began_ns":12000000,"ended_ns":80000000,"affected":3,"messages":[{"ns":13000000,"from":"n1","to":"n2"},{"ns":14000000,"from":"n1","to":"n2"},{"ns":15000000,"from":"n2","to":"n1"}]"#,
        r#""kind":"crash","node":"n1","began_ns":61000000,"ended_ns":62000000,"affected":1,"unsynced":1,"messages":[{"ns":61500000,"client":"c1","to":"n1"}]"#,
        r#""kind":"loss","began_ns":0,"ended_ns":90000000,"affected":1,"messages":[{"ns":5000000,"from":"n1","to":"n2"}]"#,
    ];
    let expected = [
        "1. at 0 ns c1 at n1: write \"a\" with no context → ok {n1:1}",
        "1a. at 5 ms a message from n1 to n2 was lost",
        "2. at 10 ms c2 at n2: write \"b\" with no context → ok {n2:1}",
        "2a. from 12 ms to 80 ms n1 and n2 did not hear each other: 3 messages cut off",
        "2b. at 61 ms n1 crashed and lost what it had not synced (1 record); it was back at 62 ms, too late for 1 message",
        "3. at 100 ms c9 at n1: final read → ok [\"b\" {n2:1}]",
    ];
    assert_eq!(told(&lost(&faults)), expected);
}

#[test]
fn each_kind_of_fault_has_its_words() {
    let mut several = String::new();
    for ns in [20, 21, 22, 23] {
        let comma = if several.is_empty() { "" } else { "," };
        write!(
            several,
            "{comma}{{\"ns\":{ns}000000,\"from\":\"n1\",\"to\":\"n2\"}}"
        )
        .unwrap();
    }
    let cases = [
        (
            r#""kind":"crash","node":"n1","began_ns":61000000,"affected":2"#.to_owned(),
            "at 61 ms n1 was killed with what it had not made durable; it did not come back, too late for 2 messages",
        ),
        (
            r#""kind":"crash","node":"n1","began_ns":61000000,"ended_ns":70000000,"affected":1,"unsynced":0"#.to_owned(),
            "at 61 ms n1 crashed; it was back at 70 ms, too late for 1 message",
        ),
        (
            r#""kind":"power-loss","node":"n1","began_ns":61000000,"ended_ns":70000000,"affected":0,"unsynced":2"#.to_owned(),
            "at 61 ms n1 lost power and what it had not synced (2 files set back); it was back at 70 ms",
        ),
        (
            r#""kind":"power-loss","node":"n1","began_ns":61000000,"ended_ns":70000000,"affected":1,"unsynced":0"#.to_owned(),
            "at 61 ms n1 lost power, and had synced all that it had written to files; it was back at 70 ms, too late for 1 message",
        ),
        (
            r#""kind":"stop","node":"n1","began_ns":61000000,"ended_ns":70000000,"affected":1"#.to_owned(),
            "at 61 ms n1 was ended in good order; it was back at 70 ms, too late for 1 message",
        ),
        (
            r#""kind":"pause","node":"n2","began_ns":61000000,"ended_ns":70000000,"affected":5"#.to_owned(),
            "from 61 ms to 70 ms n2 stood still: 5 messages held back",
        ),
        (
            format!(r#""kind":"loss","began_ns":0,"affected":4,"messages":[{several}]"#),
            "at 20 ms a message from n1 to n2 was lost, at 21 ms a message from n1 to n2 was lost, at 22 ms a message from n1 to n2 was lost and 1 more",
        ),
        (
            r#""kind":"client-loss","began_ns":0,"affected":2,"messages":[{"ns":20000000,"client":"c1","to":"n2"},{"ns":21000000,"client":"c1","from":"n2"}]"#.to_owned(),
            "at 20 ms the request of c1 to n2 was lost, at 21 ms the answer of n2 to c1 was lost",
        ),
        (
            r#""kind":"duplicate","began_ns":0,"affected":1,"messages":[{"ns":20000000,"from":"n1","to":"n2"}]"#.to_owned(),
            "at 20 ms a message from n1 to n2 arrived a second time",
        ),
        (
            r#""kind":"reorder","began_ns":0,"affected":1,"messages":[{"ns":20000000,"from":"n1","to":"n2"}]"#.to_owned(),
            "at 20 ms a message from n1 to n2 arrived after a later one",
        ),
        (
            r#""kind":"partition","links":[["n1","n2"]],"began_ns":61000000,"ended_ns":70000000,"affected":2"#.to_owned(),
            "from 61 ms to 70 ms n2 did not hear n1: 2 messages cut off",
        ),
        (
            r#""kind":"partition","links":[["n1","n2"],["n1","n3"],["n2","n1"],["n3","n1"]],"began_ns":61000000,"affected":2"#.to_owned(),
            "from 61 ms on n1 was cut off from n2 and n3: 2 messages cut off",
        ),
        (
            r#""kind":"partition","links":[["n1","n2"],["n2","n1"],["n2","n3"],["n3","n2"],["n3","n4"],["n4","n3"]],"began_ns":61000000,"affected":2"#.to_owned(),
            "from 61 ms on n2 did not hear n1 and n3; n1 did not hear n2; n3 did not hear n2 and n4; n4 did not hear n3: 2 messages cut off",
        ),
    ];
    for (fault, words) in cases {
        let history = lost(&[&fault]);
        let timeline = first(&history).timeline(&history);
        let told = timeline
            .moments
            .iter()
            .find(|moment| moment.what == What::Fault(0));
        let told = told.unwrap_or_else(|| panic!("{fault} is not told"));
        assert_eq!(told.text, words);
    }
}

/// What a program forgets when it is ended, nobody counts.
#[test]
fn a_node_that_was_ended_may_have_forgotten_something() {
    for kind in ["stop", "crash"] {
        let fault = |began: u32| {
            format!(
                r#""kind":"{kind}","node":"n1","began_ns":{began}000000,"ended_ns":{began}500000,"affected":0"#
            )
        };
        let told = told(&lost(&[&fault(61), &fault(200)]));
        assert_eq!(told.len(), 4, "{told:?}");
        let words = [
            "was ended in good order",
            "was killed with what it had not made durable",
        ];
        let word = words[usize::from(kind == "crash")];
        assert_eq!(
            told[2],
            format!("2a. at 61 ms n1 {word}; it was back at 61.5 ms")
        );
    }
}

#[test]
fn what_affected_nothing_or_was_before_or_after_is_not_told() {
    let faults = [
        r#""kind":"crash","node":"n1","began_ns":1000000,"ended_ns":2000000,"affected":0,"unsynced":0"#,
        r#""kind":"loss","began_ns":0,"ended_ns":900000000,"affected":1,"messages":[{"ns":300000000,"from":"n1","to":"n2"}]"#,
        r#""kind":"pause","node":"n1","began_ns":200000000,"ended_ns":300000000,"affected":1"#,
    ];
    assert_eq!(told(&lost(&faults)).len(), 3);
    let verdict = |history: &History| judge(history, Claim::Eventual).unwrap();
    assert_eq!(
        verdict(&lost(&faults)),
        verdict(&lost(&[])),
        "told, never judged"
    );
}

#[test]
fn contexts_are_traced_to_where_they_came_from() {
    let history = history(
        "c1@n1 write a -> {n1:1}\n\
         c1@n1 write b after 0 -> {n1:2}\n\
         c1@n1 write c after 1 -> {n1:3}\n\
         c2@n2 write d -> {n2:1}\n\
         c9@n1 final c={n1:3}",
    );
    assert_eq!(
        told(&history),
        [
            "1. at 0 ns c1 at n1: write \"a\" with no context → ok {n1:1}",
            "2. at 10 ms c1 at n1: write \"b\" with the context of 1 → ok {n1:2}",
            "3. at 20 ms c1 at n1: write \"c\" with the context of 2 → ok {n1:3}",
            "4. at 30 ms c2 at n2: write \"d\" with no context → ok {n2:1}",
            "5. at 40 ms c9 at n1: final read → ok [\"c\" {n1:3}]",
        ]
    );
}

#[test]
fn very_many_operations_are_cut_and_counted() {
    let mut text = "c1@n1 write v0 -> {n1:1}\n".to_owned();
    for op in 1..100 {
        let (before, counter) = (op - 1, op + 1);
        writeln!(text, "c1@n1 write v{op} after {before} -> {{n1:{counter}}}").unwrap();
    }
    text += "c2@n2 write d -> {n2:1}\nc9@n1 final v99={n1:100}";
    let told = told(&history(&text));
    assert!(told.len() < 10, "{told:#?}");
    assert_eq!(told[0], "… 99 more operations");
    assert!(told[1].contains("write \"v99\" with the context of the write of \"v98\""));
    let json = first(&history(&text)).to_json(&history(&text));
    assert_eq!(json["timeline"][0]["left_out"], 99);
}

/// Two reads return so many siblings, each with a clock of its own, and a context of all of them; only
/// the first was written.
fn of_many_siblings(siblings: usize) -> History {
    let returned: Vec<String> = (0..siblings).map(|at| format!("v{at}=a{at}.1")).collect();
    let context: Vec<String> = (0..siblings).map(|at| format!("a{at}:1")).collect();
    let (returned, context) = (returned.join(" "), context.join(","));
    history(&format!(
        "c1@n1 write v0 -> a0.1/{{}}\n\
         c2@n1 read {returned} context {{{context}}}\n\
         c3@n1 final {returned} context {{{context}}}"
    ))
}

#[test]
fn long_answers_and_contexts_are_cut_and_counted() {
    let history = of_many_siblings(2_000);
    let verdict = judge(&history, Claim::Eventual).unwrap();
    assert_eq!(verdict.outcome, Outcome::Violated);
    let told = told(&history).concat();
    assert!(
        told.contains("\"v9\" dot (a9, 1), … and 1,990 more] with context {"),
        "{told}"
    );
    assert!(told.contains(", … and 1,980 more}"), "{told}");
    let sentences: usize = verdict
        .violations
        .iter()
        .map(|violation| violation.sentence(&history).len())
        .sum();
    assert!(told.len() + sentences < 2_000, "{told}");
    let json = verdict.to_json(&history).to_string();
    assert!(json.len() < 5_000, "{}", json.len());
}
