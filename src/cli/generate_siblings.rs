//! `sibcheck generate siblings`: a big history of a sibling store.

use std::{
    io::{self, ErrorKind, Write},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use sibcheck_checkers::{
    format::{HistoryWriter, Names},
    outside,
};
use sibcheck_oracles::siblings::generate::{Shape, SiblingHistory, Versions};

use crate::files;

use super::{Exit, Failure};

/// A history of a sibling store: overlapping clients, replicas that lag, lost answers, final reads
#[derive(Debug, Args)]
#[command(after_help = "\
The same options give the same history. With one node the store is linearizable, with several it
is eventually consistent; with --broken the final reads of one key lack a write.

Examples:
  sibcheck generate siblings --operations 1000000 --keys 100 > history.jsonl
  sibcheck generate siblings --operations 1000000 --keys 1 --nodes 1 --output history.jsonl
  sibcheck generate siblings --operations 1000 --broken | sibcheck verify -")]
pub(super) struct Arguments {
    /// How many operations
    #[arg(long, default_value_t = 10_000)]
    operations: u32,

    /// How many keys they are about
    #[arg(long, default_value_t = 10)]
    keys: u32,

    /// How many clients are at work at any time
    #[arg(long, default_value_t = 10)]
    clients: u32,

    /// How many nodes serve them
    #[arg(long, default_value_t = 3)]
    nodes: u32,

    /// Which of the histories that are alike in all else
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What the store reports
    #[arg(long, value_enum, default_value = "dots")]
    versions: Reported,

    /// Let clients change to another node now and then
    #[arg(long)]
    roaming: bool,

    /// Leave one write out of the final reads of one key
    #[arg(long)]
    broken: bool,

    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Reported {
    /// Dotted version vectors with an entry for each node
    Dots,
    /// Vector clocks with an entry for each client
    Clocks,
}

pub(super) fn generate(arguments: &Arguments) -> Result<Exit, Failure> {
    let shape = Shape {
        operations: arguments.operations,
        keys: arguments.keys,
        clients: arguments.clients,
        nodes: arguments.nodes,
        versions: match arguments.versions {
            Reported::Dots => Versions::Dots,
            Reported::Clocks => Versions::Clocks,
        },
        roaming: arguments.roaming,
        seed: arguments.seed,
        broken: arguments.broken,
    };
    let history = SiblingHistory::new(shape).map_err(|fault| Failure::usage(fault.to_string()))?;
    let (written, name) = match &arguments.output {
        None => (
            write(history, shape, io::stdout().lock()),
            "the history".into(),
        ),
        Some(path) => {
            let written = files::write(path, |file| write(history, shape, file));
            (written, outside::path(path).to_string())
        }
    };
    match written {
        // Whoever reads has had enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Holds),
        Err(error) => Err(Failure::machine(format!("failed to write {name}: {error}"))),
        Ok(()) => Ok(Exit::Holds),
    }
}

fn write(mut history: SiblingHistory, shape: Shape, writer: impl Write) -> io::Result<()> {
    let mut writer = HistoryWriter::new(writer, &history.header(), shape.operations.into())?;
    while let Some(operation) = history.next() {
        let names = Names {
            clients: history.clients(),
            nodes: history.nodes(),
            keys: history.keys(),
        };
        writer.write(names, &operation)?;
    }
    writer.finish()
}
