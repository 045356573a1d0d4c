//! Cuts what a program writes into lines, and stops storms.
//!
//! Lines are bytes: what they mean, and whether they are text at all, is for others to judge. A
//! line ends with a line feed, or with a carriage return and a line feed; what stands after the
//! last one becomes a line when the output ends.

use std::mem;

/// The longest line. Whole databases have been seen on one line; this bounds our memory.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// Lines a program may write in its life. Honest gossip storms of 669,000 lines have been seen.
pub const MAX_LINES_PER_RUN: u64 = 5_000_000;

/// Bytes a program may write in its life.
pub const MAX_BYTES_PER_RUN: u64 = 1 << 30;

/// Lines a program may write for one message. Honest bursts of 10,000 have been seen; they are all
/// held in memory.
pub const MAX_LINES_PER_BURST: u64 = 250_000;

/// Bytes a program may write for one message.
pub const MAX_BYTES_PER_BURST: u64 = 128 << 20;

/// One line of a program's stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in all that the program wrote, from 1.
    pub number: u64,
    /// What it says, without its end.
    pub bytes: Vec<u8>,
    /// Whether it had an end: false for a rest that a dying program left.
    pub ended: bool,
}

/// What a program may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line, in bytes.
    pub line_bytes: usize,
    /// Lines in its life.
    pub lines: u64,
    /// Bytes in its life.
    pub bytes: u64,
    /// Lines between two deliveries.
    pub burst_lines: u64,
    /// Bytes between two deliveries.
    pub burst_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: MAX_LINE_BYTES,
            lines: MAX_LINES_PER_RUN,
            bytes: MAX_BYTES_PER_RUN,
            burst_lines: MAX_LINES_PER_BURST,
            burst_bytes: MAX_BYTES_PER_BURST,
        }
    }
}

/// A limit was passed. Lines before it were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Storm {
    /// One line without end.
    #[error(
        "line {number} of its stdout is longer than {limit} bytes; end every message with a line feed"
    )]
    LongLine {
        /// Which line, from 1.
        number: u64,
        /// The limit.
        limit: usize,
    },
    /// Too many lines.
    #[error(
        "wrote more than {limit} lines to stdout; look for messages that are answered with messages without end, or run fewer operations"
    )]
    Lines {
        /// The limit.
        limit: u64,
    },
    /// Too many bytes.
    #[error(
        "wrote more than {limit} bytes to stdout, {lines} lines; look for messages that grow with every request, or run fewer operations"
    )]
    Bytes {
        /// The limit.
        limit: u64,
        /// Lines so far.
        lines: u64,
    },
    /// Too much at once.
    #[error(
        "wrote {lines} lines and {bytes} bytes for one message; look for a loop that writes, or for messages that a node sends to itself"
    )]
    Burst {
        /// Lines since the message.
        lines: u64,
        /// Bytes since the message.
        bytes: u64,
    },
}

/// Bytes in, lines out.
#[derive(Debug, Default)]
pub(super) struct Lines {
    limits: Limits,
    /// A line whose end has not come yet.
    open: Vec<u8>,
    /// Lines handed over.
    count: u64,
    /// Bytes taken.
    bytes: u64,
    /// Lines and bytes before this delivery.
    before: (u64, u64),
    /// The last line was taken before its end came.
    end_is_due: bool,
}

impl Lines {
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Another message is delivered.
    pub(super) fn begin_burst(&mut self) {
        self.before = (self.count, self.bytes);
    }

    /// What stands behind the last end of a line.
    pub(super) fn unfinished(&self) -> &[u8] {
        &self.open
    }

