//! Conformance cases told to people and to programs: a diff for each case that fails.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Outcome,
    outside::{Outside, OutsideLines},
};

use crate::{
    cli::Exit,
    protocol::{Compared, Difference},
};

use super::{
    SCHEMA_VERSION,
    text::{color, count},
};

/// One case and what came of it.
#[derive(Debug)]
pub struct Conformed {
    /// A sample's name, or a file's path.
    pub name: String,
    /// The comparison, or how the node failed.
    pub result: Result<Difference, String>,
}

/// How the process should exit.
pub fn exit(cases: &[Conformed]) -> Exit {
    cases
        .iter()
        .map(|case| match &case.result {
            Ok(difference) if difference.is_none() => Exit::Holds,
            Ok(_) => Exit::Violation,
            Err(_) => Exit::Node,
        })
        .fold(Exit::Holds, Exit::and)
}

/// For people, at most `width` columns wide.
pub fn human(cases: &[Conformed], width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_cases(&mut text, cases, width.max(20));
    text
}

fn write_cases(out: &mut String, cases: &[Conformed], width: usize) -> fmt::Result {
    for Conformed { name, result } in cases {
        let (outcome, mark, what) = match result {
            Ok(difference) if difference.is_none() => {
                let ids = if difference.other_ids {
                    ", other msg_ids"
                } else {
                    ""
                };
                let lines = count(difference.same() as u64, "line");
                (Outcome::Valid, "ok", lines + ids)
            }
            Ok(difference) => {
                let wrong = count(difference.wrong() as u64, "line");
                let same = difference.same();
                let what = format!("{wrong} not as expected, {same} as expected");
                (Outcome::Violated, "FAIL", what)
            }
            Err(failure) => {
                let failure = OutsideLines(failure).to_string();
                (Outcome::Violated, "FAIL", failure)
            }
        };
        let style = color(outcome);
        let name = Outside(name);
        writeln!(out, "{style}{mark:4}{style:#}  {name}: {what}")?;
        if let Ok(difference) = result
            && !difference.is_none()
        {
            write_difference(out, difference, width)?;
        }
    }
    let good = cases
        .iter()
        .filter(|case| case.result.as_ref().is_ok_and(Difference::is_none))
        .count();
    writeln!(
        out,
        "{} run, {good} passed",
        count(cases.len() as u64, "case")
    )
}

const EXPECTED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const GOT: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

fn write_difference(out: &mut String, difference: &Difference, width: usize) -> fmt::Result {
    writeln!(out, "  - expected, + got")?;
    for (destination, lines) in &difference.destinations {
        if lines.iter().all(|line| matches!(line, Compared::Same(_))) {
            continue;
        }
        writeln!(out, "  to {}", Outside(destination))?;
        let mut show = |style: Style, mark: char, line: &Json| {
            let line = Outside(line).to_string();
            for (first, part) in wrapped(&line, width.saturating_sub(6)) {
                let mark = if first { mark } else { ' ' };
                writeln!(out, "    {style}{mark} {part}{style:#}")?;
            }
            Ok(())
        };
        for line in lines {
            match line {
                Compared::Same(line) => show(Style::new(), ' ', line)?,
                Compared::Missing(line) => show(EXPECTED, '-', line)?,
                Compared::Unexpected(line) => show(GOT, '+', line)?,
                Compared::Other { expected, got, .. } => {
                    show(EXPECTED, '-', expected)?;
                    show(GOT, '+', got)?;
                }
            }
        }
        for line in lines {
            let Compared::Other { fields, .. } = line else {
                continue;
            };
            for field in fields {
                let told = |json: &Option<Json>| {
                    json.as_ref()
                        .map_or_else(|| "nothing".to_owned(), |json| Outside(json).to_string())
                };
                let (expected, got) = (told(&field.expected), told(&field.got));
                let text = format!(
                    "at {}: expected {expected}, got {got}",
                    Outside(&field.pointer)
                );
                for (first, part) in wrapped(&text, width.saturating_sub(8)) {
                    let indent = if first { "      " } else { "        " };
                    writeln!(out, "{indent}{part}")?;
                }
            }
        }
    }
    Ok(())
}

/// Cuts a long line into parts; true for the first of them. JSON has few spaces, so words are
/// broken.
fn wrapped(text: &str, width: usize) -> Vec<(bool, String)> {
    textwrap::wrap(text, textwrap::Options::new(width.max(10)))
        .into_iter()
        .enumerate()
        .map(|(number, part)| (number == 0, part.into_owned()))
        .collect()
}

/// For programs.
pub fn json(cases: &[Conformed]) -> String {
    let told: Vec<Json> = cases
        .iter()
        .map(|case| match &case.result {
            Ok(difference) => json!({
                "name": case.name,
                "outcome": if difference.is_none() { "passed" } else { "failed" },
                "same": difference.same(),
                "wrong": difference.wrong(),
                "other_msg_ids": difference.other_ids,
                "destinations": destinations(difference),
            }),
            Err(failure) => {
                json!({"name": case.name, "outcome": "node failed", "failure": failure})
            }
        })
        .collect();
    let report = json!({
        "schema_version": SCHEMA_VERSION,
        "exit_code": exit(cases).code(),
        "cases": told,
    });
    super::json::line(&report)
}

fn destinations(difference: &Difference) -> Vec<Json> {
    let line = |line: &Compared| match line {
        Compared::Same(line) => json!({"same": line}),
        Compared::Missing(line) => json!({"missing": line}),
        Compared::Unexpected(line) => json!({"unexpected": line}),
        Compared::Other {
            expected,
            got,
            fields,
        } => {
            let fields: Vec<Json> = fields
                .iter()
                .map(|field| {
                    json!({
                        "pointer": field.pointer,
                        "expected": field.expected,
                        "got": field.got,
                    })
                })
                .collect();
            json!({"expected": expected, "got": got, "fields": fields})
        }
    };
    difference
        .destinations
        .iter()
        .map(|(to, lines)| json!({"to": to, "lines": lines.iter().map(line).collect::<Vec<_>>()}))
        .collect()
}
