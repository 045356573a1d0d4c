//! What outside programs say: lines to messages, answers to replies.
//!
//! Programs in the wild are loose with types and envelopes. What can be understood without guessing
//! is understood, and noted; what cannot is a failure of the node, told with the line.

use serde_json::{Map, Value as Json};
use sibcheck_checkers::history::{Read, Sibling, Value, Version};

use crate::{
    clocks::{Actor, Dot, DottedVersionVector, VectorClock},
    nodes::{Reply, reported},
    protocol::{Dialect, ErrorCode},
};

/// Why a line holds no messages.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable {
    /// It is the beginning of an object.
    pub(super) cut_off: bool,
    pub(super) why: String,
}

/// The JSON objects on a line: usually one, more when threads write without taking turns.
pub(super) fn objects(line: &[u8]) -> Result<Vec<Map<String, Json>>, Unreadable> {
    serde_json::Deserializer::from_slice(line)
        .into_iter::<Json>()
        .map(|json| match json {
            Ok(Json::Object(object)) => Ok(object),
            Ok(other) => Err(Unreadable {
                cut_off: false,
                why: format!("it is not a JSON object: {}", kind(&other)),
            }),
            Err(error) => Err(Unreadable {
                cut_off: error.is_eof() && line.trim_ascii_start().starts_with(b"{"),
                why: format!("it is not JSON: {error}"),
            }),
        })
        .collect()
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// An id that may be written as a number or as text; `None` when it is missing, null or 0.
pub(super) fn id(body: &Map<String, Json>, field: &str) -> Option<u64> {
    let whole = |text: &str| {
        // Lua writes 3.0.
        let text = text.trim();
        text.strip_suffix(".0").unwrap_or(text).parse().ok()
    };
    let id = match body.get(field)? {
        Json::Number(number) => number.as_u64().or_else(|| whole(&number.to_string()))?,
        Json::String(text) => whole(text)?,
        _ => return None,
    };
    (id > 0).then_some(id)
}

/// Reads the answer to a write or a read. `slots` names the slots of clocks written as arrays.
pub(super) fn answer(
    dialect: Dialect,
    wrote: bool,
    body: &Map<String, Json>,
    slots: &[Actor],
) -> Result<Reply, String> {
    if body.get("type").and_then(Json::as_str) == Some("error") {
        // An error without a code, or with one that is no number, may mean anything.
        let code = body.get("code").and_then(Json::as_i64);
        let definite = code.is_some_and(|code| ErrorCode::from_number(code).is_definite());
        return Ok(if definite {
            Reply::Refused
        } else {
            Reply::Uncertain
        });
    }
    if wrote {
        written(dialect, body, slots)
    } else {
        siblings(dialect, body, slots)
    }
}

fn clock(body: &Map<String, Json>, field: &str, slots: &[Actor]) -> Result<VectorClock, String> {
    let json = body
        .get(field)
        .ok_or_else(|| format!("it has no {field:?}"))?;
    VectorClock::from_json(json, slots).map_err(|error| format!("its {field:?}: {error}"))
}

fn written(dialect: Dialect, body: &Map<String, Json>, slots: &[Actor]) -> Result<Reply, String> {
    let (version, context) = match dialect {
        Dialect::Vc | Dialect::Vv => {
            let clock = clock(body, "vc", slots)?;
            (Version::Clock(reported(&clock)), Some(clock))
        }
        Dialect::Dvv => {
            let dot = body.get("dot").ok_or("it has no \"dot\"")?;
            let dot = Dot::from_json(dot).map_err(|error| format!("its \"dot\": {error}"))?;
            let past = clock(body, "version_vector", slots)?;
            let version = Version::Dotted {
                actor: dot.actor().clone(),
                counter: dot.counter(),
                past: Some(reported(&past)),
            };
            // A dot inside its own past is the checkers' business; no context is made of it.
            let context = DottedVersionVector::new(dot, past)
                .ok()
                .filter(DottedVersionVector::is_contiguous)
                .map(|version| version.ceiling());
            (version, context)
        }
    };
    Ok(Reply::Written {
        version: Some(version),
        context,
    })
}

fn siblings(dialect: Dialect, body: &Map<String, Json>, slots: &[Actor]) -> Result<Reply, String> {
    let values = match body.get("values") {
        Some(Json::Array(values)) => values.as_slice(),
        Some(Json::Null) => &[],
        Some(other) => return Err(format!("its \"values\" is {}, not an array", kind(other))),
        None => return Err("it has no \"values\"".to_owned()),
    };
    let mut read = Read::default();
    let mut parents = Vec::new();
    for (number, value) in (1..).zip(values) {
        let place = |what: String| format!("number {number} of its \"values\": {what}");
        let Json::Object(sibling) = value else {
            return Err(place(format!("it is {}, not an object", kind(value))));
        };
        let data = sibling
            .get("value")
            .ok_or_else(|| place("it has no \"value\"".to_owned()))?;
        let version = match dialect {
            Dialect::Vc | Dialect::Vv => {
                let clock = clock(sibling, "vc", slots).map_err(place)?;
                let version = Version::Clock(reported(&clock));
                parents.push(clock);
                version
            }
            Dialect::Dvv => {
                let dot = sibling
                    .get("dot")
                    .ok_or_else(|| place("it has no \"dot\"".to_owned()))?;
                let dot =
                    Dot::from_json(dot).map_err(|error| place(format!("its \"dot\": {error}")))?;
                Version::Dotted {
                    actor: dot.actor().clone(),
                    counter: dot.counter(),
                    past: None,
                }
            }
        };
        read.siblings.push(Sibling {
            value: Value {
                tag: None,
                data: data.clone(),
            },
            tombstone: false,
            version: Some(version),
        });
    }
    if dialect == Dialect::Dvv {
        let context = clock(body, "context", slots)?;
        read.context = Some(reported(&context));
        parents.push(context);
    }
    Ok(Reply::Siblings { read, parents })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(json: Json) -> Map<String, Json> {
        match json {
            Json::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    fn read(dialect: Dialect, json: Json) -> Result<(usize, Vec<VectorClock>), String> {
        match answer(dialect, false, &body(json), &["n1".into(), "n2".into()])? {
            Reply::Siblings { read, parents } => Ok((read.siblings.len(), parents)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn two_objects_on_one_line_are_two() {
        assert_eq!(objects(b"{\"a\":1}{\"b\":2}\r\n").unwrap().len(), 2);
        let why = |line: &[u8]| objects(line).unwrap_err();
        assert!(why(b"[1]").why.contains("an array"));
        assert!(why(b"starting up").why.contains("not JSON"));
        assert!(why(b"{\"a\":").why.contains("not JSON"));
        let cut_off = |line: &[u8]| why(line).cut_off;
        assert!(cut_off(b" {\"a\":") && cut_off(b"{}{"));
        assert!(!cut_off(b"[1, 2") && !cut_off(b"{\"a\"}") && !cut_off(b"{} x"));
    }

    #[test]
    fn loose_types_are_understood() {
        let ids = body(json!({"a": 3, "b": "4", "c": 0, "d": null, "e": "x", "g": 5.0, "h": 5.5}));
        let found: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"]
            .map(|field| id(&ids, field))
            .to_vec();
        let expected = [Some(3), Some(4), None, None, None, None, Some(5), None];
        assert_eq!(found, expected);
        assert_eq!(read(Dialect::Vc, json!({"values": null})), Ok((0, vec![])));
        let array = json!({"values": [{"value": 1, "vc": [0, 2]}]});
        let clock = VectorClock::from_entries([("n2".into(), 2)]).unwrap();
        assert_eq!(read(Dialect::Vv, array), Ok((1, vec![clock])));
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place() {
        let fault = |json| read(Dialect::Vc, json).unwrap_err();
        assert_eq!(fault(json!({})), "it has no \"values\"");
        assert!(fault(json!({"values": {}})).contains("an object, not an array"));
        let third = json!({"values": [{"value": 1, "vc": {}}, {"value": 2}]});
        assert!(fault(third).starts_with("number 2 of its \"values\": it has no \"vc\""));
    }

    #[test]
    fn errors_without_a_usable_code_leave_the_outcome_open() {
        let outcome = |json| answer(Dialect::Dvv, true, &body(json), &[]).unwrap();
        let error = |code: Json| json!({"type": "error", "code": code});
        assert!(matches!(outcome(error(json!(12))), Reply::Refused));
        for code in [json!(13), json!("12"), json!(null), json!(999)] {
            assert!(matches!(outcome(error(code)), Reply::Uncertain));
        }
    }

    #[test]
    fn a_context_is_made_of_a_contiguous_dot_only() {
        let context = |counter: u64| {
            let json = json!({"dot": ["n1", counter], "version_vector": {}});
            match answer(Dialect::Dvv, true, &body(json), &[]).unwrap() {
                Reply::Written { context, .. } => context,
                other => panic!("{other:?}"),
            }
        };
        assert!(context(1).is_some() && context(2).is_none());
    }
}
