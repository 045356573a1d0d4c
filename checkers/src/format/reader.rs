//! Reading histories, as a whole or operation by operation.

use std::io::{self, BufRead};

use memchr::memchr;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    FormatError, OBJECT_OF_REGISTERS, VERSION_OF_REGISTERS, VERSIONS,
    faults::FaultLine,
    lines::{HeaderLine, OperationLine},
    plain::{self, Kept},
};
use crate::{
    bounded,
    history::{Fault, Header, History, Name, Operation},
    interned::Interned,
    outside::{self, Outside},
};

/// Reads a history of any version that this build knows.
///
/// # Errors
///
/// When the reader fails, or the bytes are not a history: with the line, the column, what was
/// expected and what to do.
pub fn read_history(reader: impl BufRead) -> Result<History, FormatError> {
    let read = read_what_is_readable(reader)?;
    read.fault.map_or(Ok(read.history), Err)
}

/// Reads a history up to where it cannot be read, so that what a damaged file still holds is not
/// lost.
///
/// # Errors
///
/// When there is no header.
pub fn read_what_is_readable(reader: impl BufRead) -> Result<ReadableHistory, FormatError> {
    Ok(HistoryReader::new(reader)?.read_all())
}

/// What could be read of a history, and what stopped it.
#[derive(Debug)]
pub struct ReadableHistory {
    /// The operations before the fault.
    pub history: History,
    /// Where and why reading ended, unless it ended well.
    pub fault: Option<FormatError>,
}

/// Reads a history operation by operation.
pub struct HistoryReader<R> {
    lines: Lines<R>,
    header: Header,
    announced: u64,
    found: u64,
    faults: Vec<FaultLine>,
    names: Interned,
    kept: Kept,
}

impl<R: BufRead> HistoryReader<R> {
    /// Reads the header and the faults.
    ///
    /// # Errors
    ///
    /// When the reader fails, there is no header, or a fault is malformed or missing.
    pub fn new(reader: R) -> Result<Self, FormatError> {
        let mut lines = Lines::new(reader);
        let first = lines.first()?;
        let header = read_header(&first)?;
        Self::after(header, lines)
    }

    /// Reads the faults after a header.
    pub(super) fn after(header: HeaderLine, mut lines: Lines<R>) -> Result<Self, FormatError> {
        let (header, announced, faults) = header.header();
        let faults = read_faults(&mut lines, faults)?;
        Ok(Self {
            lines,
            header,
            announced,
            found: 0,
            faults,
            names: Interned::default(),
            kept: Kept::default(),
        })
    }

    /// Reads up to where it cannot be read.
    pub(super) fn read_all(mut self) -> ReadableHistory {
        let mut operations = Vec::new();
        let fault = loop {
            match self.next_operation() {
                Ok(Some(operation)) => {
                    if operations.len() == operations.capacity() {
                        operations.reserve_exact(self.room(operations.len()));
                    }
                    operations.push(operation);
                }
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            }
        };
        let faults = self.faults();
        let Interned {
            clients,
            nodes,
            keys,
        } = self.names;
        let history = History {
            header: self.header,
            clients: clients.names,
            nodes: nodes.names,
            keys: keys.names,
            operations,
            faults,
            tables: (),
        };
        ReadableHistory { history, fault }
    }

    /// For how many more operations to make room beside so many: for all that are announced, but
    /// not on the word of a header alone.
    fn room(&self, beside: usize) -> usize {
        let announced = usize::try_from(self.announced).unwrap_or(usize::MAX);
        let more = announced.saturating_sub(beside);
        more.clamp(1, (15 * beside).max(1 << 10))
    }

    /// What the history says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The faults. They name nodes and clients beside those of operations, so they are for after the
    /// last operation; a second call returns none.
    pub fn faults(&mut self) -> Vec<Fault> {
        let lines = std::mem::take(&mut self.faults).into_iter();
        lines.map(|line| line.fault(&mut self.names)).collect()
    }

    /// The clients named so far; [`Operation::client`] indexes them.
    pub fn clients(&self) -> &[Name] {
        &self.names.clients.names
    }

    /// The nodes named so far; [`Operation::node`] indexes them.
    pub fn nodes(&self) -> &[Name] {
        &self.names.nodes.names
    }

    /// The keys named so far; [`Operation::key`] indexes them.
    pub fn keys(&self) -> &[Name] {
        &self.names.keys.names
    }

    /// The next operation, `None` after the last.
    ///
    /// # Errors
    ///
    /// When the reader fails, a line is not an operation, or there are more or fewer operations
    /// than the header says.
    pub fn next_operation(&mut self) -> Result<Option<Operation>, FormatError> {
        let expected = self.found;
        let Some(line) = self.lines.read()? else {
            if self.found != self.announced {
                return Err(FormatError::WrongCount {
                    line: self.lines.line,
                    announced: self.announced,
                    found: self.found,
                });
            }
            return Ok(None);
        };
        let plain = plain::operation(line.text, expected, &mut self.names, &mut self.kept);
        let operation = if let Some(operation) = plain {
            operation
        } else {
            let read: OperationLine = line.parse()?;
            let number = read.number();
            if u64::from(number) != expected {
                return Err(line.malformed(
                    format!("expected operation {expected}, found operation {number}"),
                    "number operations from 0 in the order of their lines",
                ));
            }
            let operation = read.operation(&mut self.names);
            operation.map_err(|problem| line.malformed(problem.0.to_owned(), problem.1))?
        };
        self.found += 1;
        Ok(Some(operation))
    }
}

/// The lines of a file that are not blank.
pub(super) struct Lines<R> {
    reader: R,
    line: u64,
    /// A line that does not lie in one piece in the reader's buffer.
    text: Vec<u8>,
    /// How much of the reader's buffer the latest line took.
    used: usize,
}

