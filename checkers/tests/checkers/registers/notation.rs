//! Histories of a register as text, one operation a line, in any order:
//!
//! ```text
//! 1..2  write 1
//! 2..?  cas 1 2          unknown: it may take effect at any time from 2
//! 3..4  refused 1 2      a compare-and-set that found something else than 1
//! 3..!4 append "a"       failed
//! 5..6  read null
//! ```
//!
//! Each operation has a client of its own.

use serde_json::{Value as Json, json};
use sibcheck_checkers::registers::{
    History,
    history::{Action, Clock, Interner, Operation, Status},
};

/// Reads the notation; `initial` is what the register holds at first.
pub(super) fn register(initial: &Json, text: &str) -> History {
    let mut names = Interner::default();
    let initial = names.value(initial);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut operations = Vec::new();
    for (number, line) in lines.enumerate() {
        let (times, rest) = line.split_once(char::is_whitespace).expect("times");
        let (verb, rest) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
        let values: Vec<Json> = values.collect::<Result<_, _>>().expect("values");
        let mut value = |at: usize| names.value(&values[at]);
        let action = match verb {
            "read" if values.is_empty() => Action::Read(None),
            "read" => Action::Read(Some(value(0))),
            "write" => Action::Write(value(0)),
            "append" => Action::Append(value(0)),
            "cas" | "refused" => Action::CompareAndSet {
                expected: value(0),
                new: value(1),
                swapped: verb == "cas",
            },
            _ => panic!("no operation: {line}"),
        };
        let (from, to) = times.split_once("..").expect("from..to");
        let (status, completed) = match to.strip_prefix('!') {
            Some(to) => (Status::Fail, Some(to)),
            None if to == "?" => (Status::Info, None),
            None => (Status::Ok, Some(to)),
        };
        operations.push(Operation {
            client: names.client(&format!("c{}", number + 1)),
            node: 0,
            key: names.key("x"),
            action,
            status,
            invoked: from.parse().expect("a time"),
            completed: completed.map(|to| to.parse().expect("a time")),
        });
    }
    names.history("a test".to_owned(), Clock::Nanoseconds, initial, operations)
}

/// Writes the notation, after what the register holds at first.
pub(super) fn text(history: &History) -> String {
    let value = |id| history.value(id).to_string();
    let mut text = format!("initially {}\n", value(history.tables.initial));
    for operation in &history.operations {
        let action = match operation.action {
            Action::Read(returned) => format!("read {}", returned.map(value).unwrap_or_default()),
            Action::Write(written) => format!("write {}", value(written)),
            Action::Append(added) => format!("append {}", value(added)),
            Action::CompareAndSet {
                expected,
                new,
                swapped,
            } => {
                let verb = if swapped { "cas" } else { "refused" };
                format!("{verb} {} {}", value(expected), value(new))
            }
        };
        let completed = operation.completed.map(|to| to.to_string());
        let completed = completed.unwrap_or_default();
        let to = match operation.status {
            Status::Ok => completed,
            Status::Fail => format!("!{completed}"),
            Status::Info => "?".to_owned(),
        };
        let from = operation.invoked;
        text.extend([format!("{from}..{to} {action}\n")]);
    }
    text
}

#[test]
fn text_reads_back() {
    let lines = "1..2 write 1\n2..? cas 1 [2, \"a b\"]\n3..4 refused 1 2\n3..!4 append \"a\"\n5..6 read null\n";
    let history = register(&json!(""), lines);
    let expected = format!("initially \"\"\n{}", lines.replace("[2, ", "[2,"));
    assert_eq!(text(&history), expected);
}
