//! Keys and values as they stand in sentences: readable, and told apart.
//!
//! What is not ASCII is escaped as in JSON, so that two forms of one letter do not look alike. What is
//! long is cut in the middle, since long texts of one kind often differ at their ends, and its length
//! is told.

use std::{
    borrow::Cow,
    fmt::{Display, Write},
};

use serde_json::Value as Json;

/// The longest text that is shown whole, in characters.
const LONGEST: usize = 60;

/// A value, as the text of its JSON. O(length).
pub fn value(value: &impl Display) -> String {
    cut(&escaped(&value.to_string()))
}

/// A key: as it is where it is a short word, else as JSON. O(length).
pub fn key(key: &str) -> Cow<'_, str> {
    let of_words = |letter: char| letter.is_ascii_graphic() && letter != '"' && letter != ',';
    if !key.is_empty() && key.len() <= LONGEST && key.chars().all(of_words) {
        return key.into();
    }
    value(&Json::from(key)).into()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() && letter != '\u{7f}' {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

fn cut(text: &str) -> String {
    let length = text.len();
    // Every character is one byte by now.
    match (
        text.get(..LONGEST / 2),
        text.get(length - (length.min(LONGEST / 2))..),
    ) {
        (Some(beginning), Some(end)) if length > LONGEST => {
            format!("{beginning}…{end} ({length} characters)")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_told_apart() {
        assert_eq!(value(&Json::from("caf\u{e9}")), "\"caf\\u00e9\"");
        assert_eq!(value(&Json::from("cafe\u{301}")), "\"cafe\\u0301\"");
        assert_eq!(value(&Json::from("\u{1f600}")), "\"\\ud83d\\ude00\"");
        assert_eq!(value(&Json::from("a\tb \u{7f}")), "\"a\\tb \\u007f\"");
        for (text, shown) in [
            ("k1", "k1"),
            ("a/b", "a/b"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("\u{212b}", "\"\\u212b\""),
            ("say \"no\"", "\"say \\\"no\\\"\""),
        ] {
            assert_eq!(key(text), shown);
        }
    }

    #[test]
    fn what_is_long_is_cut_in_the_middle_and_measured() {
        let long = |end: &str| value(&Json::from(format!("{}{end}", "x".repeat(5_000))));
        assert_ne!(long("1"), long("2"));
        let shown = format!(
            "\"{}…{}1\" (5003 characters)",
            "x".repeat(29),
            "x".repeat(28)
        );
        assert_eq!(long("1"), shown);
        assert_eq!(
            value(&Json::from("y".repeat(58))),
            format!("\"{}\"", "y".repeat(58))
        );
        assert!(key(&"k".repeat(300)).ends_with("(302 characters)"));
    }
}
