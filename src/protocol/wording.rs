//! What a dialect is, as data: how requests are worded, and where the parts of the answers are.
//!
//! The built-in dialects and those that a file describes are values of one type, [`Wording`], so a
//! store is spoken to in the same way whoever described its dialect.

use std::{fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::clocks::ClockForm;

use super::dialect::object;

/// A dialect: its requests and where the parts of its answers are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    /// What it is called in reports.
    pub name: String,
    /// The form of the contexts that are sent, and whether they can be read at all; as the node
    /// writes them when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<ContextForm>,
    /// Reading all siblings of a key.
    pub read: ReadWords,
    /// Writing a value.
    pub write: WriteWords,
    /// Writing one value in place of the siblings just read, where that has words of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve: Option<WriteWords>,
    /// Deleting a key, where that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<WriteWords>,
}

/// How contexts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContextForm {
    /// `{"n1":2}`
    Object,
    /// `[2,0]`: a number for each slot.
    Array,
    /// `["n1",2]`
    Pair,
    /// `[["n1",2]]`
    Pairs,
    /// Anything: carried back as it came.
    Opaque,
}

impl ContextForm {
    /// The form of the clock; `None` when it is opaque.
    pub(crate) const fn readable(self) -> Option<ClockForm> {
        match self {
            Self::Object => Some(ClockForm::Object),
            Self::Array => Some(ClockForm::Slots),
            Self::Pair => Some(ClockForm::Pair),
            Self::Pairs => Some(ClockForm::Pairs),
            Self::Opaque => None,
        }
    }
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
    /// The list of values, in the answer.
    pub values: Pointer,
    /// The value itself, in an item of the list.
    pub value: Pointer,
    /// Its vector clock, in an item of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Pointer>,
    /// Its dot, in an item of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dot: Option<Pointer>,
    /// Whether the item is a tombstone, in an item of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<Pointer>,
    /// The context of the key, in the answer; when it is left out, the joined clocks of the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Pointer>,
}

/// A write or a delete and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteWords {
    /// The body of the request.
    pub request: Template,
    /// The body of the request when there is no context; else the same with an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<Template>,
    /// The types that an answer may have; any, when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// The vector clock that the value got, in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Pointer>,
    /// The dot that the value got, in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dot: Option<Pointer>,
    /// The version vector beside the dot, in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Pointer>,
    /// A context of the value that was written and what it superseded, and of nothing else, in the
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Pointer>,
    /// What tells whether the write was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusWords>,
}

/// What tells whether a write was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusWords {
    /// The status, in the answer. Without one the write was carried out.
    pub at: Pointer,
    /// Statuses of writes that were carried out.
    pub applied: Vec<Json>,
    /// Statuses of writes that certainly were not and will not be.
    pub refused: Vec<Json>,
}

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!(
                "a JSON pointer begins with \"/\" (or is empty, for the whole): write \"/{text}\" for {text:?}"
            ));
        }
        let bad_escape = |rest: &str| !rest.starts_with(['0', '1']);
        if text.split('~').skip(1).any(bad_escape) {
            return Err(format!(
                "in the JSON pointer {text:?} a \"~\" is written \"~0\", and a \"/\" within a name \"~1\""
            ));
        }
        Ok(Self::new(&text))
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.text
    }
}

/// As messages name it: a field by its name, anything else by the pointer.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tokens.as_slice() {
            [name] => write!(f, "{name:?}"),
            _ => write!(f, "{:?}", self.text),
        }
    }
}

impl Pointer {
    fn new(text: &str) -> Self {
        let unescaped = |token: &str| token.replace("~1", "/").replace("~0", "~");
        Self {
            text: text.to_owned(),
            tokens: text.split('/').skip(1).map(unescaped).collect(),
        }
    }

    /// The names on its way, with points between them.
    pub(crate) fn path(&self) -> String {
        self.tokens.join(".")
    }

    /// True when it leads to a field by name: what it points into has to be an object.
    pub(crate) fn is_field(&self) -> bool {
        let first = self.tokens.first();
        first.is_some_and(|first| first.parse::<usize>().is_err())
    }

    /// What it points at in an item of a list.
    pub(crate) fn within<'j>(&self, json: &'j Json) -> Option<&'j Json> {
        descend(&self.tokens, json)
    }

    /// What it points at in a body. The body as a whole is no part of it.
    pub(crate) fn of<'j>(&self, body: &'j Map<String, Json>) -> Option<&'j Json> {
        let (first, rest) = self.tokens.split_first()?;
        descend(rest, body.get(first)?)
    }
}

