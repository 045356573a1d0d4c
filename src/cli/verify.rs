//! `sibcheck verify`: judge a recorded history.

use std::{
    fmt::Display,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use sibcheck_checkers::{
    Claim, History, Judged, Promise,
    format::{FormatError, Recorded, read_any},
    history::Tombstones,
    import, judge, outside,
    registers::{self, Budget},
    strongest,
};

use crate::{
    corpus::claim_of,
    reports::{Found, Judgement, Told, Verified},
};

use super::{Exit, Failure, format::GivenFormat, lists, output, verify_foreign};

/// Judge recorded histories
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sibcheck verify corpora/histories/lost-update-after-stale-handoff.jsonl
  sibcheck verify --claim linearizable --format json history.jsonl
  sibcheck verify --claim session --replica-monotonic history.jsonl
  sibcheck verify --strongest history.jsonl               which claims hold, and which fail
  sibcheck verify - < history.jsonl
  sibcheck verify jepsen/store/*/history.edn
  sibcheck verify --keyed yes history.txt                 values are pairs of a key and a value")]
pub(super) struct Arguments {
    /// The histories, - for standard input: of this project, of Jepsen in EDN or as a log, or plain
    /// JSON lines or an array of them; docs/history-format.md has them all. The format is found out
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[arg(long, help = lists::claims("The claim to judge it by", "the one that the history names, or eventual"))]
    pub(super) claim: Option<Claim>,

    /// Also hold nodes to answer reads from their own state, and never to go backwards
    #[arg(long)]
    pub(super) replica_monotonic: bool,

    /// Judge by every claim: the strongest that hold, and the weakest that fail
    #[arg(long, conflicts_with_all = ["claim", "replica_monotonic"])]
    pub(super) strongest: bool,

    /// Whether values are pairs of a key and a value, as jepsen.independent has them [default: found
    /// out from all events, or asked for]
    #[arg(long, value_enum)]
    keyed: Option<YesOrNo>,

    /// Whether reads show tombstones, of plain JSON lines of siblings [default: what the header
    /// says, or hidden]
    #[arg(long, value_enum)]
    tombstones: Option<Deleted>,

    /// How many steps a search on one register may take, some nanoseconds each
    #[arg(long, value_name = "STEPS", default_value_t = Budget::default().steps)]
    budget_steps: u64,

    /// How many bytes a search on one register may hold
    #[arg(long, value_name = "BYTES", default_value_t = Budget::default().bytes)]
    budget_bytes: u64,

    #[command(flatten)]
    pub(super) format: GivenFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum YesOrNo {
    Yes,
    No,
}

/// What reads show of what was deleted.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Deleted {
    /// Reads return tombstones
    Shown,
    /// Reads leave them out
    Hidden,
    /// Reads return them until the store removes them
    Reaped,
}

impl Arguments {
    /// What is known of the files.
    pub(super) fn options(&self) -> import::Options {
        import::Options {
            keyed: self.keyed.map(|keyed| matches!(keyed, YesOrNo::Yes)),
            tombstones: self.tombstones.map(|tombstones| match tombstones {
                Deleted::Shown => Tombstones::Shown,
                Deleted::Hidden => Tombstones::Hidden,
                Deleted::Reaped => Tombstones::Reaped,
            }),
        }
    }

    /// What a search may take.
    pub(super) const fn budget(&self) -> Budget {
        Budget {
            steps: self.budget_steps,
            bytes: self.budget_bytes,
        }
    }
}

/// Judges one file after another; one that cannot be read does not keep others from being judged.
pub(super) fn verify(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut exit = Exit::Holds;
    let mut reporter = arguments.format.begin(false);
    for file in &arguments.files {
        let verified = Verified {
            file: file.clone(),
            alone: arguments.files.len() == 1,
            came: verify_file(arguments, file),
        };
        reporter.tell(Told::Verify(&verified))?;
        match verified.came {
            Ok(judgement) => {
                exit = exit.and(judgement.found.outcome().into());
                if let Some(fault) = judgement.source.and_then(|source| source.fault) {
                    let name = outside::path(file);
                    output::complain(&format!("{name}: {fault}; what came before was judged"));
                    exit = exit.and(Exit::Usage);
                }
            }
            Err(failure) => {
                output::complain(&failure.message);
                exit = exit.and(failure.exit);
            }
        }
    }
    reporter.end()?;
    Ok(exit)
}

/// A file that is given and cannot be opened is a mistake of whoever gave it, if it is not there or
/// is a folder.
fn open(file: &Path) -> Result<Box<dyn Read>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let name = outside::path(file);
    if file.is_dir() {
        return Err(Failure::usage(format!(
            "{name} is a folder; give the files in it, or replay a folder of saved cases"
        )));
    }
    match File::open(file) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::usage(format!("failed to open {name}: {error}")))
        }
        Err(error) => Err(Failure::machine(format!("failed to open {name}: {error}"))),
    }
}

fn verify_file(arguments: &Arguments, file: &Path) -> Result<Judgement, Failure> {
    let name = outside::path(file);
    let unreadable =
        |error: io::Error| Failure::reading(&error, format!("failed to read {name}: {error}"));
    let mut input = import::open(BufReader::new(open(file)?))
        .map_err(|error| verify_foreign::failed(&name.to_string(), &error))?;
    let beginning = input.fill_buf().map_err(unreadable)?;
    if !beginning.is_empty() && import::Format::detect(beginning) != Some(import::Format::Sibcheck)
    {
        return verify_foreign::verify(input, &name.to_string(), arguments);
    }
    let recorded = read_any(input).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            FormatError::Io { source, .. } => Failure::reading(&source, message),
            _ => Failure::usage(message),
        }
    })?;
    let found = match recorded {
        Recorded::Siblings(history) => siblings(arguments, history),
        Recorded::Registers(history) => registers(arguments, history),
    };
    Ok(Judgement {
        found: found.map_err(|problem| Failure::usage(format!("{name}: {problem}")))?,
        source: None,
    })
}

/// Judges a history of siblings.
pub(super) fn siblings(arguments: &Arguments, history: History) -> Result<Found, String> {
    if arguments.strongest {
        let strongest = strongest(&history).map_err(contradicts)?.into();
        let history = Arc::new(history);
        return Ok(Found::Strongest { history, strongest });
    }
    let promise = Promise {
        claim: arguments.claim.unwrap_or_else(|| claim_of(&history.header)),
        replica_monotonic: arguments.replica_monotonic,
    };
    let verdict = judge(&history, promise).map_err(contradicts)?;
    let history = Arc::new(history);
    Ok(Found::Judged(Box::new(Judged { history, verdict })))
}

/// Judges a history of registers.
pub(super) fn registers(
    arguments: &Arguments,
    history: registers::History,
) -> Result<Found, String> {
    let claim = arguments.claim.unwrap_or(Claim::Linearizable);
    if claim != Claim::Linearizable || arguments.replica_monotonic {
        return Err(
            "these are registers, which are judged for linearizability only; leave --claim and \
             --replica-monotonic out"
                .to_owned(),
        );
    }
    let verdict = registers::judge(&history, arguments.budget()).map_err(contradicts)?;
    let history = Arc::new(history);
    Ok(Found::Judged(Box::new(Judged { history, verdict })))
}

/// Says that a history cannot be judged.
fn contradicts(fault: impl Display) -> String {
    format!("the history contradicts itself: {fault}")
}
