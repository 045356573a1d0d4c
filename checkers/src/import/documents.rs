//! JSON values of a file: one a line, or wherever they stand in an array or one after another.

use std::io::{self, BufRead};

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Map, Value as Json};

use crate::bounded;

/// The values of a file and the lines that they begin in.
pub(super) enum Documents<R> {
    /// One a line: not more than a line is held.
    Lines { reader: R, line: u64, text: Vec<u8> },
    /// Values that span lines, or stand in arrays.
    Spread { text: Vec<u8>, at: usize, line: u64 },
}

impl<R: BufRead> Documents<R> {
    /// The values of a file; whether they are spread is told by the first.
    pub(super) fn of(mut reader: R) -> io::Result<Self> {
        let beginning = reader.fill_buf()?.trim_ascii_start();
        let spread = match end(beginning) {
            _ if beginning.starts_with(b"[") => true,
            Some(end) => beginning[..end].contains(&b'\n'),
            None => false,
        };
        let (mut text, line) = (Vec::new(), 1);
        Ok(if spread {
            bounded::read_whole(&mut reader, &mut text)?;
            Self::Spread { text, at: 0, line }
        } else {
            let line = 0;
            Self::Lines { reader, line, text }
        })
    }

    /// The next value and its line; of what is none, the rest.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        match self {
            Self::Lines { reader, line, text } => loop {
                text.clear();
                *line += 1;
                if bounded::read_line(reader, text)? == 0 {
                    return Ok(None);
                }
                if !text.trim_ascii().is_empty() {
                    return Ok(Some((*line, text.trim_ascii())));
                }
            },
            Self::Spread { text, at, line } => {
                while let Some(byte) = text.get(*at)
                    && (byte.is_ascii_whitespace() || b"[],".contains(byte))
                {
                    *line += u64::from(*byte == b'\n');
                    *at += 1;
                }
                let rest = &text[*at..];
                if rest.is_empty() {
                    return Ok(None);
                }
                let value = &rest[..end(rest).unwrap_or(rest.len())];
                let begins = *line;
                *at += value.len();
                *line += memchr::memchr_iter(b'\n', value).count() as u64;
                Ok(Some((begins, value)))
            }
        }
    }

    /// The line that the last value began in.
    pub(super) const fn line(&self) -> u64 {
        match self {
            Self::Lines { line, .. } | Self::Spread { line, .. } => *line,
        }
    }
}

/// Where the value that a text begins with ends; `None` for none.
fn end(text: &[u8]) -> Option<usize> {
    let mut values = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

/// The object that a text begins with.
pub(super) fn first_object(text: &[u8]) -> Option<Map<String, Json>> {
    Deserializer::from_slice(text).into_iter().next()?.ok()
}
