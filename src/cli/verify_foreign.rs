//! `sibcheck verify` on what others recorded: import, judge, report.

use std::io::BufRead;

use sibcheck_checkers::import::{Content, ImportError, import_as};

use crate::reports::{Judgement, Source};

use super::{
    Exit, Failure,
    verify::{Arguments, registers, siblings},
};

/// Judges a file of a foreign format.
pub(super) fn verify(
    input: impl BufRead,
    name: &str,
    arguments: &Arguments,
) -> Result<Judgement, Failure> {
    let import =
        import_as(input, name, arguments.options()).map_err(|error| failed(name, &error))?;
    let found = match import.content {
        Content::Registers(history) => registers(arguments, history),
        Content::Siblings(history) => siblings(arguments, history),
    };
    Ok(Judgement {
        found: found.map_err(|problem| Failure::usage(format!("{name}: {problem}")))?,
        source: Some(Source {
            format: import.format,
            notes: import.notes,
            fault: import.fault,
        }),
    })
}

/// Why nothing of a file was judged.
pub(super) fn failed(name: &str, error: &ImportError) -> Failure {
    let message = format!("{name}: {error}");
    match error {
        ImportError::Io { source, .. } => Failure::reading(source, message),
        // Nothing is wrong with the file, it is only not clear what it says.
        ImportError::Unclear { .. } => Failure {
            exit: Exit::Inconclusive,
            message,
        },
        ImportError::Fault(_)
        | ImportError::Unrecognised { .. }
        | ImportError::OtherObject { .. }
        | ImportError::NoHistory { .. } => Failure::usage(message),
    }
}
