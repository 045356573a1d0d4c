//! Lines of commands: typed at a prompt with history and completion, or read from what is no terminal.

use std::io::{self, BufRead, Read, StdinLock};

use rustyline::{
    Config, Context, Editor, Helper, completion::Completer, error::ReadlineError,
    highlight::Highlighter, hint::Hinter, history::MemHistory, validate::Validator,
};
use sibcheck_checkers::{history::Name, shown};

use crate::{
    demo::{COMMANDS, Play},
    nodes::node_name,
};

use super::{Failure, output};

/// A line longer than this is none that anybody means: the longest value that a plan can have, written in
/// escapes.
const LONGEST: u64 = 8 << 20;

/// Where lines come from.
pub(super) enum Lines {
    /// A person at a terminal.
    Typed(Box<Editor<Words, MemHistory>>),
    /// A file or a pipe.
    Read(StdinLock<'static>),
}

/// What came next.
pub(super) enum Line {
    /// A line.
    Of(String),
    /// The person let go of it.
    Dropped,
    /// There are no more.
    End,
}

impl Lines {
    /// Begins to take lines, from a person or not.
    ///
    /// # Errors
    ///
    /// When the terminal refuses.
    pub(super) fn open(typed: bool) -> Result<Self, Failure> {
        if !typed {
            return Ok(Self::Read(io::stdin().lock()));
        }
        let config = Config::builder().auto_add_history(true).build();
        let mut editor = Editor::with_history(config, MemHistory::new()).map_err(refused)?;
        editor.set_helper(Some(Words::default()));
        Ok(Self::Typed(Box::new(editor)))
    }

    /// The next line; names of what is played complete it.
    ///
    /// # Errors
    ///
    /// When the machine refuses, or what is read is no text of lines.
    pub(super) fn next(&mut self, prompt: &str, play: &Play) -> Result<Line, Failure> {
        let editor = match self {
            Self::Read(input) => return read(input),
            Self::Typed(editor) => editor,
        };
        if let Some(words) = editor.helper_mut() {
            *words = Words::of(play);
        }
        match editor.readline(prompt) {
            Ok(line) => Ok(Line::Of(line)),
            Err(ReadlineError::Interrupted) => {
                output::print("(quit or Ctrl-D ends it)\n")?;
                Ok(Line::Dropped)
            }
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(refused(error)),
        }
    }
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::machine(format!("failed to read from the terminal: {error}"))
}

/// A line of what is no terminal, within bounds.
fn read(input: &mut impl BufRead) -> Result<Line, Failure> {
    let mut bytes = Vec::new();
    let length = input
        .by_ref()
        .take(LONGEST)
        .read_until(b'\n', &mut bytes)
        .map_err(|error| Failure::reading(&error, format!("failed to read a command: {error}")))?;
    if length == 0 {
        return Ok(Line::End);
    }
    if length as u64 == LONGEST {
        return Err(Failure::usage(format!(
            "a line of standard input has more than the {LONGEST} bytes that a command may have"
        )));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        Failure::usage(format!(
            "a line of standard input is not UTF-8: {}",
            error.utf8_error()
        ))
    })?;
    Ok(Line::Of(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// The words that complete a line.
#[derive(Default)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Nodes, keys and clients, and what may stand beside them.
    fn of(play: &Play) -> Self {
        let nodes = (0..play.nodes()).map(|node| node_name(node).to_string());
        let given = play.keys().iter().chain(play.clients());
        // What would have to be quoted is left to be typed.
        let given = given
            .map(Name::as_str)
            .filter(|name| shown::key(name) == *name && shell_words::quote(name) == *name);
        let options = ["via", "as", "blind"].map(str::to_owned);
        let mut words: Vec<String> = nodes
            .chain(given.map(str::to_owned))
            .chain(options)
            .collect();
        words.sort();
        words.dedup();
        Self(words)
    }

    /// Where the word that is typed begins, and what it may become.
    fn complete(&self, typed: &str) -> (usize, Vec<String>) {
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &typed[start..];
        let fits = |name: &&str| name.starts_with(word);
        let found: Vec<&str> = if typed[..start].trim().is_empty() {
            let names = COMMANDS.iter().map(|usage| usage.name);
            names.chain(["help"]).filter(fits).collect()
        } else {
            self.0.iter().map(String::as_str).filter(fits).collect()
        };
        let found = found.into_iter().map(|name| format!("{name} "));
        (start, found.collect())
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.complete(line.get(..at).unwrap_or_default()))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::Session;

    #[test]
    fn commands_nodes_keys_and_clients_complete_a_line() {
        let play = Play::new("dynamo".parse().unwrap(), 3, 1).unwrap();
        let mut session = Session::new(play);
        for line in ["put cart x as carol", "put 'a b' x", "put \u{1b}c x"] {
            session.answer(line, 80).unwrap();
        }
        let words = Words::of(session.play());
        let complete = |typed| words.complete(typed);
        assert_eq!(
            complete("re"),
            (0, vec!["resolve ".to_owned(), "restart ".to_owned()])
        );
        assert_eq!(
            complete("get c"),
            (4, vec!["carol ".to_owned(), "cart ".to_owned()])
        );
        assert_eq!(complete("kill n2"), (5, vec!["n2 ".to_owned()]));
        // What acts on a terminal, or has to be quoted, completes nothing.
        assert_eq!(complete("get \u{1b}"), (4, Vec::new()));
        assert_eq!(complete("get a "), (6, words.complete("x ").1.clone()));
    }

    #[test]
    fn lines_are_read_within_bounds() {
        let mut input = &b"put k v\r\nget k"[..];
        for expected in ["put k v", "get k"] {
            assert!(matches!(read(&mut input), Ok(Line::Of(line)) if line == expected));
        }
        assert!(matches!(read(&mut input), Ok(Line::End)));
        let told = |result: Result<Line, Failure>| result.err().unwrap().message;
        assert!(told(read(&mut &b"\xff\n"[..])).contains("not UTF-8"));
        assert!(told(read(&mut io::BufReader::new(io::repeat(b'x')))).contains("more than"));
    }
}
