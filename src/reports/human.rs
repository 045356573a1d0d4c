//! Reports for people.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use sibcheck_checkers::{History, Outcome, Situation, Verdict, Violation};

use crate::{
    campaign::Tally,
    corpus::{Judged, Saved},
    plans::Time,
    simulation::FaultName,
};

use super::{Checked, ProgramFigures, Proof, Report};

const BOLD: Style = Style::new().bold();

pub(super) fn color(outcome: Outcome) -> Style {
    let color = match outcome {
        Outcome::Valid => AnsiColor::Green,
        Outcome::Violated => AnsiColor::Red,
        Outcome::Unknown => AnsiColor::Yellow,
    };
    BOLD.fg_color(Some(color.into()))
}

/// The outcome as it stands in reports.
pub(super) fn verdict_word(outcome: Outcome) -> String {
    let style = color(outcome);
    format!("{style}{}{style:#}", outcome.name().to_uppercase())
}

/// What `sibcheck check` found, at most `width` columns wide where text can be wrapped.
pub fn check(report: &Report, width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_check(&mut text, report, width);
    text
}

fn write_check(out: &mut String, report: &Report, width: usize) -> fmt::Result {
    writeln!(out, "seed {}, repeat with: {}", report.seed, report.command)?;
    for checked in &report.checked {
        writeln!(out)?;
        write_checked(out, checked, report.threads, width)?;
    }
    writeln!(out)?;
    if report.interrupted {
        writeln!(out, "interrupted: this is what was found so far")?;
    }
    let repeat = report
        .checked
        .iter()
        .find_map(|checked| checked.proof.as_ref())
        .map_or((report.seed, &report.command), |proof| {
            (proof.seed, &proof.command)
        });
    writeln!(out, "seed {}, repeat with: {}", repeat.0, repeat.1)
}

fn write_checked(out: &mut String, checked: &Checked, threads: usize, width: usize) -> fmt::Result {
    let shape = &checked.campaign.shape;
    let outcome = checked.tally.outcome();
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
    writeln!(out, ")")?;
    if let Some(program) = &checked.program {
        write_program(out, program, width)?;
    }
    if let Some(proof) = &checked.proof {
        write_proof(out, proof, checked.program.as_ref(), width)?;
    }
    if checked.tally.outcomes.is_empty() {
        return Ok(());
    }
    write_figures(out, checked, threads)
}

fn write_proof(
    out: &mut String,
    proof: &Proof,
    program: Option<&ProgramFigures>,
    width: usize,
) -> fmt::Result {
    let history = &proof.judged.run.history;
    write_violations(out, history, &proof.judged.verdict, width)?;
    writeln!(
        out,
        "  shrunk from {} to {} in {}",
        count(proof.original as u64, "operation"),
        proof.shrunk.plan.operations(),
        count(proof.shrunk.tries, "run")
    )?;
    if let Some((failed, tries)) = proof.repeats {
        writeln!(
            out,
            "  {}: the same plan failed {failed} of {tries} times",
            match program.map(|program| program.time) {
                Some(Time::Real) => "in real time no two runs are alike",
                _ => "the program is not deterministic",
            }
        )?;
    }
    match &proof.saved {
        Ok(folder) => {
            let folder = folder.display();
            writeln!(out, "  plan, history, trace and verdict saved in {folder}")?;
            let bin = program.map_or_else(String::new, |program| {
                format!(" --bin '{}'{}", program.command_line, program.names_flag)
            });
            writeln!(
                out,
                "  run it again: sibcheck replay{bin} {folder}/plan.json"
            )?;
        }
        Err(why) => writeln!(out, "  not saved: {why}")?,
    }
    writeln!(out, "  as it was drawn: {}", proof.command)?;
    writeln!(out)
}

