//! `sibcheck conform`: run scripted cases against a program.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    nodes::external::{Program, converse},
    protocol::{Case, Dialect},
    reports::human,
};

use super::{Exit, Failure, check_program, output};

/// Run scripted input and output cases against a program
#[derive(Debug, Args)]
#[command(after_help = "\
Without files the samples of the dialect are run. A case is a text file; see corpora/conformance/.

Examples:
  sibcheck conform --bin 'python3 node.py' --dialect vc
  sibcheck conform --bin ./node corpora/conformance/vc-write-read.txt")]
pub(super) struct Arguments {
    /// The program: its command line, as a shell would split it
    #[arg(long, value_name = "COMMAND")]
    bin: String,

    /// Whose samples are run when no files are given: vc, dvv or vv
    #[arg(long)]
    dialect: Option<Dialect>,

    /// Files with cases
    files: Vec<PathBuf>,
}

/// The sample cases of a dialect, by name.
fn samples(dialect: Dialect) -> &'static [(&'static str, &'static str)] {
    macro_rules! sample {
        ($name:literal) => {
            (
                $name,
                include_str!(concat!("../../corpora/conformance/", $name, ".txt")),
            )
        };
    }
    match dialect {
        Dialect::Vc => &[sample!("vc-write-read"), sample!("vc-read-missing")],
        Dialect::Dvv => &[sample!("dvv-update"), sample!("dvv-update-update-get")],
        Dialect::Vv => &[],
    }
}

pub(super) fn conform(arguments: &Arguments) -> Result<Exit, Failure> {
    let argv = check_program::words(&arguments.bin)?;
    let mut texts: Vec<(String, String)> = Vec::new();
    for file in &arguments.files {
        let name = file.display().to_string();
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::machine(format!("failed to read {name}: {error}")))?;
        texts.push((name, text));
    }
    if texts.is_empty() {
        let dialect = arguments.dialect.ok_or_else(|| {
            Failure::usage("give --dialect to run its samples, or files with cases of your own")
        })?;
        let samples = samples(dialect).iter();
        texts.extend(samples.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        if texts.is_empty() {
            return Err(Failure::usage(format!(
                "there are no samples for the dialect {dialect}; give files with cases of your own"
            )));
        }
    }
    let mut results = Vec::new();
    let mut exit = Exit::Holds;
    for (index, (name, text)) in texts.iter().enumerate() {
        let case = Case::parse(text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        let pid = std::process::id();
        let folder = std::env::temp_dir().join(format!("sibcheck-conform-{pid}-{index}"));
        let program = Program::new(argv.clone(), Dialect::Vc, folder.clone());
        let patience = Duration::from_millis(case.timeout_ms);
        let verdict = match converse(&program, &case.input, case.expected.len(), patience) {
            Ok(lines) => case.compare(&lines).map_err(|mismatch| {
                exit = exit.and(Exit::Violation);
                mismatch.to_string()
            }),
            Err(failure) => {
                exit = exit.and(Exit::Node);
                Err(failure.to_string())
            }
        };
        let _ = fs::remove_dir_all(&folder);
        results.push((name.clone(), verdict));
    }
    output::print(&human::conform(&results))?;
    Ok(exit)
}
