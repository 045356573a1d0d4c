//! Histories that others recorded: Jepsen's, and plain lines of what was asked and answered.
//!
//! An importer turns events in the order in which they were recorded, invocations and completions,
//! into a history of registers or of siblings. Which of the formats a file has is told by its
//! beginning. One operation that no register has makes it the history of another object, which is
//! not judged. Reading stops at the first fault; what came before it is kept and can be judged,
//! because leaving out what happened later cannot make a correct store look wrong: operations that
//! were under way are then of unknown outcome.
//!
//! What a format cannot express is said in [`Note`]s, so that a verdict does not claim more than
//! was tested.

mod documents;
mod edn;
mod encoding;
mod event_line;
mod events;
mod jepsen;
mod keys;
mod plain;
mod provenance;
mod siblings;

use std::{
    fmt,
    io::{self, BufRead},
};

pub use crate::numbers::make_numbers_exact;
pub use encoding::open;
pub use plain::write_registers;

use crate::{
    bounded,
    history::{History, Name, Tombstones},
    registers, shown,
};

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// This project's own: see [`crate::format`].
    Sibcheck,
    /// Maps in EDN, one a line or in a vector: Jepsen, Knossos, Porcupine's key-value tests.
    JepsenEdn,
    /// Lines of a log of Jepsen, or of its `history.txt`: Porcupine's tests of etcd.
    JepsenLog,
    /// Invocations and completions in JSON, one a line, or in an array.
    Plain,
}

impl Format {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sibcheck => "sibcheck history",
            Self::JepsenEdn => "Jepsen EDN",
            Self::JepsenLog => "Jepsen log",
            Self::Plain => "plain JSON lines",
        }
    }

    /// The format of a file that begins with these bytes; `None` for one that is not known.
    ///
    /// JSON objects in an array are events, and so is one with `type` or `sibcheck_events`, or an
    /// operation of another's report; any other is left to the reader of the project's own format,
    /// which says what is wrong with it.
    pub fn detect(beginning: &[u8]) -> Option<Self> {
        let text = beginning.trim_ascii_start();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let then = |bytes: &[u8]| bytes.trim_ascii_start().first().copied();
        let is_log = || {
            let mut lines = text.split(|byte| *byte == b'\n');
            lines.any(jepsen::is_event).then_some(Self::JepsenLog)
        };
        match text.first()? {
            b'{' if matches!(then(&text[1..]), Some(b'"' | b'}') | None) => {
                Some(Self::of_object(text))
            }
            b'[' => {
                let first = text[1..].trim_ascii_start();
                let object = first.first() == Some(&b'{') && then(&first[1..]) == Some(b'"');
                // Of EDN too keys may be strings, but then no colon follows them.
                let json = object && Self::of_object(first) != Self::JepsenEdn;
                let edn = matches!(
                    first.first(),
                    None | Some(b'{' | b'[' | b'(' | b'#' | b';' | b']')
                );
                match (json, edn) {
                    (true, _) => Some(Self::Plain),
                    (false, true) => Some(Self::JepsenEdn),
                    (false, false) => is_log(),
                }
            }
            b'{' | b'(' | b';' | b'#' => Some(Self::JepsenEdn),
            _ => is_log(),
        }
    }

    /// The format of what begins with an object that may be JSON.
    fn of_object(text: &[u8]) -> Self {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
        let first = documents::first_object(text);
        let holds = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
        // A name of a field: the same word as a value says nothing.
        let names = |word: &str| {
            if let Some(object) = &first {
                return object.contains_key(word);
            }
            let word = format!("\"{word}\"");
            let mut places = line.windows(word.len()).enumerate();
            places.any(|(at, part)| {
                let after = line[at + word.len()..].trim_ascii_start();
                part == word.as_bytes() && after.starts_with(b":")
            })
        };
        let event = names("type") || names("sibcheck_events") || names("Input") && names("Call");
        match (names("sibcheck_history"), event) {
            (false, true) => Self::Plain,
            (false, false) if first.is_none() && holds(b":type") => Self::JepsenEdn,
            _ => Self::Sibcheck,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a file held.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A history of registers.
    Registers(registers::History),
    /// A history of siblings.
    Siblings(History),
}

/// What whoever has a file knows of it. What is left out is found out, or assumed and told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether values are pairs of a key and a value.
    pub keyed: Option<bool>,
    /// Whether reads show tombstones, of plain JSON lines of siblings.
    pub tombstones: Option<Tombstones>,
}