/// How an outside program fared, rung by rung.
fn write_program(out: &mut String, program: &ProgramFigures, width: usize) -> fmt::Result {
    writeln!(
        out,
        "  program     {} (dialect {})",
        program.command_line, program.dialect
    )?;
    match (&program.real_time_because, program.time) {
        (Some(why), _) => {
            writeln!(
                out,
                "  time        real instead of virtual: {}",
                why.replace('\n', "\n  ")
            )?;
        }
        (None, Time::Real) => writeln!(out, "  time        real")?,
        (None, Time::Virtual) => {}
    }
    if let Some(failure) = &program.failure {
        writeln!(out, "  {}", failure.replace('\n', "\n  "))?;
    }
    for rung in &program.rungs {
        let how = match (rung.failed, rung.held) {
            (true, held_before) => format!("failed in run {}", held_before + 1),
            (false, 0) => "not reached".to_owned(),
            (false, held) => format!("held in {}", count(held, "run")),
        };
        writeln!(out, "    {:<22}{how}", rung.name)?;
    }
    if let Some(first) = program.rungs.iter().position(|rung| rung.failed) {
        let name = program.rungs[first].name;
        let below: Vec<_> = program.rungs[..first]
            .iter()
            .map(|rung| rung.name)
            .collect();
        let text = if below.is_empty() {
            format!("first failed on the lowest rung, {name}")
        } else {
            let below = below.join(", ");
            format!("first failed with {name}; it held below, with {below}")
        };
        writeln!(out, "{}", wrapped(&text, "    ", "      ", width))?;
    }
    for oddity in &program.tolerated {
        let (count, name) = (thousands(oddity.count), oddity.sin.name());
        let remedy = oddity.sin.remedy();
        let text = format!("tolerated   {count} {name} ({}): {remedy}", oddity.first);
        writeln!(out, "{}", wrapped(&text, "  ", "              ", width))?;
    }
    writeln!(out, "  not exercised by this dialect")?;
    for left_out in &program.not_exercised {
        writeln!(out, "{}", wrapped(left_out, "    ", "      ", width))?;
    }
    Ok(())
}

/// The first violation in full, the others by their sentences.
pub(super) fn write_violations(
    out: &mut String,
    history: &History,
    verdict: &Verdict,
    width: usize,
) -> fmt::Result {
    let Some((first, others)) = verdict.violations.split_first() else {
        return Ok(());
    };
    let wrapped = |text: &str, first, others| wrapped(text, first, others, width);
    let told = |violation: &Violation| {
        let key = &history.keys[violation.key as usize];
        let sentence = violation.sentence(history);
        format!("{}, key {key}: {sentence}", violation.invariant)
    };
    writeln!(out, "{}", wrapped(&told(first), "  ", "    "))?;
    for (number, step) in (1..).zip(first.steps(history)) {
        let text = format!("{number}. {}", step.text);
        writeln!(out, "{}", wrapped(&text, "    ", "       "))?;
    }
    let links = first.told_links(history);
    if !links.is_empty() {
        writeln!(out, "{}", wrapped(&links, "    ", "    "))?;
    }
    for violation in others {
        let line = format!("also {}", told(violation));
        writeln!(out, "{}", wrapped(&line, "  ", "    "))?;
    }
    Ok(())
}

fn write_figures(out: &mut String, checked: &Checked, threads: usize) -> fmt::Result {
    let (shape, tally) = (&checked.campaign.shape, &checked.tally);
    let runs: u64 = tally.outcomes.values().sum();
    let mut row = |name: &str, text: String| writeln!(out, "  {name:<12}{text}");
    match &checked.saved_first {
        Some(Ok(folder)) => row("first run", format!("saved in {}", folder.display()))?,
        Some(Err(why)) => row("first run", format!("not saved: {why}"))?,
        None => {}
    }
    row(
        "cluster",
        format!(
            "{}, {}, {}",
            count(shape.nodes.into(), "node"),
            count(shape.clients.into(), "client"),
            count(shape.keys.into(), "key")
        ),
    )?;
    row(
        "runs",
        format!(
            "{} of {}: {} valid, {} violated, {} inconclusive",
            thousands(runs),
            thousands(checked.campaign.runs),
            thousands(tally.runs(Outcome::Valid)),
            thousands(tally.runs(Outcome::Violated)),
            thousands(tally.runs(Outcome::Unknown))
        ),
    )?;
    for (reason, runs) in &tally.unknown {
        row(
            "",
            format!("inconclusive in {}: {reason}", count(*runs, "run")),
        )?;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a figure for people"
    )]
    let speed = checked.speed() as u64;
    row(
        "operations",
        format!(
            "{} and {}; {} operations a second on {}",
            thousands(tally.operations),
            count(tally.final_reads, "final read"),
            thousands(speed),
            count(threads as u64, "thread")
        ),
    )?;
    let traffic = &tally.traffic;
    row(
        "messages",
        format!(
            "{}: {} lost, {} cut off, {} to dead nodes, {} delivered twice, {} out of order",
            thousands(traffic.sent),
            thousands(traffic.lost),
            thousands(traffic.cut),
            thousands(traffic.at_dead_node),
            thousands(traffic.duplicated),
            thousands(traffic.reordered)
        ),
    )?;
    write_faults(out, tally)?;
    writeln!(out, "  situations")?;
    for (situation, times) in situations(tally) {
        writeln!(out, "    {:>12}  {situation}", thousands(times))?;
    }
    writeln!(out, "  tests made")?;
    for (invariant, times) in tally.exercised.iter() {
        if times > 0 {
            writeln!(out, "    {:>12}  {invariant}", thousands(times))?;
        }
    }
    Ok(())
}

