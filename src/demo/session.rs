//! A session: commands are done, and answered in words.

use std::io;

use sibcheck_checkers::{Outcome, outside};

use crate::{files, plans::write_plan, reports, simulation::Nanos};

use super::{
    command::{Command, NoCommand},
    play::Play,
    refusal::Refusal,
    told,
};

/// The client that asks until another one is named.
const FIRST_CLIENT: &str = "alice";

/// A play, and who asks.
pub struct Session {
    play: Play,
    client: String,
}

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// In words, wrapped.
    pub text: String,
    /// The verdict, where one was asked for.
    pub outcome: Option<Outcome>,
    /// The session is to end.
    pub ends: bool,
}

/// Why a command was not done. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// It is none.
    #[error("{0}")]
    NoCommand(#[from] NoCommand),
    /// It cannot be done.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// A file could not be written.
    #[error("failed to write {file}: {error}; name another file")]
    File {
        /// Its path, as it is shown.
        file: String,
        /// Why.
        error: io::Error,
    },
}

impl Session {
    /// A session on what is played.
    pub fn new(play: Play) -> Self {
        Self {
            play,
            client: FIRST_CLIENT.to_owned(),
        }
    }

    /// What is played.
    pub fn play(&self) -> &Play {
        &self.play
    }

    /// Who asks.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Does a command, and tells what came of it on so many columns.
    ///
    /// # Errors
    ///
    /// When the line is no command, or it cannot be done: nothing has changed then.
    pub fn answer(&mut self, line: &str, width: usize) -> Result<Answer, Wrong> {
        let Some(command) = Command::read(line, self.play.nodes())? else {
            return Ok(Answer::default());
        };
        let before = self.play.mechanisms();
        let mut answer = self.done(command, width)?;
        answer.text += &told::meanwhile(&before, &self.play.mechanisms(), width);
        Ok(answer)
    }

    fn done(&mut self, command: Command, width: usize) -> Result<Answer, Wrong> {
        let play = &mut self.play;
        let line = |text: &str| told::line(text, width);
        let text = match command {
            Command::Ask {
                what,
                key,
                via,
                client,
            } => {
                let client = client.as_deref().unwrap_or(&self.client);
                let asked = play.ask(client, &key, via, &what)?;
                told::asked(play, &asked, width)
            }
            Command::As(name) => {
                self.client = name;
                String::new()
            }
            Command::Kill(node) => {
                play.kill(node)?;
                line(&format!("{} is down", told::listed([node])))
            }
            Command::Restart(node) => {
                play.restart(node)?;
                line(&format!("{} is up", told::listed([node])))
            }
            Command::Leave(node) => {
                play.leave(node)?;
                line(&format!("{} is told to leave", told::listed([node])))
            }
            Command::Join(node) => {
                play.join(node)?;
                line(&format!("{} is told to join", told::listed([node])))
            }
            Command::Partition(groups) => {
                play.partition(groups)?;
                let groups = play.groups().iter();
                let groups: Vec<String> = groups
                    .map(|group| told::listed(group.iter().copied()))
                    .collect();
                line(&format!("{} no longer hear each other", groups.join(" | ")))
            }
            Command::Heal => {
                play.heal()?;
                line("all nodes hear each other")
            }
            Command::Ring(None) => told::nodes(play, width),
            Command::Ring(Some(key)) => line(&told::owners(play, &key)),
            Command::Siblings(key) => told::siblings(play, &key, width),
            Command::Step(ms) => {
                play.pass(Nanos::from_millis(ms))?;
                line(&format!("{ms} ms have passed; it is {} now", play.now()))
            }
            Command::Judge => return self.judged(width),
            Command::Save(file) => {
                let played = play.plan()?;
                let shown = outside::path(&file).to_string();
                files::write(&file, |writer| write_plan(&played, writer)).map_err(|error| {
                    Wrong::File {
                        file: shown.clone(),
                        error,
                    }
                })?;
                let command = shell_words::quote(&file.to_string_lossy()).into_owned();
                format!(
                    "  saved; run it again: sibcheck replay {}\n",
                    outside::Outside(command)
                )
            }
            Command::Help => told::help(width),
            Command::Quit => {
                return Ok(Answer {
                    ends: true,
                    ..Answer::default()
                });
            }
        };
        Ok(Answer {
            text,
            ..Answer::default()
        })
    }

    fn judged(&self, width: usize) -> Result<Answer, Wrong> {
        let judged = self.play.judge()?;
        let report = reports::verdict(&*judged.told, width - 2);
        let text = report.lines().map(|line| format!("  {line}\n"));
        Ok(Answer {
            text: text.collect(),
            outcome: Some(judged.told.outcome()),
            ends: false,
        })
    }
}
