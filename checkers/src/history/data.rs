//! Values as they stand in histories: any JSON, the common ones in few bytes.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value as Json};

/// Any JSON. Numbers and short texts have no other place in memory.
///
/// Equal JSON is held in one way, so that derived equality is that of the JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data(Held);

#[derive(Clone, Debug, Default, PartialEq)]
enum Held {
    #[default]
    Null,
    /// A whole number that is not negative.
    Natural(u64),
    /// A negative whole number.
    Negative(i64),
    /// Another number.
    Fraction(f64),
    /// A text of up to [`SHORT`] bytes, filled up with zeros.
    Short(u8, [u8; SHORT]),
    /// What is none of these. It is shared: a value that is read often is held once.
    Other(Arc<Json>),
}

const SHORT: usize = 14;

/// What there is in a value, for comparing and hashing.
pub(crate) enum Content<'d> {
    /// A whole number, as 64 bits.
    Whole(u64),
    /// Another number.
    Fraction(f64),
    /// A text.
    Text(&'d [u8]),
    /// Null.
    Null,
    /// A truth value, an array or an object.
    Other(&'d Json),
}

impl Data {
    /// The value of a tombstone.
    pub const NULL: Self = Self(Held::Null);

    /// True of null.
    pub const fn is_null(&self) -> bool {
        matches!(self.0, Held::Null)
    }

    /// A whole number that is not negative, if it is one.
    pub const fn as_u64(&self) -> Option<u64> {
        match self.0 {
            Held::Natural(number) => Some(number),
            _ => None,
        }
    }

    /// As JSON has it.
    pub fn to_json(&self) -> Json {
        match &self.0 {
            Held::Null => Json::Null,
            Held::Natural(number) => Json::from(*number),
            Held::Negative(number) => Json::from(*number),
            Held::Fraction(number) => Json::from(*number),
            Held::Short(length, bytes) => Json::from(text(*length, bytes)),
            Held::Other(json) => (**json).clone(),
        }
    }

    pub(crate) fn content(&self) -> Content<'_> {
        match &self.0 {
            Held::Null => Content::Null,
            Held::Natural(number) => Content::Whole(*number),
            Held::Negative(number) => Content::Whole(number.cast_unsigned()),
            Held::Fraction(number) => Content::Fraction(*number),
            Held::Short(length, bytes) => Content::Text(&bytes[..usize::from(*length)]),
            Held::Other(json) => match &**json {
                Json::String(text) => Content::Text(text.as_bytes()),
                json => Content::Other(json),
            },
        }
    }
}

fn text(length: u8, bytes: &[u8; SHORT]) -> &str {
    // Always a text: it was copied from one.
    std::str::from_utf8(&bytes[..usize::from(length)]).unwrap_or_default()
}

impl From<Json> for Data {
    fn from(json: Json) -> Self {
        Self(match json {
            Json::Null => Held::Null,
            Json::Number(number) => return number.into(),
            Json::String(text) => match short(&text) {
                Some(short) => short,
                None => Held::Other(Arc::new(Json::String(text))),
            },
            other => Held::Other(Arc::new(other)),
        })
    }
}

impl From<Number> for Data {
    fn from(number: Number) -> Self {
        Self(match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => Held::Natural(number),
            (None, Some(number), _) => Held::Negative(number),
            (None, None, Some(number)) => Held::Fraction(number),
            (None, None, None) => Held::Other(Arc::new(Json::Number(number))),
        })
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self(short(text).unwrap_or_else(|| Held::Other(Arc::new(Json::from(text)))))
    }
}

impl From<u64> for Data {
    fn from(number: u64) -> Self {
        Self(Held::Natural(number))
    }
}

impl From<u32> for Data {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl From<Option<u64>> for Data {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::NULL, Self::from)
    }
}

fn short(text: &str) -> Option<Held> {
    let mut bytes = [0; SHORT];
    bytes
        .get_mut(..text.len())?
        .copy_from_slice(text.as_bytes());
    Some(Held::Short(u8::try_from(text.len()).ok()?, bytes))
}

/// The JSON text.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(f)
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Held::Null => serializer.serialize_unit(),
            Held::Natural(number) => serializer.serialize_u64(*number),
            Held::Negative(number) => serializer.serialize_i64(*number),
            Held::Fraction(number) => serializer.serialize_f64(*number),
            Held::Short(length, bytes) => serializer.serialize_str(text(*length, bytes)),
            Held::Other(json) => json.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_json_comes_out_as_it_went_in() {
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(u64::MAX),
            json!(-1),
            json!(i64::MIN),
            json!(0.0),
            json!(-0.0),
            json!(1e300),
            json!(""),
            json!("short"),
            json!("fourteen bytes"),
            json!("fifteen bytes.."),
            json!("größe"),
            json!([1, "a", null]),
            json!({"a": [1.5], "b": {}}),
        ];
        for value in &values {
            let data = Data::from(value.clone());
            assert_eq!(&data.to_json(), value);
            assert_eq!(data.to_string(), value.to_string());
            let written = serde_json::to_string(&data).expect("JSON");
            assert_eq!(written, value.to_string());
            let read: Data = serde_json::from_str(&written).expect("data");
            assert_eq!(read, data);
            for other in &values {
                assert_eq!(Data::from(other.clone()) == data, other == value);
            }
        }
    }

    #[test]
    fn a_text_is_held_as_json_of_it_is() {
        for text in ["", "a", "fourteen bytes", "fifteen bytes..", "größe"] {
            assert_eq!(Data::from(text), Data::from(json!(text)));
        }
        assert_eq!(Data::from(7_u64), Data::from(json!(7)));
        assert_eq!(size_of::<Data>(), 16);
    }
}
