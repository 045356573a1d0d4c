//! One line of plain JSON: an invocation or a completion, of registers and siblings alike.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value as Json;

use super::{
    ImportError,
    events::{Event, Function, Kind},
};
use crate::{
    history::{Name, ReportedClock},
    numbers::make_numbers_exact,
};

/// What a history is of.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Object {
    Register,
    Siblings,
}

/// A name that may be written as a number.
#[derive(Clone, Debug)]
pub(super) struct Label(pub(super) Name);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Label;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a number")
            }
            fn visit_str<E>(self, name: &str) -> Result<Label, E> {
                Ok(Label(name.into()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Label, E> {
                Ok(Label(number.to_string().into()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Label, E> {
                Ok(Label(number.to_string().into()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// One line, for registers and siblings alike.
#[derive(Debug, Deserialize)]
pub(super) struct EventLine {
    #[serde(rename = "type")]
    kind: Type,
    #[serde(alias = "process")]
    pub(super) client: Label,
    #[serde(default)]
    pub(super) f: Option<String>,
    #[serde(default)]
    pub(super) key: Option<Label>,
    #[serde(default, deserialize_with = "given")]
    pub(super) value: Option<Json>,
    #[serde(default, deserialize_with = "given")]
    expected: Option<Json>,
    #[serde(default)]
    pub(super) tag: Option<u64>,
    #[serde(default)]
    swapped: Option<bool>,
    #[serde(default)]
    pub(super) node: Option<Label>,
    #[serde(default)]
    pub(super) context: Option<Json>,
    #[serde(default)]
    pub(super) clock: Option<ReportedClock>,
    #[serde(default)]
    pub(super) dot: Option<(Name, u64)>,
    #[serde(default)]
    pub(super) past: Option<ReportedClock>,
    #[serde(default)]
    pub(super) siblings: Option<Vec<SiblingLine>>,
    #[serde(default, rename = "final")]
    pub(super) last: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct SiblingLine {
    #[serde(default, deserialize_with = "given")]
    pub(super) value: Option<Json>,
    #[serde(default)]
    pub(super) tombstone: bool,
    #[serde(default)]
    pub(super) tag: Option<u64>,
    #[serde(default)]
    pub(super) clock: Option<ReportedClock>,
    #[serde(default)]
    pub(super) dot: Option<(Name, u64)>,
    #[serde(default)]
    pub(super) past: Option<ReportedClock>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl EventLine {
    pub(super) const fn kind(&self) -> Kind {
        match self.kind {
            Type::Invoke => Kind::Invoke,
            Type::Ok => Kind::Ok,
            Type::Fail => Kind::Fail,
            Type::Info => Kind::Info,
        }
    }

    /// The kind of history that only an event like this one can be of.
    pub(super) fn object(&self) -> Option<Object> {
        let of_siblings = self.siblings.is_some()
            || self.context.is_some()
            || self.clock.is_some()
            || self.dot.is_some()
            || self.node.is_some()
            || self.last;
        if of_siblings {
            return Some(Object::Siblings);
        }
        let swaps = matches!(
            self.f.as_deref(),
            Some("cas" | "append" | "compare-and-set")
        );
        let answered = self.kind == Type::Ok && self.value.is_some();
        (swaps || answered).then_some(Object::Register)
    }

    /// What is asked; `None` where nothing is said.
    ///
    /// # Errors
    ///
    /// When it is nothing that registers or siblings can be asked.
    pub(super) fn function(&self, line: u64) -> Result<Option<Function>, ImportError> {
        let Some(name) = &self.f else {
            return Ok(None);
        };
        let function = Function::named(name.trim_start_matches(':'));
        let other = || ImportError::OtherObject {
            line,
            function: name.clone(),
        };
        function.map(Some).ok_or_else(other)
    }

    pub(super) fn make_numbers_exact(&mut self) {
        let siblings = self.siblings.iter_mut().flatten();
        let values = siblings.filter_map(|sibling| sibling.value.as_mut());
        let own = self.value.iter_mut().chain(&mut self.expected);
        own.chain(values).for_each(make_numbers_exact);
    }

    /// True of what is done to the store and not by a client of it.
    pub(super) fn is_nemesis(&self) -> bool {
        self.client.0.as_str().trim_start_matches(':') == "nemesis"
    }

    /// The event of a register.
    pub(super) fn register(self, line: u64, function: Option<Function>) -> Event {
        let kind = self.kind();
        let value = match (self.expected, self.value) {
            (Some(expected), Some(value)) if kind == Kind::Invoke => {
                Some(Json::Array(vec![expected, value]))
            }
            (_, value) => value,
        };
        Event {
            line,
            kind,
            client: self.client.0,
            function,
            key: self.key.map(|key| key.0),
            value,
            swapped: self.swapped.unwrap_or(true),
        }
    }
}
