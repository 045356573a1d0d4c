//! Histories as files: JSON lines, versions 1 and 2, readable forever.
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
//! - Version 2 may have lines of faults between the header, which then announces how many, and the
//!   operations. Nothing is judged by them.
//!
//! ```text
//! {"sibcheck_history":2,"origin":"…","tombstones":"shown","operations":2,"faults":2}
//! {"fault":0,"kind":"partition","links":[["n1","n2"]],"began_ns":10,"ended_ns":90,"affected":1,"messages":[{"ns":15,"from":"n1","to":"n2"}]}
//! {"fault":1,"kind":"crash","node":"n2","began_ns":20,"ended_ns":60,"affected":1,"unsynced":3,"messages":[{"ns":30,"client":"c1","to":"n2"}]}
//! ```
//!
//! - Counters of zero mean the same as no entry. Unknown fields are errors.
//!
//! Histories of registers are of version 3; see `registers.rs`.
//!
//! The same history gives the same bytes. Reading never panics, whatever the bytes, and holds one
//! line at a time; [`HistoryReader`] and [`HistoryWriter`] hold one operation at a time too. Reading checks the form only; whether a history makes sense is for
//! [`judge`](crate::judge).

mod any;
mod faults;
mod lines;
mod plain;
mod reader;
mod registers;
mod writer;

use std::io;

use serde_json::Value as Json;

use crate::{
    history::{Actions, History},
    outside::Outside,
};

pub use any::{Recorded, read_any};
pub use reader::{HistoryReader, ReadableHistory, read_history, read_what_is_readable};
pub use registers::write_registers;
pub use writer::{HistoryWriter, Names, write_history};

/// The newest version.
pub const VERSION: u64 = 2;

/// The one before it: the same without faults. It is what histories without faults are written in.
const VERSION_WITHOUT_FAULTS: u64 = 1;

/// Histories of registers are written in this one.
const VERSION_OF_REGISTERS: u64 = 3;

/// The word by which a header says that its history is of registers.
const OBJECT_OF_REGISTERS: &str = "register";

/// All that are read of siblings.
const VERSIONS: [u64; 2] = [VERSION_WITHOUT_FAULTS, VERSION];

/// A fault of a history as its line has it.
pub(crate) fn fault_as_json<A: Actions>(history: &History<A>, fault: usize) -> Json {
    let names = Names {
        clients: &history.clients,
        nodes: &history.nodes,
        keys: &history.keys,
    };
    let line = history
        .faults
        .get(fault)
        .and_then(|told| faults::FaultLine::of(names, fault as u64, told));
    serde_json::to_value(line).unwrap_or_default()
}

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
        "line 1: expected a header such as {{\"sibcheck_history\":{VERSION_WITHOUT_FAULTS},\"origin\":\"…\",\"tombstones\":\"shown\",\"operations\":3}}, \
         found {found}; put one first"
    )]
    MissingHeader {
        /// What stands there.
        found: String,
    },
    /// Another version of the format.
    #[error(
        "line 1: this build reads versions {VERSION_WITHOUT_FAULTS} to {VERSION_OF_REGISTERS} of the history format, and the file has version {}; use a build that reads it, or convert the file",
        Outside(.found)
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
    /// Fewer faults than the header says.
    #[error(
        "after line {line}: the header announces {announced} fault{} and the file holds {found}; it was cut off, or edited without the header: mend \"faults\"",
        if *announced == 1 { "" } else { "s" }
    )]
    MissingFaults {
        /// The last line, from 1.
        line: u64,
        /// As the header says.
        announced: u64,
        /// As there are.
        found: u64,
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
