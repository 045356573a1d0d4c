//! A conversation with one throw-away node: scripted lines in, messages out.

use std::time::Duration;

use serde_json::Value as Json;

use crate::nodes::process::{ExternalError, Idle, Line, Process};

use super::{
    FailureKind, LAST_WORDS, NodeFailure, Program, STDOUT_IS_FOR_MESSAGES,
    intake::{self, Intake},
    program, speech,
};

/// How long a program that never rests is left alone with each line of a conversation.
const RESTLESS_TURN: Duration = Duration::from_millis(50);

/// Lets real time pass until `enough` has been written or `patience` is over.
fn wait_for(
    process: &mut Process,
    patience: Duration,
    lines: &mut Vec<Line>,
    enough: impl Fn(&[Line]) -> bool,
) -> Result<(), ExternalError> {
    const SLICE: Duration = Duration::from_millis(20);
    let mut left = patience;
    while !enough(lines) && !left.is_zero() {
        let slice = SLICE.min(left);
        process.wait(slice, lines)?;
        left -= slice;
    }
    Ok(())
}

/// What a throw-away node said, and how it failed, if it did.
pub(super) struct Heard {
    /// The messages that it wrote, up to a line that is none.
    pub(super) messages: Vec<Json>,
    pub(super) failure: Option<NodeFailure>,
}

/// Tells a fresh node these lines, one after the other, and returns the messages that it wrote, as
/// soon as there are `expected` of them or `patience` is over.
///
/// # Errors
///
/// When the program cannot be started, dies, writes what is no JSON object, or nothing at all.
pub fn converse(
    program: &Program,
    input: &[String],
    expected: usize,
    patience: Duration,
) -> Result<Vec<Json>, NodeFailure> {
    let Heard { messages, failure } = hear(program, input, expected, patience);
    failure.map_or(Ok(messages), Err)
}

/// As [`converse`], with what was said before a failure.
pub(super) fn hear(
    program: &Program,
    input: &[String],
    expected: usize,
    patience: Duration,
) -> Heard {
    let name = program.names.of(0);
    let mut lines = Vec::new();
    let mut failure = talk(
        program,
        name.as_str(),
        input,
        (expected, patience),
        &mut lines,
    )
    .err();
    let (messages, garbage) = messages(&lines);
    if failure.is_none() {
        failure = garbage.map(|garbage| {
            NodeFailure::of_line(&program::BadLine {
                node: name.as_str(),
                number: garbage.number,
                what: &format!("is not a message: {}", garbage.why),
                text: &garbage.text,
                expected: "one JSON object on each line",
                remedy: STDOUT_IS_FOR_MESSAGES,
            })
        });
    }
    Heard { messages, failure }
}

fn talk(
    program: &Program,
    name: &str,
    input: &[String],
    (expected, patience): (usize, Duration),
    lines: &mut Vec<Line>,
) -> Result<(), NodeFailure> {
    let folder = &program.folder;
    let launch = program.launch(name, folder.join(name), folder.join("stderr"));
    let failed = |error: ExternalError| NodeFailure::process(&error);
    let mut process = Process::spawn(&launch).map_err(failed)?;
    process.set_patience(program.busy_patience);
    let mut start_patience = program.start_patience;
    for line in input {
        process.send(line, lines).map_err(failed)?;
        while let Idle::Never(_) = process.settle(lines).map_err(failed)? {
            if !lines.is_empty() || start_patience.is_zero() {
                // It has started and never rests.
                process.set_patience(RESTLESS_TURN);
                break;
            }
            start_patience = start_patience.saturating_sub(program.busy_patience);
        }
    }
    let start = |lines: &[Line]| expected == 0 || !lines.is_empty();
    wait_for(&mut process, program.start_patience, lines, start).map_err(failed)?;
    let enough = |lines: &[Line]| {
        let (some, garbage) = messages(lines);
        garbage.is_some() || some.len() >= expected
    };
    wait_for(&mut process, patience, lines, enough).map_err(failed)?;
    if speech::objects(process.unfinished()).is_ok_and(|objects| !objects.is_empty()) {
        process.take_unfinished(lines);
    }
    if lines.is_empty() && expected > 0 {
        process.stop(LAST_WORDS, lines);
        let what = format!("no answer came within {:?}", program.start_patience);
        let failure = mute(
            FailureKind::Silence,
            name,
            &what,
            "it should answer init with init_ok",
            lines,
        );
        lines.clear();
        return Err(failure);
    }
    Ok(())
}

/// The messages on these lines, up to what is none.
fn messages(lines: &[Line]) -> (Vec<Json>, Option<intake::Garbage>) {
    let mut intake = Intake::default();
    let mut messages = Vec::new();
    for line in lines {
        match intake.push(line) {
            Ok(Some(taken)) => messages.extend(taken.objects.into_iter().map(Json::Object)),
            Ok(None) => {}
            Err(garbage) => return (messages, Some(garbage)),
        }
    }
    (messages, intake.rest())
}

/// A node says nothing, and these lines when its input ended.
pub(super) fn mute(
    kind: FailureKind,
    node: &str,
    what: &str,
    duty: &str,
    last_words: &[Line],
) -> NodeFailure {
    if last_words.is_empty() {
        let remedy = format!(
            "{duty}, on a line of its own, and flush stdout after each line; a program that waits \
             with select and reads with a buffered reader sees a line only when the next one comes"
        );
        return NodeFailure::new(kind, node, what, &remedy);
    }
    let count = last_words.len();
    NodeFailure::new(
        kind,
        node,
        &format!("{what}, but {count} lines came when its input ended: stdout is block-buffered"),
        "flush stdout after each line: flush=True or `python3 -u`, fflush, setvbuf, `stdbuf -oL`",
    )
}
