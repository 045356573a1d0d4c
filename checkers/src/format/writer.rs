//! Writing histories, as a whole or operation by operation.

use std::io::{self, Write as IoWrite};

use serde::Serialize;

use super::{
    faults::FaultLine,
    lines::{HeaderLine, OperationLine},
};
use crate::history::{Fault, Header, History, Name, OpId, Operation};

/// How many bytes are written at once.
const BLOCK: usize = 1 << 16;

/// Writes a history in the oldest version that has room for it. The same history gives the same
/// bytes.
///
/// # Errors
///
/// When the writer fails, or an operation or fault refers to a name that the history does not have.
pub fn write_history(history: &History, writer: impl IoWrite) -> io::Result<()> {
    let operations = history.operations.len() as u64;
    let names = Names {
        clients: &history.clients,
        nodes: &history.nodes,
        keys: &history.keys,
    };
    let (header, faults) = (&history.header, history.faults.as_slice());
    let mut writer = HistoryWriter::with_faults(writer, header, names, faults, operations)?;
    for operation in &history.operations {
        writer.write(names, operation)?;
    }
    writer.finish()
}

/// The names that an operation refers to by number.
#[derive(Clone, Copy, Debug)]
pub struct Names<'n> {
    /// [`Operation::client`] indexes them.
    pub clients: &'n [Name],
    /// [`Operation::node`] indexes them.
    pub nodes: &'n [Name],
    /// [`Operation::key`] indexes them.
    pub keys: &'n [Name],
}

/// Writes a history operation by operation. What is not [finished](Self::finish) is cut off, as
/// readers will notice.
pub struct HistoryWriter<W> {
    writer: W,
    block: Vec<u8>,
    announced: u64,
    written: OpId,
}

impl<W: IoWrite> HistoryWriter<W> {
    /// Begins a history of so many operations.
    ///
    /// # Errors
    ///
    /// When the writer fails.
    pub fn new(writer: W, header: &Header, operations: u64) -> io::Result<Self> {
        let names = Names {
            clients: &[],
            nodes: &[],
            keys: &[],
        };
        Self::with_faults(writer, header, names, &[], operations)
    }

    /// Begins a history of so many operations, during which there were these faults.
    ///
    /// # Errors
    ///
    /// When the writer fails, or a fault refers to a name that there is not.
    pub fn with_faults(
        writer: W,
        header: &Header,
        names: Names<'_>,
        faults: &[Fault],
        operations: u64,
    ) -> io::Result<Self> {
        let mut begun = Self {
            writer,
            block: Vec::with_capacity(2 * BLOCK),
            announced: operations,
            written: 0,
        };
        begun.line(&HeaderLine::of(header, operations, faults.len() as u64))?;
        for (number, fault) in (0..).zip(faults) {
            let line = FaultLine::of(names, number, fault).ok_or_else(|| {
                let problem = format!("fault {number} refers to a client or node without a name");
                io::Error::new(io::ErrorKind::InvalidInput, problem)
            })?;
            begun.line(&line)?;
        }
        Ok(begun)
    }

    /// Writes the next operation.
    ///
    /// # Errors
    ///
    /// When the writer fails, or the operation refers to a name that there is not.
    pub fn write(&mut self, names: Names<'_>, operation: &Operation) -> io::Result<()> {
        let op = self.written;
        let line = OperationLine::of(names, op, operation).ok_or_else(|| {
            let problem = format!("operation {op} refers to a client, node or key without a name");
            io::Error::new(io::ErrorKind::InvalidInput, problem)
        })?;
        self.line(&line)?;
        self.written += 1;
        Ok(())
    }

    /// Ends the history and returns the writer's verdict on the last bytes.
    ///
    /// # Errors
    ///
    /// When the writer fails, or there are fewer or more operations than were announced.
    pub fn finish(mut self) -> io::Result<()> {
        self.writer.write_all(&self.block)?;
        self.writer.flush()?;
        if u64::from(self.written) != self.announced {
            let (announced, written) = (self.announced, self.written);
            let problem = format!("announced {announced} operations and wrote {written}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        Ok(())
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.block, line)?;
        self.block.push(b'\n');
        if self.block.len() >= BLOCK {
            self.writer.write_all(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }
}
