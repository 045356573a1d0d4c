//! `sibcheck demo`: watch the Dynamo-style store, or play with it.

use std::io::{self, IsTerminal};

use sibcheck_checkers::outside::Outside;

use crate::{
    demo::{MOST_NODES, Play, Session, play_script},
    reports::words::wrapped,
    stores::StoreName,
};

use super::{
    Exit, Failure, output,
    prompt::{Line, Lines},
};

/// Watch the store `dynamo` at work, or play with it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The nodes are the reference store's own, in the simulation in which it is checked: time is virtual,
and the same commands always give the same answers.

--interactive takes put, get, delete, resolve, kill, restart, partition, heal, ring, siblings, step,
judge and save; help tells of each. Where standard input is no terminal commands are read from it,
and one that is wrong makes the exit code 2.

Examples:
  sibcheck demo                                    a scripted play, with what there is to see
  sibcheck demo --store dynamo:3-1-1 --nodes 4     the same with other quorums
  sibcheck demo --interactive                      your own
  sibcheck demo --interactive --store faulty:hint-written-anew
  sibcheck demo --interactive < commands.txt")]
pub(super) struct Arguments {
    /// Take commands instead of playing the script
    #[arg(long, short)]
    interactive: bool,

    /// Nodes of the cluster: n1, n2 and so on
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_NODES)))]
    nodes: u32,

    /// The store: dynamo, dynamo:N-R-W with -sloppy or -background behind it, or a planted bug of it
    #[arg(long, value_name = "NAME", default_value = "dynamo")]
    store: StoreName,

    /// The seed of the latencies
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn demo(arguments: &Arguments) -> Result<Exit, Failure> {
    let usage = |wrong: &dyn std::fmt::Display| Failure::usage(wrong.to_string());
    let play = Play::new(arguments.store, arguments.nodes, arguments.seed);
    let play = play.map_err(|refused| usage(&refused))?;
    if arguments.interactive {
        return converse(Session::new(play));
    }
    let (text, outcome) = play_script(play, output::width()).map_err(|wrong| usage(&wrong))?;
    output::print(&text)?;
    Ok(outcome.into())
}

/// Answers commands until there are no more.
fn converse(mut session: Session) -> Result<Exit, Failure> {
    let play = session.play();
    output::print(&format!(
        "{} of the store {}; help tells the commands, quit ends it\n",
        match play.nodes() {
            1 => "the node n1".to_owned(),
            nodes => format!("nodes n1 to n{nodes}"),
        },
        play.store()
    ))?;
    let typed = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut lines = Lines::open(typed)?;
    let mut exit = Exit::Holds;
    loop {
        let prompt = format!("{}> ", Outside(session.client()));
        let line = match lines.next(&prompt, session.play())? {
            Line::Of(line) => line,
            Line::Dropped => continue,
            Line::End => return Ok(exit),
        };
        if !typed {
            output::print(&format!("{prompt}{}\n", Outside(&line)))?;
        }
        match session.answer(&line, output::width()) {
            Ok(answer) => {
                output::print(&answer.text)?;
                exit = answer
                    .outcome
                    .map_or(exit, |outcome| exit.and(outcome.into()));
                if answer.ends {
                    return Ok(exit);
                }
            }
            Err(wrong) => {
                let told = format!("error: {}", Outside(wrong));
                let told = wrapped(&told, "  ", "      ", output::width());
                let error = output::bold_red("error");
                output::print(&(told.replacen("error", &error, 1) + "\n"))?;
                if !typed {
                    exit = exit.and(Exit::Usage);
                }
            }
        }
    }
}
