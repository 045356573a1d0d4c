//! What was run and how much of what there is to test arose: a few rows, or every count.

use std::fmt::{self, Write};

use sibcheck_checkers::{
    Outcome, Promise,
    outside::{self, Outside},
};

use crate::{
    campaign::{Answers, Tally},
    simulation::FaultName,
};

use crate::reports::{Checked, situations};

use super::text::{count, height, row, thousands, wrapped};

/// In a few rows, at most `width` columns wide.
pub(super) fn write_brief(out: &mut String, checked: &Checked, width: usize) -> fmt::Result {
    let tally = &checked.tally;
    let mut row = |name: &str, text: &str| writeln!(out, "{}", row(name, text, width));
    write_saved_first(checked, &mut row)?;
    row("runs", &runs(checked))?;
    write_unknown(tally, &mut row)?;
    if tally.outcome() != Outcome::Valid {
        row("answers", &answers(tally))?;
    }
    row("messages", &messages(tally))?;
    row("faults", &faults(tally))?;
    let tests: Vec<u64> = checked.tested().map(|(_, times)| times).collect();
    let made = tests.iter().filter(|times| **times > 0).count();
    let tests = format!(
        "{} of {}; each count: --verbose",
        thousands(tests.iter().sum()),
        count(made as u64, "invariant")
    );
    row("tests", &tests)?;
    let missing = nothing_of(situations(tally));
    if missing.is_empty() {
        return Ok(());
    }
    row("nothing of", &in_one_line(&missing, width))
}

/// As many of these as one row has room for, and how many more there are; at least one.
fn in_one_line(names: &[&str], width: usize) -> String {
    let told = |shown: usize| {
        let names_shown = names[..shown].join("; ");
        match names.len() - shown {
            0 => names_shown,
            more => format!("{names_shown} and {more} more"),
        }
    };
    let fits = |shown: &usize| height(&row("", &told(*shown), width), width) == 1;
    let shown = (1..=names.len()).rev().find(fits);
    told(shown.unwrap_or(1))
}

/// Every count, at most `width` columns wide.
pub(super) fn write_all(
    out: &mut String,
    checked: &Checked,
    threads: usize,
    width: usize,
) -> fmt::Result {
    let (shape, tally) = (&checked.shape, &checked.tally);
    let mut row = |name: &str, text: &str| writeln!(out, "{}", row(name, text, width));
    write_saved_first(checked, &mut row)?;
    let cluster = format!(
        "{}, {}, {}",
        count(shape.nodes.into(), "node"),
        count(shape.clients.into(), "client"),
        count(shape.keys.into(), "key")
    );
    row("cluster", &cluster)?;
    row("runs", &runs(checked))?;
    write_unknown(tally, &mut row)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a figure for people"
    )]
    let speed = checked.speed() as u64;
    let speed = format!(
        "{} operations a second on {}",
        thousands(speed),
        count(threads as u64, "thread")
    );
    row("speed", &speed)?;
    row("answers", &answers(tally))?;
    row("messages", &messages(tally))?;
    row("faults", &faults(tally))?;
    write_counts(
        out,
        "situations",
        &situations(tally).collect::<Vec<_>>(),
        width,
    )?;
    let promise = Promise {
        claim: shape.claim,
        replica_monotonic: shape.replica_monotonic,
    };
    let tests = checked.tested();
    let promised = tests.filter(|(invariant, _)| promise.includes(*invariant));
    let tests: Vec<_> = promised
        .map(|(invariant, times)| (invariant.name(), times))
        .collect();
    write_counts(out, "tests made", &tests, width)
}

fn write_saved_first(
    checked: &Checked,
    row: &mut impl FnMut(&str, &str) -> fmt::Result,
) -> fmt::Result {
    match &checked.saved_first {
        Some(Ok(folder)) => row("first run", &format!("saved in {}", outside::path(folder))),
        Some(Err(why)) => row("first run", &format!("not saved: {}", Outside(why))),
        None => Ok(()),
    }
}

/// Why runs were inconclusive.
fn write_unknown(tally: &Tally, row: &mut impl FnMut(&str, &str) -> fmt::Result) -> fmt::Result {
    for (reason, runs) in &tally.unknown {
        let runs = count(*runs, "run");
        row("", &format!("inconclusive in {runs}: {reason}"))?;
    }
    Ok(())
}

