//! `sibcheck conform`: what every store of a dialect has to do, and scripted cases.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use sibcheck_checkers::outside;

use crate::{
    campaign::RunError,
    files::{self, Temporary},
    nodes::external::{FailureKind, NodeNames, Program, converse},
    plans::demands,
    program_under_test::{ProgramUnderTest, Purpose},
    protocol::Case,
    reports::{
        Told,
        conform::{Came, Conformed, Ran, Report},
    },
    workloads::{Dialect, samples_of},
};

use super::{
    Exit, Failure, bin, dialect::GivenDialect, format::GivenFormat, lists, signals::listen,
};

/// See whether a program does what every store of its dialect has to do
#[derive(Debug, Args)]
#[command(after_help = "\
Without files a few operations are asked that every store of the dialect has to answer right, one
process after the other, and judged as by check; and without a dialect it is found out by asking. Where
a built-in dialect has published samples, what is different there is a note: habits such as msg_ids are
not demanded, unless --strict is given.
A case in a file is text; see corpora/conformance/. Lines are compared as JSON, in their order for each
destination; output beyond them is allowed, and every field counts.

Examples:
  sibcheck conform --bin 'python3 node.py'
  sibcheck conform --bin 'python3 node.py' --nodes 3
  sibcheck conform --bin 'python3 node.py' --dialect vc --strict
  sibcheck conform --bin ./node corpora/conformance/vc-write-read.txt")]
pub(super) struct Arguments {
    /// The program: its command line, as a shell would split it
    #[arg(long, value_name = "COMMAND")]
    bin: String,

    #[arg(long, value_name = "NAME|FILE", conflicts_with = "files", help = lists::dialects())]
    dialect: Option<GivenDialect>,

    /// How many nodes there are; clients have nodes of their own as far as there are enough
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100), conflicts_with = "files")]
    nodes: u32,

    /// What the program's nodes are called: the first name, as in n0 or n1, a prefix, or a list
    #[arg(long, value_name = "NAMES", default_value_t, conflicts_with = "files")]
    node_names: NodeNames,

    /// Make a failure of habits that differ from the published samples, such as a node's own
    /// `msg_id`s, and of what is tolerated otherwise
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    pub(super) format: GivenFormat,

    /// Files with cases
    files: Vec<PathBuf>,
}

pub(super) fn conform(arguments: &Arguments) -> Result<Exit, Failure> {
    let argv = bin::words(&arguments.bin)?;
    let listening = listen()?;
    let folder = Temporary::of_process("conform");
    let mut program = Program {
        guard: env::current_exe().ok(),
        names: arguments.node_names.clone(),
        strict: arguments.strict,
        interrupt: listening.interrupt.clone(),
        ..Program::new(argv, Dialect::Vc, folder.path().to_owned())
    };
    let cases = arguments.files.iter().map(|file| read(file));
    let cases = cases.collect::<Result<Vec<_>, _>>()?;
    bin::look_up(&program)?;
    let mut report = Report::default();
    if cases.is_empty() {
        program.dialect = match &arguments.dialect {
            Some(given) => given.dialect.clone(),
            None => bin::found_out(&program, &listening.interrupt)?,
        };
        report.dialect = Some(program.dialect.to_string());
        report.nodes = arguments.nodes;
        ask_all(&program, arguments.nodes, &mut report)?;
        if arguments.nodes == 1 {
            compare_habits(&program, arguments.strict, &mut report)?;
        }
    }
    for (number, (name, case)) in cases.into_iter().enumerate() {
        let came = run_case(&program, &case, number);
        report.cases.push(Conformed { name, came });
    }
    if let Some(signal) = listening.interrupt.signal() {
        return Err(Failure {
            exit: Exit::Interrupted(signal),
            message: "interrupted before all was asked".to_owned(),
        });
    }
    arguments.format.print(false, Told::Conform(&report))?;
    Ok(report.exit())
}

/// Asks all that every store has to do, until a failure shows that it does not matter what is asked.
fn ask_all(program: &Program, nodes: u32, report: &mut Report) -> Result<(), Failure> {
    let subject = ProgramUnderTest::new(program.clone());
    for demand in demands(&program.dialect, nodes) {
        let observed = match subject.run(&demand.plan, Purpose::Repeat) {
            Ok(observed) => observed,
            Err(RunError::Machine(why)) => return Err(Failure::machine(why)),
            Err(RunError::Interrupted) => return Ok(()),
        };
        let name = demand.what.to_owned();
        let hopeless = observed.fails_whatever_is_asked();
        let Some(failure) = observed.failure else {
            let ran = Ran::new(&demand, observed.judged, &observed.trace);
            let came = Came::Run(Box::new(ran));
            report.cases.push(Conformed { name, came });
            continue;
        };
        report.service_missing |= failure.kind() == FailureKind::Service;
        let came = Came::Failed(failure.without_place().to_string());
        report.cases.push(Conformed { name, came });
        if hopeless {
            break;
        }
    }
    Ok(())
}

/// Compares a program with the published samples of its dialect: what is different there is told, and
/// fails only when strict.
fn compare_habits(program: &Program, strict: bool, report: &mut Report) -> Result<(), Failure> {
    if !report.is_met() {
        return Ok(());
    }
    let name = program.dialect.to_string();
    let built_in = !matches!(program.dialect, Dialect::Custom(_));
    let samples = samples_of(&name).filter(|_| built_in);
    for (number, sample) in samples.enumerate() {
        let (name, script) = parse(sample.name, sample.text)?;
        let came = run_case(program, &script, number);
        if strict {
            report.cases.push(Conformed { name, came });
        } else {
            report.note(&name, &came);
        }
    }
    Ok(())
}

fn run_case(program: &Program, case: &Case, number: usize) -> Came {
    let program = Program {
        folder: program.folder.join(format!("case-{number}")),
        ..program.clone()
    };
    let patience = Duration::from_millis(case.timeout_ms);
    match converse(&program, &case.input, case.expected.len(), patience) {
        Ok(lines) => Came::Lines(case.difference(&lines)),
        Err(failure) => Came::Failed(failure.without_place().to_string()),
    }
}

fn read(file: &Path) -> Result<(String, Case), Failure> {
    let name = outside::path(file).to_string();
    let words: Vec<String> = env::args().collect();
    let hint = bin::hint(&words, &name).map_or_else(String::new, |hint| format!("; {hint}"));
    let text = files::read_text(file, files::Kind::Case).map_err(|error| {
        let message = format!("failed to read {name}: {error}{hint}");
        Failure::reading(&error, message)
    })?;
    parse(&name, &text).map_err(|failure| Failure {
        message: failure.message + &hint,
        ..failure
    })
}

fn parse(name: &str, text: &str) -> Result<(String, Case), Failure> {
    let case = Case::parse(text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    Ok((name.to_owned(), case))
}
