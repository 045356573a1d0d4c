//! Reports for programs: one JSON object with a `schema_version`.

use std::path::Path;

use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::{History, Outcome, Verdict, outside};

use crate::{
    campaign::Answers,
    corpus::{Judged, Saved},
    interrupt::EndSignal,
};

use super::{
    Checked, ProgramFigures, Proof, Report, SCHEMA_VERSION, caveats::caveats, figures::situations,
};

/// What `sibcheck check` found.
pub fn check(report: &Report) -> String {
    let checked: Vec<Json> = report
        .checked
        .iter()
        .map(|checked| store(checked, report))
        .collect();
    line(&json!({
        "schema_version": SCHEMA_VERSION,
        "command": report.command,
        "seed": report.seed,
        "threads": report.threads,
        "interrupted": report.interrupted.is_some(),
        "signal": report.interrupted.map(EndSignal::name),
        "exit_code": report.exit().code(),
        "stores": checked,
    }))
}

/// The verdict on one recorded history.
pub fn verify(history: &History, verdict: &Verdict) -> Json {
    let mut object = json!({"schema_version": SCHEMA_VERSION});
    object["operations"] = history.operations.len().into();
    object["verdict"] = verdict.to_json(history);
    object
}

/// Judged cases, and why others could not be.
pub fn replay<'e>(
    cases: &[(Saved, Judged)],
    unreadable: impl Iterator<Item = (&'e Path, &'e str)>,
) -> String {
    let cases: Vec<Json> = cases
        .iter()
        .map(|(case, judged)| {
            json!({
                "path": case.path.to_string_lossy(),
                "kind": case.kind.to_string(),
                "expected": judged.expected,
                "found": judged.found,
                "outcome": judged.outcome.name(),
                "as_expected": judged.as_expected,
            })
        })
        .collect();
    let unreadable: Vec<Json> = unreadable
        .map(|(path, error)| json!({"path": path.to_string_lossy(), "error": error}))
        .collect();
    line(&json!({"schema_version": SCHEMA_VERSION, "cases": cases, "unreadable": unreadable}))
}

/// A report as text in which nothing acts, pretty-printed, with a line feed behind it.
pub(crate) fn line(json: &Json) -> String {
    outside::json_text(&format!("{json:#}\n")).into_owned()
}

fn store(checked: &Checked, report: &Report) -> Json {
    let (shape, tally) = (&checked.campaign.shape, &checked.tally);
    let outcomes: Map<String, Json> = Outcome::ALL
        .into_iter()
        .map(|outcome| (outcome.name().to_owned(), tally.runs(outcome).into()))
        .collect();
    let faults: Map<String, Json> = tally
        .faults
        .iter()
        .map(|(name, count)| {
            let counts = json!({
                "planned": count.planned,
                "exercised": count.exercised,
                "affected": count.affected,
            });
            (name.name().to_owned(), counts)
        })
        .collect();
    let situations: Map<String, Json> = situations(tally)
        .map(|(name, times)| (name.to_owned(), times.into()))
        .collect();
    let exercised: Map<String, Json> = tally
        .exercised
        .iter()
        .map(|(invariant, times)| (invariant.name().to_owned(), times.into()))
        .collect();
    let traffic = &tally.traffic;
    let of = |failure: bool| {
        let found = checked.proof.as_ref();
        found
            .filter(|found| found.is_of_a_failure() == failure)
            .map(proof)
    };
    json!({
        "store": checked.subject(),
        "claim": shape.claim.name(),
        "outcome": checked.outcome().name(),
        "untested": checked.untested(),
        "advice": checked.advice(),
        "nodes": shape.nodes,
        "clients": shape.clients,
        "keys": shape.keys,
        "left_out": shape.left_out.to_string(),
        "runs_asked": checked.campaign.runs,
        "interrupted_after": checked.interrupted_after(report),
        "runs": outcomes,
        "inconclusive": tally.unknown,
        "operations": tally.operations,
        "final_reads": tally.final_reads,
        "reads": answers(tally.reads),
        "writes": answers(tally.writes),
        "elapsed_s": checked.elapsed.as_secs_f64(),
        "operations_per_s": checked.speed(),
        "messages": {
            "sent": traffic.sent,
            "delivered": traffic.delivered,
            "lost": traffic.lost,
            "cut": traffic.cut,
            "at_dead_node": traffic.at_dead_node,
            "duplicated": traffic.duplicated,
            "reordered": traffic.reordered,
        },
        "faults": faults,
        "situations": situations,
        "caveats": caveats(checked),
        "exercised": exercised,
        "program": checked.program.as_ref().map(|figures| program(figures, checked)),
        "violation": of(false),
        "failure": of(true),
    })
}

fn answers(answers: Answers) -> Json {
    json!({"ok": answers.ok, "failed": answers.failed, "unknown": answers.unknown})
}

fn program(program: &ProgramFigures, checked: &Checked) -> Json {
    let rungs: Vec<Json> = program
        .rungs
        .iter()
        .map(|rung| {
            let faults: Vec<_> = rung.faults.iter().map(|fault| fault.name()).collect();
            json!({
                "name": rung.name,
                "faults": faults,
                "planned": rung.planned,
                "held": rung.held,
                "inconclusive": rung.inconclusive,
                "not_exercised": rung.not_exercised,
                "failed": rung.failed,
            })
        })
        .collect();
    let tolerated: Map<String, Json> = program
        .tolerated
        .iter()
        .map(|oddity| (oddity.sin.name().to_owned(), oddity.count.into()))
        .collect();
    let not_taken: Map<String, Json> = program
        .not_taken
        .iter()
        .map(|refused| (refused.kind.name().to_owned(), refused.how.clone().into()))
        .collect();
    json!({
        "command_line": program.command_line,
        "dialect": program.dialect.name(),
        "time": program.time.name(),
        "period_ns": checked.campaign.shape.period.map(|period| period.0),
        "clock_refused": program.clock_refused,
        "leaks": {"calls": program.leaks.calls, "crept_ns": program.leaks.crept},
        "real_time_because": program.real_time_because,
        "nodes_because": program.nodes_because,
        "rungs": rungs,
        "messages": program.messages,
        "not_taken": not_taken,
        "not_exercised": program.not_exercised,
        "tolerated": tolerated,
        "failure": program.refused.clone().or_else(|| {
            let failed = checked.proof.as_ref().filter(|proof| proof.is_of_a_failure());
            failed.and_then(|proof| proof.failure.as_ref()).map(ToString::to_string)
        }),
    })
}

fn proof(proof: &Proof) -> Json {
    let (saved_in, not_saved) = match &proof.saved {
        Ok(folder) => (Some(folder.to_string_lossy().into_owned()), None),
        Err(why) => (None, Some(why)),
    };
    json!({
        "seed": proof.seed,
        "command": proof.command,
        "operations": proof.original,
        "shrunk_operations": proof.shrunk.plan.operations(),
        "shrink_tries": proof.shrunk.tries,
        "node_failure": proof.failure.as_ref().map(ToString::to_string),
        "failed_of_repeats": proof.repeats.map(|repeats| [repeats.failed, repeats.runs]),
        "notes": proof.notes,
        "saved_in": saved_in,
        "not_saved": not_saved,
        "verdict": proof.judged.verdict.to_json(&proof.judged.run.history),
    })
}
