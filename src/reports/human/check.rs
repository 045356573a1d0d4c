//! What a check found: briefly, or with every count and sentence.
//!
//! What was run stands first and what was found last: that is where the eye is when a command has ended.
//! Stores without a violation stand before those with one.

use std::fmt::{self, Write};

use sibcheck_checkers::{
    Outcome,
    outside::{Outside, OutsideLines},
};

use crate::{
    nodes::external::NotTaken,
    plans::{Kind, Time},
    program_under_test::Rung,
    reports::{Checked, ProgramFigures, Proof, Report, caveats::caveats},
};

use super::{
    figures,
    proof::write_proof,
    text::{BOLD, color, count, height, row, thousands, verdict_word, wrapped},
};

/// So many lines a terminal of the usual size shows.
const SCREEN: usize = 24;

pub(super) fn write_check(
    out: &mut String,
    report: &Report,
    verbose: bool,
    width: usize,
) -> fmt::Result {
    let command = Outside(&report.command);
    writeln!(out, "seed {}, repeat with: {command}", report.seed)?;
    let mut checked: Vec<&Checked> = report.checked.iter().collect();
    checked.sort_by_key(|checked| checked.proof.is_some() || checked.failed());
    let mut proved = checked.iter().filter_map(|checked| checked.proof.as_ref());
    let repeat = proved
        .next_back()
        .map_or((report.seed, &report.command), |proof| {
            (proof.seed, &proof.command)
        });
    let last = format!("seed {}, repeat with: {}", repeat.0, Outside(repeat.1));
    let room = (!verbose).then(|| SCREEN.saturating_sub(height(&last, width)));
    for checked in &checked {
        writeln!(out)?;
        write_checked(out, checked, report, room, width)?;
    }
    let told = |checked: &&Checked| checked.interrupted_after(report).is_some();
    if let Some(signal) = report.interrupted
        && !checked.iter().any(told)
    {
        let name = signal.name();
        writeln!(
            out,
            "\ninterrupted by {name}: not all that was asked for was done"
        )?;
    }
    writeln!(out, "{last}")
}

fn write_checked(
    out: &mut String,
    checked: &Checked,
    report: &Report,
    room: Option<usize>,
    width: usize,
) -> fmt::Result {
    let verbose = room.is_none();
    let shape = &checked.shape;
    let outcome = checked.outcome();
    write!(
        out,
        "{BOLD}{}{BOLD:#}: {} (claim {}",
        checked.subject(),
        if checked.failed() {
            format!("{red}FAILED{red:#}", red = color(Outcome::Violated))
        } else {
            verdict_word(outcome)
        },
        shape.claim
    )?;
    let inconclusive = checked.tally.runs(Outcome::Unknown);
    if inconclusive > 0 {
        let runs = count(checked.tally.outcomes.values().sum(), "run");
        write!(out, ", {} of {runs} inconclusive", thousands(inconclusive))?;
    }
    if let Some(after) = checked.interrupted_after(report) {
        let runs = count(checked.runs, "run");
        write!(out, ", interrupted after {} of {runs}", thousands(after))?;
    }
    writeln!(out, ")")?;
    if checked.proof.is_none() {
        for untested in checked.untested() {
            writeln!(out, "{}", row("not tested", &untested, width))?;
        }
        if let Some(advice) = checked.advice() {
            writeln!(out, "{}", row("instead", &advice, width))?;
        }
    }
    if let Some(program) = &checked.program {
        let proof = checked.proof.as_ref();
        let faultless = proof.is_some_and(Proof::is_faultless);
        write_program(out, program, (checked, faultless, verbose), width)?;
    }
    if !checked.tally.outcomes.is_empty() {
        if verbose {
            figures::write_all(out, checked, report.threads, width)?;
        } else {
            figures::write_brief(out, checked, width)?;
        }
    }
    let caveats = caveats(checked);
    if !caveats.is_empty() {
        writeln!(out, "{}", row("but", &caveats.join("; "), width))?;
    }
    let program = checked.program.as_ref();
    if let Some(refused) = program.and_then(|program| program.refused.as_ref()) {
        writeln!(out, "  {}", refused.replace('\n', "\n  "))?;
    }
    match &checked.proof {
        Some(proof) => {
            writeln!(out)?;
            write_proof(out, proof, checked.program.as_ref(), room, width)
        }
        None => Ok(()),
    }
}

