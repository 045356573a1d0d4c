//! Dialects that a file describes: TOML, read and made sure of.
//!
//! `docs/custom-dialects.md` tells how to write one. What a single key says is checked where it is
//! read, with its line; here is what keys say together.

use super::{Contexts, ReadWords, Wording, WriteWords};
use crate::{
    protocol::{Placeholder, Template},
    workloads::DialectError,
};

fn wrong(place: &str, what: impl Into<String>) -> DialectError {
    DialectError::meaning(place, what)
}

pub(super) fn validate(wording: &Wording) -> Result<(), DialectError> {
    check_read(&wording.read, wording)?;
    check_write("write", &wording.write, wording)?;
    for (place, words) in [("resolve", &wording.resolve), ("delete", &wording.delete)] {
        if let Some(words) = words {
            check_write(place, words, wording)?;
        }
    }
    if wording.read.tombstone.is_some() && wording.delete.is_none() {
        let what = "there is no [delete], so nothing can be a tombstone: describe it or drop this";
        return Err(wrong("read.tombstone", what));
    }
    let shows = |delete| wording.shows(delete);
    if wording.read.reaped && !wording.delete.as_ref().is_some_and(shows) {
        let what = "nothing tells which tombstones are still there: let the delete carry ${value}, return it as the tombstone's value and name `tombstone`, or drop this";
        return Err(wrong("read.reaped", what));
    }
    check_contexts(wording)
}

fn check_contexts(wording: &Wording) -> Result<(), DialectError> {
    let read = &wording.read;
    match wording.contexts() {
        Contexts::Carried if read.context.is_none() && read.clock.is_none() => Err(wrong(
            "read",
            "writes carry a ${context}, so say where an answer has it: as context (of the key), or as clock (of each value; dots alone make no context)",
        )),
        Contexts::Made if wording.is_opaque() => Err(wrong(
            "clocks",
            "writes carry a ${clock} that clients make, and nobody can make an opaque one",
        )),
        Contexts::Made if read.clock.is_none() => Err(wrong(
            "read.clock",
            "writes carry a ${clock} that clients make of what they read, so say where a value has its clock",
        )),
        _ => Ok(()),
    }
}

fn check_read(read: &ReadWords, wording: &Wording) -> Result<(), DialectError> {
    let place = "read.request";
    needs(place, &read.request, Placeholder::Key)?;
    for placeholder in [
        Placeholder::Value,
        Placeholder::Context,
        Placeholder::Clock,
        Placeholder::Expected,
    ] {
        if read.request.has(placeholder) {
            let word = placeholder.word();
            return Err(wrong(place, format!("a read has no {word}: drop it")));
        }
    }
    if read.clock.is_some() && read.dot.is_some() {
        let what = "a value has a clock or a dot: name one of them";
        return Err(wrong("read.dot", what));
    }
    if wording.is_opaque() && read.dot.is_some() && read.context.is_none() {
        let what = "dots alone make no context: say where the opaque one is";
        return Err(wrong("read.context", what));
    }
    Ok(())
}

fn check_write(table: &str, words: &WriteWords, wording: &Wording) -> Result<(), DialectError> {
    let place = |key: &str| format!("{table}.{key}");
    let request = &words.request;
    needs(&place("request"), request, Placeholder::Key)?;
    if table != "delete" {
        needs(&place("request"), request, Placeholder::Value)?;
    }
    if request.has(Placeholder::Context) && request.has(Placeholder::Clock) {
        let what = "a write carries the ${context} that was read, or a ${clock} that its client makes: take one of them";
        return Err(wrong(&place("request"), what));
    }
    let carries = [Placeholder::Context, Placeholder::Clock];
    if let Some(missing) = carries
        .into_iter()
        .find(|each| request.has(*each) != wording.write.request.has(*each))
    {
        let (word, has) = (missing.word(), request.has(missing));
        let what = format!(
            "write.request has {} {word} and this has {}: what a write supersedes must be told in the same way by both",
            if has { "no" } else { "a" },
            if has { "one" } else { "none" },
        );
        return Err(wrong(&place("request"), what));
    }
    if let Some(blind) = &words.blind {
        if !request.has(Placeholder::Context) {
            let what = "request carries no ${context}, so there is no other way to write: drop it";
            return Err(wrong(&place("blind"), what));
        }
        if let Some(placeholder) = carries.into_iter().find(|each| blind.has(*each)) {
            let word = placeholder.word();
            let what = format!("this is the request without a context: drop {word}");
            return Err(wrong(&place("blind"), what));
        }
        needs(&place("blind"), blind, Placeholder::Key)?;
        if table != "delete" {
            needs(&place("blind"), blind, Placeholder::Value)?;
        }
    }
    if words.clock.is_some() && words.dot.is_some() {
        let what = "a value gets a clock or a dot: name one of them";
        return Err(wrong(&place("dot"), what));
    }
    if words.past.is_some() && words.dot.is_none() {
        let what = "this is the version vector beside a dot: name the dot too";
        return Err(wrong(&place("past"), what));
    }
    match &words.status {
        Some(status) => DialectError::status(&place("status"), status),
        None => Ok(()),
    }
}

fn needs(place: &str, request: &Template, placeholder: Placeholder) -> Result<(), DialectError> {
    DialectError::needs(place, request, placeholder)
}

#[cfg(test)]
mod tests {
    use crate::workloads::Dialect;