/// What was read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The format.
    pub format: Format,
    /// What could be read.
    pub content: Content,
    /// Where reading stopped before the end, and why.
    pub fault: Option<Fault>,
    /// What was assumed, and what could therefore not be checked.
    pub notes: Vec<Note>,
}

/// A line that is not what its format says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}; {remedy}")]
pub struct Fault {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong, and what was expected.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

/// A file from which nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bytes could not be had.
    #[error("line {line}: reading failed: {source}")]
    Io {
        /// The line, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The first operation is at fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// An operation that neither registers nor siblings have: the verdict on the rest would be wrong.
    #[error(
        "line {line}: {function:?} is no operation of a register or of siblings, so this is the history of another object and nothing was judged; expected read, write, cas, append or delete (of siblings read, write or delete)"
    )]
    OtherObject {
        /// The line, from 1.
        line: u64,
        /// What was asked.
        function: String,
    },
    /// Values may be pairs of a key and a value, or not.
    #[error(
        "line {line}: other values look like pairs of a key and a value, and this operation has none, so it is not clear what is judged; say --keyed yes or --keyed no"
    )]
    Unclear {
        /// The first line that speaks against keys.
        line: u64,
    },
    /// A file that is known, and no history.
    #[error("this is {found}, and no history; {remedy}")]
    NoHistory {
        /// What it is.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Nothing that is known begins like this.
    #[error(
        "line 1: no known format begins like this: {found}; expected a sibcheck history, Jepsen's EDN, log or history.txt, or JSON with \"type\":\"invoke\""
    )]
    Unrecognised {
        /// How it begins.
        found: String,
    },
}

/// What was assumed of a file, or could not be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Only the order of events counts; times that were recorded are not used.
    OrderOnly,
    /// A failed operation took no effect, whatever the reason: nothing is concluded from a
    /// compare-and-set that failed.
    FailuresSayNothing {
        /// How many compare-and-sets failed.
        failed: u64,
    },
    /// The value at the start was chosen by the words of the file.
    Initial {
        /// The value.
        value: String,
    },
    /// Values are pairs of a key and a value.
    Keyed,
    /// Refused compare-and-sets that show what they found: reads of it.
    Found {
        /// How many.
        operations: u64,
    },
    /// Numbers that are equal are one value, however they are written.
    EqualNumbers,
    /// Nothing says whether reads show tombstones.
    Tombstones,
    /// Operations without a key that had no effect and found nothing.
    Unplaced {
        /// How many.
        operations: u64,
    },
    /// Events of others than clients, and lines without an event.
    Skipped {
        /// How many.
        events: u64,
    },
    /// A client that asked again without an answer: the earlier operation is of unknown outcome.
    AskedAgain {
        /// How many operations.
        operations: u64,
    },
    /// Provenance is not recorded; contexts were matched to earlier answers of their key.
    Matched {
        /// Contexts that one answer carried.
        carried: u64,
        /// Contexts that are the join of several answers.
        joined: u64,
    },
    /// A context matches no answers, so its key could not be judged and was left out.
    LeftOut {
        /// The key.
        key: Name,
        /// The line of the context.
        line: u64,
    },
    /// No operation names a node: what follows one node's answers is not checked.
    NoNodes,
    /// No answer carries a clock or a dot: nothing about clocks is checked.
    NoClocks,
    /// No read is marked as final: what is promised only once all has settled is not checked.
    NoFinalReads,
}

