//! `sibcheck replay`: judge saved cases.

use std::{io, path::PathBuf};

use clap::Args;

use crate::{
    corpus::{CorpusError, find},
    files::Temporary,
    nodes::external::{NodeNames, Program},
    reports::{Replayed, Told},
    workloads::Dialect,
};

use super::{Exit, Failure, bin, format::GivenFormat, output};

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

    #[command(flatten)]
    pub(super) format: GivenFormat,
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
    let mut replayed = Replayed::default();
    let mut cases = Vec::new();
    for path in &arguments.paths {
        match find(path) {
            Ok(found) => cases.extend(found),
            Err(error) => replayed.unreadable.push((path.clone(), told(error))),
        }
    }
    for case in cases {
        // One bad file must not hide the verdicts of the others.
        match case.judge(program.as_ref()) {
            Ok(verdict) => replayed.judged.push((case, verdict)),
            Err(error) => replayed.unreadable.push((case.path, told(error))),
        }
    }
    if replayed.judged.is_empty() && replayed.unreadable.is_empty() {
        return Err(Failure {
            exit: Exit::Inconclusive,
            message: "there is no case to be judged in what was given".to_owned(),
        });
    }
    arguments.format.print(false, Told::Replay(&replayed))?;
    for (_, failure) in &replayed.unreadable {
        output::complain(&failure.message);
    }
    Ok(replayed.exit())
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
