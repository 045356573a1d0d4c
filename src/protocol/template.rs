//! Requests as templates, and where the parts of answers are: what every dialect is made of.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sibcheck_checkers::outside::Outside;

use super::object;

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
    pub(crate) fn new(text: &str) -> Self {
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

    /// The field of a body in which it begins.
    pub(crate) fn first(&self) -> Option<&str> {
        self.tokens.first().map(String::as_str)
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
    Expected,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 6] = [
        ("${key}", Self::Key),
        ("${value}", Self::Value),
        ("${context}", Self::Context),
        ("${clock}", Self::Clock),
        ("${client}", Self::Client),
        ("${expected}", Self::Expected),
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
    pub(crate) key: &'a Json,
    pub(crate) client: &'a str,
    pub(crate) value: &'a Json,
    /// The context, or the clock that the client made.
    pub(crate) context: &'a Json,
    /// What a compare-and-set expects.
    pub(crate) expected: &'a Json,
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
    pub(crate) fn new(body: Json) -> Self {
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
            Some(Placeholder::Key) => filling.key.clone(),
            Some(Placeholder::Expected) => filling.expected.clone(),
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

impl StatusWords {
    /// Whether an answer says that the write was carried out.
    ///
    /// # Errors
    ///
    /// When it says neither that it was nor that it was not.
    pub(crate) fn is_applied(&self, body: &Map<String, Json>) -> Result<bool, String> {
        let Some(found) = self.at.of(body) else {
            return Ok(true);
        };
        if self.refused.contains(found) {
            return Ok(false);
        }
        if self.applied.contains(found) {
            return Ok(true);
        }
        let (at, found) = (&self.at, Outside(found));
        Err(format!(
            "its {at} is {found}, and whether that means a write that was carried out is not known"
        ))
    }
}

/// What JSON is, in words.
pub(crate) const fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// The type of an answer has to be one of these, where there are any.
pub(crate) fn is_one_of(kind: &str, types: &[String]) -> Result<(), String> {
    if types.is_empty() || types.iter().any(|known| known == kind) {
        return Ok(());
    }
    let known = Outside(types.join(" or "));
    Err(format!("its \"type\" is {kind:?}, not {known}"))
}

/// The part of an answer that has to be there.
pub(crate) fn there<'j>(pointer: &Pointer, json: Option<&'j Json>) -> Result<&'j Json, String> {
    json.ok_or_else(|| format!("it has no {pointer}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
            key: &json!("k1"),
            client: "c2",
            value: &json!({"deep": true}),
            context: &json!([1, 0]),
            expected: &Json::Null,
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
