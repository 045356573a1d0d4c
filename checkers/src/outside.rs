//! Text from outside, which cannot act.
//!
//! A key, a client, a file's name or a line of a dead node may hold anything. What reaches a terminal
//! must neither move its cursor nor change its colours, turn the direction of the text beside it,
//! hide in it, or begin a line of its own. [`Outside`] is the one way to print such text: of what is
//! wrapped in it, letters of all languages stay as they are, and what acts is escaped as in JSON.
//! [`Name`] is text from outside that is kept, and has no other way to be printed.
//!
//! What acts: every character that is no letter, mark, number, punctuation, symbol or plain space.
//! These are the controls C0 and C1 and DEL, line and paragraph separators, format characters
//! (bidirectional controls, zero-width ones, tags), and what Unicode has not assigned.

use std::{
    borrow::Cow,
    fmt::{self, Debug, Display, Write},
    path::Path,
};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// Text from outside; printed, what acts in it is escaped. O(length).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Outside<T>(pub T);

impl<T: Display> Display for Outside<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            Escaping {
                out: f,
                keeps_lines: false
            },
            "{}",
            self.0
        )
    }
}

/// The same of text that has lines of its own, which stay: what a parser says of a place in a file,
/// or the text of a whole report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OutsideLines<T>(pub T);

impl<T: Display> Display for OutsideLines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            Escaping {
                out: f,
                keeps_lines: true
            },
            "{}",
            self.0
        )
    }
}

/// A name from outside: of a client, a node, a key or a clock entry. It compares and is saved as it
/// is; printed, what acts in it is escaped.
///
/// It is no text by itself, lest it be printed as it is where text is asked for:
///
/// ```compile_fail,E0308
/// let name = sibcheck_checkers::history::Name::from("k");
/// let text: &str = &name;
/// ```
///
/// ```compile_fail,E0599
/// let names = ["a", "b"].map(sibcheck_checkers::history::Name::from);
/// let text = names.join(", ");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(CompactString);

impl Name {
    /// A name that is known beforehand.
    pub(crate) const fn constant(name: &'static str) -> Self {
        Self(CompactString::const_new(name))
    }

    /// The name as it is: to be compared, saved or sent, and not to be printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&Outside(&self.0), f)
    }
}

impl Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.as_str(), f)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for Name {
    fn from(name: &String) -> Self {
        Self(name.into())
    }
}

impl From<CompactString> for Name {
    fn from(name: CompactString) -> Self {
        Self(name)
    }
}

impl From<&Self> for Name {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// Passes on what is written to it, escaped.
struct Escaping<'f, 'o> {
    out: &'f mut fmt::Formatter<'o>,
    keeps_lines: bool,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut written = 0;
        for (at, letter) in text.char_indices() {
            if !acts(letter) || (letter == '\n' && self.keeps_lines) {
                continue;
            }
            self.out.write_str(&text[written..at])?;
            written = at + letter.len_utf8();
            match letter {
                '\n' => self.out.write_str("\\n")?,
                '\r' => self.out.write_str("\\r")?,
                '\t' => self.out.write_str("\\t")?,
                _ => write_units(self.out, letter)?,
            }
        }
        self.out.write_str(&text[written..])
    }
}

/// A character as in JSON: `\u001b`, or the two halves of one beyond the first 65,536.
pub(crate) fn write_units(out: &mut impl Write, letter: char) -> fmt::Result {
    let units = letter.encode_utf16(&mut [0; 2]).to_vec();
    units
        .iter()
        .try_for_each(|unit| write!(out, "\\u{unit:04x}"))
}

/// True of a character that does not stand in a text to be read, but does something to it. The list of what can
/// be read is that of the standard library, whose `escape_debug` leaves it as it is.
pub fn acts(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_control();
    }
    // Behind a letter, marks that combine with it are not escaped either.
    let mut behind_a_letter = [b'a'; 5];
    let length = 1 + letter.encode_utf8(&mut behind_a_letter[1..]).len();
    let text = std::str::from_utf8(&behind_a_letter[..length]).unwrap_or_default();
    !text.escape_debug().skip(1).eq([letter])
}

/// The path of a file, as it stands in reports.
pub fn path(path: &Path) -> Outside<std::path::Display<'_>> {
    Outside(path.display())
}

/// What a reader of JSON says is wrong, which may quote the text, without the place at its end.
pub fn said(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let what = said
        .rsplit_once(" at line ")
        .map_or(&*said, |(what, _)| what);
    Outside(what).to_string()
}

/// JSON text in which nothing acts: what does stands in its strings only, and is escaped there, which
/// loses nothing. Line feeds are kept, so that objects may stand on lines. O(length).
pub fn json_text(text: &str) -> Cow<'_, str> {
    if text.chars().any(|letter| acts(letter) && letter != '\n') {
        // Within strings tabs and carriage returns are escaped already.
        Cow::Owned(OutsideLines(text).to_string())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_escaped_and_letters_stay() {
        for (text, printed) in [
            ("k1", "k1"),
            ("a\\b 'c' \"d\"", "a\\b 'c' \"d\""),
            (
                "caf\u{e9} cafe\u{301} 文字 हिन्दी ไทย שלום 🙂",
                "caf\u{e9} cafe\u{301} 文字 हिन्दी ไทย שלום 🙂",
            ),
            ("\u{1b}[2J\u{7f}\0", "\\u001b[2J\\u007f\\u0000"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            (
                "\u{80}\u{85}\u{9b}2J\u{9f}",
                "\\u0080\\u0085\\u009b2J\\u009f",
            ),
            (
                "\u{202a}\u{202e}\u{2066}\u{2069}",
                "\\u202a\\u202e\\u2066\\u2069",
            ),
            ("\u{200e}\u{200f}\u{61c}", "\\u200e\\u200f\\u061c"),
            ("\u{2028}\u{2029}", "\\u2028\\u2029"),
            (
                "\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}",
                "\\u200b\\u200d\\u2060\\ufeff\\u00ad",
            ),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(Outside(text).to_string(), printed);
            assert_eq!(Name::from(text).to_string(), printed);
        }
        assert_eq!(OutsideLines("a\n\u{9b}b").to_string(), "a\n\\u009bb");
    }

    #[test]
    fn what_is_told_in_pieces_is_escaped_as_one() {
        struct Pieces;
        impl Display for Pieces {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_char('\u{1b}')?;
                f.write_str("[2J")?;
                f.write_fmt(format_args!("{}", char::from(10)))
            }
        }
        assert_eq!(Outside(Pieces).to_string(), "\\u001b[2J\\n");
    }

    #[test]
    fn json_loses_nothing_by_being_escaped() {
        let hostile: String = (0..0x3000)
            .chain(0xe0000..0xe0080)
            .filter_map(char::from_u32)
            .collect();
        let value = serde_json::json!({ hostile.as_str(): [hostile] });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = json_text(&text);
        assert!(!safe.chars().any(|letter| acts(letter) && letter != '\n'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
        assert!(matches!(json_text("{\"a\": \"é\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_name_is_saved_as_it_is() {
        let name = Name::from("a\u{1b}\n");
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"a\\u001b\\n\"");
        assert_eq!(name, "a\u{1b}\n");
        assert_eq!(format!("{name:?}"), "\"a\\u{1b}\\n\"");
    }
}
