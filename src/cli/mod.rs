//! The command line: one file for each subcommand.

mod bin;
mod check;
mod check_program;
mod conform;
mod demo;
mod dialect;
mod faults;
mod format;
mod generate;
mod generate_register;
mod generate_siblings;
mod lists;
mod node;
mod output;
mod prompt;
mod replay;
mod results;
mod ring;
mod runs;
mod shrinking;
mod sighting;
mod signals;
mod time;
mod verify;
mod verify_foreign;

use clap::{
    Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};
use sibcheck_checkers::outside::Outside;

use crate::{
    nodes::process::{GUARD_COMMAND, GUARDIAN_COMMAND, exec_guarded, guard_over},
    reports::Told,
};

use format::{GivenFormat, tell_failure};

pub use crate::exit::{Exit, Failure};

/// Tells whether a replicated store that keeps siblings really keeps what was written to it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  sibcheck check                                   check the reference stores
  sibcheck check --store faulty:last-writer-wins   see a planted bug being caught
  sibcheck check --bin ./my-node --dialect vc      check a program
  sibcheck conform --bin ./my-node --dialect vc    run the sample cases against it
  sibcheck node --store dotted                     serve a store on stdin/stdout
  sibcheck verify history.jsonl                    judge a recorded history
  sibcheck replay corpora/                         judge all saved cases
  sibcheck generate register --broken              write a big history to judge
  sibcheck generate siblings > history.jsonl       write a history for measuring
  sibcheck ring --key k1                           show who owns a key of the store dynamo
  sibcheck demo                                    watch that store lose nodes and no write
  sibcheck demo --interactive                      play with it

Exit codes: 0 all hold, 1 a violation, 2 wrong usage or a malformed file, 3 inconclusive,
4 the node under test failed, 5 this program or the machine failed, 130 Ctrl-C, 143 SIGTERM.
Of several the first counts of 1, 130 or 143, 4, 5, 2, 3, 0.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    #[arg(help = "When to use colours; NO_COLOR is respected")]
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Conform(conform::Arguments),
    Node(node::Arguments),
    Verify(verify::Arguments),
    Generate(generate::Arguments),
    Replay(replay::Arguments),
    Ring(ring::Arguments),
    Demo(demo::Arguments),
}

impl Command {
    /// How its report is written; `None` where there is no report.
    const fn format(&self) -> Option<GivenFormat> {
        match self {
            Self::Check(arguments) => Some(arguments.format),
            Self::Conform(arguments) => Some(arguments.format),
            Self::Verify(arguments) => Some(arguments.format),
            Self::Replay(arguments) => Some(arguments.format),
            Self::Node(_) | Self::Generate(_) | Self::Ring(_) | Self::Demo(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    /// On a terminal
    Auto,
    Always,
    Never,
}

/// When this process was started to become a node that dies with its starter, or the guardian of one
/// that runs nodes, becomes it.
fn become_a_node() {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == GUARD_COMMAND => {}
        Some(word) if word == GUARDIAN_COMMAND => {
            let token = words.next().unwrap_or_default();
            guard_over(&token.to_string_lossy());
            std::process::exit(0);
        }
        _ => return,
    }
    let parent = words.next().and_then(|word| word.to_str()?.parse().ok());
    let error = exec_guarded(parent.unwrap_or(0), &words.collect::<Vec<_>>());
    output::tell(&format!("sibcheck: failed to start the node: {error}"));
    // As a shell says that a program was found and could not be executed.
    std::process::exit(126);
}

/// The command line of this process, or how to exit where it is wrong. That is told as of a command line
/// in which nothing acts, since it is quoted.
fn arguments() -> Result<Arguments, Exit> {
    Arguments::try_parse().map_err(|error| {
        let words: Vec<String> = std::env::args_os()
            .map(|word| Outside(word.to_string_lossy()).to_string())
            .collect();
        if let Err(harmless) = Arguments::try_parse_from(&words) {
            return refuse(&harmless, &words);
        }
        // Only a character that acts was wrong.
        let message = Outside(error.render()).to_string();
        tell_failure(&words, &Failure::usage(message.as_str()));
        output::complain(&message);
        Exit::Usage
    })
}

/// Parses the command line of this process, does what it says, and tells how to exit.
pub fn main() -> Exit {
    become_a_node();
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    match arguments.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let format = arguments.command.format();
    let done = match arguments.command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Conform(arguments) => conform::conform(&arguments),
        Command::Node(arguments) => node::node(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Generate(arguments) => generate::generate(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Ring(arguments) => ring::ring(&arguments),
        Command::Demo(arguments) => demo::demo(&arguments),
    };
    done.unwrap_or_else(|failure| {
        if let Some(format) = format {
            // Where stdout is closed, stderr still tells.
            let _ = format.print(false, Told::Failure(&failure));
        }
        output::complain(&failure.message);
        failure.exit
    })
}

/// Tells what is wrong with a command line, or what help was asked for.
fn refuse(error: &clap::Error, words: &[String]) -> Exit {
    if !error.use_stderr() {
        let _ = output::print(&error.render().ansi().to_string());
        return Exit::Holds;
    }
    let unexpected = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if error.kind() == ErrorKind::UnknownArgument => word,
        _ => "",
    };
    let hint = bin::hint(words, unexpected);
    let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    tell_failure(words, &Failure::usage(error.render().to_string() + &hint));
    output::tell((error.render().ansi().to_string() + &hint).trim_end());
    Exit::Usage
}
