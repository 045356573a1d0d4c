//! Reports for programs: one JSON object with a `schema_version`.

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};
use sibcheck_checkers::{Outcome, import::Note, outside};

use crate::{
    campaign::Answers,
    cases::{self, Saved},
    exit::Failure,
    interrupt::EndSignal,
    protocol::{Compared, Difference},
};

use super::{
    Checked, Found, Judgement, ProgramFigures, Proof, Replayed, Report, SCHEMA_VERSION, Verified,
    caveats::caveats,
    conform::{self, Came, Conformed, silence},
    format::{Told, Writer},
    situations,
};

/// One document, or an object for each file in one.
#[derive(Debug, Default)]
pub(super) struct JsonReport {
    files: Vec<Json>,
    alone: bool,
}

impl Writer for JsonReport {
    fn tell(&mut self, told: Told<'_>) -> String {
        line(&match told {
            Told::Check(report) => check(report),
            Told::Conform(report) => conform(report),
            Told::Replay(replayed) => replay(replayed),
            Told::Failure(failed) => failure(failed),
            Told::Verify(verified) => {
                self.alone = verified.alone;
                self.files.push(verify(verified));
                return String::new();
            }
        })
    }

    fn end(&mut self) -> String {
        let files = std::mem::take(&mut self.files);
        match <[Json; 1]>::try_from(files) {
            Ok([only]) if self.alone => line(&only),
            Ok(files) => line(&all(&files)),
            Err(files) if files.is_empty() => String::new(),
            Err(files) => line(&all(&files)),
        }
    }
}

fn all(files: &[Json]) -> Json {
    json!({"schema_version": SCHEMA_VERSION, "files": files})
}

/// What stands in place of a report where there is none.
fn failure(failure: &Failure) -> Json {
    json!({
        "schema_version": SCHEMA_VERSION,
        "exit_code": failure.exit.code(),
        "error": failure.message,
    })
}

fn check(report: &Report) -> Json {
    let checked: Vec<Json> = report
        .checked
        .iter()
        .map(|checked| store(checked, report))
        .collect();
    json!({
        "schema_version": SCHEMA_VERSION,
        "command": report.command,
        "seed": report.seed,
        "threads": report.threads,
        "interrupted": report.interrupted.is_some(),
        "signal": report.interrupted.map(EndSignal::name),
        "exit_code": report.exit().code(),
        "stores": checked,
    })
}

fn verify(verified: &Verified) -> Json {
    let mut object = match &verified.came {
        Ok(judgement) => self::judgement(judgement),
        Err(failed) => failure(failed),
    };
    object["file"] = verified.file.to_string_lossy().into();
    object
}

/// A history's verdict.
pub(crate) fn judgement(judgement: &Judgement) -> Json {
    let (operations, what, verdict) = match &judgement.found {
        Found::Judged(judged) => (judged.operations(), "verdict", judged.to_json()),
        Found::Strongest { history, strongest } => (
            history.operations.len(),
            "strongest",
            strongest.to_json(history),
        ),
    };
    let mut object = json!({"schema_version": SCHEMA_VERSION, "operations": operations});
    let Some(source) = &judgement.source else {
        object[what] = verdict;
        return object;
    };
    let notes = source.notes.iter();
    let note = |note: &Note| json!({"kind": note.kind(), "limits": note.limits(), "text": note.to_string()});
    let fault = source.fault.as_ref();
    object["format"] = source.format.name().into();
    object["notes"] = notes.map(note).collect();
    object["fault"] = fault
        .map(|fault| json!({"line": fault.line, "problem": fault.problem, "remedy": fault.remedy}))
        .into();
    object["verdict"] = verdict;
    object
}

fn replay(replayed: &Replayed) -> Json {
    let cases = replayed.judged.iter();
    let case = |(case, judged): &(Saved, cases::Judged)| {
        json!({
            "path": case.path.to_string_lossy(),
            "kind": case.kind.to_string(),
            "expected": judged.expected,
            "found": judged.found,
            "outcome": judged.outcome.name(),
            "as_expected": judged.as_expected,
        })
    };
    let unreadable = replayed.unreadable.iter();
    let error = |(path, failure): &(PathBuf, Failure)| json!({"path": path.to_string_lossy(), "error": failure.message});
    json!({
        "schema_version": SCHEMA_VERSION,
        "cases": cases.map(case).collect::<Vec<_>>(),
        "unreadable": unreadable.map(error).collect::<Vec<_>>(),
    })
}

/// A report as text in which nothing acts, pretty-printed, with a line feed behind it.
pub(crate) fn line(json: &Json) -> String {
    outside::json_text(&format!("{json:#}\n")).into_owned()
}

fn store(checked: &Checked, report: &Report) -> Json {
    let (shape, tally) = (&checked.shape, &checked.tally);
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
    let exercised: Map<String, Json> = checked
        .tested()
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
        "runs_asked": checked.runs,
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
        .map(|oddity| (oddity.deviation.name().to_owned(), oddity.count.into()))
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
        "period_ns": checked.shape.period.map(|period| period.0),
        "clock_refused": program.clock_refused,
        "leaks": {"calls": program.leaks.calls, "crept_ns": program.leaks.crept, "storage": program.leaks.storage},
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
        "verdict": proof.judged.told.to_json(),
    })
}

fn conform(report: &conform::Report) -> Json {
    let told = |case: &Conformed| {
        let outcome = match &case.came {
            Came::Failed(_) => "node failed",
            came if came.is_met() => "passed",
            _ => "failed",
        };
        let mut told = json!({"name": case.name, "outcome": outcome});
        match &case.came {
            Came::Run(ran) => {
                let said = ran.said.iter();
                let said =
                    said.map(|(from, to, body)| json!({"from": from, "to": to, "body": body}));
                told["refused"] = ran.refused.0.into();
                told["fault"] = (!ran.is_met()).then(|| ran.fault()).into();
                told["verdict"] = ran.judged.told.to_json();
                told["said"] = said.collect();
            }
            Came::Lines(difference) => {
                told["same"] = difference.same().into();
                told["wrong"] = difference.wrong().into();
                told["destinations"] = destinations(difference).into();
            }
            Came::Failed(how) => told["failure"] = how.as_str().into(),
        }
        told
    };
    json!({
        "schema_version": SCHEMA_VERSION,
        "exit_code": report.exit().code(),
        "dialect": report.dialect,
        "notes": report.notes,
        "cause": report.silent_nodes().map(silence),
        "cases": report.cases.iter().map(told).collect::<Vec<_>>(),
    })
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