    /// Takes what was read. On an error the line at hand and the rest of the chunk are dropped: the
    /// program is to be ended.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<Line>) -> Result<(), Storm> {
        let result = self.cut(chunk, out);
        if result.is_err() {
            self.open = Vec::new();
        }
        result
    }

    fn cut(&mut self, mut chunk: &[u8], out: &mut Vec<Line>) -> Result<(), Storm> {
        self.bytes += chunk.len() as u64;
        if self.end_is_due && !chunk.is_empty() {
            self.end_is_due = false;
            let rest = chunk.strip_prefix(b"\r").unwrap_or(chunk);
            chunk = rest.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            self.extend(&chunk[..end])?;
            chunk = &chunk[end + 1..];
            if self.count >= self.limits.lines {
                return Err(Storm::Lines {
                    limit: self.limits.lines,
                });
            }
            let mut bytes = mem::take(&mut self.open);
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            self.hand_over(bytes, true, out);
        }
        self.extend(chunk)?;
        if self.bytes > self.limits.bytes {
            return Err(Storm::Bytes {
                limit: self.limits.bytes,
                lines: self.count,
            });
        }
        let (lines, bytes) = (self.count - self.before.0, self.bytes - self.before.1);
        if lines > self.limits.burst_lines || bytes > self.limits.burst_bytes {
            return Err(Storm::Burst { lines, bytes });
        }
        Ok(())
    }

    /// Makes a line of what has no end yet. An end that comes later is not another line.
    pub(super) fn take_unfinished(&mut self, out: &mut Vec<Line>) {
        self.end_is_due = !self.open.is_empty();
        self.finish(out);
    }

    /// The output ended: what is left is a line.
    pub(super) fn finish(&mut self, out: &mut Vec<Line>) {
        if !self.open.is_empty() {
            let bytes = mem::take(&mut self.open);
            self.hand_over(bytes, false, out);
        }
    }

    fn hand_over(&mut self, bytes: Vec<u8>, ended: bool, out: &mut Vec<Line>) {
        self.count += 1;
        out.push(Line {
            number: self.count,
            bytes,
            ended,
        });
    }

    fn extend(&mut self, part: &[u8]) -> Result<(), Storm> {
        if self.open.len() + part.len() > self.limits.line_bytes {
            return Err(Storm::LongLine {
                number: self.count + 1,
                limit: self.limits.line_bytes,
            });
        }
        self.open.extend_from_slice(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&str], limits: Limits) -> (Vec<(u64, String, bool)>, Option<Storm>) {
        let mut lines = Lines::default();
        lines.set_limits(limits);
        let mut out = Vec::new();
        let storm = chunks
            .iter()
            .find_map(|chunk| lines.push(chunk.as_bytes(), &mut out).err());
        lines.finish(&mut out);
        let shown = out
            .into_iter()
            .map(|line| {
                let text = String::from_utf8(line.bytes).expect("text");
                (line.number, text, line.ended)
            })
            .collect();
        (shown, storm)
    }

    fn line(number: u64, text: &str, ended: bool) -> (u64, String, bool) {
        (number, text.to_owned(), ended)
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = "a\r\n\nbc\r\r\nlast\r";
        let expected = vec![
            line(1, "a", true),
            line(2, "", true),
            line(3, "bc\r", true),
            line(4, "last\r", false),
        ];
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let chunks = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(
                    cut(&chunks, Limits::default()),
                    (expected.clone(), None),
                    "{chunks:?}"
                );
            }
        }
    }

    #[test]
    fn storms_are_named() {
        let limits = Limits {
            line_bytes: 4,
            lines: 3,
            bytes: 20,
            ..Limits::default()
        };
        let (lines, storm) = cut(&["1234\n12", "345"], limits);
        assert_eq!(lines[0], line(1, "1234", true));
        assert_eq!(
            storm,
            Some(Storm::LongLine {
                number: 2,
                limit: 4
            })
        );
        let (lines, storm) = cut(&["1\n2\n3\n4\n"], limits);
        assert_eq!((lines.len(), storm), (3, Some(Storm::Lines { limit: 3 })));
        let many = Limits {
            lines: 99,
            ..limits
        };
        let (lines, storm) = cut(&["1\n2\n3\n4\n", "1\n2\n3\n4\n", "1\n2\n3\n"], many);
        assert_eq!(lines.len(), 11);
        assert_eq!(
            storm,
            Some(Storm::Bytes {
                limit: 20,
                lines: 11
            })
        );
    }

    #[test]
    fn a_burst_is_what_comes_for_one_message() {
        let mut lines = Lines::default();
        lines.set_limits(Limits {
            burst_lines: 2,
            burst_bytes: 9,
            ..Limits::default()
        });
        let mut out = Vec::new();
        for _ in 0..9 {
            lines.begin_burst();
            assert_eq!(lines.push(b"1\n2\n", &mut out), Ok(()));
        }
        let storm = lines.push(b"3\n", &mut out);
        assert_eq!(storm, Err(Storm::Burst { lines: 3, bytes: 6 }));
        lines.begin_burst();
        let storm = lines.push(b"0123456789", &mut out);
        let expected = Storm::Burst {
            lines: 0,
            bytes: 10,
        };
        assert_eq!(storm, Err(expected));
    }

    #[test]
    fn a_line_taken_before_its_end_is_one_line() {
        for end in ["\n", "\r\n", ""] {
            let mut lines = Lines::default();
            let mut out = Vec::new();
            lines.push(b"a\nb", &mut out).expect("no storm");
            assert_eq!(lines.unfinished(), b"b");
            lines.take_unfinished(&mut out);
            let more = format!("{end}c\n");
            lines.push(more.as_bytes(), &mut out).expect("no storm");
            let texts: Vec<_> = out.iter().map(|line| line.bytes.as_slice()).collect();
            assert_eq!(texts, [b"a", b"b", b"c"], "{end:?}");
            assert_eq!(out[2].number, 3);
        }
    }
}
