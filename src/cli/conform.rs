//! `sibcheck conform`: run scripted cases against a program.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use sibcheck_checkers::outside;

use crate::{
    nodes::external::{Program, converse, detect},
    protocol::{Case, Dialect, SAMPLES, samples_of},
    reports::conform::{Conformed, exit, human, json},
};

use super::{Exit, Failure, Format, check_program, output};

/// Run scripted input and output cases against a program
#[derive(Debug, Args)]
#[command(after_help = "\
Without files the samples of the dialect are run, and without a dialect it is found out by asking.
A case is a text file; see corpora/conformance/. Lines are compared as JSON, in their order for each
destination; output beyond them is allowed. In samples a node may number its messages as it likes, or
not at all, unless --strict is given; in files every field counts.

Examples:
  sibcheck conform --bin 'python3 node.py'
  sibcheck conform --bin 'python3 node.py' --dialect vc --strict
  sibcheck conform --bin ./node corpora/conformance/vc-write-read.txt")]
pub(super) struct Arguments {
    /// The program: its command line, as a shell would split it
    #[arg(long, value_name = "COMMAND")]
    bin: String,

    /// Whose samples are run when no files are given: vc, vv, dvv, kv or mv [default: found out by
    /// asking]
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    dialect: Option<String>,

    /// Demand the `msg_id`s of the samples, too: a node's own, from 0
    #[arg(long)]
    strict: bool,

    /// How the report is written
    #[arg(long, value_enum, default_value = "human")]
    format: Format,

    /// Files with cases
    files: Vec<PathBuf>,
}

/// A case to be run.
struct Script {
    name: String,
    case: Case,
    any_ids: bool,
}

pub(super) fn conform(arguments: &Arguments) -> Result<Exit, Failure> {
    let argv = check_program::words(&arguments.bin)?;
    let pid = std::process::id();
    let folder = std::env::temp_dir().join(format!("sibcheck-conform-{pid}"));
    let program = Program {
        guard: std::env::current_exe().ok(),
        ..Program::new(argv, Dialect::Vc, folder.clone())
    };
    let scripts = scripts(arguments, &program)?;
    let mut cases = Vec::new();
    for (index, script) in scripts.iter().enumerate() {
        let program = Program {
            folder: folder.join(index.to_string()),
            ..program.clone()
        };
        let case = &script.case;
        let patience = Duration::from_millis(case.timeout_ms);
        let result = converse(&program, &case.input, case.expected.len(), patience)
            .map(|lines| case.difference(&lines, script.any_ids))
            .map_err(|failure| failure.to_string());
        let name = script.name.clone();
        cases.push(Conformed { name, result });
    }
    let _ = fs::remove_dir_all(&folder);
    output::print(&match arguments.format {
        Format::Human => human(&cases, output::width()),
        Format::Json => json(&cases),
    })?;
    Ok(exit(&cases))
}

/// The cases of the files, or else the samples.
fn scripts(arguments: &Arguments, program: &Program) -> Result<Vec<Script>, Failure> {
    if !arguments.files.is_empty() {
        return arguments.files.iter().map(|file| read(file)).collect();
    }
    let dialect = match &arguments.dialect {
        Some(name) => name.clone(),
        None => detect(program)
            .map_err(|failure| Failure {
                exit: Exit::Node,
                message: failure.to_string(),
            })?
            .to_string(),
    };
    let samples = samples_of(&dialect).map(|sample| {
        parse(sample.name, sample.text).map(|case| Script {
            any_ids: !arguments.strict,
            ..case
        })
    });
    let scripts = samples.collect::<Result<Vec<_>, _>>()?;
    if scripts.is_empty() {
        let mut names: Vec<_> = SAMPLES.iter().map(|sample| sample.dialect).collect();
        names.dedup();
        return Err(Failure::usage(format!(
            "there are no samples for the dialect {dialect:?}, only for {}; give files with cases \
             of your own",
            names.join(", ")
        )));
    }
    Ok(scripts)
}

fn read(file: &Path) -> Result<Script, Failure> {
    let name = outside::path(file).to_string();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::machine(format!("failed to read {name}: {error}")))?;
    parse(&name, &text)
}

fn parse(name: &str, text: &str) -> Result<Script, Failure> {
    let case = Case::parse(text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    Ok(Script {
        name: name.to_owned(),
        case,
        any_ids: false,
    })
}
