//! The commands of a play, as they are typed.

use std::path::PathBuf;

use sibcheck_checkers::outside::Outside;

use crate::nodes::node_name;

use super::play::What;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A client asks for something.
    Ask {
        /// What.
        what: What,
        /// The key.
        key: String,
        /// The node that is asked, by position.
        via: Option<u32>,
        /// Who asks, where it is not who usually does.
        client: Option<String>,
    },
    /// From now on this client asks.
    As(String),
    /// A node dies.
    Kill(u32),
    /// A node starts again.
    Restart(u32),
    /// A node is told to leave the cluster.
    Leave(u32),
    /// It is told to join again.
    Join(u32),
    /// Nodes hear their own group only.
    Partition(Vec<Vec<u32>>),
    /// All nodes hear each other.
    Heal,
    /// What the nodes are about, and who owns a key.
    Ring(Option<String>),
    /// What each node has of a key.
    Siblings(String),
    /// Time passes, in milliseconds.
    Step(u64),
    /// The verdict.
    Judge,
    /// The plan is written to a file.
    Save(PathBuf),
    /// The commands are told.
    Help,
    /// It ends.
    Quit,
}

/// How a command is written, and what it does.
pub struct Usage {
    /// Its first word.
    pub name: &'static str,
    /// The whole, with what it takes.
    pub form: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// Every command, as `help` tells them.
pub const COMMANDS: [Usage; 17] = [
    usage(
        "put",
        "put KEY VALUE",
        "write a value in place of what the client has seen of the key; with blind in place of nothing",
    ),
    usage("get", "get KEY", "read all siblings of the key"),
    usage(
        "delete",
        "delete KEY",
        "write a tombstone, which is a sibling like any other",
    ),
    usage(
        "resolve",
        "resolve KEY VALUE",
        "read all siblings, and write a value in place of all of them",
    ),
    usage(
        "as",
        "as NAME",
        "go on as this client; each knows only what it was answered",
    ),
    usage(
        "kill",
        "kill NODE",
        "the node dies and loses what was not on its storage",
    ),
    usage("restart", "restart NODE", "it starts again"),
    usage(
        "leave",
        "leave NODE",
        "the node hands over what it owns, and is no member then",
    ),
    usage("join", "join NODE", "it becomes a member again"),
    usage(
        "partition",
        "partition A B | C D E",
        "nodes hear those of their own group only; one group alone is cut off from all others",
    ),
    usage("heal", "heal", "all nodes hear each other again"),
    usage(
        "ring",
        "ring [KEY]",
        "how the nodes are; or who owns the key",
    ),
    usage(
        "siblings",
        "siblings KEY",
        "what each node has of the key: values with their dots, the events it knows, and hints",
    ),
    usage(
        "step",
        "step [MS]",
        "let so many milliseconds pass, 50 unless told otherwise",
    ),
    usage(
        "judge",
        "judge",
        "heal everything in a copy of the run, read all keys everywhere, and judge all answers",
    ),
    usage(
        "save",
        "save FILE",
        "write it all as a plan, which sibcheck replay runs",
    ),
    usage("quit", "quit", "end it; so does Ctrl-D"),
];

const fn usage(name: &'static str, form: &'static str, about: &'static str) -> Usage {
    Usage { name, form, about }
}

/// The time between two rounds of anti-entropy with one peer.
const STEP_MS: u64 = 50;
/// A longer step is a slip.
const LONGEST_STEP_MS: u64 = 60_000;

/// Why a line is no command, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoCommand(String);

fn wrong<T>(what: impl Into<String>) -> Result<T, NoCommand> {
    Err(NoCommand(what.into()))
}

impl Command {
    /// Reads a command for so many nodes; `None` for an empty line and for a comment, which begins with `#`.
    ///
    /// # Errors
    ///
    /// With what is wrong, and how it is written.
    pub fn read(line: &str, nodes: u32) -> Result<Option<Self>, NoCommand> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        // A partition needs no spaces around its bars.
        let words = match line.strip_prefix("partition") {
            Some(groups) => format!("partition{}", groups.replace('|', " | ")),
            None => line.to_owned(),
        };
        let Ok(words) = shell_words::split(&words) else {
            return wrong("a quote is open at the end of the line: close it, or write \\' or \\\"");
        };
        let Some((name, rest)) = words.split_first() else {
            return Ok(None);
        };
        Words { name, rest, nodes }.command().map(Some)
    }
}

/// A line in words.
struct Words<'w> {
    name: &'w str,
    rest: &'w [String],
    nodes: u32,
}

