//! Lines to messages: several on one line, one over several lines, or none.

use serde_json::{Map, Value as Json};

use crate::nodes::process::Line;

use super::speech;

/// Lines that one message may be spread over.
const MAX_LINES: u64 = 10_000;
/// Bytes of such a message.
const MAX_BYTES: usize = 1 << 20;

/// What a node has begun to say.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Lines that are the beginning of a message.
    open: Vec<u8>,
    /// The number of the first of them.
    first: u64,
}

/// Messages that were read.
#[derive(Debug, PartialEq)]
pub(super) struct Taken {
    /// The number of the line, or of the first one.
    pub(super) number: u64,
    pub(super) text: String,
    pub(super) objects: Vec<Map<String, Json>>,
    /// One message was spread over lines.
    pub(super) split: bool,
}

/// What is no message.
#[derive(Debug, PartialEq)]
pub(super) struct Garbage {
    pub(super) number: u64,
    pub(super) text: String,
    pub(super) why: String,
}

impl Intake {
    /// Takes a line. `None` when it is empty, or the beginning of a message.
    ///
    /// # Errors
    ///
    /// When it is no message, nor can become one.
    pub(super) fn push(&mut self, line: &Line) -> Result<Option<Taken>, Garbage> {
        let split = !self.open.is_empty();
        if split {
            self.open.push(b'\n');
            self.open.extend_from_slice(&line.bytes);
        } else if line.bytes.trim_ascii().is_empty() {
            return Ok(None);
        } else {
            self.first = line.number;
        }
        let bytes = if split { &self.open } else { &line.bytes };
        let may_go_on =
            line.number - self.first < MAX_LINES && bytes.len() < MAX_BYTES && line.ended;
        let result = match speech::objects(bytes) {
            Ok(objects) => Ok(Some(Taken {
                number: self.first,
                text: String::from_utf8_lossy(bytes).into_owned(),
                objects,
                split,
            })),
            Err(unreadable) if unreadable.cut_off && may_go_on => {
                if !split {
                    self.open.clone_from(&line.bytes);
                }
                return Ok(None);
            }
            Err(unreadable) => Err(Garbage {
                number: self.first,
                text: String::from_utf8_lossy(bytes).into_owned(),
                why: unreadable.why,
            }),
        };
        self.open.clear();
        result
    }

    /// Whether a message was begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        !self.open.is_empty()
    }

    /// The node rests: what it has begun will not be ended.
    pub(super) fn rest(&mut self) -> Option<Garbage> {
        if self.open.is_empty() {
            return None;
        }
        let open = std::mem::take(&mut self.open);
        Some(Garbage {
            number: self.first,
            text: String::from_utf8_lossy(&open).into_owned(),
            why: "it is cut off: the program rests, and the rest of it did not come".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(intake: &mut Intake, number: u64, text: &str) -> Result<Option<Taken>, Garbage> {
        intake.push(&Line {
            number,
            bytes: text.as_bytes().to_vec(),
            ended: true,
        })
    }

    #[test]
    fn a_message_may_be_spread_over_lines() {
        let mut intake = Intake::default();
        assert_eq!(push(&mut intake, 1, ""), Ok(None));
        for (number, text) in [(2, "{"), (3, ""), (4, "  \"dest\": \"n2\"")] {
            assert_eq!(push(&mut intake, number, text), Ok(None));
        }
        let taken = push(&mut intake, 5, "}").unwrap().unwrap();
        assert_eq!((taken.number, taken.objects.len()), (2, 1));
        assert!(taken.split && intake.rest().is_none());
        let next = push(&mut intake, 6, "{}{}").unwrap().unwrap();
        assert_eq!((next.number, next.objects.len(), next.split), (6, 2, false));
    }

    #[test]
    fn noise_is_told_with_its_line() {
        let mut intake = Intake::default();
        for noise in ["starting", "[1", "\"", "nul", "}"] {
            let garbage = push(&mut intake, 7, noise).unwrap_err();
            assert_eq!((garbage.number, garbage.text.as_str()), (7, noise));
        }
        // A bad line must not swallow the good one that follows.
        assert_eq!(push(&mut intake, 8, "{\"a\":"), Ok(None));
        let garbage = push(&mut intake, 9, "{\"dest\":\"c1\"} x").unwrap_err();
        assert_eq!(garbage.number, 8);
        assert_eq!(push(&mut intake, 10, "{\"a\""), Ok(None));
        let garbage = intake.rest().unwrap();
        assert!(garbage.number == 10 && garbage.why.contains("cut off"));
        assert!(push(&mut intake, 11, "{}").unwrap().is_some());
    }
}
