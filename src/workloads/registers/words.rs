//! How stores of registers are spoken to, as data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::Claim;

use super::Act;
use crate::{
    protocol::{ErrorCode, Filling, Placeholder, Pointer, StatusWords, Template},
    workloads::{
        self, DialectError, Field,
        glossary::{answer_to, part, request},
    },
};

/// A dialect of registers: its requests and where the parts of its answers are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    /// What it is called in reports.
    pub name: String,
    /// That it is of registers.
    pub object: Register,
    /// How keys are sent.
    #[serde(default)]
    pub keys: KeyForm,
    /// Reading a key.
    pub read: ReadWords,
    /// Writing a value.
    pub write: WriteWords,
    /// Writing a value if the key holds another one, where that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cas: Option<CasWords>,
    /// Deleting a key, where that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<WriteWords>,
}

/// The word for the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Register {
    /// `register`.
    Register,
}

/// How keys are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyForm {
    /// As text.
    #[default]
    Text,
    /// As a number where the key is a whole number, else as text.
    Numbers,
}

/// A read and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadWords {
    /// The body of the request.
    pub request: Template,
    /// The types that an answer may have; any, when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// The value, in the answer; null says that the key is absent, as error 20 does.
    pub value: Pointer,
}

/// A write or a delete and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteWords {
    /// The body of the request.
    pub request: Template,
    /// The types that an answer may have; any, when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// What tells whether it was carried out; any answer but an error does, where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusWords>,
}

/// A compare-and-set and its answer: one that was refused found something else than it expected.
pub type CasWords = WriteWords;

impl Wording {
    /// A key as it is sent.
    pub(super) fn key(&self, key: &str) -> Json {
        let number = match self.keys {
            KeyForm::Text => None,
            KeyForm::Numbers => key.parse::<i64>().ok(),
        };
        match number {
            // Only what reads the same: `01` is a text.
            Some(number) if number.to_string() == key => number.into(),
            _ => key.into(),
        }
    }

    /// The body of a request, without its id.
    pub(super) fn body(
        &self,
        template: &Template,
        (client, key): (&str, &str),
        [expected, value]: [&Json; 2],
    ) -> Map<String, Json> {
        template.fill(&Filling {
            key: &self.key(key),
            client,
            value,
            context: &Json::Null,
            expected,
        })
    }
}

impl workloads::Wording<Act> for Wording {
    fn name(&self) -> &str {
        &self.name
    }

    fn read_type(&self) -> &str {
        self.read.request.kind()
    }

    fn write_type(&self) -> &str {
        self.write.request.kind()
    }

    fn validate(&self) -> Result<(), DialectError> {
        let tables = [
            ("read", Some(&self.read.request), &[][..]),
            ("write", Some(&self.write.request), &[Placeholder::Value]),
            (
                "cas",
                self.cas.as_ref().map(|cas| &cas.request),
                &[Placeholder::Expected, Placeholder::Value],
            ),
            (
                "delete",
                self.delete.as_ref().map(|delete| &delete.request),
                &[],
            ),
        ];
        for (table, template, needed) in tables {
            let Some(template) = template else {
                continue;
            };
            let place = format!("{table}.request");
            DialectError::needs(&place, template, Placeholder::Key)?;
            for placeholder in needed {
                DialectError::needs(&place, template, *placeholder)?;
            }
            let others = [
                Placeholder::Value,
                Placeholder::Expected,
                Placeholder::Context,
                Placeholder::Clock,
            ];
            let strange = others.into_iter().filter(|other| !needed.contains(other));
            if let Some(strange) = strange.into_iter().find(|strange| template.has(*strange)) {
                let word = strange.word();
                let what = format!("there is no {word} in a {table} of a register: drop it");
                return Err(DialectError::meaning(&place, what));
            }
        }
        let statuses = [
            ("write", Some(&self.write)),
            ("cas", self.cas.as_ref()),
            ("delete", self.delete.as_ref()),
        ];
        for (table, words) in statuses {
            if let Some(status) = words.and_then(|words| words.status.as_ref()) {
                DialectError::status(&format!("{table}.status"), status)?;
            }
        }
        Ok(())
    }

    fn demanded(&self, _nodes: u32) -> Claim {
        Claim::Linearizable
    }

    fn probe(&self) -> Vec<Map<String, Json>> {
        let value = Json::from(1);
        let write = &self.write.request;
        vec![self.body(write, ("c1", "0"), [&Json::Null, &value])]
    }

    /// A node that has to ask others first says that it knows the request, too.
    fn is_spoken(&self, answer: &Json) -> bool {
        let known = [
            ErrorCode::TemporarilyUnavailable,
            ErrorCode::KeyDoesNotExist,
            ErrorCode::PreconditionFailed,
        ];
        answer["type"] == answer_to(self.write.request.kind())
            || answer["type"] == "error"
                && answer
                    .as_object()
                    .and_then(ErrorCode::of)
                    .is_some_and(|code| known.contains(&code))
    }

