//! The dialects: how stores word requests and answers.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value as Json};
use sibcheck_checkers::outside::{self, Outside, OutsideLines};

use super::{Act, Wording as _, Words, Workload, WorkloadName, registers, siblings, with_words};
use crate::protocol::{Placeholder, StatusWords, Template};

/// A vocabulary for requests and answers.
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
    /// `read`, `write`, `cas`: Maelstrom's registers, which are to be linearizable.
    LinKv,
    /// What a file describes.
    Custom(Arc<Words>),
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A dialect's name was not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no dialect {0:?}; the dialects are {known} and those that a file describes: give its path, as in ./mine.toml",
    known = Dialect::BUILT_IN.map(|dialect| dialect.name().to_owned()).join(", ")
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
            Self::Custom(words) => words.serialize(serializer),
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
                let words = Map::<String, Json>::deserialize(MapAccessDeserializer::new(words))?;
                let words = Words::from_json(words).map_err(de::Error::custom)?;
                Dialect::custom(words).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(NameOrWords)
    }
}

impl Dialect {
    /// The dialects that need no file, in the order in which a program is asked for them.
    pub const BUILT_IN: [Self; 6] = [
        Self::Vc,
        Self::Dvv,
        Self::Vv,
        Self::Kv,
        Self::Mv,
        Self::LinKv,
    ];

    /// The name on the command line and in plans; of a dialect that a file describes, in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Vc => "vc",
            Self::Dvv => "dvv",
            Self::Vv => "vv",
            Self::Kv => "kv",
            Self::Mv => "mv",
            Self::LinKv => "lin-kv",
            Self::Custom(words) => words.name(),
        }
    }

    /// Its words.
    pub fn words(&self) -> &Words {
        macro_rules! built_in {
            ($workload:ident, $words:path) => {{
                static WORDS: LazyLock<Words> =
                    LazyLock::new(|| Words::$workload(Box::new($words())));
                &WORDS
            }};
        }
        match self {
            Self::Vc => built_in!(Siblings, siblings::words::vc),
            Self::Dvv => built_in!(Siblings, siblings::words::dvv),
            Self::Vv => built_in!(Siblings, siblings::words::vv),
            Self::Kv => built_in!(Siblings, siblings::words::kv),
            Self::Mv => built_in!(Siblings, siblings::words::mv),
            Self::LinKv => built_in!(Registers, registers::words::lin_kv),
            Self::Custom(words) => words,
        }
    }

    /// The workload that is spoken in it.
    pub fn workload(&self) -> WorkloadName {
        self.words().workload()
    }

    /// What an act is called that there are no words for.
    pub fn lacks(&self, act: Act) -> Option<&'static str> {
        with_words!(self.words(), W, words => {
            let act: Result<<W as Workload>::Act, _> = act.try_into();
            act.map_or(Some("of another workload"), |act| words.lacks(act))
        })
    }

    /// The type of a write.
    pub fn write_type(&self) -> &str {
        with_words!(self.words(), W, words => words.write_type())
    }

    /// The type of a read.
    pub fn read_type(&self) -> &str {
        with_words!(self.words(), W, words => words.read_type())
    }

    /// Reads the description of a dialect.
    ///
    /// # Errors
    ///
    /// With the line or the key that is wrong, and what should stand there.
    pub fn from_toml(text: &str) -> Result<Self, DialectError> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(default)]
            object: Option<String>,
        }
        let syntax = |error: toml::de::Error| {
            // What is wrong, and the line of the file with it.
            DialectError::Syntax(OutsideLines(error.to_string().trim_end()).to_string())
        };
        let Object { object } = toml::from_str(text).map_err(syntax)?;
        let workload = WorkloadName::of_object(object.as_deref())?;
        let words = toml::Deserializer::parse(text).and_then(|read| Words::read(workload, read));
        Self::custom(words.map_err(syntax)?)
    }

    /// The dialect with these words.
    ///
    /// # Errors
    ///
    /// When the words do not go together.
    pub fn custom(words: Words) -> Result<Self, DialectError> {
        let name = words.name();
        let unreadable = |letter: char| letter.is_whitespace() || outside::acts(letter);
        if name.is_empty() || name.contains(unreadable) {
            let what = "give it a name without spaces and control characters, for the reports";
            return Err(DialectError::meaning("name", what));
        }
        if name.parse::<Self>().is_ok() {
            let what = format!("{name} is a built-in dialect: choose another name");
            return Err(DialectError::meaning("name", what));
        }
        with_words!(&words, W, words => words.validate())?;
        Ok(Self::Custom(Arc::new(words)))
    }
}

impl WorkloadName {
    /// The workload of the object that a dialect's file names; siblings where it names none.
    fn of_object(object: Option<&str>) -> Result<Self, DialectError> {
        let object = object.unwrap_or(Self::Siblings.object());
        let found = Self::ALL.into_iter().find(|name| name.object() == object);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::object).join(" or ");
            DialectError::meaning(
                "object",
                format!("there is no object {object:?}; it is {known}"),
            )
        })
    }
}

impl Words {
    /// The words that a plan holds.
    fn from_json(mut words: Map<String, Json>) -> Result<Self, String> {
        let object = words.get("object").and_then(Json::as_str);
        let name = WorkloadName::of_object(object).map_err(|error| error.to_string())?;
        if name == WorkloadName::Siblings {
            words.remove("object");
        }
        Self::read(name, Json::Object(words)).map_err(|error| error.to_string())
    }
}

/// Why a file describes no dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// It is not TOML, or a key is unknown, missing or of the wrong kind; with its line.
    #[error("{0}")]
    Syntax(String),
    /// Its keys do not go together.
    #[error("{place}: {what}")]
    Meaning {
        /// The table or key.
        place: String,
        /// What is wrong there, and what should stand there.
        what: String,
    },
}

impl DialectError {
    /// What is wrong at a table or key, and what should stand there.
    pub(super) fn meaning(place: &str, what: impl Into<String>) -> Self {
        Self::Meaning {
            place: place.to_owned(),
            what: what.into(),
        }
    }

    /// A status has to tell what was carried out from what was not.
    pub(super) fn status(place: &str, status: &StatusWords) -> Result<(), Self> {
        if status.applied.is_empty() && status.refused.is_empty() {
            let what = "name the statuses of writes that were carried out as applied, and of those that were not as refused";
            return Err(Self::meaning(place, what));
        }
        match status.applied.iter().find(|it| status.refused.contains(it)) {
            Some(both) => Err(Self::meaning(
                place,
                format!(
                    "{} is among applied and refused: it can mean one only",
                    Outside(both)
                ),
            )),
            None => Ok(()),
        }
    }

    /// A placeholder has to stand in a request.
    pub(super) fn needs(
        place: &str,
        request: &Template,
        placeholder: Placeholder,
    ) -> Result<(), Self> {
        if request.has(placeholder) {
            return Ok(());
        }
        let word = placeholder.word();
        Err(Self::meaning(
            place,
            format!("nothing in it is {word}: put it where it belongs"),
        ))
    }
}