    const GOOD: &str = r#"
name = "mine"

[read]
request = { type = "get", key = "${key}" }
values = "/values"
value = "/value"
clock = "/vc"

[write]
request = { type = "put", key = "${key}", value = "${value}", context = "${context}" }
clock = "/vc"
"#;

    fn message(text: &str) -> String {
        Dialect::from_toml(text).unwrap_err().to_string()
    }

    /// The message after one line was put in place of another.
    fn without(old: &str, new: &str) -> String {
        let text = GOOD.replacen(old, new, 1);
        assert_ne!(text, GOOD, "{old}");
        message(&text)
    }

    #[test]
    fn a_good_description_is_read_and_stands_in_a_plan() {
        let dialect = Dialect::from_toml(GOOD).unwrap();
        assert_eq!(dialect.name(), "mine");
        let json = serde_json::to_string(&dialect).unwrap();
        assert_eq!(serde_json::from_str::<Dialect>(&json).unwrap(), dialect);
        let named: Dialect = serde_json::from_str("\"kv\"").unwrap();
        assert_eq!(named, Dialect::Kv);
        let unknown = serde_json::from_str::<Dialect>("\"kw\"").unwrap_err();
        assert!(unknown.to_string().contains("no dialect \"kw\""));
        let broken = json.replace("${key}", "${kee}");
        let broken = serde_json::from_str::<Dialect>(&broken).unwrap_err();
        assert!(broken.to_string().contains("${kee}"), "{broken}");
    }

    #[test]
    fn mistakes_in_a_key_are_told_with_their_line() {
        for (old, new, words) in [
            ("clock = \"/vc\"", "clok = \"/vc\"", ["line 8", "clok"]),
            ("values = \"/values\"\n", "", ["line 4", "`values`"]),
            (
                "value = \"/value\"",
                "value = \"value\"",
                ["line 7", "write \"/value\""],
            ),
            (
                "value = \"/value\"",
                "value = 7",
                ["line 7", "expected a string"],
            ),
            (
                "\"${key}\"",
                "\"k-${key}\"",
                ["line 5", "is no placeholder"],
            ),
            ("\"${key}\"", "\"${kay}\"", ["line 5", "${kay}"]),
            ("type = \"get\"", "kind = \"get\"", ["line 5", "\"type\""]),
            (
                "type = \"get\"",
                "msg_id = 1, type = \"get\"",
                ["line 5", "msg_id"],
            ),
            ("name = \"mine\"", "name = mine", ["line 2", "string"]),
            (
                "name = \"mine\"",
                "name = \"mine\"\nclocks = \"list\"",
                ["line 3", "`pairs`"],
            ),
        ] {
            let message = without(old, new);
            for word in words {
                assert!(
                    message.contains(word),
                    "{new}: {word:?} is not in\n{message}"
                );
            }
        }
    }

    #[test]
    fn keys_that_do_not_go_together_are_told_with_their_place() {
        let context = ", context = \"${context}\"";
        let clock = "[write]";
        for (old, new, start) in [
            ("mine", "my store", "name: "),
            ("mine", "dvv", "name: dvv is a built-in"),
            (
                ", key = \"${key}\"",
                "",
                "read.request: nothing in it is ${key}",
            ),
            (
                ", value = \"${value}\"",
                "",
                "write.request: nothing in it is ${value}",
            ),
            (
                "key = \"${key}\" }",
                "key = \"${key}\", c = \"${context}\" }",
                "read.request: a read has no ${context}",
            ),
            (
                context,
                ", context = \"${context}\", clock = \"${clock}\"",
                "write.request: ",
            ),
            ("clock = \"/vc\"\n", "", "read: writes carry a ${context}"),
            (
                "clock = \"/vc\"\n",
                "clock = \"/vc\"\ndot = \"/dot\"\n",
                "read.dot: ",
            ),
            (
                "clock = \"/vc\"\n",
                "clock = \"/vc\"\ntombstone = \"/t\"\n",
                "read.tombstone: ",
            ),
            (
                "clock = \"/vc\"\n",
                "clock = \"/vc\"\nreaped = true\n",
                "read.reaped: ",
            ),
            (
                clock,
                "[delete]\nrequest = { type = \"del\", key = \"${key}\" }\n[write]",
                "delete.request: write.request has a ${context} and this has none",
            ),
            (clock, "[write]\npast = \"/p\"", "write.past: "),
            (clock, "[write]\ndot = \"/d\"", "write.dot: "),
            (
                clock,
                "[write]\nblind = { type = \"put\", key = \"${key}\", value = \"${value}\", context = \"${context}\" }",
                "write.blind: ",
            ),
            (
                clock,
                "[write]\nstatus = { at = \"/s\", applied = [1], refused = [1] }",
                "write.status: 1 is among",
            ),
        ] {
            let message = without(old, new);
            assert!(message.starts_with(start), "{new}: {message}");
        }
        let made = GOOD.replace(context, ", clock = \"${clock}\"");
        assert!(Dialect::from_toml(&made).is_ok());
        let opaque = made.replacen("name", "clocks = \"opaque\"\nname", 1);
        assert!(message(&opaque).starts_with("clocks: "));
        let unread = made.replacen("clock = \"/vc\"\n", "", 1);
        assert!(message(&unread).starts_with("read.clock: "));
    }
}