/// `300 of 300: 299 valid, 1 inconclusive; 29,876 operations and 2,700 final reads on 3 nodes`
fn runs(checked: &Checked) -> String {
    let tally = &checked.tally;
    let outcomes = [
        (tally.runs(Outcome::Valid), "valid"),
        (tally.runs(Outcome::Violated), "violated"),
        (tally.runs(Outcome::Unknown), "inconclusive"),
    ];
    format!(
        "{} of {}: {}; {} and {} on {}",
        thousands(tally.outcomes.values().sum()),
        thousands(checked.runs),
        some_of(outcomes).unwrap_or_else(|| "none".to_owned()),
        count(tally.operations, "operation"),
        count(tally.final_reads, "final read"),
        count(checked.shape.nodes.into(), "node"),
    )
}

/// How reads and writes ended: `37 of 40 writes ok, 3 refused; 60 of 60 reads ok`
fn answers(tally: &Tally) -> String {
    let told = |what: &str, answers: Answers, failed: &str| {
        let (ok, all) = (thousands(answers.ok), count(answers.all(), what));
        let others = some_of([(answers.failed, failed), (answers.unknown, "unknown")]);
        match others {
            None => format!("{ok} of {all} ok"),
            Some(others) => format!("{ok} of {all} ok, {others}"),
        }
    };
    format!(
        "{}; {}",
        told("write", tally.writes, "refused"),
        told("read", tally.reads, "refused or unanswered")
    )
}

/// `99,963: 1,331 lost, 2,382 cut off`
fn messages(tally: &Tally) -> String {
    let traffic = &tally.traffic;
    let fates = [
        (traffic.lost, "lost"),
        (traffic.cut, "cut off"),
        (traffic.at_dead_node, "to dead nodes"),
        (traffic.duplicated, "delivered twice"),
        (traffic.reordered, "out of order"),
    ];
    let sent = thousands(traffic.sent);
    match some_of(fates) {
        Some(fates) => format!("{sent}: {fates}"),
        None => format!("{sent}, all delivered once and in order"),
    }
}

/// Faults by kind: how many affected something, of all that were planned.
fn faults(tally: &Tally) -> String {
    let told: Vec<String> = FaultName::ALL
        .into_iter()
        .filter_map(|name| Some((name.name(), tally.faults.get(&name)?)))
        .map(|(name, faults)| {
            let exercised = thousands(faults.exercised);
            if faults.exercised == faults.planned {
                format!("{exercised} {name}")
            } else {
                format!("{exercised}/{} {name}", thousands(faults.planned))
            }
        })
        .collect();
    if told.is_empty() {
        "none".to_owned()
    } else {
        told.join(", ")
    }
}

/// A table of counts; what did not arise stands in one line below it.
fn write_counts(
    out: &mut String,
    title: &str,
    counts: &[(&'static str, u64)],
    width: usize,
) -> fmt::Result {
    writeln!(out, "  {title}")?;
    for (name, times) in counts.iter().copied() {
        if times > 0 {
            writeln!(out, "    {:>12}  {name}", thousands(times))?;
        }
    }
    let missing = nothing_of(counts.iter().copied());
    if missing.is_empty() {
        return Ok(());
    }
    let missing = format!("nothing of: {}", missing.join("; "));
    writeln!(out, "{}", wrapped(&missing, "    ", "      ", width))
}

/// What did not arise.
fn nothing_of(counts: impl Iterator<Item = (&'static str, u64)>) -> Vec<&'static str> {
    let zeros = counts.filter(|(_, times)| *times == 0);
    zeros.map(|(name, _)| name).collect()
}

/// The counts that are not zero: `3 lost, 4 cut off`; `None` when all are.
fn some_of<const N: usize>(counts: [(u64, &str); N]) -> Option<String> {
    let some = counts.into_iter().filter(|(number, _)| *number > 0);
    let some: Vec<String> = some
        .map(|(number, what)| format!("{} {what}", thousands(number)))
        .collect();
    (!some.is_empty()).then(|| some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_fits_one_line() {
        let names = [
            "deletes",
            "reads of two siblings",
            "messages delivered twice",
        ];
        for (width, told) in [
            (
                80,
                "deletes; reads of two siblings; messages delivered twice",
            ),
            (60, "deletes; reads of two siblings and 1 more"),
            (40, "deletes and 2 more"),
            (10, "deletes and 2 more"),
        ] {
            assert_eq!(in_one_line(&names, width), told);
        }
    }
}