/// One line and its place.
pub(super) struct Line<'t> {
    number: u64,
    text: &'t [u8],
    /// Whether a newline ends it.
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            line: 0,
            text: Vec::new(),
            used: 0,
        }
    }

    /// The number of the latest line, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The header's line.
    pub(super) fn first(&mut self) -> Result<Line<'_>, FormatError> {
        self.read()?.ok_or_else(|| FormatError::MissingHeader {
            found: "an empty file".to_owned(),
        })
    }

    /// The next line that is not blank.
    pub(super) fn read(&mut self) -> Result<Option<Line<'_>>, FormatError> {
        loop {
            let line = self.line + 1;
            let failed = |source| FormatError::Io { line, source };
            self.reader.consume(std::mem::take(&mut self.used));
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                filled => filled.map_err(failed)?,
            };
            let end = memchr(b'\n', buffer);
            let blank = if let Some(end) = end {
                self.used = end + 1;
                buffer[..end].trim_ascii().is_empty()
            } else {
                self.text.clear();
                let read = bounded::read_line(&mut self.reader, &mut self.text).map_err(failed)?;
                if read == 0 {
                    return Ok(None);
                }
                self.text.trim_ascii().is_empty()
            };
            self.line = line;
            if blank {
                continue;
            }
            let text = match end {
                // Nothing was taken from the buffer since.
                Some(end) => &self.reader.fill_buf().map_err(failed)?[..end],
                None => self.text.as_slice(),
            };
            return Ok(Some(Line {
                number: line,
                text: text.trim_ascii_end(),
                ended: end.is_some() || text.ends_with(b"\n"),
            }));
        }
    }
}

impl Line<'_> {
    /// What a header says that its history is of.
    pub(super) fn object(&self) -> Result<Option<String>, FormatError> {
        let probe: Json = serde_json::from_slice(self.text).unwrap_or_default();
        let newest =
            probe.get("sibcheck_history").and_then(Json::as_u64) == Some(VERSION_OF_REGISTERS);
        match probe.get("object") {
            Some(Json::String(object)) if newest && object == OBJECT_OF_REGISTERS => {
                Ok(Some(object.clone()))
            }
            Some(object) if newest => Err(self.malformed(
                format!(
                    "expected a history of a \"register\", found {}",
                    Outside(object)
                ),
                "use a build that reads histories of it, or correct the \"object\"",
            )),
            _ => Ok(None),
        }
    }

    pub(super) fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, FormatError> {
        serde_json::from_slice(self.text).map_err(|error| self.explain(&error))
    }

    pub(super) fn explain(&self, error: &serde_json::Error) -> FormatError {
        if error.is_eof() && !self.ended {
            return FormatError::Truncated { line: self.number };
        }
        let remedy = match error.classify() {
            serde_json::error::Category::Data => {
                "correct the field as docs/history-format.md has it"
            }
            _ => "write one JSON object a line",
        };
        FormatError::Malformed {
            line: self.number,
            column: error.column(),
            problem: outside::said(error),
            remedy,
        }
    }

    pub(super) fn malformed(&self, problem: String, remedy: &'static str) -> FormatError {
        FormatError::Malformed {
            line: self.number,
            column: self.text.len(),
            problem,
            remedy,
        }
    }
}

/// The lines of so many faults, which stand before the operations.
pub(super) fn read_faults<R: BufRead>(
    lines: &mut Lines<R>,
    announced: u64,
) -> Result<Vec<FaultLine>, FormatError> {
    let mut faults = Vec::new();
    for expected in 0..announced {
        let Some(line) = lines.read()? else {
            return Err(FormatError::MissingFaults {
                line: lines.line,
                announced,
                found: expected,
            });
        };
        let fault: FaultLine = line.parse()?;
        let number = fault.number();
        if number != expected {
            return Err(line.malformed(
                format!("expected fault {expected}, found fault {number}"),
                "number faults from 0 in the order of their lines",
            ));
        }
        if let Some((problem, remedy)) = fault.problem() {
            return Err(line.malformed(problem.to_owned(), remedy));
        }
        faults.push(fault);
    }
    Ok(faults)
}

pub(super) fn read_header(line: &Line<'_>) -> Result<HeaderLine, FormatError> {
    let probe: Json = match serde_json::from_slice(line.text) {
        Ok(probe) => probe,
        Err(error) if error.is_eof() && !line.ended => return Err(line.explain(&error)),
        Err(_) => {
            return Err(FormatError::MissingHeader {
                found: "a line that is not JSON".to_owned(),
            });
        }
    };
    match probe.get("sibcheck_history") {
        Some(version) if VERSIONS.map(Some).contains(&version.as_u64()) => {}
        Some(version) if version.as_u64() == Some(VERSION_OF_REGISTERS) => {
            return Err(line.malformed(
                "expected a history of siblings, found one of version 3, which is of registers"
                    .to_owned(),
                "judge it with sibcheck verify, which takes both",
            ));
        }
        Some(version) => {
            return Err(FormatError::UnknownVersion {
                found: version.clone(),
            });
        }
        None => {
            let found = match &probe {
                Json::Object(fields) if fields.contains_key("op") => "an operation",
                Json::Object(_) => "an object without \"sibcheck_history\"",
                _ => "something other than an object",
            };
            return Err(FormatError::MissingHeader {
                found: found.to_owned(),
            });
        }
    }
    let header: HeaderLine = line.parse()?;
    if header.has_faults_too_early() {
        return Err(line.malformed(
            "there are no \"faults\" in version 1".to_owned(),
            "make it version 2",
        ));
    }
    Ok(header)
}
