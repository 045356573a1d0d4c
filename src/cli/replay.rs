//! `sibcheck replay`: judge saved cases.

use std::{io, path::PathBuf};

use clap::Args;

use crate::{
    corpus::{CorpusError, Judged, Saved, find},
    files::Temporary,
    nodes::external::{NodeNames, Program},
    protocol::Dialect,
    reports::{human, json},
};

use super::{Exit, Failure, Format, bin, output};

/// Judge saved plans, histories, conformance cases and fuzz inputs
#[derive(Debug, Args)]
#[command(after_help = "\
A case that names the verdict it expects must get it; any other must be valid.

Examples:
  sibcheck replay corpora/
  sibcheck replay sibcheck-results/dotted-seed-7/plan.json
  sibcheck replay fuzz/artifacts/histories/crash-0123abcd")]
pub(super) struct Arguments {
    /// Files, or folders to be searched for them
    #[arg(required = true)]
    paths: Vec<PathBuf>,

    /// The program on which plans that were made for a program are run
    #[arg(long, value_name = "COMMAND")]
    bin: Option<String>,

    /// What the program's nodes are called
    #[arg(long, value_name = "NAMES", requires = "bin", default_value_t)]
    node_names: NodeNames,

    /// How the report is written
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

pub(super) fn replay(arguments: &Arguments) -> Result<Exit, Failure> {
    let folder = Temporary::of_process("replay");
    let program = match &arguments.bin {
        Some(command_line) => {
            let argv = bin::words(command_line)?;
            let program = Program {
                guard: std::env::current_exe().ok(),
                names: arguments.node_names.clone(),
                ..Program::new(argv, Dialect::Vc, folder.path().to_owned())
            };
            bin::look_up(&program)?;
            Some(program)
        }
        None => None,
    };
    let (mut cases, mut unreadable) = (Vec::new(), Vec::new());
    for path in &arguments.paths {
        match find(path) {
            Ok(found) => cases.extend(found),
            Err(error) => unreadable.push((path.clone(), told(error))),
        }
    }
    let mut judged: Vec<(Saved, Judged)> = Vec::new();
    for case in cases {
        // One bad file must not hide the verdicts of the others.
        match case.judge(program.as_ref()) {
            Ok(verdict) => judged.push((case, verdict)),
            Err(error) => unreadable.push((case.path, told(error))),
        }
    }
    if judged.is_empty() && unreadable.is_empty() {
        return Err(Failure {
            exit: Exit::Inconclusive,
            message: "there is no case to be judged in what was given".to_owned(),
        });
    }
    output::print(&match arguments.format {
        Format::Human => human::replay(&judged, output::width()),
        Format::Json => {
            let unreadable = unreadable.iter();
            let told = unreadable.map(|(path, failure)| (path.as_path(), failure.message.as_str()));
            json::replay(&judged, told)
        }
    })?;
    let verdicts = judged.iter().map(|(_, judged)| {
        if judged.as_expected {
            Exit::Holds
        } else if judged.expected.is_none() {
            judged.outcome.into()
        } else {
            Exit::Violation
        }
    });
    let mut exit = verdicts.fold(Exit::Holds, Exit::and);
    for (_, failure) in unreadable {
        output::complain(&failure.message);
        exit = exit.and(failure.exit);
    }
    Ok(exit)
}

fn told(failed: CorpusError) -> Failure {
    let failed = match failed {
        CorpusError::Node { path, failure } => CorpusError::Node {
            path,
            // The folder of its run goes.
            failure: failure.without_place(),
        },
        other => other,
    };
    let message = failed.to_string();
    match failed {
        CorpusError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
            Failure::usage(message)
        }
        CorpusError::Io { .. } | CorpusError::Run { .. } => Failure::machine(message),
        CorpusError::Node { .. } => Failure {
            exit: Exit::Node,
            message,
        },
        CorpusError::Malformed { .. } => Failure::usage(message),
    }
}
