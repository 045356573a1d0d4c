//! The verdict on a file: the proof, what could not be tested, and how the file was read.

use std::fmt::{self, Write};

use sibcheck_checkers::{History, Verdict, outside, registers, registers::verdict::Reason, shown};

use crate::reports::verified::{Judged, Judgement, Source, Verified};

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
    match &judgement.judged {
        Judged::Registers { history, verdict } => write_registers(out, history, verdict, width)?,
        Judged::Siblings { history, verdict } => write_siblings(out, history, verdict, width)?,
        Judged::Strongest { history, strongest } => {
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

fn write_siblings(
    out: &mut String,
    history: &History,
    verdict: &Verdict,
    width: usize,
) -> fmt::Result {
    let monotonic = if verdict.replica_monotonic {
        ", replica-monotonic"
    } else {
        ""
    };
    writeln!(
        out,
        "{} (claim {}{monotonic})",
        verdict_word(verdict.outcome),
        verdict.claim
    )?;
    let tests = verdict.exercised.iter().filter(|(_, times)| *times > 0);
    let tests = tests.map(|(invariant, times)| format!("{} {invariant}", thousands(times)));
    let tests = tests.collect::<Vec<_>>().join(", ");
    let figures = format!(
        "{}, {}, {}, {}",
        count(history.operations.len() as u64, "operation"),
        count(history.keys.len() as u64, "key"),
        count(history.clients.len() as u64, "client"),
        count(history.nodes.len() as u64, "node")
    );
    writeln!(out, "{}", row("history", &figures, width))?;
    if !tests.is_empty() {
        writeln!(out, "{}", row("tests", &tests, width))?;
    }
    write_unknown(out, history, verdict, width)?;
    write_violations(out, history, verdict, Others::Sentences, width)
}

fn write_registers(
    out: &mut String,
    history: &registers::History,
    verdict: &registers::Verdict,
    width: usize,
) -> fmt::Result {
    let wrapped = |text: &str, first, others| wrapped(text, first, others, width);
    writeln!(
        out,
        "{} (claim linearizable)",
        verdict_word(verdict.outcome)
    )?;
    for (number, violation) in verdict.violations.iter().enumerate() {
        let also = if number == 0 { "" } else { "also " };
        let key = shown::key(history.key_name(violation.key).as_str());
        let sentence = violation.sentence(history);
        let told = format!("{also}linearizability, key {key}: {sentence}");
        writeln!(out, "{}", wrapped(&told, "  ", "    "))?;
        if number == 0 {
            for (number, step) in (1..).zip(violation.steps(history)) {
                let step = format!("{number}. {step}");
                writeln!(out, "{}", wrapped(&step, "    ", "       "))?;
            }
        }
    }
    for unknown in &verdict.unknown {
        let more = match unknown.reason {
            Reason::NothingTested => "",
            Reason::Steps { .. } => "; --budget-steps allows more",
            Reason::Memory { .. } => "; --budget-bytes allows more",
        };
        let told = format!("{}{more}", unknown.sentence(history));
        writeln!(out, "{}", wrapped(&told, "  ", "    "))?;
    }
    let figures = &verdict.figures;
    writeln!(
        out,
        "  {}, {}, {}, {} that counted, {}",
        count(history.operations.len() as u64, "operation"),
        count(history.keys.len() as u64, "register"),
        count(history.clients.len() as u64, "client"),
        figures.operations,
        count(figures.observations, "observation"),
    )?;
    writeln!(
        out,
        "  {} with unique values, {} by a search of {}",
        count(figures.keys_by_zones, "register"),
        figures.keys_by_search,
        count(figures.search_steps, "step")
    )
}

/// What could not be tested, and why.
pub(super) fn write_unknown(
    out: &mut String,
    history: &History,
    verdict: &Verdict,
    width: usize,
) -> fmt::Result {
    for unknown in &verdict.unknown {
        let line = format!("not tested: {}", unknown.sentence(history));
        writeln!(out, "{}", wrapped(&line, "  ", "    ", width))?;
    }
    Ok(())
}
