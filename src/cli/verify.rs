//! `sibcheck verify`: judge a recorded history.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::PathBuf,
};

use clap::Args;
use sibcheck_checkers::{
    Claim,
    format::{FormatError, read_history},
    judge,
};

use crate::{
    corpus::claim_of,
    reports::{human, json},
};

use super::{Exit, Failure, Format, output};

/// Judge a recorded history
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sibcheck verify corpora/histories/lost-update-after-stale-handoff.jsonl
  sibcheck verify --claim linearizable --format json history.jsonl
  sibcheck verify - < history.jsonl")]
pub(super) struct Arguments {
    /// The history: JSON lines, the first a header; - for standard input
    file: PathBuf,

    /// The claim to judge it by: eventual or linearizable [default: the one that the history
    /// names, or eventual]
    #[arg(long)]
    claim: Option<Claim>,

    /// How the report is written
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn verify(arguments: &Arguments) -> Result<Exit, Failure> {
    let name = arguments.file.display();
    let input: Box<dyn Read> = if arguments.file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        let file = File::open(&arguments.file)
            .map_err(|error| Failure::machine(format!("failed to open {name}: {error}")))?;
        Box::new(file)
    };
    let history = read_history(BufReader::new(input)).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            FormatError::Io { .. } => Failure::machine(message),
            _ => Failure::usage(message),
        }
    })?;
    let claim = arguments.claim.unwrap_or_else(|| claim_of(&history));
    let verdict = judge(&history, claim).map_err(|fault| {
        Failure::usage(format!("{name}: the history contradicts itself: {fault}"))
    })?;
    output::print(&match arguments.format {
        Format::Human => human::verify(&history, &verdict, output::width()),
        Format::Json => json::verify(&history, &verdict),
    })?;
    Ok(verdict.outcome.into())
}
