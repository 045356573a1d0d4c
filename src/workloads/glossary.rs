//! The words of the built-in dialects, told to people: made of the same values with which programs are
//! spoken to.

use std::fmt::{self, Write};

use serde_json::Value as Json;

use super::{
    Dialect, Wording as _,
    samples::{Sample, samples_of},
    with_words,
};
use crate::protocol::{Placeholder, Pointer, Template};

/// The messages of every built-in dialect, their fields and one exchange each, as Markdown.
pub fn glossary() -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = Dialect::BUILT_IN
        .iter()
        .try_for_each(|dialect| write_dialect(&mut text, dialect));
    text
}

fn write_dialect(out: &mut String, dialect: &Dialect) -> fmt::Result {
    writeln!(out, "### `{dialect}`\n")?;
    writeln!(out, "| message | field | type | what it is |")?;
    writeln!(out, "| --- | --- | --- | --- |")?;
    for (kind, fields) in with_words!(dialect.words(), W, words => words.messages()) {
        write_message(out, &kind, &fields)?;
    }
    writeln!(out, "\n```text")?;
    if let Some(sample) = sample(dialect) {
        for (arrow, line) in exchange(sample.text) {
            writeln!(out, "{arrow} {line}")?;
        }
    }
    writeln!(out, "```\n")
}

/// The sample in which most is said.
fn sample(dialect: &Dialect) -> Option<&'static Sample> {
    samples_of(dialect.name()).max_by_key(|sample| sample.text.len())
}

pub(super) fn answer_to(kind: &str) -> String {
    format!("{kind}_ok")
}

/// A field of a message: its name, its type and its meaning.
pub type Field = (String, &'static str, String);

fn write_message(out: &mut String, kind: &str, fields: &[Field]) -> fmt::Result {
    let mut shown = format!("`{kind}`");
    for (name, form, meaning) in fields {
        writeln!(out, "| {shown} | `{name}` | {form} | {meaning} |")?;
        shown.clear();
    }
    if fields.is_empty() {
        writeln!(out, "| {shown} | | | nothing that is looked at |")?;
    }
    Ok(())
}

pub(super) const CLOCK: &str = "clock";

/// The fields of a request.
pub(super) fn request(template: &Template) -> Vec<Field> {
    let told = |(name, json): (&String, &Json)| {
        let placeholder = json.as_str().and_then(Placeholder::of)?;
        let (form, meaning) = match placeholder {
            Placeholder::Key => ("string", "the key"),
            Placeholder::Value => ("any JSON", "the value"),
            Placeholder::Context => (CLOCK, "what the client has seen, or empty"),
            Placeholder::Clock => (CLOCK, "the clock that the client made for the value"),
            Placeholder::Client => ("string", "the client's name"),
            Placeholder::Expected => ("any JSON", "what the key has to hold"),
        };
        Some((name.clone(), form, meaning.to_owned()))
    };
    template.fields().filter_map(told).collect()
}

/// A part of an answer, if there is one.
pub(super) fn part(pointer: Option<&Pointer>, form: &'static str, meaning: &str) -> Option<Field> {
    let name = pointer?.path();
    Some((name, form, meaning.to_owned()))
}

/// The lines of a sample case after `init`: each request with its answer.
fn exchange(case: &str) -> Vec<(char, &str)> {
    let lines = |word: &'static str| {
        let lines = case.lines().filter_map(move |line| line.strip_prefix(word));
        lines.map(str::trim).skip(1)
    };
    let id = |line: &str, field: &str| {
        let message: Json = serde_json::from_str(line).unwrap_or_default();
        message["body"][field].as_u64()
    };
    let mut all = Vec::new();
    for request in lines("IN ") {
        all.push(('→', request));
        let asked = id(request, "msg_id");
        all.extend(
            lines("OUT ")
                .filter(|answer| id(answer, "in_reply_to") == asked)
                .map(|answer| ('←', answer)),
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples are what is shown, so they have to have the fields that are told.
    #[test]
    fn every_exchange_has_the_fields_of_its_dialect() {
        for dialect in Dialect::BUILT_IN {
            let told = with_words!(dialect.words(), W, words => words.messages());
            let sample = sample(&dialect).unwrap();
            let mut met = 0;
            for (arrow, line) in exchange(sample.text) {
                let message: Json = serde_json::from_str(line).unwrap();
                let body = message["body"].as_object().unwrap();
                let kind = body["type"].as_str().unwrap();
                let Some((_, fields)) = told.iter().find(|(told, _)| told == kind) else {
                    continue;
                };
                met += 1;
                for (path, _, meaning) in fields {
                    let (list, item) = path.split_once("[].").unwrap_or((path, ""));
                    let found = body.get(list);
                    assert!(
                        found.is_some() || meaning.contains("may be missing"),
                        "{line}: {list}"
                    );
                    let first = found.and_then(|found| found.get(0));
                    if let (Some(first), false) = (first, item.is_empty()) {
                        assert!(first.get(item).is_some(), "{line}: {path}");
                    }
                }
                if arrow == '→' {
                    let others = body
                        .keys()
                        .filter(|name| *name != "msg_id" && *name != "type");
                    assert_eq!(others.count(), fields.len(), "{line}");
                }
            }
            assert!(met > 1, "{dialect}");
        }
    }
}
