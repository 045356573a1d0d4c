//! The dialects: how sibling stores word reads and writes.

use std::{fmt, str::FromStr};

use serde_json::{Map, Value as Json, json};

use crate::{
    clocks::{Actor, DottedVersionVector, VectorClock},
    nodes::StoreName,
    stores::{Key, Siblings},
};

use super::{Envelope, Malformed};

/// A vocabulary for reading and writing siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `vc_write`, `vc_read`: a vector clock for each value.
    Vc,
    /// `dvv_update`, `dvv_get`: a dot for each value, and a context for the key.
    Dvv,
    /// As [`Dialect::Vc`], with `vv_` for `vc_`.
    Vv,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A dialect's name was not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no dialect {0:?}; the dialects are vc, dvv and vv")]
pub struct UnknownDialect(String);

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.name() == name)
            .ok_or_else(|| UnknownDialect(name.to_owned()))
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
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Vc, Self::Dvv, Self::Vv];

    /// The name on the command line and in plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vc => "vc",
            Self::Dvv => "dvv",
            Self::Vv => "vv",
        }
    }

    /// The reference store that speaks it too, or one of its kin.
    pub const fn reference(self) -> StoreName {
        match self {
            Self::Vc | Self::Vv => StoreName::Versioned,
            Self::Dvv => StoreName::Dotted,
        }
    }

    /// The type of a write.
    pub const fn write_type(self) -> &'static str {
        match self {
            Self::Vc => "vc_write",
            Self::Dvv => "dvv_update",
            Self::Vv => "vv_write",
        }
    }

    /// The type of a read.
    pub const fn read_type(self) -> &'static str {
        match self {
            Self::Vc => "vc_read",
            Self::Dvv => "dvv_get",
            Self::Vv => "vv_read",
        }
    }

    /// The body of a client's write, without its id.
    pub(crate) fn write(self, key: &Key, value: &Json, context: &VectorClock) -> Map<String, Json> {
        let kind = self.write_type();
        object(json!({"type": kind, "key": key, "value": value, "context": context}))
    }

    /// The body of a client's read, without its id.
    pub(crate) fn read(self, key: &Key) -> Map<String, Json> {
        object(json!({"type": self.read_type(), "key": key}))
    }

    /// Decodes a client's request; `None` when its type is not of this dialect. `slots` names the
    /// slots of clocks that are written as arrays.
    ///
    /// # Errors
    ///
    /// When the type is of this dialect and the rest is not.
    pub fn decode(
        self,
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
