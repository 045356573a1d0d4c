//! `sibcheck verify`: judge a recorded history.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Claim, History, Promise,
    format::{FormatError, read_history},
    history::Tombstones,
    import, judge, outside,
    registers::Budget,
    strongest,
};

use crate::{
    corpus::claim_of,
    reports::{SCHEMA_VERSION, human, json, strongest as report_strongest},
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
  sibcheck verify jepsen/store/*/history.edn
  sibcheck verify --keyed yes history.txt                 values are pairs of a key and a value")]
pub(super) struct Arguments {
    /// The histories, - for standard input: of this project, of Jepsen in EDN or as a log, or plain
    /// JSON lines or an array of them; docs/history-format.md has them all. The format is found out
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

    /// Whether values are pairs of a key and a value, as jepsen.independent has them [default: found
    /// out from all events, or asked for]
    #[arg(long, value_enum)]
    keyed: Option<YesOrNo>,

    /// Whether reads show tombstones, of plain JSON lines of siblings [default: what the header
    /// says, or hidden]
    #[arg(long, value_enum)]
    tombstones: Option<Shown>,

    /// How many steps a search on one register may take, some nanoseconds each
    #[arg(long, value_name = "STEPS", default_value_t = Budget::default().steps)]
    budget_steps: u64,

    /// How many bytes a search on one register may hold
    #[arg(long, value_name = "BYTES", default_value_t = Budget::default().bytes)]
    budget_bytes: u64,

    /// How the report is written
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum YesOrNo {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shown {
    Shown,
    Hidden,
}

impl Arguments {
    /// What is known of the files.
    pub(super) fn options(&self) -> import::Options {
        import::Options {
            keyed: self.keyed.map(|keyed| matches!(keyed, YesOrNo::Yes)),
            tombstones: self.tombstones.map(|tombstones| match tombstones {
                Shown::Shown => Tombstones::Shown,
                Shown::Hidden => Tombstones::Hidden,
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

/// What is said of one file.
pub(super) struct Report {
    /// In the format that was asked for.
    pub(super) told: Told,
    /// How the command ends, if it was the only file.
    pub(super) exit: Exit,
    /// Why not all of the file was judged.
    pub(super) fault: Option<String>,
}

/// A report for people or for programs.
pub(super) enum Told {
    /// Lines.
    Human(String),
    /// An object.
    Json(Json),
}

/// Judges one file after another; one that cannot be read does not keep others from being judged.
pub(super) fn verify(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut exit = Exit::Holds;
    let mut objects = Vec::new();
    let several = arguments.files.len() > 1;
    for file in &arguments.files {
        let report = verify_file(arguments, file).unwrap_or_else(|failure| Report {
            told: match arguments.format {
                Format::Human => Told::Human(String::new()),
                Format::Json => Told::Json(json!({
                    "schema_version": SCHEMA_VERSION,
                    "error": failure.message.as_str(),
                    "exit_code": failure.exit.code(),
                })),
            },
            exit: failure.exit,
            fault: Some(failure.message),
        });
        match report.told {
            Told::Human(text) if several && !text.is_empty() => {
                output::print(&format!("{}: {text}", outside::path(file)))?;
            }
            Told::Human(text) => output::print(&text)?,
            Told::Json(mut object) => {
                object["file"] = file.to_string_lossy().into();
                objects.push(object);
            }
        }
        if let Some(fault) = report.fault {
            output::complain(&fault);
        }
        exit = exit.and(report.exit);
    }
    if arguments.format == Format::Json {
        let document = match objects.pop() {
            Some(only) if !several => only,
            last => {
                objects.extend(last);
                json!({"schema_version": SCHEMA_VERSION, "files": objects})
            }
        };
        output::print_json(&document)?;
    }
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

fn verify_file(arguments: &Arguments, file: &Path) -> Result<Report, Failure> {
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
    let history = read_history(input).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            FormatError::Io { source, .. } => Failure::reading(&source, message),
            _ => Failure::usage(message),
        }
    })?;
    let contradicts =
        |fault| Failure::usage(format!("{name}: the history contradicts itself: {fault}"));
    let (told, outcome) = if arguments.strongest {
        let strongest = strongest(&history).map_err(contradicts)?;
        let told = match arguments.format {
            Format::Human => Told::Human(report_strongest::human(
                &history,
                &strongest,
                output::width(),
            )),
            Format::Json => Told::Json(report_strongest::json(&history, &strongest)),
        };
        (told, strongest.outcome())
    } else {
        let verdict = judge(&history, promise(arguments, &history)).map_err(contradicts)?;
        let told = match arguments.format {
            Format::Human => Told::Human(human::verify(&history, &verdict, output::width())),
            Format::Json => Told::Json(json::verify(&history, &verdict)),
        };
        (told, verdict.outcome)
    };
    Ok(Report {
        told,
        exit: outcome.into(),
        fault: None,
    })
}

/// What the store is held to.
pub(super) fn promise(arguments: &Arguments, history: &History) -> Promise {
    Promise {
        claim: arguments.claim.unwrap_or_else(|| claim_of(history)),
        replica_monotonic: arguments.replica_monotonic,
    }
}