fn descend<'j>(tokens: &[String], json: &'j Json) -> Option<&'j Json> {
    tokens.iter().try_fold(json, |json, token| match json {
        Json::Object(fields) => fields.get(token),
        Json::Array(items) => items.get(token.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The body of a request, in which some strings stand for what is to be put there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Json>", into = "Map<String, Json>")]
pub struct Template(Map<String, Json>);

/// What may stand in a template, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placeholder {
    Key,
    Value,
    Context,
    Clock,
    Client,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 5] = [
        ("${key}", Self::Key),
        ("${value}", Self::Value),
        ("${context}", Self::Context),
        ("${clock}", Self::Clock),
        ("${client}", Self::Client),
    ];

    /// How it stands in a template.
    pub(crate) fn word(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(word, placeholder)| (placeholder == self).then_some(word))
            .unwrap_or_default()
    }

    /// What a string of a template stands for; `None` for one that stands for itself.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(word, placeholder)| (word == text).then_some(placeholder))
    }
}

/// What is put in place of the placeholders.
pub(crate) struct Filling<'a> {
    pub(crate) key: &'a str,
    pub(crate) client: &'a str,
    pub(crate) value: &'a Json,
    /// The context, or the clock that the client made.
    pub(crate) context: &'a Json,
}

impl TryFrom<Map<String, Json>> for Template {
    type Error = String;

    fn try_from(body: Map<String, Json>) -> Result<Self, String> {
        match body.get("type") {
            Some(Json::String(kind)) if !kind.is_empty() => {}
            _ => {
                return Err(
                    "a request needs a \"type\" that is a string, as in { type = \"get\", key = \"${key}\" }"
                        .to_owned(),
                );
            }
        }
        if body.contains_key("msg_id") {
            return Err("leave \"msg_id\" out: sibcheck numbers the requests".to_owned());
        }
        let template = Self(body);
        template.each_text(&mut |text| {
            if !text.contains("${") || Placeholder::of(text).is_some() {
                return Ok(());
            }
            let known = Placeholder::ALL.map(|(word, _)| word).join(", ");
            Err(format!(
                "{text:?} is no placeholder; a whole string may be one of {known}"
            ))
        })?;
        Ok(template)
    }
}

impl From<Template> for Map<String, Json> {
    fn from(template: Template) -> Self {
        template.0
    }
}

impl Template {
    fn new(body: Json) -> Self {
        Self(object(body))
    }

    /// The type of the request.
    pub(crate) fn kind(&self) -> &str {
        self.0.get("type").and_then(Json::as_str).unwrap_or("")
    }

    /// The fields of the body but for its type, by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&String, &Json)> {
        self.0.iter().filter(|(name, _)| *name != "type")
    }

    /// Whether a placeholder stands in it.
    pub(crate) fn has(&self, placeholder: Placeholder) -> bool {
        let found = self.each_text(&mut |text| {
            if Placeholder::of(text) == Some(placeholder) {
                Err(())
            } else {
                Ok(())
            }
        });
        found.is_err()
    }

    fn each_text<E>(&self, visit: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        fn walk<E>(json: &Json, visit: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
            match json {
                Json::String(text) => visit(text),
                Json::Array(items) => items.iter().try_for_each(|item| walk(item, visit)),
                Json::Object(fields) => fields.values().try_for_each(|field| walk(field, visit)),
                _ => Ok(()),
            }
        }
        self.0.values().try_for_each(|field| walk(field, visit))
    }

    /// The body with everything put in its place.
    pub(crate) fn fill(&self, filling: &Filling<'_>) -> Map<String, Json> {
        let fields = self.0.iter();
        fields
            .map(|(name, json)| (name.clone(), filled(json, filling)))
            .collect()
    }
}

fn filled(json: &Json, filling: &Filling<'_>) -> Json {
    match json {
        Json::String(text) => match Placeholder::of(text) {
            Some(Placeholder::Key) => filling.key.into(),
            Some(Placeholder::Client) => filling.client.into(),
            Some(Placeholder::Value) => filling.value.clone(),
            Some(Placeholder::Context | Placeholder::Clock) => filling.context.clone(),
            None => json.clone(),
        },
        Json::Array(items) => items.iter().map(|item| filled(item, filling)).collect(),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), filled(field, filling)))
            .collect(),
        _ => json.clone(),
    }
}

