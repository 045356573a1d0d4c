//! `sibcheck generate register`: big histories of registers with a known verdict.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::Args;
use sibcheck_checkers::{import::write_registers, outside};
use sibcheck_oracles::registers::generate::{self, Shape};

use crate::{
    files,
    plans::{Choices, SeededChoices},
    simulation::Purpose,
};

use super::{Exit, Failure};

/// A map of registers, as plain JSON lines
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sibcheck generate register --operations 1000000 --keys 100 | sibcheck verify -
  sibcheck generate register --operations 1000 --unknown 50 --broken -o broken.jsonl")]
pub(super) struct Arguments {
    /// How many operations
    #[arg(long, value_name = "N", default_value = "1000000")]
    operations: u32,

    /// How many keys
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,

    /// How many clients: that many operations may be under way at once
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,

    /// How many writes are never answered
    #[arg(long, value_name = "N", default_value = "0")]
    unknown: u32,

    /// How many values there are to write; 0 for a new one with every write
    #[arg(long, value_name = "N", default_value = "0")]
    values: u32,

    /// The same seed gives the same bytes
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// Plant one certain violation
    #[arg(long)]
    broken: bool,

    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn generate(arguments: &Arguments) -> Result<Exit, Failure> {
    let shape = Shape {
        operations: arguments.operations,
        keys: arguments.keys,
        clients: arguments.clients,
        unknown: arguments.unknown,
        values: arguments.values,
        broken: arguments.broken,
    };
    let mut choices = SeededChoices::new(arguments.seed);
    let mut history = generate::generate(&shape, &mut |bound| {
        choices.below(Purpose::Operations, bound)
    });
    history.header.origin = format!(
        "sibcheck generate register --operations {} --keys {} --clients {} --unknown {} --values {} --seed {}{}",
        shape.operations,
        shape.keys,
        shape.clients,
        shape.unknown,
        shape.values,
        arguments.seed,
        if shape.broken { " --broken" } else { "" }
    );
    save(arguments.output.as_ref(), |writer| {
        write_registers(&history, writer)
    })
}

/// Writes to a file or to standard output. A reader that has gone away is not a fault.
fn save(
    output: Option<&PathBuf>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Exit, Failure> {
    let (name, written) = match output {
        None => {
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
            let written = write(&mut out).and_then(|()| out.flush());
            ("standard output".to_owned(), written)
        }
        Some(path) => (outside::path(path).to_string(), files::write(path, write)),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::machine(format!(
            "failed to write the history to {name}: {error}"
        ))),
        _ => Ok(Exit::Holds),
    }
}
