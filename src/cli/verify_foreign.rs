//! `sibcheck verify` on what others recorded: import, judge, report.

use std::io::BufRead;

use sibcheck_checkers::{
    Claim,
    import::{Content, ImportError, import_as},
    registers,
};

use crate::reports::{Judged, Judgement, Source};

use super::{
    Exit, Failure,
    verify::{Arguments, contradicts, judged},
};

/// Judges a file of a foreign format.
pub(super) fn verify(
    input: impl BufRead,
    name: &str,
    arguments: &Arguments,
) -> Result<Judgement, Failure> {
    let import =
        import_as(input, name, arguments.options()).map_err(|error| failed(name, &error))?;
    let judged = judge_content(import.content, arguments)
        .map_err(|problem| Failure::usage(format!("{name}: {problem}")))?;
    Ok(Judgement {
        judged,
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

fn judge_content(content: Content, arguments: &Arguments) -> Result<Judged, String> {
    let claim = arguments.claim;
    match content {
        Content::Registers(_)
            if claim.is_some_and(|claim| claim != Claim::Linearizable)
                || arguments.replica_monotonic =>
        {
            Err(
                "these are registers, which are judged for linearizability only; leave --claim and \
                 --replica-monotonic out"
                    .to_owned(),
            )
        }
        Content::Registers(history) => {
            let verdict = registers::judge(&history, arguments.budget()).map_err(contradicts)?;
            Ok(Judged::Registers { history, verdict })
        }
        Content::Siblings(history) => judged(arguments, history),
    }
}
