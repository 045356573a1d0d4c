//! Finding out which dialect a program speaks.

use std::{fmt::Write, fs};

use serde_json::{Value as Json, json};

use crate::protocol::{Dialect, ErrorCode};

use super::{FailureKind, INITIATOR, NodeFailure, Program, converse, sins};

/// Finds out which dialect a program speaks, by asking a throw-away process for each: about half of
/// all programs die of a request that they do not know.
///
/// # Errors
///
/// When it answers the read of no dialect; with what came of each.
pub fn detect(program: &Program) -> Result<Dialect, NodeFailure> {
    let probe = Program {
        folder: program.folder.join("probe"),
        ..program.clone()
    };
    let found = ask_for_dialect(&probe);
    if found.is_ok() {
        // What is left behind tells about a failure only.
        let _ = fs::remove_dir_all(&probe.folder);
    }
    found
}

fn ask_for_dialect(program: &Program) -> Result<Dialect, NodeFailure> {
    let name = program.names.of(0);
    let line =
        |client: &str, body: Json| json!({"src": client, "dest": name, "body": body}).to_string();
    let init = json!({"type": "init", "msg_id": 1, "node_id": name, "node_ids": [name]});
    let mut tried = String::new();
    for dialect in Dialect::BUILT_IN {
        let mut read = dialect.wording().read_request("c1", "sibcheck-probe");
        read.insert("msg_id".into(), 2.into());
        let input = [
            line(INITIATOR, init.clone()),
            line("c1", Json::Object(read)),
        ];
        let ok = format!("{}_ok", dialect.read_type());
        let understood = |message: &&Json| {
            let body = &message["body"];
            let no_such_key = ErrorCode::KeyDoesNotExist.number();
            message["dest"] == "c1"
                && (body["type"] == *ok
                    || body["values"].is_array()
                    || body["type"] == "error" && body["code"] == no_such_key)
        };
        let came = match converse(program, &input, 2, program.patience) {
            Ok(messages) if messages.iter().find(understood).is_some() => return Ok(dialect),
            Ok(messages) => match messages.iter().find(|message| message["dest"] == "c1") {
                Some(answer) => sins::cut(&answer["body"].to_string()),
                None if messages.is_empty() => {
                    format!("nothing came in {:?}, not even init_ok", program.patience)
                }
                None => format!("no answer in {:?}", program.patience),
            },
            Err(failure) if failure.kind() == FailureKind::Interrupted => return Err(failure),
            Err(failure) => failure.to_string(),
        };
        let came = came.replace('\n', "\n    ");
        let kind = dialect.read_type();
        // Writing to a string cannot fail.
        let _ = write!(tried, "\n  {kind} ({dialect}): {came}");
    }
    Err(NodeFailure::new(
        FailureKind::Output,
        &name,
        "it answers the read of no dialect that is known here",
        &format!(
            "give --dialect NAME if it speaks one of them all the same, or describe its own in a \
             file (docs/custom-dialects.md) and give --dialect FILE. What came of each:{tried}"
        ),
    ))
}