    fn messages(&self) -> Vec<(String, Vec<Field>)> {
        let mut messages = Vec::new();
        let read = self.read.request.kind();
        let value = part(
            Some(&self.read.value),
            "any JSON",
            "what the key holds; error 20 where it is absent",
        );
        messages.push((read.to_owned(), request(&self.read.request)));
        messages.push((answer_to(read), value.into_iter().collect()));
        let others = [Some(&self.write), self.cas.as_ref(), self.delete.as_ref()];
        for words in others.into_iter().flatten() {
            let kind = words.request.kind();
            messages.push((kind.to_owned(), request(&words.request)));
            messages.push((answer_to(kind), Vec::new()));
        }
        messages
    }

    fn lacks(&self, act: Act) -> Option<&'static str> {
        match act {
            Act::Delete if self.delete.is_none() => Some("a delete"),
            Act::Cas { .. } | Act::Update { .. } if self.cas.is_none() => Some("a compare-and-set"),
            Act::Read | Act::Write { .. } | Act::Cas { .. } | Act::Update { .. } | Act::Delete => {
                None
            }
        }
    }

    fn not_exercised(&self, _nodes: u32, _opaque_seen: bool) -> Vec<String> {
        let mut left_out = Vec::new();
        for (what, missing) in [
            ("deletes", self.delete.is_none()),
            ("compare-and-sets", self.cas.is_none()),
        ] {
            if missing {
                left_out.push(format!("{what}: the dialect has no words for them"));
            }
        }
        left_out.push("compare-and-sets of keys that are absent: none expects that".to_owned());
        left_out
    }
}

fn write(request: Json) -> WriteWords {
    WriteWords {
        request: Template::new(request),
        answers: Vec::new(),
        status: None,
    }
}

/// `lin-kv`, in the words of Maelstrom.
pub(crate) fn lin_kv() -> Wording {
    Wording {
        name: "lin-kv".to_owned(),
        object: Register::Register,
        keys: KeyForm::Numbers,
        read: ReadWords {
            request: Template::new(json!({"type": "read", "key": "${key}"})),
            answers: Vec::new(),
            value: Pointer::new("/value"),
        },
        write: write(json!({"type": "write", "key": "${key}", "value": "${value}"})),
        cas: Some(write(
            json!({"type": "cas", "key": "${key}", "from": "${expected}", "to": "${value}"}),
        )),
        delete: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::workloads::Dialect;

    use super::*;

    const GOOD: &str = r#"
name = "etcd"
object = "register"

[read]
request = { type = "get", k = "${key}" }
value = "/v"

[write]
request = { type = "put", k = "${key}", v = "${value}" }

[cas]
request = { type = "txn", k = "${key}", if = "${expected}", then = "${value}" }
status = { at = "/succeeded", applied = [true], refused = [false] }

[delete]
request = { type = "del", k = "${key}" }
"#;

    #[test]
    fn a_good_description_is_read_and_stands_in_a_plan() {
        let dialect = Dialect::from_toml(GOOD).unwrap();
        assert_eq!(dialect.name(), "etcd");
        let json = serde_json::to_string(&dialect).unwrap();
        assert_eq!(serde_json::from_str::<Dialect>(&json).unwrap(), dialect);
    }

    #[test]
    fn keys_that_do_not_go_together_are_told_with_their_place() {
        for (old, new, start) in [
            (
                ", v = \"${value}\"",
                "",
                "write.request: nothing in it is ${value}",
            ),
            (
                "if = \"${expected}\", ",
                "",
                "cas.request: nothing in it is ${expected}",
            ),
            (
                "{ type = \"get\", k = \"${key}\" }",
                "{ type = \"get\", k = \"${key}\", c = \"${context}\" }",
                "read.request: there is no ${context}",
            ),
            (
                "applied = [true]",
                "applied = [false]",
                "cas.status: false is among",
            ),
            (
                "object = \"register\"",
                "object = \"queue\"",
                "object: there is no object \"queue\"",
            ),
            (
                "name = \"etcd\"",
                "name = \"lin-kv\"",
                "name: lin-kv is a built-in",
            ),
        ] {
            let bad = GOOD.replacen(old, new, 1);
            assert_ne!(bad, GOOD, "{old}");
            let message = Dialect::from_toml(&bad).unwrap_err().to_string();
            assert!(message.starts_with(start), "{new}: {message}");
        }
    }

    #[test]
    fn an_error_that_only_a_speaker_gives_shows_the_dialect() {
        for (code, spoken) in [(json!(20), true), (json!(20.0), true), (json!(10), false)] {
            let answer = json!({"type": "error", "code": code});
            assert_eq!(
                workloads::Wording::is_spoken(&lin_kv(), &answer),
                spoken,
                "{answer}"
            );
        }
    }

    #[test]
    fn keys_are_sent_as_numbers_where_they_read_the_same() {
        let words = lin_kv();
        assert_eq!(words.key("7"), json!(7));
        assert_eq!(words.key("-7"), json!(-7));
        for text in ["07", "-0", "7.0", "", "k7", "99999999999999999999"] {
            assert_eq!(words.key(text), json!(text));
        }
    }
}
