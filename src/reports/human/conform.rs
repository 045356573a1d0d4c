//! What every store has to do, and conformance cases: with what was said, or a diff, for each that fails.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value as Json;
use sibcheck_checkers::{
    Outcome,
    outside::{Outside, OutsideLines},
};

use crate::{
    protocol::{Compared, Difference},
    reports::conform::{Came, Conformed, Ran, Report, silence},
};

use super::{
    proof::{Others, write_violations},
    text::{color, count, indented, wrapped as filled},
};

pub(super) fn write_conform(out: &mut String, report: &Report, width: usize) -> fmt::Result {
    if let Some(dialect) = &report.dialect {
        writeln!(out, "dialect {}", Outside(dialect))?;
    }
    let mut first = true;
    for Conformed { name, came } in &report.cases {
        let (outcome, mark) = if came.is_met() {
            (Outcome::Valid, "ok")
        } else {
            (Outcome::Violated, "FAIL")
        };
        let what = match came {
            Came::Run(ran) if ran.is_met() => match ran.refused {
                (0, _) => String::new(),
                (refused, writes) => format!(" ({refused} of {writes} writes refused)"),
            },
            Came::Run(ran) => format!(": {}", ran.fault()),
            Came::Lines(difference) if difference.is_none() => {
                format!(": {}", count(difference.same() as u64, "line"))
            }
            Came::Lines(difference) => {
                let wrong = count(difference.wrong() as u64, "line");
                let same = difference.same();
                format!(": {wrong} not as expected, {same} as expected")
            }
            Came::Failed(how) => {
                let how = OutsideLines(how).to_string();
                format!(": the node failed\n{}", indented(&how, "  "))
            }
        };
        let style = color(outcome);
        let name = Outside(name);
        writeln!(out, "{style}{mark:4}{style:#}  {name}{what}")?;
        match came {
            // Those after it mostly have the same cause.
            Came::Run(ran) if !ran.is_met() && std::mem::take(&mut first) => {
                if let Some(nodes) = report.silent_nodes() {
                    writeln!(out, "{}", filled(&silence(nodes), "  ", "    ", width))?;
                }
                write_ran(out, ran, width)?;
            }
            Came::Lines(difference) if !difference.is_none() => {
                write_difference(out, difference, width)?;
            }
            _ => {}
        }
    }
    if !report.notes.is_empty() {
        let what = "not demanded, but different from the published samples (--strict demands it):";
        writeln!(out, "{}", filled(what, "note  ", "      ", width))?;
        for note in &report.notes {
            let note = Outside(note).to_string();
            writeln!(out, "{}", filled(&note, "      ", "        ", width))?;
        }
    }
    let met = report
        .cases
        .iter()
        .filter(|case| case.came.is_met())
        .count();
    let run = count(report.cases.len() as u64, "case");
    writeln!(out, "{run} run, {met} passed")
}

/// What is wrong with the run of a demand, and what was said.
fn write_ran(out: &mut String, ran: &Ran, width: usize) -> fmt::Result {
    write_violations(out, &*ran.judged.told, Others::Names, width)?;
    writeln!(out, "  what was said")?;
    for (from, to, body) in &ran.said {
        let line = Outside(format!("{from} → {to}  {body}")).to_string();
        for (first, part) in wrapped(&line, width.saturating_sub(8)) {
            let indent = if first { "    " } else { "        " };
            writeln!(out, "{indent}{part}")?;
        }
    }
    Ok(())
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
