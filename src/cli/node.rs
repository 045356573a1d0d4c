//! `sibcheck node`: serve a reference store as a Maelstrom node.

use std::{io, time::Duration};

use clap::Args;

use crate::{
    nodes::{ServeError, Server, serve},
    stores::StoreName,
};

use super::{Exit, Failure};

/// Serve a store on stdin and stdout as a Maelstrom node
#[derive(Debug, Args)]
#[command(after_help = "\
Dialects: versioned speaks vc (vc_write, vc_read), dotted speaks dvv (dvv_update, dvv_get).

Example:
  echo '{\"src\":\"c0\",\"dest\":\"n1\",\"body\":{\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n1\",\"node_ids\":[\"n1\"]}}' \\
    | sibcheck node --store dotted")]
pub(super) struct Arguments {
    /// The store: versioned, dotted, or faulty:NAME
    #[arg(long, value_name = "NAME")]
    store: StoreName,

    /// Time between two exchanges of state with a peer, in a cluster
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    anti_entropy_ms: u64,
}

pub(super) fn node(arguments: &Arguments) -> Result<Exit, Failure> {
    let server = Server::new(
        arguments.store,
        Duration::from_millis(arguments.anti_entropy_ms),
    );
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
