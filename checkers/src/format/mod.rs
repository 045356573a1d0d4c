//! Histories as files: JSON lines, version 1, readable forever.
//!
//! The first line is a header, every further line one operation, ordered by invocation:
//!
//! ```text
//! {"sibcheck_history":1,"origin":"…","claim":"eventual","tombstones":"shown","operations":2,"expect":{"verdict":"violated","invariants":["no lost update"],"why":"…"}}
//! {"op":0,"client":"c1","node":"n1","key":"x","invoked_ns":12,"completed_ns":55,"status":"ok","write":{"value":3,"tag":1,"sources":[],"context":{},"clock":{"n1":1}}}
//! {"op":1,"client":"c2","node":"n1","key":"x","invoked_ns":60,"completed_ns":75,"status":"ok","read":{"siblings":[{"value":3,"tag":1,"clock":{"n1":1}}],"final":true}}
//! ```
//!
//! - `claim` and `expect` may be left out; `operations` lets a truncated file be noticed.
//! - `"model":"replica"` says that writes supersede what their replica holds, and not what their
//!   context covers ([`object_model`](crate::object_model)).
//! - An operation has one of `write`, `delete` (a write of a tombstone, without a value) and
//!   `read`.
//! - A version is `"clock":{…}`, or `"dot":["n1",2]` with `"past":{…}` where that is known.
//! - A sibling is `{"value":…}` or `{"tombstone":true}`, with `tag` and version where there are
//!   any.
//! - Counters of zero mean the same as no entry. Unknown fields are errors.
//!
//! The same history gives the same bytes. Reading never panics, whatever the bytes, and holds one
//! line at a time; [`HistoryReader`] and [`HistoryWriter`] hold one operation at a time too. Reading checks the form only; whether a history makes sense is for
//! [`judge`](crate::judge).

mod lines;
mod plain;
mod reader;
mod writer;

use std::io;

use serde_json::Value as Json;

pub use reader::{HistoryReader, ReadableHistory, read_history, read_what_is_readable};
pub use writer::{HistoryWriter, Names, write_history};

/// The version that is written, and the only one that there has been.
pub const VERSION: u64 = 1;

/// A file is not a history that this build can read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The bytes could not be had.
    #[error("line {line}: reading failed: {source}")]
    Io {
        /// The line, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The first line is not a header.
    #[error(
        "line 1: expected a header such as {{\"sibcheck_history\":{VERSION},\"origin\":\"…\",\"tombstones\":\"shown\",\"operations\":3}}, \
         found {found}; put one first"
    )]
    MissingHeader {
        /// What stands there.
        found: String,
    },
    /// Another version of the format.
    #[error(
        "line 1: this build reads version {VERSION} of the history format, and the file has version {found}; use a build that reads it, or convert the file"
    )]
    UnknownVersion {
        /// The file's version.
        found: Json,
    },
    /// A line is not what the format says.
    #[error("line {line}, column {column}: {problem}; {remedy}")]
    Malformed {
        /// The line, from 1.
        line: u64,
        /// The column in bytes, from 1; the end of the line where nothing nearer is known.
        column: usize,
        /// What is wrong, and what was expected.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The last line ends in the middle.
    #[error(
        "line {line}: the file ends in the middle of this line; it was cut off: record or copy it again"
    )]
    Truncated {
        /// The line, from 1.
        line: u64,
    },
    /// More or fewer operations than the header says.
    #[error(
        "after line {line}: the header announces {announced} operation{} and the file holds {found}; it was cut off, or edited without the header: mend \"operations\"",
        if *announced == 1 { "" } else { "s" }
    )]
    WrongCount {
        /// The last line, from 1.
        line: u64,
        /// As the header says.
        announced: u64,
        /// As there are.
        found: u64,
    },
}
