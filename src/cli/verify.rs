//! `sibcheck verify`: judge a recorded history.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use sibcheck_checkers::{
    Claim, History, Promise,
    format::{FormatError, read_history},
    import, judge, strongest,
};

use crate::{
    corpus::claim_of,
    reports::{human, json, strongest as report_strongest},
};

use super::{Exit, Failure, Format, output, verify_foreign};

/// Judge recorded histories
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sibcheck verify corpora/histories/lost-update-after-stale-handoff.jsonl
  sibcheck verify --claim linearizable --format json history.jsonl
  sibcheck verify --claim session --replica-monotonic history.jsonl
  sibcheck verify --strongest history.jsonl               which claims hold, and which fail
  sibcheck verify - < history.jsonl
  sibcheck verify jepsen/store/*/history.edn")]
pub(super) struct Arguments {
    /// The histories, - for standard input: of this project, of Jepsen in EDN or as a log, or plain
    /// JSON lines; docs/history-format.md has them all. The format is found out
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The claim to judge it by: eventual, read-your-writes, monotonic-reads, monotonic-writes,
    /// writes-follow-reads, session, causal, quorum or linearizable [default: the one that the
    /// history names, or eventual]
    #[arg(long)]
    pub(super) claim: Option<Claim>,

    /// Also hold nodes to answer reads from their own state, and never to go backwards
    #[arg(long)]
    pub(super) replica_monotonic: bool,

    /// Judge by every claim: the strongest that hold, and the weakest that fail
    #[arg(long, conflicts_with_all = ["claim", "replica_monotonic"])]
    pub(super) strongest: bool,

    /// How the report is written
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

pub(super) fn verify(arguments: &Arguments) -> Result<Exit, Failure> {
    let [file] = &arguments.files[..] else {
        return verify_all(arguments);
    };
    verify_file(arguments, file)
}

/// Judges one file after another; one that cannot be read does not keep others from being judged.
fn verify_all(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut exit = Exit::Holds;
    for file in &arguments.files {
        if arguments.format == Format::Human {
            output::print(&format!("{}: ", file.display()))?;
        }
        exit = exit.and(verify_file(arguments, file).unwrap_or_else(|failure| {
            anstream::eprintln!("{}: {}", output::bold_red("error"), failure.message);
            failure.exit
        }));
    }
    Ok(exit)
}

fn verify_file(arguments: &Arguments, file: &Path) -> Result<Exit, Failure> {
    let name = file.display();
    let unreadable = |error: io::Error| Failure::machine(format!("failed to open {name}: {error}"));
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(unreadable)?)
    };
    let mut input = BufReader::new(input);
    let beginning = input.fill_buf().map_err(unreadable)?;
    if !beginning.is_empty() && import::Format::detect(beginning) != Some(import::Format::Sibcheck)
    {
        return verify_foreign::verify(input, &name.to_string(), arguments);
    }
    let history = read_history(input).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            FormatError::Io { .. } => Failure::machine(message),
            _ => Failure::usage(message),
        }
    })?;
    let contradicts =
        |fault| Failure::usage(format!("{name}: the history contradicts itself: {fault}"));
    if arguments.strongest {
        let strongest = strongest(&history).map_err(contradicts)?;
        output::print(&match arguments.format {
            Format::Human => report_strongest::human(&history, &strongest, output::width()),
            Format::Json => report_strongest::json(&history, &strongest),
        })?;
        return Ok(strongest.outcome().into());
    }
    let verdict = judge(&history, promise(arguments, &history)).map_err(contradicts)?;
    output::print(&match arguments.format {
        Format::Human => human::verify(&history, &verdict, output::width()),
        Format::Json => json::verify(&history, &verdict),
    })?;
    Ok(verdict.outcome.into())
}

/// What the store is held to.
pub(super) fn promise(arguments: &Arguments, history: &History) -> Promise {
    Promise {
        claim: arguments.claim.unwrap_or_else(|| claim_of(history)),
        replica_monotonic: arguments.replica_monotonic,
    }
}
