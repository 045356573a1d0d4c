//! The verdict on a file: the proof, what could not be tested, and how the file was read.

use std::fmt::{self, Write};

use sibcheck_checkers::{AnyJudged, outside, verdict::Reason};

use crate::reports::verified::{Found, Judgement, Source, Verified};

use super::{
    proof::{Others, write_violations},
    strongest::write_strongest,
    text::{count, row, thousands, verdict_word, wrapped},
};

pub(super) fn write_verified(out: &mut String, verified: &Verified, width: usize) -> fmt::Result {
    let Ok(judgement) = &verified.came else {
        // What went wrong is told elsewhere.
        return Ok(());
    };
    if !verified.alone {
        write!(out, "{}: ", outside::path(&verified.file))?;
    }
    write_judgement(out, judgement, width)
}

fn write_judgement(out: &mut String, judgement: &Judgement, width: usize) -> fmt::Result {
    match &judgement.found {
        Found::Judged(judged) => write_judged(out, &**judged, width)?,
        Found::Strongest { history, strongest } => {
            write_strongest(out, history, strongest, width)?;
        }
    }
    match &judgement.source {
        Some(source) => write_source(out, source, width),
        None => Ok(()),
    }
}

fn write_source(out: &mut String, source: &Source, width: usize) -> fmt::Result {
    writeln!(out, "  read as {}", source.format)?;
    for note in &source.notes {
        let word = if note.limits() {
            "not checked"
        } else {
            "assumed"
        };
        let line = format!("{word}: {note}");
        writeln!(out, "{}", wrapped(&line, "    ", "      ", width))?;
    }
    Ok(())
}

pub(super) fn write_judged(out: &mut String, judged: &dyn AnyJudged, width: usize) -> fmt::Result {
    let promise = judged.promise();
    let monotonic = if promise.replica_monotonic {
        ", replica-monotonic"
    } else {
        ""
    };
    writeln!(
        out,
        "{} (claim {}{monotonic})",
        verdict_word(judged.outcome()),
        promise.claim
    )?;
    let tests = judged
        .exercised()
        .into_iter()
        .filter(|(_, times)| *times > 0);
    let tests = tests.map(|(invariant, times)| format!("{} {invariant}", thousands(times)));
    let tests = tests.collect::<Vec<_>>().join(", ");
    let mut figures = vec![
        count(judged.operations() as u64, "operation"),
        count(judged.keys().len() as u64, "key"),
        count(judged.clients().len() as u64, "client"),
    ];
    if !judged.nodes().is_empty() {
        figures.push(count(judged.nodes().len() as u64, "node"));
    }
    writeln!(out, "{}", row("history", &figures.join(", "), width))?;
    if !tests.is_empty() {
        writeln!(out, "{}", row("tests", &tests, width))?;
    }
    if let Some(how) = judged.how_decided() {
        writeln!(out, "{}", row("decided", &how, width))?;
    }
    write_unknown(out, judged, width)?;
    write_violations(out, judged, Others::Sentences, width)
}

/// What could not be tested, and why.
pub(super) fn write_unknown(out: &mut String, judged: &dyn AnyJudged, width: usize) -> fmt::Result {
    for unknown in judged.unknown() {
        let more = match unknown.reason {
            Reason::Steps { .. } => "; --budget-steps allows more",
            Reason::Memory { .. } => "; --budget-bytes allows more",
            _ => "",
        };
        let line = format!("not tested: {}{more}", judged.why(unknown));
        writeln!(out, "{}", wrapped(&line, "  ", "    ", width))?;
    }
    Ok(())
}