impl Words<'_> {
    fn command(&self) -> Result<Command, NoCommand> {
        Ok(match self.name {
            "put" | "get" | "delete" | "resolve" => return self.ask(),
            "as" => Command::As(self.one()?),
            "kill" => Command::Kill(self.node(&self.one()?)?),
            "restart" => Command::Restart(self.node(&self.one()?)?),
            "leave" => Command::Leave(self.node(&self.one()?)?),
            "join" => Command::Join(self.node(&self.one()?)?),
            "partition" => Command::Partition(self.groups()?),
            "heal" => self.alone(Command::Heal)?,
            "ring" if self.rest.is_empty() => Command::Ring(None),
            "ring" => Command::Ring(Some(self.one()?)),
            "siblings" => Command::Siblings(self.one()?),
            "step" => Command::Step(self.milliseconds()?),
            "judge" => self.alone(Command::Judge)?,
            "save" => Command::Save(self.one()?.into()),
            "help" | "?" => Command::Help,
            "quit" | "exit" => self.alone(Command::Quit)?,
            other => {
                let names: Vec<&str> = COMMANDS.iter().map(|usage| usage.name).collect();
                let names = names.join(", ");
                return wrong(format!(
                    "there is no command {}; the commands are {names} and help",
                    Outside(other)
                ));
            }
        })
    }

    /// How the command is written.
    fn form(&self) -> &'static str {
        let usage = COMMANDS.iter().find(|usage| usage.name == self.name);
        usage.map_or("", |usage| usage.form)
    }

    fn alone(&self, command: Command) -> Result<Command, NoCommand> {
        match self.rest.first() {
            None => Ok(command),
            Some(word) => wrong(format!(
                "{} takes nothing, and there is {}: leave it out",
                self.name,
                Outside(word)
            )),
        }
    }

    fn one(&self) -> Result<String, NoCommand> {
        match self.rest {
            [word] if !word.is_empty() => Ok(word.clone()),
            [] | [_] => wrong(format!("{} needs a word more: {}", self.name, self.form())),
            [_, more, ..] => wrong(format!(
                "{} takes one word, and there is {}: {}, with quotes around what has spaces",
                self.name,
                Outside(more),
                self.form()
            )),
        }
    }

    /// The position of a node that is named.
    fn node(&self, name: &str) -> Result<u32, NoCommand> {
        let found = (0..self.nodes).find(|node| node_name(*node) == name);
        found.map_or_else(
            || {
                wrong(format!(
                    "there is no node {}; the nodes are n1 to n{}",
                    Outside(name),
                    self.nodes
                ))
            },
            Ok,
        )
    }

    fn ask(&self) -> Result<Command, NoCommand> {
        let needed = if matches!(self.name, "put" | "resolve") {
            2
        } else {
            1
        };
        if self.rest.len() < needed {
            return wrong(format!("{} needs more: {}", self.name, self.form()));
        }
        let (given, mut options) = self.rest.split_at(needed);
        let value = || given.get(1).cloned().unwrap_or_default();
        let (mut via, mut client, mut blind) = (None, None, false);
        while let Some((word, rest)) = options.split_first() {
            options = rest;
            let mut named = |of: &str| {
                let (name, rest) = options
                    .split_first()
                    .ok_or_else(|| NoCommand(format!("{word} needs {of} behind it")))?;
                options = rest;
                Ok(name)
            };
            match word.as_str() {
                "via" => via = Some(self.node(named("a node")?)?),
                "as" => client = Some(named("the name of a client")?.clone()),
                "blind" if matches!(self.name, "put" | "delete") => blind = true,
                other => {
                    return wrong(format!(
                        "{} does not take {}: {}, then via NODE, as NAME{}; quotes go around what has spaces",
                        self.name,
                        Outside(other),
                        self.form(),
                        if matches!(self.name, "put" | "delete") {
                            " or blind"
                        } else {
                            ""
                        }
                    ));
                }
            }
        }
        let what = match self.name {
            "put" => What::Put {
                value: value(),
                blind,
            },
            "resolve" => What::Resolve { value: value() },
            "delete" => What::Delete { blind },
            _ => What::Get,
        };
        Ok(Command::Ask {
            what,
            key: given[0].clone(),
            via,
            client,
        })
    }

    /// Groups of nodes, each node in one.
    fn groups(&self) -> Result<Vec<Vec<u32>>, NoCommand> {
        let mut groups = Vec::new();
        for words in self.rest.split(|word| word == "|") {
            let nodes: Result<Vec<u32>, _> = words.iter().map(|word| self.node(word)).collect();
            let nodes = nodes?;
            if nodes.is_empty() {
                return wrong(format!("a group is empty: {}", self.form()));
            }
            groups.push(nodes);
        }
        let count = |node: u32| {
            groups
                .iter()
                .flatten()
                .filter(|other| **other == node)
                .count()
        };
        if let Some(twice) = (0..self.nodes).find(|node| count(*node) > 1) {
            let name = node_name(twice);
            return wrong(format!("{name} is named twice: a node is in one group"));
        }
        let others: Vec<u32> = (0..self.nodes).filter(|node| count(*node) == 0).collect();
        match (groups.len(), others.first()) {
            (1, Some(_)) => groups.push(others),
            (1, None) => {
                return wrong(
                    "that is all nodes in one group, which is no partition: leave some out",
                );
            }
            (_, Some(left_out)) => {
                let name = node_name(*left_out);
                return wrong(format!("{name} is in no group: add it to one"));
            }
            (_, None) => {}
        }
        Ok(groups)
    }

    fn milliseconds(&self) -> Result<u64, NoCommand> {
        if self.rest.is_empty() {
            return Ok(STEP_MS);
        }
        let word = self.one()?;
        let given = word.parse().ok();
        let within = given.filter(|ms| (1..=LONGEST_STEP_MS).contains(ms));
        within.map_or_else(
            || {
                wrong(format!(
                    "{} is no number of milliseconds from 1 to {LONGEST_STEP_MS}",
                    Outside(&word)
                ))
            },
            Ok,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Command>, String> {
        Command::read(line, 5).map_err(|wrong| wrong.to_string())
    }

    fn asked(what: What, via: Option<u32>, client: Option<&str>) -> Command {
        Command::Ask {
            what,
            key: "k".to_owned(),
            via,
            client: client.map(str::to_owned),
        }
    }

    #[test]
    fn commands_are_read() {
        let put = |value: &str, blind| What::Put {
            value: value.to_owned(),
            blind,
        };
        assert_eq!(
            read("put k v"),
            Ok(Some(asked(put("v", false), None, None)))
        );
        let all = "  put k 'a  b' as bob via n5 blind ";
        assert_eq!(
            read(all),
            Ok(Some(asked(put("a  b", true), Some(4), Some("bob"))))
        );
        // Words that are options elsewhere are keys and values where these stand.
        assert_eq!(
            read("put k via via n1"),
            Ok(Some(asked(put("via", false), Some(0), None)))
        );
        assert_eq!(
            read("put k ''"),
            Ok(Some(asked(put("", false), None, None)))
        );
        assert_eq!(
            read("delete k blind"),
            Ok(Some(asked(What::Delete { blind: true }, None, None)))
        );
        assert_eq!(read("step"), Ok(Some(Command::Step(50))));
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("# put k v"), Ok(None));
        let two = Command::Partition(vec![vec![0, 1], vec![2, 3, 4]]);
        assert_eq!(read("partition n1 n2|n3 n4 n5"), Ok(Some(two.clone())));
        assert_eq!(read("partition n1 n2"), Ok(Some(two)));
    }

    #[test]
    fn each_command_is_in_the_help_and_is_known() {
        for usage in COMMANDS {
            assert!(usage.form.starts_with(usage.name));
            let told = read(usage.name).err().unwrap_or_default();
            assert!(!told.contains("there is no command"), "{told}");
        }
    }

    #[test]
    fn what_is_no_command_is_told_with_a_remedy() {
        for (line, told) in [
            ("pot k v", "there is no command pot; the commands are put,"),
            ("put k", "put needs more: put KEY VALUE"),
            ("put k 'v", "a quote is open"),
            (
                "put k v w",
                "put does not take w: put KEY VALUE, then via NODE",
            ),
            ("get k blind", "get does not take blind"),
            ("get k via", "via needs a node"),
            (
                "get k via n6",
                "there is no node n6; the nodes are n1 to n5",
            ),
            ("kill", "kill needs a word more: kill NODE"),
            ("kill \u{1b}[2J", "there is no node \\u001b[2J"),
            ("kill n1 n2", "kill takes one word, and there is n2"),
            ("partition n1 n2 | n3", "n4 is in no group: add it"),
            ("partition n1 n1", "n1 is named twice"),
            ("partition n1 |", "a group is empty: partition A B | C D E"),
            ("partition n1 n2 n3 n4 n5", "no partition"),
            ("step 0", "0 is no number of milliseconds from 1 to 60000"),
            ("step x", "x is no number"),
            ("heal now", "heal takes nothing, and there is now"),
            ("siblings", "siblings needs a word more: siblings KEY"),
        ] {
            let wrong = read(line).unwrap_err();
            assert!(wrong.contains(told), "{line}: {wrong}");
        }
    }
}