/// Faults by kind: how many there were, and how many were under way together with operations.
fn write_faults(out: &mut String, tally: &Tally) -> fmt::Result {
    if tally.faults.is_empty() {
        return writeln!(out, "  {:<12}none", "faults");
    }
    writeln!(
        out,
        "  faults      that overlapped operations, of all planned"
    )?;
    for name in FaultName::ALL {
        if let Some(faults) = tally.faults.get(&name) {
            let overlapped = thousands(faults.overlapped);
            let planned = thousands(faults.planned);
            writeln!(out, "    {overlapped:>12}  {} (of {planned})", name.name())?;
        }
    }
    Ok(())
}

/// Every situation with its count, those of the network and the faults included.
pub(super) fn situations(tally: &Tally) -> impl Iterator<Item = (&'static str, u64)> {
    let from_histories = Situation::ALL
        .into_iter()
        .map(|situation| (situation.name(), tally.situations.count(situation)));
    from_histories.chain([
        ("writes during a partition", tally.writes_during_partition),
        ("messages delivered twice", tally.traffic.duplicated),
    ])
}

/// The verdict on one recorded history.
pub fn verify(history: &History, verdict: &Verdict, width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_verify(&mut text, history, verdict, width);
    text
}

fn write_verify(
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
    write_violations(out, history, verdict, width)?;
    write_unknown(out, history, verdict, width)?;
    writeln!(
        out,
        "  {}, {}, {}, {}",
        count(history.operations.len() as u64, "operation"),
        count(history.keys.len() as u64, "key"),
        count(history.clients.len() as u64, "client"),
        count(history.nodes.len() as u64, "node")
    )?;
    for (invariant, times) in verdict.exercised.iter() {
        if times > 0 {
            writeln!(out, "    {:>12}  tests of {invariant}", thousands(times))?;
        }
    }
    Ok(())
}

/// A table of judged cases, and how many got the verdict that they should. The evidence is shown
/// for those that did not, and for a single case.
pub fn replay(cases: &[(Saved, Judged)], width: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_replay(&mut text, cases, width);
    text
}

fn write_replay(out: &mut String, cases: &[(Saved, Judged)], width: usize) -> fmt::Result {
    let path = |case: &Saved| case.path.display().to_string();
    let widest = cases
        .iter()
        .map(|(case, _)| path(case).chars().count())
        .max();
    let widest = widest.unwrap_or(0);
    for (case, judged) in cases {
        let (outcome, mark) = match (&judged.expected, judged.as_expected) {
            (_, true) => (Outcome::Valid, "ok"),
            (Some(_), false) => (Outcome::Violated, "FAIL"),
            (None, false) => (judged.outcome, "BAD"),
        };
        let style = color(outcome);
        let (kind, path, found) = (case.kind, path(case), &judged.found);
        write!(
            out,
            "{style}{mark:4}{style:#}  {kind:<15}  {path:<widest$}  {found}"
        )?;
        match &judged.expected {
            Some(expected) if !judged.as_expected => writeln!(out, "; expected: {expected}")?,
            _ => writeln!(out)?,
        }
        if let Some(evidence) = &judged.evidence
            && (!judged.as_expected || cases.len() == 1)
        {
            let (history, verdict) = &**evidence;
            write_violations(out, history, verdict, width)?;
            write_unknown(out, history, verdict, width)?;
        }
    }
    let good = cases
        .iter()
        .filter(|(_, judged)| judged.as_expected)
        .count();
    let cases = count(cases.len() as u64, "case");
    writeln!(out, "{cases} judged, {good} as expected")
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

/// Text filled to a width, with an indent for its first line and one for the others.
pub(super) fn wrapped(text: &str, first: &str, others: &str, width: usize) -> String {
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(others)
        .break_words(false);
    textwrap::fill(text, options)
}

/// `1 node`, `3 nodes`, `1,000 nodes`.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(count(1, "node"), "1 node");
        assert_eq!(count(2_000, "node"), "2,000 nodes");
    }
}