/// Where the causality of a write comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contexts {
    /// The client passes back what it was told.
    Carried,
    /// The client makes the clock of its write: it joins what it read and advances its own slot.
    Made,
    /// Nowhere: a write supersedes what its node holds.
    Absent,
}

impl Wording {
    /// Where the causality of a write comes from.
    pub fn contexts(&self) -> Contexts {
        if self.write.request.has(Placeholder::Clock) {
            Contexts::Made
        } else if self.write.request.has(Placeholder::Context) {
            Contexts::Carried
        } else {
            Contexts::Absent
        }
    }

    /// True when contexts are declared to be opaque. They may turn out to be so in any dialect.
    pub fn is_opaque(&self) -> bool {
        self.clocks == Some(ContextForm::Opaque)
    }

    /// True when each sibling has an opaque clock of its own, and a key has no context: then a client can
    /// pass back one at a time.
    pub fn has_clocks_apart(&self) -> bool {
        self.is_opaque()
            && self.contexts() == Contexts::Carried
            && self.read.clock.is_some()
            && self.read.context.is_none()
    }

    /// True when a delete has words, and what reads show of it does not tell which delete it was.
    pub fn hides_tombstones(&self) -> bool {
        self.delete
            .as_ref()
            .is_some_and(|delete| !self.shows(delete))
    }

    fn shows(&self, delete: &WriteWords) -> bool {
        self.read.tombstone.is_some() && delete.request.has(Placeholder::Value)
    }

    /// The body of a read, without its id.
    pub(crate) fn read_request(&self, client: &str, key: &str) -> Map<String, Json> {
        let nothing = Json::Null;
        self.read.request.fill(&Filling {
            key,
            client,
            value: &nothing,
            context: &nothing,
        })
    }

    /// What cannot be tried in this dialect on so many nodes, or says nothing, and why: a sentence
    /// each. Contexts may have turned out to be opaque.
    pub fn not_exercised(&self, nodes: u32, opaque_seen: bool) -> Vec<String> {
        let mut left_out = Vec::new();
        match &self.delete {
            None => left_out.push("deletes: the dialect has no words for them".to_owned()),
            Some(delete) if !self.shows(delete) => left_out.push(
                "linearizability of keys with deletes: reads do not tell which delete was seen"
                    .to_owned(),
            ),
            Some(_) => {}
        }
        left_out.push(
            "equal values of different writers: only the value tells whose write it is".to_owned(),
        );
        match self.contexts() {
            Contexts::Absent => {
                left_out.push(
                    "contexts, and the invariants that need them: writes of the dialect carry none, so a write supersedes what its node holds"
                        .to_owned(),
                );
                if nodes == 1 {
                    left_out.push(
                        "siblings: on one node every write supersedes all before it; give --nodes 3"
                            .to_owned(),
                    );
                }
            }
            Contexts::Made => left_out.push(
                "clock soundness, clock precision and clock advance: in this dialect clients make the clocks"
                    .to_owned(),
            ),
            Contexts::Carried if self.is_opaque() || opaque_seen => left_out.extend([
                "clock checks of contexts: they are opaque, and only their provenance is known".to_owned(),
                "contexts of two reads joined: opaque contexts cannot be".to_owned(),
            ]),
            Contexts::Carried => {}
        }
        left_out
    }
}

fn read(request: Json, value: &str) -> ReadWords {
    ReadWords {
        request: Template::new(request),
        answers: Vec::new(),
        values: Pointer::new("/values"),
        value: Pointer::new(value),
        clock: None,
        dot: None,
        tombstone: None,
        context: None,
    }
}

fn write(request: Json) -> WriteWords {
    WriteWords {
        request: Template::new(request),
        blind: None,
        answers: Vec::new(),
        clock: None,
        dot: None,
        past: None,
        context: None,
        status: None,
    }
}

fn built_in(name: &str, read: ReadWords, write: WriteWords) -> Wording {
    Wording {
        name: name.to_owned(),
        clocks: None,
        read,
        write,
        resolve: None,
        delete: None,
    }
}