impl Note {
    /// A name for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OrderOnly => "order_only",
            Self::FailuresSayNothing { .. } => "failures_say_nothing",
            Self::Initial { .. } => "initial",
            Self::Keyed => "keyed",
            Self::Found { .. } => "found",
            Self::EqualNumbers => "equal_numbers",
            Self::Tombstones => "tombstones",
            Self::Unplaced { .. } => "unplaced",
            Self::Skipped { .. } => "skipped",
            Self::AskedAgain { .. } => "asked_again",
            Self::Matched { .. } => "matched",
            Self::LeftOut { .. } => "left_out",
            Self::NoNodes => "no_nodes",
            Self::NoClocks => "no_clocks",
            Self::NoFinalReads => "no_final_reads",
        }
    }

    /// True where something could therefore not be checked.
    pub const fn limits(&self) -> bool {
        !matches!(
            self,
            Self::OrderOnly
                | Self::Initial { .. }
                | Self::Keyed
                | Self::Found { .. }
                | Self::EqualNumbers
                | Self::Unplaced { .. }
                | Self::Skipped { .. }
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OrderOnly => {
                f.write_str("only the order of events was used, and times in reports are their numbers")
            }
            Self::FailuresSayNothing { failed } => write!(
                f,
                "{failed} failed compare-and-sets are taken to have had no effect for whatever reason, so nothing was concluded from them"
            ),
            Self::Initial { value } => write!(f, "registers are taken to hold {value} at first"),
            Self::Keyed => f.write_str("values are pairs of a key and a value"),
            Self::Found { operations } => write!(
                f,
                "{operations} refused compare-and-sets show what they found, and count as reads of it"
            ),
            Self::EqualNumbers => f.write_str("numbers that are equal are one value: 1.0 is 1"),
            Self::Tombstones => f.write_str(
                "nothing says whether reads show tombstones, so they are taken to hide them, and what only a shown tombstone proves was not checked; where reads always show them, say --tombstones shown",
            ),
            Self::Unplaced { operations } => write!(
                f,
                "{operations} operations without a key, which had no effect and found nothing, were left out"
            ),
            Self::Skipped { events } => {
                write!(f, "{events} lines or events that are not a client's were skipped")
            }
            Self::AskedAgain { operations } => write!(
                f,
                "{operations} operations were never answered before their client asked again, and are of unknown outcome"
            ),
            Self::Matched { carried, joined } => write!(
                f,
                "provenance is not recorded: {carried} contexts were matched to an earlier answer that carried them, and {joined} to several whose join they are; a client that used another answer with the same context cannot be told apart"
            ),
            Self::LeftOut { key, line } => write!(
                f,
                "key {} was not judged: the context in line {line} is no earlier answer's, nor a join of several",
                shown::key(key.as_str())
            ),
            Self::NoNodes => f.write_str(
                "no operation names a node, so what one node answers was not followed",
            ),
            Self::NoClocks => f.write_str("no answer carries a clock or a dot, so nothing about clocks was checked"),
            Self::NoFinalReads => f.write_str(
                "no read is marked as final, so what is promised once all has settled was not checked",
            ),
        }
    }
}

/// Reads a file of a foreign format.
///
/// # Errors
///
/// When reading fails, the format is not known, or not even the first operation can be read. A
/// later fault is part of what is returned. When it is the history of another object, or it is not
/// clear what its values are.
pub fn import(reader: impl BufRead, origin: &str) -> Result<Import, ImportError> {
    import_as(reader, origin, Options::default())
}

/// The same of a file of which something is known.
///
/// # Errors
///
/// As [`import`].
pub fn import_as(
    reader: impl BufRead,
    origin: &str,
    options: Options,
) -> Result<Import, ImportError> {
    let mut reader = open(reader)?;
    let io = |source| ImportError::Io { line: 1, source };
    let beginning = reader.fill_buf().map_err(io)?;
    match Format::detect(beginning) {
        None | Some(Format::Sibcheck) => {
            let line = beginning.split(|byte| *byte == b'\n').next();
            let text = String::from_utf8_lossy(line.unwrap_or_default());
            let text: String = text.chars().take(60).collect();
            let found = if text.is_empty() {
                "an empty line".to_owned()
            } else {
                format!("{text:?}")
            };
            Err(ImportError::Unrecognised { found })
        }
        Some(Format::Plain) => plain::read(reader, origin, options),
        Some(format @ (Format::JepsenEdn | Format::JepsenLog)) => {
            let mut text = Vec::new();
            bounded::read_whole(&mut reader, &mut text).map_err(io)?;
            jepsen::read(&text, format, origin, options)
        }
    }
}
