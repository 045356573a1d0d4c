//! `sibcheck generate`: histories with a known verdict, for measuring.

use clap::Subcommand;

use super::{Exit, Failure, generate_register, generate_siblings};

/// Write a big history with a known verdict
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    Register(generate_register::Arguments),
    Siblings(generate_siblings::Arguments),
}

pub(super) fn generate(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.kind {
        Kind::Register(arguments) => generate_register::generate(arguments),
        Kind::Siblings(arguments) => generate_siblings::generate(arguments),
    }
}