/// `vc`, and `vv` with its prefix.
fn clock_a_value(prefix: &str) -> Wording {
    let read = ReadWords {
        clock: Some(Pointer::new("/vc")),
        ..read(
            json!({"type": format!("{prefix}_read"), "key": "${key}"}),
            "/value",
        )
    };
    let write = WriteWords {
        clock: Some(Pointer::new("/vc")),
        ..write(json!({
            "type": format!("{prefix}_write"),
            "key": "${key}",
            "value": "${value}",
            "context": "${context}",
        }))
    };
    built_in(prefix, read, write)
}

fn dvv() -> Wording {
    let read = ReadWords {
        dot: Some(Pointer::new("/dot")),
        context: Some(Pointer::new("/context")),
        ..read(json!({"type": "dvv_get", "key": "${key}"}), "/value")
    };
    let write = WriteWords {
        dot: Some(Pointer::new("/dot")),
        past: Some(Pointer::new("/version_vector")),
        ..write(json!({
            "type": "dvv_update",
            "key": "${key}",
            "value": "${value}",
            "context": "${context}",
        }))
    };
    built_in("dvv", read, write)
}

fn kv() -> Wording {
    let words = |list: &[&str]| list.iter().map(|word| Json::from(*word)).collect();
    let write = |kind: &str| WriteWords {
        status: Some(StatusWords {
            at: Pointer::new("/status"),
            applied: words(&["written", "conflict", "resolved", "ok"]),
            refused: words(&["stale", "rejected", "refused"]),
        }),
        ..write(json!({
            "type": kind,
            "key": "${key}",
            "value": "${value}",
            "clock": "${clock}",
        }))
    };
    let read = ReadWords {
        clock: Some(Pointer::new("/clock")),
        ..read(json!({"type": "kv_get", "key": "${key}"}), "/value")
    };
    Wording {
        resolve: Some(write("kv_resolve")),
        ..built_in("kv", read, write("kv_put"))
    }
}

fn mv() -> Wording {
    let read = ReadWords {
        clock: Some(Pointer::new("/vclock")),
        ..read(json!({"type": "mv_read", "key": "${key}"}), "/value")
    };
    let write = WriteWords {
        clock: Some(Pointer::new("/vclock")),
        ..write(json!({"type": "mv_write", "key": "${key}", "value": "${value}"}))
    };
    built_in("mv", read, write)
}

pub(super) static VC: LazyLock<Wording> = LazyLock::new(|| clock_a_value("vc"));
pub(super) static VV: LazyLock<Wording> = LazyLock::new(|| clock_a_value("vv"));
pub(super) static DVV: LazyLock<Wording> = LazyLock::new(dvv);
pub(super) static KV: LazyLock<Wording> = LazyLock::new(kv);
pub(super) static MV: LazyLock<Wording> = LazyLock::new(mv);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_follow_their_rfc() {
        let json = json!({"a": [{"b": 1}, {"c/d": {"~": 2}}], "": 3});
        let at = |text: &str| {
            let pointer = Pointer::try_from(text.to_owned()).unwrap();
            assert_eq!(pointer.within(&json), json.pointer(text), "{text}");
            pointer.within(&json).cloned()
        };
        assert_eq!(at("/a/0/b"), Some(1.into()));
        assert_eq!(at("/a/1/c~1d/~0"), Some(2.into()));
        assert_eq!(at("/"), Some(3.into()));
        assert_eq!(at(""), Some(json.clone()));
        for nowhere in ["/b", "/a/2", "/a/b", "/a/0/b/c"] {
            assert_eq!(at(nowhere), None);
        }
        let fault = |text: &str| Pointer::try_from(text.to_owned()).unwrap_err();
        assert!(fault("values").contains("write \"/values\""));
        assert!(fault("/a~2").contains("~0"));
    }

    #[test]
    fn placeholders_become_what_they_stand_for() {
        let template = Template::new(json!({
            "type": "put",
            "k": "${key}",
            "op": {"entries": [["${value}", "${context}"]], "by": "${client}", "n": 7},
        }));
        let filling = Filling {
            key: "k1",
            client: "c2",
            value: &json!({"deep": true}),
            context: &json!([1, 0]),
        };
        let expected = json!({
            "type": "put",
            "k": "k1",
            "op": {"entries": [[{"deep": true}, [1, 0]]], "by": "c2", "n": 7},
        });
        assert_eq!(Json::Object(template.fill(&filling)), expected);
        assert!(template.has(Placeholder::Context) && !template.has(Placeholder::Clock));
    }
}
