//! `sibcheck verify` on what others recorded: import, judge, report.

use std::io::BufRead;

use sibcheck_checkers::{
    Claim,
    import::{Content, Import, ImportError, import_as},
    judge, registers, strongest,
};

use crate::reports::foreign::{self, Judged};

use super::{
    Exit, Failure, Format, output,
    verify::{Arguments, Report, Told, promise},
};

/// Judges a file of a foreign format.
pub(super) fn verify(
    input: impl BufRead,
    name: &str,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let import =
        import_as(input, name, arguments.options()).map_err(|error| failed(name, &error))?;
    let judged = judge_import(&import, arguments)
        .map_err(|problem| Failure::usage(format!("{name}: {problem}")))?;
    let told = match arguments.format {
        Format::Human => Told::Human(foreign::human(&import, &judged, output::width())),
        Format::Json => Told::Json(foreign::json(&import, &judged)),
    };
    let exit = Exit::from(judged.outcome());
    let fault = import
        .fault
        .map(|fault| format!("{name}: {fault}; what came before was judged"));
    Ok(Report {
        told,
        exit: if fault.is_some() {
            exit.and(Exit::Usage)
        } else {
            exit
        },
        fault,
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

fn judge_import(import: &Import, arguments: &Arguments) -> Result<Judged, String> {
    let contradicts =
        |fault: &dyn std::fmt::Display| format!("the history contradicts itself: {fault}");
    let claim = arguments.claim;
    match &import.content {
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
        Content::Registers(history) => registers::judge(history, arguments.budget())
            .map(Judged::Registers)
            .map_err(|fault| contradicts(&fault)),
        Content::Siblings(history) if arguments.strongest => strongest(history)
            .map(|strongest| Judged::Strongest(Box::new(strongest)))
            .map_err(|fault| contradicts(&fault)),
        Content::Siblings(history) => {
            judge(history, promise(arguments, history))
                .map(|verdict| Judged::Siblings(Box::new(verdict)))
                .map_err(|fault| contradicts(&fault))
        }
    }
}
