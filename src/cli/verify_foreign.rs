//! `sibcheck verify` on what others recorded: import, judge, report.

use std::io::BufRead;

use sibcheck_checkers::{
    Claim, Promise,
    import::{Content, Import, ImportError, import},
    judge, registers, strongest,
};

use crate::{
    corpus::claim_of,
    reports::foreign::{self, Judged},
};

use super::{Exit, Failure, Format, output};

/// What is asked about a history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// The claim, where one was named.
    pub(super) claim: Option<Claim>,
    /// Whether nodes are also held never to go backwards.
    pub(super) replica_monotonic: bool,
    /// Whether every claim is asked about instead.
    pub(super) strongest: bool,
}

/// Judges a file of a foreign format, reports, and tells how to exit.
pub(super) fn verify(
    input: impl BufRead,
    name: &str,
    question: Question,
    format: Format,
) -> Result<Exit, Failure> {
    let import = import(input, name).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            ImportError::Io { .. } => Failure::machine(message),
            ImportError::Fault(_) | ImportError::Unrecognised { .. } => Failure::usage(message),
        }
    })?;
    let judged = judge_import(&import, question)
        .map_err(|problem| Failure::usage(format!("{name}: {problem}")))?;
    output::print(&match format {
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

fn judge_import(import: &Import, question: Question) -> Result<Judged, String> {
    let contradicts =
        |fault: &dyn std::fmt::Display| format!("the history contradicts itself: {fault}");
    let claim = question.claim;
    match &import.content {
        Content::Registers(_)
            if claim.is_some_and(|claim| claim != Claim::Linearizable)
                || question.replica_monotonic =>
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
        Content::Siblings(history) if question.strongest => strongest(history)
            .map(|strongest| Judged::Strongest(Box::new(strongest)))
            .map_err(|fault| contradicts(&fault)),
        Content::Siblings(history) => {
            let promise = Promise {
                claim: claim.unwrap_or_else(|| claim_of(history)),
                replica_monotonic: question.replica_monotonic,
            };
            judge(history, promise)
                .map(|verdict| Judged::Siblings(Box::new(verdict)))
                .map_err(|fault| contradicts(&fault))
        }
    }
}
