//! The dialects: how sibling stores word reads and writes.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    clocks::{Actor, DottedVersionVector, VectorClock},
    stores::StoreName,
    stores::{Key, Siblings},
};

use super::{
    Envelope, Malformed,
    wording::{self, Wording},
};

/// A vocabulary for reading and writing siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `vc_write`, `vc_read`: a vector clock for each value.
    Vc,
    /// `dvv_update`, `dvv_get`: a dot for each value, and a context for the key.
    Dvv,
    /// As [`Dialect::Vc`], with `vv_` for `vc_`.
    Vv,
    /// `kv_put`, `kv_get`, `kv_resolve`: the client makes the clock of its write.
    Kv,
    /// `mv_write`, `mv_read`: no contexts; a write supersedes what its node holds.
    Mv,
    /// What a file describes.
    Custom(Arc<Wording>),
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A dialect's name was not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no dialect {0:?}; the dialects are vc, dvv, vv, kv, mv and those that a file describes: give its path, as in ./mine.toml"
)]
pub struct UnknownDialect(String);

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::BUILT_IN
            .into_iter()
            .find(|dialect| dialect.name() == name)
            .ok_or_else(|| UnknownDialect(name.to_owned()))
    }
}

/// A built-in dialect stands in plans by its name, another one with all its words: a plan is run
/// again without the file.
impl Serialize for Dialect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Custom(wording) => wording.serialize(serializer),
            built_in => serializer.serialize_str(built_in.name()),
        }
    }
}

impl<'de> Deserialize<'de> for Dialect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrWords;

        impl<'de> Visitor<'de> for NameOrWords {
            type Value = Dialect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a dialect, or its description")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Dialect, E> {
                name.parse().map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, words: A) -> Result<Dialect, A::Error> {
                let wording = Wording::deserialize(MapAccessDeserializer::new(words))?;
                Dialect::custom(wording).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(NameOrWords)
    }
}

/// A client's request, decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientRequest {
    /// All siblings of a key.
    Read {
        /// The key.
        key: Key,
    },
    /// Write a value in place of what the context covers.
    Write {
        /// The key.
        key: Key,
        /// The value: any JSON.
        value: Json,
        /// The context; empty for a blind write.
        context: VectorClock,
    },
}

impl Dialect {
    /// The dialects that need no file, in the order in which a program is asked for them.
    pub const BUILT_IN: [Self; 5] = [Self::Vc, Self::Dvv, Self::Vv, Self::Kv, Self::Mv];

    /// The name on the command line and in plans; of a dialect that a file describes, in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Vc => "vc",
            Self::Dvv => "dvv",
            Self::Vv => "vv",
            Self::Kv => "kv",
            Self::Mv => "mv",
            Self::Custom(wording) => &wording.name,
        }
    }

    /// Its words.
    pub fn wording(&self) -> &Wording {
        match self {
            Self::Vc => &wording::VC,
            Self::Dvv => &wording::DVV,
            Self::Vv => &wording::VV,
            Self::Kv => &wording::KV,
            Self::Mv => &wording::MV,
            Self::Custom(wording) => wording,
        }
    }

    /// The reference store that speaks it too, or one of its kin.
    pub const fn reference(&self) -> StoreName {
        match self {
            Self::Dvv => StoreName::Dotted,
            _ => StoreName::Versioned,
        }
    }

    /// The type of a write.
    pub fn write_type(&self) -> &str {
        self.wording().write.request.kind()
    }

    /// The type of a read.
    pub fn read_type(&self) -> &str {
        self.wording().read.request.kind()
    }

    /// Decodes a client's request; `None` when its type is not of this dialect. `slots` names the
    /// slots of clocks that are written as arrays.
    ///
    /// # Errors
    ///
    /// When the type is of this dialect and the rest is not.
    pub fn decode(
        &self,
        envelope: &Envelope,
        slots: &[Actor],
    ) -> Option<Result<ClientRequest, Malformed>> {
        let kind = envelope.kind();
        let writes = kind == self.write_type();
        (writes || kind == self.read_type()).then(|| {
            let Some(Json::String(key)) = envelope.body.get("key") else {
                return Err(envelope.malformed(format!("{kind} needs a \"key\" that is a string")));
            };
            let key = Key::from(key.as_str());
            if !writes {
                return Ok(ClientRequest::Read { key });
            }
            let Some(value) = envelope.body.get("value") else {
                return Err(envelope.malformed(format!("{kind} needs a \"value\"")));
            };
            let context = match envelope.body.get("context") {
                None => VectorClock::new(),
                Some(context) => VectorClock::from_json(context, slots).map_err(|error| {
                    envelope.malformed(format!("the \"context\" of {kind}: {error}"))
                })?,
            };
            Ok(ClientRequest::Write {
                key,
                value: value.clone(),
                context,
            })
        })
    }
}

/// The body of a `vc_write_ok`.
pub(crate) fn vc_written(key: &Key, clock: &VectorClock) -> Map<String, Json> {
    object(json!({"type": "vc_write_ok", "key": key, "vc": clock}))
}

/// The body of a `vc_read_ok`.
pub(crate) fn vc_siblings(siblings: &Siblings<Json, VectorClock>) -> Map<String, Json> {
    let values: Vec<Json> = siblings
        .iter()
        .map(|sibling| json!({"value": sibling.value, "vc": sibling.stamp}))
        .collect();
    object(json!({"type": "vc_read_ok", "siblings": values.len(), "values": values}))
}

/// The body of a `dvv_update_ok`.
pub(crate) fn dvv_written(version: &DottedVersionVector) -> Map<String, Json> {
    object(json!({
        "type": "dvv_update_ok",
        "dot": version.dot(),
        "version_vector": version.past(),
    }))
}

/// The body of a `dvv_get_ok`.
pub(crate) fn dvv_siblings(
    siblings: &Siblings<Json, DottedVersionVector>,
    context: &VectorClock,
) -> Map<String, Json> {
    let values: Vec<Json> = siblings
        .iter()
        .map(|sibling| json!({"value": sibling.value, "dot": sibling.stamp.dot()}))
        .collect();
    object(json!({"type": "dvv_get_ok", "values": values, "context": context}))
}

/// The map of a JSON object; empty for anything else.
pub(crate) fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}
