//! Histories of any object and version, told apart by their header.

use std::io::BufRead;

use super::{
    FormatError,
    reader::{HistoryReader, Lines, read_header},
    registers,
};
use crate::{history::History, registers::history::History as Registers};

/// A history of some object.
#[derive(Debug)]
pub enum Recorded {
    /// Of siblings.
    Siblings(History),
    /// Of registers.
    Registers(Registers),
}

/// Reads a history of any object and any version that this build knows.
///
/// # Errors
///
/// As [`read_history`](super::read_history).
pub fn read_any(reader: impl BufRead) -> Result<Recorded, FormatError> {
    let mut lines = Lines::new(reader);
    let first = lines.first()?;
    if first.object()?.is_some() {
        let header = registers::header(&first)?;
        return registers::read(header, &mut lines).map(Recorded::Registers);
    }
    let header = read_header(&first)?;
    let read = HistoryReader::after(header, lines)?.read_all();
    read.fault.map_or(Ok(Recorded::Siblings(read.history)), Err)
}
