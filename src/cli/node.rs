//! `sibcheck node`: serve a reference store as a Maelstrom node.

use std::{io, path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    nodes::{DataFolder, GROUP, ServeError, Server, process::DATA_DIR_VARIABLE, serve},
    stores::StoreName,
};

use super::{Exit, Failure};

/// Serve a store on stdin and stdout as a Maelstrom node
#[derive(Debug, Args)]
#[command(after_help = "\
Dialects: versioned speaks vc (vc_write, vc_read), dotted and dynamo speak dvv (dvv_update, dvv_get).

With a data folder an answer leaves when what it says is on storage, and a node that was killed finds all
of it when it is started with the same folder again. A folder of another node, store, cluster or version,
or a damaged one, is refused and stays as it is.

Examples:
  echo '{\"src\":\"c0\",\"dest\":\"n1\",\"body\":{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n1\",\"node_ids\":[\"n1\"]}}' \\
    | sibcheck node --store dotted
  sibcheck check --bin 'sibcheck node --store dynamo' --nodes 5 --faults crash")]
pub(super) struct Arguments {
    /// The store: versioned, dotted, dynamo, dynamo:N-R-W[-sloppy] or faulty:NAME
    #[arg(long, value_name = "NAME")]
    store: StoreName,

    /// Time between two exchanges of state with a peer, in a cluster
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    anti_entropy_ms: u64,

    /// Keep what the node accepts in this folder, which is made where it is missing; else it is in memory
    #[arg(long, value_name = "DIR", env = DATA_DIR_VARIABLE)]
    data_dir: Option<PathBuf>,

    /// How many requests and messages that wait together may share one sync; 1 syncs for each
    #[arg(long, value_name = "N", default_value_t = GROUP as u64, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    group_commit: u64,
}

pub(super) fn node(arguments: &Arguments) -> Result<Exit, Failure> {
    let refused = |error: crate::nodes::FolderError| Failure::machine(error.to_string());
    let mut server = Server::new(
        arguments.store,
        Duration::from_millis(arguments.anti_entropy_ms),
    );
    if let Some(path) = &arguments.data_dir {
        let folder = DataFolder::take(path, arguments.store).map_err(refused)?;
        let group = usize::try_from(arguments.group_commit).unwrap_or(GROUP);
        server = server.durable(folder, group);
    }
    let input = io::BufReader::new(io::stdin());
    match serve(server, input, io::stdout().lock(), io::stderr()) {
        Ok(()) => Ok(Exit::Holds),
        // Whoever read the answers has gone: the end of a node's life, not a fault.
        Err(ServeError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Exit::Holds)
        }
        Err(error) => Err(Failure::machine(error.to_string())),
    }
}
