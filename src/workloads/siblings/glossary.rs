//! The words of a dialect of sibling stores, told to people.

use serde_json::Value as Json;

use super::{Contexts, Wording, WriteWords};
use crate::{
    protocol::Pointer,
    workloads::glossary::{CLOCK, Field, answer_to, part, request},
};

/// The messages of a dialect, each with its fields.
pub(super) fn messages(wording: &Wording) -> Vec<(String, Vec<Field>)> {
    let mut messages = Vec::new();
    let writes = [Some(&wording.write), wording.resolve.as_ref()];
    for words in writes.into_iter().flatten() {
        let kind = words.request.kind();
        messages.push((kind.to_owned(), request(&words.request)));
        messages.push((answer_to(kind), written(words)));
    }
    let read = &wording.read.request;
    messages.push((read.kind().to_owned(), request(read)));
    messages.push((answer_to(read.kind()), siblings(wording)));
    messages
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
