//! A violation and its proof, for people.

use std::fmt::{self, Write};

use sibcheck_checkers::{
    AnyJudged, Outcome,
    history::OpId,
    judged::Violated,
    outside::{self, Outside, OutsideLines},
    shown,
};

use crate::{
    plans::Time,
    program_under_test::Repeats,
    reports::{ProgramFigures, Proof},
};

use super::text::{count, first_lines, height, indented, verdict_word, wrapped};

/// How violations behind the first are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// A sentence each.
    Sentences,
    /// By name, all in a line or two.
    Names,
}

/// The first violation in full, and the others.
pub(super) fn write_violations(
    out: &mut String,
    judged: &dyn AnyJudged,
    others: Others,
    width: usize,
) -> fmt::Result {
    let violations = judged.violations();
    let Some((first, rest)) = violations.split_first() else {
        return Ok(());
    };
    write_one(out, first, width)?;
    others.write(out, rest, width)
}

fn write_one(out: &mut String, violation: &Violated<'_>, width: usize) -> fmt::Result {
    let title = told(violation);
    writeln!(out, "{}", wrapped(&title, "  ", "    ", width))?;
    for line in steps(violation, width) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// `dominance, key k1: the read by c1 …`
fn told(violation: &Violated<'_>) -> String {
    let key = shown::key(violation.key.as_str());
    let sentence = violation.sentence();
    format!("{}, key {key}: {sentence}", violation.invariant)
}

/// The operations that matter, the faults between them and what binds them, a paragraph each.
fn steps(violation: &Violated<'_>, width: usize) -> Vec<String> {
    let timeline = violation.timeline();
    let moments = timeline.moments.iter();
    let mut paragraphs: Vec<String> = moments
        .map(|moment| wrapped(&moment.line(), "    ", "       ", width))
        .collect();
    if !timeline.links.is_empty() {
        paragraphs.push(wrapped(&timeline.links, "    ", "    ", width));
    }
    paragraphs
}

impl Others {
    fn write(self, out: &mut String, others: &[Violated<'_>], width: usize) -> fmt::Result {
        if self == Self::Names {
            return write_names(out, others, width);
        }
        for violation in others {
            let line = format!("also {}", told(violation));
            writeln!(out, "{}", wrapped(&line, "  ", "    ", width))?;
        }
        Ok(())
    }
}

/// The proof that a check found: what is wrong, the operations that show it, where it is saved.
/// With few operations it fits so many lines, by cutting long paragraphs short if need be; `None`
/// writes all there is.
pub(super) fn write_proof(
    out: &mut String,
    proof: &Proof,
    program: Option<&ProgramFigures>,
    room: Option<usize>,
    width: usize,
) -> fmt::Result {
    let violations = proof.judged.told.violations();
    let Some((first, others)) = violations.split_first() else {
        write_failure(out, proof, width)?;
        return write_origin(out, proof, program, width);
    };
    let word = verdict_word(Outcome::Violated);
    // The colour takes no columns.
    let title = wrapped(&format!("VIOLATED: {}", told(first)), "", "  ", width);
    let title = title.replacen("VIOLATED", &word, 1);
    let steps = steps(first, width);
    let mut end = String::new();
    let how = if room.is_some() {
        Others::Names
    } else {
        Others::Sentences
    };
    how.write(&mut end, others, width)?;
    if let Some(failure) = &proof.failure {
        writeln!(
            end,
            "{}",
            indented(&format!("then {}", OutsideLines(failure)), "  ")
        )?;
    }
    write_origin(&mut end, proof, program, width)?;
    let height_of = |text: &str| height(text, width);
    let fits = |lines: usize, room: usize| {
        let paragraphs = std::iter::once(&title).chain(&steps);
        let heights = paragraphs.map(|text| height_of(&first_lines(text, lines, width)));
        heights.sum::<usize>() + height_of(&end) <= room
    };
    let lines = room.and_then(|room| (2..8).rev().find(|lines| fits(*lines, room)));
    let lines = lines.unwrap_or(if room.is_some() { 2 } else { usize::MAX });
    for paragraph in std::iter::once(&title).chain(&steps) {
        writeln!(out, "{}", first_lines(paragraph, lines, width))?;
    }
    out.push_str(&end);
    Ok(())
}

/// How a node failed, and after which operations.
fn write_failure(out: &mut String, proof: &Proof, width: usize) -> fmt::Result {
    /// More of the last operations than these are in the saved history only.
    const SHOWN: usize = 10;
    if let Some(failure) = &proof.failure {
        writeln!(
            out,
            "{}",
            indented(&OutsideLines(failure).to_string(), "  ")
        )?;
    }
    let judged = &proof.judged.told;
    let begun: Vec<OpId> = (0..).take(judged.operations()).collect();
    let last = &begun[begun.len().saturating_sub(SHOWN)..];
    let all = begun.len();
    if all == 0 {
        return writeln!(out, "  it failed before the first operation");
    }
    let of_which = if all > SHOWN {
        format!(", of which the last {SHOWN}")
    } else {
        String::new()
    };
    let operations = count(all as u64, "operation");
    writeln!(out, "  it failed after {operations}{of_which}:")?;
    for (number, step) in (all - last.len() + 1..).zip(judged.told(last)) {
        let text = format!("{number}. {}", step.text);
        writeln!(out, "{}", wrapped(&text, "    ", "       ", width))?;
    }
    Ok(())
}

/// What else is violated, by name.
fn write_names(out: &mut String, others: &[Violated<'_>], width: usize) -> fmt::Result {
    if others.is_empty() {
        return Ok(());
    }
    let names = others.iter().map(|violation| {
        let key = shown::key(violation.key.as_str());
        format!("{} ({key})", violation.invariant)
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let line = wrapped(&format!("also violated: {names}"), "  ", "    ", width);
    writeln!(out, "{}", first_lines(&line, 2, width))
}

/// What the proof was shrunk from, and where it is.
fn write_origin(
    out: &mut String,
    proof: &Proof,
    program: Option<&ProgramFigures>,
    width: usize,
) -> fmt::Result {
    for note in &proof.notes {
        writeln!(out, "{}", indented(&OutsideLines(note).to_string(), "  "))?;
    }
    if proof.shrunk.tries > 0 {
        writeln!(
            out,
            "  shrunk from {} to {} in {}",
            count(proof.original as u64, "operation"),
            proof.shrunk.plan.operations(),
            count(proof.shrunk.tries, "run")
        )?;
    }
    if let Some(Repeats { failed, runs }) = proof.repeats {
        let why = match program.map(|program| program.time) {
            Some(Time::Real) => "in real time no two runs are alike",
            _ => "timers, threads or randomness of its own",
        };
        let what = format!("failed again {failed} of {runs} times: {why}");
        writeln!(out, "{}", wrapped(&what, "  ", "    ", width))?;
    }
    match &proof.saved {
        Ok(folder) => {
            let saved = outside::path(folder);
            writeln!(out, "  plan, history, trace and verdict saved in {saved}")?;
            let bin = program.map_or_else(String::new, |program| {
                let bin = shell_words::quote(&program.command_line);
                format!(" --bin {bin}{}", program.names_flag)
            });
            let plan = folder.join("plan.json");
            let command = format!(
                "sibcheck replay{bin} {}",
                shell_words::quote(&plan.to_string_lossy())
            );
            writeln!(out, "  run it again: {}", Outside(command))
        }
        Err(why) => writeln!(out, "  not saved: {}", Outside(why)),
    }
}
