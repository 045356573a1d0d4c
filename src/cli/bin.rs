//! A program on the command line: its words, whether it is there, and what it speaks.

use std::path::Path;

use crate::{
    interrupt::Interrupt,
    nodes::external::{FailureKind, NodeFailure, Program, Undetected, detect},
    workloads::Dialect,
};

use super::{Exit, Failure};

/// The words of a command line, as a shell splits them.
pub(super) fn words(command_line: &str) -> Result<Vec<String>, Failure> {
    let words = shell_words::split(command_line)
        .map_err(|error| Failure::usage(format!("--bin {command_line:?}: {error}")))?;
    if words.is_empty() {
        return Err(Failure::usage(
            "--bin is empty: give the program and its arguments",
        ));
    }
    // A node runs in a folder of its own, so what names a file here is named absolutely there. A
    // bare first word is a program to be searched for.
    let absolute = |(index, word): (usize, String)| {
        let path = Path::new(&word);
        let names_a_file = path.exists() && (index > 0 || path.components().count() > 1);
        match std::path::absolute(path) {
            Ok(absolute) if names_a_file => absolute.to_string_lossy().into_owned(),
            _ => word,
        }
    };
    Ok(words.into_iter().enumerate().map(absolute).collect())
}

/// Sees to it that a program can be started at all: else that is the cause of all that follows, and no
/// node has failed, but what was given on the command line is not there.
pub(super) fn look_up(program: &Program) -> Result<(), Failure> {
    let found = program.look_up();
    found.map_err(|failure| Failure::usage(failure.to_string()))
}

/// The dialect that a program turns out to speak.
pub(super) fn found_out(program: &Program, interrupt: &Interrupt) -> Result<Dialect, Failure> {
    detect(program).map_err(|undetected| match (undetected, interrupt.signal()) {
        (Undetected::Failed(failure), Some(signal))
            if failure.kind() == FailureKind::Interrupted =>
        {
            Failure {
                exit: Exit::Interrupted(signal),
                message: "interrupted before the first run".to_owned(),
            }
        }
        (Undetected::Failed(failure), _) => failed(&failure),
        (Undetected::NotJudged(what), _) => Failure::usage(what.to_string()),
    })
}

fn failed(failure: &NodeFailure) -> Failure {
    Failure {
        exit: Exit::Node,
        message: failure.to_string(),
    }
}

/// What to say where a word on the command line stands behind that of `--bin`, as if it belonged to
/// it: `--bin python3 node.py`.
pub(super) fn hint(arguments: &[String], word: &str) -> Option<String> {
    let at = arguments
        .iter()
        .position(|argument| argument == "--bin" || argument.starts_with("--bin="))?;
    let (program, rest) = match arguments[at].strip_prefix("--bin=") {
        Some(program) => (program, &arguments[at + 1..]),
        None => (arguments.get(at + 1)?.as_str(), arguments.get(at + 2..)?),
    };
    let behind: Vec<&str> = rest
        .iter()
        .map(String::as_str)
        .take_while(|argument| !argument.starts_with("--"))
        .collect();
    behind.contains(&word).then(|| {
        let command = [vec![program], behind].concat().join(" ");
        let command = shell_words::quote(&command);
        format!("a command of several words is given in quotes: --bin {command}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_behind_the_program_are_taken_for_its_arguments() {
        let hint = |line: &str, word: &str| {
            let arguments = shell_words::split(line).unwrap();
            hint(&arguments, word)
        };
        let told = hint("sibcheck check --bin python3 x.py --seed 1", "x.py").unwrap();
        assert!(told.ends_with("--bin 'python3 x.py'"), "{told}");
        let told = hint("sibcheck conform --bin=node x.js y", "y").unwrap();
        assert!(told.ends_with("--bin 'node x.js y'"), "{told}");
        assert_eq!(hint("sibcheck check --bin x --seed 1 y", "y"), None);
        assert_eq!(hint("sibcheck check x --bin", "x"), None);
    }
}
