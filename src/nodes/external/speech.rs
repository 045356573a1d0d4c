//! What outside programs say: lines to messages.
//!
//! Programs in the wild are loose with types and envelopes. What can be understood without guessing
//! is understood, and noted; what cannot is a failure of the node, told with the line.

use serde_json::{Map, Value as Json};
use sibcheck_checkers::outside::Outside;

use crate::protocol::kind;

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
                why: format!("it is not JSON: {}", Outside(error)),
            }),
        })
        .collect()
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
    }
}
