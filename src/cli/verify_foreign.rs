//! `sibcheck verify` on what others recorded: import, judge, report.

use std::io::BufRead;

use sibcheck_checkers::{
    Claim,
    import::{Content, Import, ImportError, import},
    judge, registers, strongest,
};

use crate::reports::foreign::{self, Judged};

use super::{
    Exit, Failure, Format, output,
    verify::{Arguments, promise},
};

/// Judges a file of a foreign format, reports, and tells how to exit.
pub(super) fn verify(
    input: impl BufRead,
    name: &str,
    arguments: &Arguments,
) -> Result<Exit, Failure> {
    let import = import(input, name).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            ImportError::Io { .. } => Failure::machine(message),
            ImportError::Fault(_) | ImportError::Unrecognised { .. } => Failure::usage(message),
        }
    })?;
    let judged = judge_import(&import, arguments)
        .map_err(|problem| Failure::usage(format!("{name}: {problem}")))?;
    output::print(&match arguments.format {
        Format::Human => foreign::human(&import, &judged, output::width()),
        Format::Json => foreign::json(name, &import, &judged),
    })?;
    let exit = Exit::from(judged.outcome());
    Ok(match &import.fault {
        Some(fault) => {
            anstream::eprintln!(
                "{}: {name}: {fault}; what came before was judged",
                output::bold_red("error")
            );
            exit.and(Exit::Usage)
        }
        None => exit,
    })
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
        Content::Registers(history) => registers::judge(history, registers::Budget::default())
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
