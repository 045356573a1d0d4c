//! `sibcheck ring`: who owns which keys of the Dynamo-style store.

use std::fmt::Write as _;

use sibcheck_checkers::outside::Outside;

use crate::{
    clocks::Actor,
    nodes::node_name,
    stores::dynamo::{Ring, ring},
};

use super::{Exit, Failure, output};

/// Show who owns which keys of the store `dynamo`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sibcheck ring --nodes 5 --tokens 256     the shares of five nodes
  sibcheck ring --key cart:7 --key k1      who owns these keys, the most preferred first")]
pub(super) struct Arguments {
    /// Nodes of the cluster: n1, n2 and so on
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    nodes: u32,

    /// Tokens of each node
    #[arg(long, default_value_t = ring::TOKENS, value_parser = clap::value_parser!(u32).range(1..=4096))]
    tokens: u32,

    /// How many nodes own a key
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16))]
    owners: u32,

    /// Also tell who owns this key; may be given several times
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
}

pub(super) fn ring(arguments: &Arguments) -> Result<Exit, Failure> {
    output::print(&told(arguments))?;
    Ok(Exit::Holds)
}

fn told(arguments: &Arguments) -> String {
    let names: Vec<Actor> = (0..arguments.nodes).map(node_name).collect();
    let ring = Ring::new((0..).zip(&names), arguments.tokens);
    let owners = arguments.owners.min(arguments.nodes);
    let mut text = format!(
        "{} nodes with {} tokens each; a key has {owners} owners, the first of which has\n",
        arguments.nodes, arguments.tokens
    );
    let fair = 1.0 / f64::from(arguments.nodes);
    for (node, share) in ring.shares() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {:<5} {:5.1} % of all keys, {:.2} times its fair share",
            node_name(node),
            share * 100.0,
            share / fair
        );
    }
    for key in &arguments.key {
        let owners: Vec<String> = ring
            .preference(key.as_bytes())
            .take(owners as usize)
            .map(|node| node_name(node).to_string())
            .collect();
        let _ = writeln!(
            text,
            "{} at {:016x} is owned by {}",
            Outside(key),
            ring::place(key.as_bytes()),
            owners.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_owners_are_told() {
        let told = told(&Arguments {
            nodes: 3,
            tokens: 64,
            owners: 16,
            key: vec!["a\u{1b}b".to_owned()],
        });
        assert!(told.contains("3 owners"), "{told}");
        assert!(told.contains("a\\u001bb at "), "{told}");
        for node in ["n1", "n2", "n3"] {
            let last = told.lines().last().unwrap();
            assert!(last.contains(node), "{told}");
        }
    }
}