/// How an outside program fared, rung by rung.
fn write_program(
    out: &mut String,
    program: &ProgramFigures,
    (checked, faultless, verbose): (&Checked, bool, bool),
    width: usize,
) -> fmt::Result {
    writeln!(
        out,
        "  program     {} (dialect {})",
        Outside(&program.command_line),
        program.dialect
    )?;
    if let Some(because) = &program.nodes_because {
        writeln!(out, "{}", row("nodes", because, width))?;
    }
    match (&program.real_time_because, program.time) {
        (Some(why), _) => {
            writeln!(
                out,
                "  time        real instead of virtual: {}",
                OutsideLines(why).to_string().replace('\n', "\n  ")
            )?;
        }
        (None, Time::Real) => writeln!(out, "  time        real")?,
        (None, Time::Virtual) => {
            let period = checked.shape.period.map(|period| {
                let period = std::time::Duration::from_nanos(period.0);
                format!(", which fire every {period:?} or so")
            });
            let text = format!(
                "virtual, for the program's timers, too{}",
                period.unwrap_or_default()
            );
            writeln!(out, "{}", row("time", &text, width))?;
        }
        (None, Time::Lockstep) => {}
    }
    for text in told_time(program) {
        writeln!(
            out,
            "{}",
            wrapped(&text, "              ", "              ", width)
        )?;
    }
    for rung in &program.rungs {
        writeln!(out, "    {:<22}{}", rung.name, told_rung(rung))?;
    }
    if let Some(text) = first_failure(&program.rungs, faultless) {
        writeln!(out, "{}", wrapped(&text, "    ", "      ", width))?;
    }
    for oddity in &program.tolerated {
        let (count, name) = (thousands(oddity.count), oddity.deviation.name());
        let remedy = oddity.deviation.remedy();
        let text = format!("tolerated   {count} {name} ({}): {remedy}", oddity.first);
        writeln!(out, "{}", wrapped(&text, "  ", "              ", width))?;
    }
    // Of a node that fails whatever it is asked the failure is told, and not what else became of it.
    let tried_in_vain = program.not_taken.len() == Kind::ALL.len() && checked.failed();
    if !program.not_taken.is_empty() && !tried_in_vain {
        let not_taken = told_not_taken(&program.not_taken);
        writeln!(out, "{}", row("not taken", &not_taken, width))?;
    }
    if !verbose {
        let left_out = program.not_exercised.iter();
        // Behind the colon is why.
        let left_out = left_out.filter_map(|left_out| left_out.split(": ").next());
        let left_out = left_out.collect::<Vec<_>>().join("; ");
        return writeln!(out, "{}", row("left out", &left_out, width));
    }
    writeln!(out, "  not exercised by this dialect")?;
    for left_out in &program.not_exercised {
        writeln!(out, "{}", wrapped(left_out, "    ", "      ", width))?;
    }
    Ok(())
}

/// What does not go by the time that the report names.
fn told_time(program: &ProgramFigures) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(why) = &program.clock_refused {
        told.push(format!(
            "whether the program has timers is not known, as its clock cannot be taken over: {}",
            Outside(why)
        ));
    }
    if !program.leaks.calls.is_empty() {
        let calls: Vec<&str> = program.leaks.calls.iter().copied().collect();
        told.push(format!(
            "not held to it: {}; runs may not repeat",
            calls.join(", ")
        ));
    }
    told.extend(program.leaks.storage.iter().map(|why| {
        format!(
            "losses of power took nothing from some node, as it is not known what of its files is on storage: {}",
            Outside(why)
        )
    }));
    if program.leaks.crept > 0 {
        let crept = std::time::Duration::from_nanos(program.leaks.crept);
        told.push(format!(
            "it computed for long, up to {crept:.1?}, which its clock went on by: runs may not repeat"
        ));
    }
    told
}

/// On which rung a program first failed; `faultless` where what is left of the plan fails without any
/// fault.
fn first_failure(rungs: &[Rung], faultless: bool) -> Option<String> {
    let first = rungs.iter().position(|rung| rung.failed)?;
    let name = rungs[first].name;
    let below: Vec<_> = rungs[..first].iter().map(|rung| rung.name).collect();
    let faultless = faultless && !rungs[first].bursts;
    Some(match (below.join(", "), faultless) {
        (below, _) if below.is_empty() => format!("first failed on the lowest rung, {name}"),
        (_, true) => format!("found with {name}, but it takes no fault: what is left has none"),
        (below, false) => format!("first failed with {name}; it held below, with {below}"),
    })
}

/// Each kind with what became of it; those of which the same became are told together.
fn told_not_taken(not_taken: &[NotTaken]) -> String {
    let mut told: Vec<(String, &str)> = Vec::new();
    for NotTaken { kind, how } in not_taken {
        match told.last_mut() {
            Some((kinds, same)) if *same == how => {
                // Writing to a string cannot fail.
                let _ = write!(kinds, ", {kind}");
            }
            _ => told.push((kind.to_string(), how)),
        }
    }
    let told = told.iter().map(|(kinds, how)| format!("{kinds} ({how})"));
    told.collect::<Vec<_>>().join(", ")
}

/// How a rung came out: runs that held, that were inconclusive, and in which its faults affected
/// nothing are three numbers.
fn told_rung(rung: &Rung) -> String {
    if rung.failed {
        return format!("failed in run {}", rung.done() + 1);
    }
    let mut told = Vec::new();
    if rung.held > 0 {
        told.push(format!("held in {}", count(rung.held, "run")));
    }
    if rung.inconclusive > 0 {
        told.push(format!("inconclusive in {}", thousands(rung.inconclusive)));
    }
    if rung.not_exercised > 0 {
        told.push(format!(
            "not exercised in {}",
            thousands(rung.not_exercised)
        ));
    }
    if told.is_empty() {
        return "not reached".to_owned();
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_only_if_it_takes_one() {
        let rung = |name, failed| Rung {
            failed,
            ..Rung::new(name, Vec::new(), Vec::new())
        };
        let rungs = [rung("no faults", false), rung("partitions", true)];
        let told = |rungs: &[Rung], faultless| first_failure(rungs, faultless).unwrap_or_default();
        assert!(told(&rungs, false).starts_with("first failed with partitions; it held below"));
        assert!(told(&rungs, true).starts_with("found with partitions, but it takes no fault"));
        assert!(told(&rungs[1..], true).starts_with("first failed on the lowest rung"));
        assert_eq!(first_failure(&rungs[..1], false), None);
    }
}
