//! Envelopes: one JSON object a line.

use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::outside::Outside;

use super::ErrorCode;

/// A message with its sender and receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The sender's id.
    pub src: String,
    /// The receiver's id.
    pub dest: String,
    /// The message itself.
    pub body: Map<String, Json>,
}

/// A line that is not a message.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what}")]
pub struct Malformed {
    /// What is wrong with it.
    pub what: String,
    /// Who can be told so, and about which of its messages; where the line says that much.
    pub reply_to: Option<(String, Json)>,
}

impl Malformed {
    /// A fault that nobody can be told of.
    pub fn unanswerable(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            reply_to: None,
        }
    }
}

impl Envelope {
    /// The message's type, `""` when it has none.
    pub fn kind(&self) -> &str {
        self.body.get("type").and_then(Json::as_str).unwrap_or("")
    }

    /// The id under which an answer is expected, if one is.
    pub fn msg_id(&self) -> Option<&Json> {
        self.body.get("msg_id").filter(|id| !id.is_null())
    }

    /// The same fault as an answer to this message, where it expects one.
    pub fn malformed(&self, what: impl Into<String>) -> Malformed {
        Malformed {
            what: what.into(),
            reply_to: self.msg_id().map(|id| (self.src.clone(), id.clone())),
        }
    }

    /// The line to be written, without its end.
    pub fn to_line(&self) -> String {
        json!({"src": self.src, "dest": self.dest, "body": self.body}).to_string()
    }
}

/// The body of an error answer.
pub(crate) fn error_body(code: ErrorCode, text: &str) -> Map<String, Json> {
    let mut body = Map::new();
    body.insert("type".into(), "error".into());
    body.insert("code".into(), code.number().into());
    body.insert("text".into(), text.into());
    body
}

/// Reads one line. Spaces around the object and a carriage return at the end are allowed.
///
/// # Errors
///
/// When the line is not one JSON object with `src`, `dest` and `body`.
pub fn parse_line(line: &[u8]) -> Result<Envelope, Malformed> {
    let json: Json = serde_json::from_slice(line).map_err(|error| {
        Malformed::unanswerable(format!("not one JSON object: {}", Outside(error)))
    })?;
    let Json::Object(mut object) = json else {
        return Err(Malformed::unanswerable("not a JSON object"));
    };
    let src = object.remove("src");
    let body = object.remove("body");
    let reply_to = src.as_ref().and_then(Json::as_str).and_then(|src| {
        let id = body.as_ref()?.get("msg_id").filter(|id| !id.is_null())?;
        Some((src.to_owned(), id.clone()))
    });
    let malformed = |what: &str| Malformed {
        what: what.to_owned(),
        reply_to: reply_to.clone(),
    };
    let Some(Json::String(src)) = src else {
        return Err(malformed("it has no \"src\" that is a string"));
    };
    let Some(Json::String(dest)) = object.remove("dest") else {
        return Err(malformed("it has no \"dest\" that is a string"));
    };
    let Some(Json::Object(body)) = body else {
        return Err(malformed("it has no \"body\" that is an object"));
    };
    Ok(Envelope { src, dest, body })
}

/// The map of a JSON object; empty for anything else.
pub(crate) fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_round_trips() {
        let line = br#" {"src":"c1","dest":"n1","body":{"type":"read","msg_id":3}}"#;
        let envelope = parse_line(&[line.as_slice(), b"\r"].concat()).unwrap();
        assert_eq!(
            (envelope.kind(), envelope.msg_id()),
            ("read", Some(&3.into()))
        );
        assert_eq!(parse_line(envelope.to_line().as_bytes()), Ok(envelope));
    }

    #[test]
    fn who_can_be_answered_is_found_in_what_is_there() {
        let fault = |line: &str| parse_line(line.as_bytes()).unwrap_err();
        assert_eq!(fault("{").reply_to, None);
        assert_eq!(fault("[]").reply_to, None);
        assert_eq!(fault(r#"{"src":"c1","dest":"n1"}"#).reply_to, None);
        let no_dest = fault(r#"{"src":"c1","body":{"msg_id":7}}"#);
        assert_eq!(no_dest.reply_to, Some(("c1".to_owned(), 7.into())));
        assert!(no_dest.what.contains("dest"));
    }
}
