//! The words of the built-in dialects, told to people: made of the same values with which programs are
//! spoken to.

use std::fmt::{self, Write};

use serde_json::Value as Json;

use super::{
    Dialect,
    samples::{Sample, samples_of},
    wording::{Contexts, Placeholder, Pointer, Wording, WriteWords},
};

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
    let wording = dialect.wording();
    writeln!(out, "### `{dialect}`\n")?;
    writeln!(out, "| message | field | type | what it is |")?;
    writeln!(out, "| --- | --- | --- | --- |")?;
    for words in [Some(&wording.write), wording.resolve.as_ref()]
        .into_iter()
        .flatten()
    {
        write_message(out, words.request.kind(), &request(words.request.fields()))?;
        write_message(out, &answer_to(words.request.kind()), &written(words))?;
    }
    let read = &wording.read.request;
    write_message(out, read.kind(), &request(read.fields()))?;
    write_message(out, &answer_to(read.kind()), &siblings(wording))?;
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

fn answer_to(kind: &str) -> String {
    format!("{kind}_ok")
}

/// A field of a message: its name, its type and its meaning.
type Field = (String, &'static str, String);

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

const CLOCK: &str = "clock";

fn request<'t>(fields: impl Iterator<Item = (&'t String, &'t Json)>) -> Vec<Field> {
    let told = |(name, json): (&String, &Json)| {
        let placeholder = json.as_str().and_then(Placeholder::of)?;
        let (form, meaning) = match placeholder {
            Placeholder::Key => ("string", "the key"),
            Placeholder::Value => ("any JSON", "the value"),
            Placeholder::Context => (CLOCK, "what the client has seen, or empty"),
            Placeholder::Clock => (CLOCK, "the clock that the client made for the value"),
            Placeholder::Client => ("string", "the client's name"),
        };
        Some((name.clone(), form, meaning.to_owned()))
    };
    fields.filter_map(told).collect()
}

/// A part of an answer, if there is one.
fn part(pointer: Option<&Pointer>, form: &'static str, meaning: &str) -> Option<Field> {
    let name = pointer?.path();
    Some((name, form, meaning.to_owned()))
}

fn written(words: &WriteWords) -> Vec<Field> {
    let list = |values: &[Json]| {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        values.join(", ")
    };
    let status = words.status.as_ref().map(|status| {
        let (applied, refused) = (list(&status.applied), list(&status.refused));
        let meaning = format!("may be missing; carried out: {applied}; refused: {refused}");
        (status.at.path(), "string", meaning)
    });
    let parts = [
        part(words.clock.as_ref(), CLOCK, "the clock that the value got"),
        part(words.dot.as_ref(), "dot", "the dot that the value got"),
        part(
            words.past.as_ref(),
            CLOCK,
            "the version vector beside the dot: the context of the write",
        ),
        status,
    ];
    parts.into_iter().flatten().collect()
}

fn siblings(wording: &Wording) -> Vec<Field> {
    let read = &wording.read;
    let list = read.values.path();
    let item = |pointer: Option<&Pointer>, form, meaning: &str| {
        let (name, form, meaning) = part(pointer, form, meaning)?;
        Some((format!("{list}[].{name}"), form, meaning))
    };
    let whose = match wording.contexts() {
        Contexts::Made => "its clock, as its client made it",
        Contexts::Carried | Contexts::Absent => "its clock",
    };
    let parts = [
        part(
            Some(&read.values),
            "list",
            "all siblings of the key; empty where nobody wrote it",
        ),
        item(Some(&read.value), "any JSON", "a value"),
        item(read.clock.as_ref(), CLOCK, whose),
        item(read.dot.as_ref(), "dot", "its dot"),
        part(
            read.context.as_ref(),
            CLOCK,
            "what covers all of them, to be passed back",
        ),
    ];
    parts.into_iter().flatten().collect()
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
    use std::collections::BTreeSet;

    use super::*;

    /// The samples are what is shown, so they have to have the fields that are told.
    #[test]
    fn every_exchange_has_the_fields_of_its_dialect() {
        for dialect in Dialect::BUILT_IN {
            let wording = dialect.wording();
            let mut told: Vec<(String, BTreeSet<String>)> = Vec::new();
            for words in [&wording.write.request, &wording.read.request] {
                let fields = words.fields().map(|(name, _)| name.clone());
                told.push((words.kind().to_owned(), fields.collect()));
            }
            let sample = sample(&dialect).unwrap();
            let mut met = BTreeSet::new();
            for (arrow, line) in exchange(sample.text) {
                let message: Json = serde_json::from_str(line).unwrap();
                let body = message["body"].as_object().unwrap();
                let kind = body["type"].as_str().unwrap();
                for (request, fields) in &told {
                    if arrow == '→' && kind == request {
                        met.insert(kind.to_owned());
                        let there = body
                            .keys()
                            .filter(|name| *name != "msg_id" && *name != "type")
                            .cloned();
                        assert_eq!(there.collect::<BTreeSet<_>>(), *fields, "{line}");
                    }
                }
                if kind == answer_to(dialect.read_type()) {
                    let list = wording.read.values.of(body).unwrap();
                    let item = &list[0];
                    assert!(wording.read.value.within(item).is_some(), "{line}");
                    for pointer in wording.read.clock.iter().chain(&wording.read.dot) {
                        assert!(pointer.within(item).is_some(), "{line}");
                    }
                }
            }
            assert!(!met.is_empty(), "{dialect}");
        }
    }
}
