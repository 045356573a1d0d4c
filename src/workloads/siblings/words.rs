//! How sibling stores are spoken to, as data: how requests are worded, and where the parts of the answers are.
//!
//! The built-in dialects and those that a file describes are values of one type, [`Wording`], so a
//! store is spoken to in the same way whoever described its dialect.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::{Claim, Invariant, history::Tombstones};

use super::{Act, custom, glossary};
use crate::{
    clocks::ClockForm,
    protocol::{ErrorCode, Filling, Placeholder, Pointer, StatusWords, Template},
    workloads::{self, DialectError, Field, glossary::answer_to},
};

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
    /// Whether a tombstone may be missing later because the store removed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reaped: bool,
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

    /// What reads show of tombstones: nothing, where what they show does not tell which delete it was.
    pub fn tombstones(&self) -> Tombstones {
        match &self.delete {
            Some(delete) if !self.shows(delete) => Tombstones::Hidden,
            Some(_) if self.read.reaped => Tombstones::Reaped,
            Some(_) | None => Tombstones::Shown,
        }
    }

    /// True when a tombstone tells which delete it comes from.
    pub(super) fn shows(&self, delete: &WriteWords) -> bool {
        self.read.tombstone.is_some() && delete.request.has(Placeholder::Value)
    }

    /// The body of a read, without its id.
    pub(crate) fn read_request(&self, client: &str, key: &str) -> Map<String, Json> {
        let nothing = Json::Null;
        self.read.request.fill(&Filling {
            key: &key.into(),
            client,
            value: &nothing,
            context: &nothing,
            expected: &nothing,
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
        custom::validate(self)
    }

    fn demanded(&self, nodes: u32) -> Claim {
        // Whether a key with deletes that reads leave out is linearizable cannot always be told.
        if nodes == 1 && !self.tombstones().may_be_left_out() {
            Claim::Linearizable
        } else {
            Claim::Eventual
        }
    }

    fn probe(&self) -> Vec<Map<String, Json>> {
        vec![self.read_request("c1", "sibcheck-probe")]
    }

    fn is_spoken(&self, answer: &Json) -> bool {
        answer["type"] == answer_to(self.read.request.kind())
            || answer["values"].is_array()
            || answer["type"] == "error"
                && answer.as_object().and_then(ErrorCode::of) == Some(ErrorCode::KeyDoesNotExist)
    }

    fn messages(&self) -> Vec<(String, Vec<Field>)> {
        glossary::messages(self)
    }

    fn lacks(&self, act: Act) -> Option<&'static str> {
        let delete = matches!(act, Act::Delete { .. });
        (delete && self.delete.is_none()).then_some("a delete")
    }

    /// Of clocks that the clients themselves make.
    fn cannot_break(&self, invariant: Invariant) -> bool {
        self.contexts() == Contexts::Made
            && matches!(
                invariant,
                Invariant::ClockSoundness | Invariant::ClockPrecision | Invariant::ClockAdvance
            )
    }

    fn not_exercised(&self, nodes: u32, opaque_seen: bool) -> Vec<String> {
        let mut left_out = Vec::new();
        match &self.delete {
            None => left_out.push("deletes: the dialect has no words for them".to_owned()),
            Some(delete) if !self.shows(delete) => left_out.push(
                "linearizability of keys with deletes: reads do not tell which delete was seen"
                    .to_owned(),
            ),
            Some(_) if self.read.reaped => left_out.push(
                "linearizability of keys with deletes whose tombstones are gone: nothing tells whether a read saw a delete that was under way"
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
        reaped: false,
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

/// `dvv`; see [`Dialect`](crate::workloads::Dialect).
pub(crate) fn dvv() -> Wording {
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

/// `kv`; see [`Dialect`](crate::workloads::Dialect).
pub(crate) fn kv() -> Wording {
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

/// `mv`; see [`Dialect`](crate::workloads::Dialect).
pub(crate) fn mv() -> Wording {
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

/// `vc`: a vector clock for each value.
pub(crate) fn vc() -> Wording {
    clock_a_value("vc")
}

/// As `vc`, with other types.
pub(crate) fn vv() -> Wording {
    clock_a_value("vv")
}
