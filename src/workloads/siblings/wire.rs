//! The messages of the reference stores, served: requests decoded, answers encoded.

use serde_json::{Map, Value as Json, json};

use super::Wording;
use crate::{
    clocks::{Actor, DottedVersionVector, VectorClock},
    protocol::{Envelope, Malformed, object},
    stores::{Key, Siblings},
    workloads,
};

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

impl Wording {
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
        let writes = kind == workloads::Wording::write_type(self);
        (writes || kind == workloads::Wording::read_type(self)).then(|| {
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
