//! The verdict on a file that others recorded: the format, what could not be checked, the proof.

use std::fmt::{self, Write};

use serde_json::{Value as Json, json};
use sibcheck_checkers::{
    Outcome, Verdict,
    import::{Content, Import},
    registers::{self, verdict::Reason},
    shown,
    strongest::Strongest,
};

use super::{
    SCHEMA_VERSION, human, strongest,
    text::{count, verdict_word, wrapped},
};

/// The verdict on what was imported.
#[derive(Debug)]
pub enum Judged {
    /// On registers.
    Registers(registers::Verdict),
    /// On siblings.
    Siblings(Box<Verdict>),
    /// On siblings, by every claim.
    Strongest(Box<Strongest>),
}

impl Judged {
    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Registers(verdict) => verdict.outcome,
            Self::Siblings(verdict) => verdict.outcome,
            Self::Strongest(strongest) => strongest.outcome(),
        }
    }
}

/// The report for people.
pub fn human(import: &Import, judged: &Judged, width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_human(&mut text, import, judged, width);
    text
}

fn write_human(out: &mut String, import: &Import, judged: &Judged, width: usize) -> fmt::Result {
    match (&import.content, judged) {
        (Content::Registers(history), Judged::Registers(verdict)) => {
            write_registers(out, history, verdict, width)?;
        }
        (Content::Siblings(history), Judged::Siblings(verdict)) => {
            *out += &human::verify(history, verdict, width);
        }
        (Content::Siblings(history), Judged::Strongest(strongest)) => {
            *out += &strongest::human(history, strongest, width);
        }
        _ => {}
    }
    writeln!(out, "  read as {}", import.format)?;
    for note in &import.notes {
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

/// The report for programs.
pub fn json(import: &Import, judged: &Judged) -> Json {
    let notes: Vec<Json> = import
        .notes
        .iter()
        .map(|note| json!({"kind": note.kind(), "limits": note.limits(), "text": note.to_string()}))
        .collect();
    let fault = import
        .fault
        .as_ref()
        .map(|fault| json!({"line": fault.line, "problem": fault.problem, "remedy": fault.remedy}));
    let (operations, verdict) = match (&import.content, judged) {
        (Content::Registers(history), Judged::Registers(verdict)) => {
            (history.operations.len(), verdict.to_json(history))
        }
        (Content::Siblings(history), Judged::Siblings(verdict)) => {
            (history.operations.len(), verdict.to_json(history))
        }
        (Content::Siblings(history), Judged::Strongest(strongest)) => {
            (history.operations.len(), strongest.to_json(history))
        }
        _ => (0, Json::Null),
    };
    json!({
        "schema_version": SCHEMA_VERSION,
        "format": import.format.name(),
        "operations": operations,
        "notes": notes,
        "fault": fault,
        "verdict": verdict,
    })
}
