//! XML in the form of `JUnit`, as CI servers read it.
//!
//! A suite is a store, a program, a file, or all saved cases; a test case is an invariant, a claim, a saved
//! case or a demand. What was not exercised never passes: an invariant that had nothing to test is
//! skipped, and where that leaves the outcome open there is an error.

use std::sync::Arc;

use quick_junit::{
    NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite,
};
use sibcheck_checkers::{
    AnyJudged, History, Invariant, Judged, Outcome, Promise, Verdict,
    explanation::Moment,
    judged::Violated,
    outside::{Outside, OutsideLines, path},
    shown,
    strongest::Strongest,
};

use crate::{
    exit::Failure,
    protocol::{Compared, Difference},
};

use super::{
    Checked, Found, Judgement, Proof, Replayed, Report, Verified,
    caveats::caveats,
    conform::{self, Came},
    format::{Told, Writer},
    words::count,
};

/// One document for all that is told.
#[derive(Default)]
pub(super) struct JunitReport {
    suites: Vec<TestSuite>,
}

impl Writer for JunitReport {
    fn tell(&mut self, told: Told<'_>) -> String {
        match told {
            Told::Check(report) => {
                let suites = report.checked.iter().map(|checked| check(checked, report));
                self.suites.extend(suites);
                if let Some(signal) = report.interrupted {
                    let why = format!("interrupted by {}", signal.name());
                    let mut suite = TestSuite::new("interrupted");
                    suite.add_test_case(open("all that was asked for", &why));
                    self.suites.push(suite);
                }
            }
            Told::Conform(report) => self.suites.push(conform(report)),
            Told::Replay(replayed) => self.suites.push(replay(replayed)),
            Told::Verify(verified) => self.suites.push(verify(verified)),
            Told::Failure(failure) => {
                let mut suite = TestSuite::new("sibcheck");
                suite.add_test_case(failed("command", failure));
                self.suites.push(suite);
            }
        }
        String::new()
    }

    fn end(&mut self) -> String {
        let mut document = Document::new("sibcheck");
        for mut suite in std::mem::take(&mut self.suites) {
            for case in &mut suite.test_cases {
                // Servers group by it.
                case.set_classname(suite.name.clone());
            }
            document.add_test_suite(suite);
        }
        // Writing to a string cannot fail.
        document.to_string().unwrap_or_default()
    }
}

/// A test case that did not pass: what it is about in a few words, a sentence, and all that is known.
fn unsuccessful(name: &str, kind: NonSuccessKind, words: &str, all: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(kind);
    let (first, _) = all.split_once('\n').unwrap_or((all, ""));
    status.set_type(Outside(words).to_string());
    status.set_message(Outside(first).to_string());
    status.set_description(OutsideLines(all).to_string());
    TestCase::new(Outside(name).to_string(), status)
}

/// A test case that could not be decided.
fn open(name: &str, why: &str) -> TestCase {
    unsuccessful(name, NonSuccessKind::Error, "inconclusive", why)
}

fn failed(name: &str, failure: &Failure) -> TestCase {
    let words = format!("exit code {}", failure.exit.code());
    unsuccessful(name, NonSuccessKind::Error, &words, &failure.message)
}

fn passed(name: &str) -> TestCase {
    TestCase::new(Outside(name).to_string(), TestCaseStatus::success())
}

fn skipped(name: &str, why: &str) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_message(Outside(why).to_string());
    TestCase::new(Outside(name).to_string(), status)
}

fn property(name: &str, value: &impl ToString) -> Property {
    Property::new(name, Outside(value.to_string()).to_string())
}

/// A sentence, the operations that prove it, and what binds them.
fn told(violation: &Violated<'_>) -> String {
    let key = shown::key(violation.key.as_str());
    let timeline = violation.timeline();
    let mut lines = vec![format!("key {key}: {}", violation.sentence())];
    lines.extend(timeline.moments.iter().map(Moment::line));
    lines.extend(Some(timeline.links).filter(|links| !links.is_empty()));
    lines.join("\n")
}

/// A test case for each invariant of a promise.
fn invariants(
    promise: Promise,
    tests: impl Iterator<Item = (Invariant, u64)>,
    found: Option<&[Violated<'_>]>,
) -> Vec<TestCase> {
    let of = |(invariant, times): (Invariant, u64)| {
        let name = invariant.name();
        let violations = found.into_iter().flatten();
        let mine = violations.filter(|violation| violation.invariant == invariant);
        let violations: Vec<String> = mine.map(told).collect();
        if !violations.is_empty() {
            let all = violations.join("\n\n");
            return unsuccessful(name, NonSuccessKind::Failure, name, &all);
        }
        if found.is_some_and(|violations| !violations.is_empty()) {
            // The run that failed may have broken it, too.
            return skipped(
                name,
                "what is left of the run that failed does not show that it is violated",
            );
        }
        if times == 0 {
            return skipped(name, "nothing that it speaks of arose");
        }
        let mut case = passed(name);
        case.set_assertions(usize::try_from(times).unwrap_or(usize::MAX));
        case
    };
    let promised = tests.filter(|(invariant, _)| promise.includes(*invariant));
    promised.map(of).collect()
}

fn check(checked: &Checked, report: &Report) -> TestSuite {
    let (shape, tally) = (&checked.shape, &checked.tally);
    let program = checked.program.as_ref();
    let subject = program.map_or_else(
        || checked.subject(),
        |program| Outside(&program.command_line).to_string(),
    );
    let mut suite = TestSuite::new(subject);
    suite.set_time(checked.elapsed);
    let proof = checked.proof.as_ref();
    let repeat = proof.map_or(&report.command, |proof| &proof.command);
    suite.add_properties([
        property("claim", &shape.claim),
        property("outcome", &checked.outcome().name()),
        property("nodes", &shape.nodes),
        property("runs", &tally.outcomes.values().sum::<u64>()),
        property("operations", &tally.operations),
        property("repeat", &repeat),
    ]);
    for caveat in caveats(checked) {
        suite.add_property(property("caveat", &caveat));
    }
    if let Some(proof) = proof {
        suite.add_property(match &proof.saved {
            Ok(folder) => property("saved in", &path(folder)),
            Err(why) => property("not saved", &why),
        });
        for note in &proof.notes {
            suite.add_property(property("note", &note));
        }
        if let Some(repeats) = proof.repeats {
            let told = format!("{} of {} times", repeats.failed, repeats.runs);
            suite.add_property(property("failed again", &told));
        }
    }
    let promise = Promise {
        claim: shape.claim,
        replica_monotonic: shape.replica_monotonic,
    };
    let found = proof.map(|proof| proof.judged.told.violations());
    suite.add_test_cases(invariants(promise, checked.tested(), found.as_deref()));
    suite.add_test_cases(shortcomings(checked));
    suite
}

/// What keeps a check from being valid beside violations.
fn shortcomings(checked: &Checked) -> Vec<TestCase> {
    let mut cases = Vec::new();
    if let Some(failure) = checked
        .proof
        .as_ref()
        .and_then(|proof: &Proof| proof.failure.as_ref())
    {
        let why = failure.to_string();
        cases.push(unsuccessful(
            "node",
            NonSuccessKind::Error,
            "node failed",
            &why,
        ));
    }
    let program = checked.program.as_ref();
    if let Some(refused) = program.and_then(|program| program.refused.as_ref()) {
        cases.push(unsuccessful(
            "machine",
            NonSuccessKind::Error,
            "refused",
            refused,
        ));
    }
    for untested in checked.untested() {
        cases.push(open(&format!("exercised: {untested}"), &untested));
    }
    for (reason, runs) in &checked.tally.unknown {
        let why = format!("{}: {reason}", count(*runs, "run"));
        cases.push(open(&format!("decided: {reason}"), &why));
    }
    if cases.is_empty() && checked.outcome() == Outcome::Unknown {
        cases.push(open("outcome", "nothing was decided"));
    }
    cases
}

fn verify(verified: &Verified) -> TestSuite {
    let mut suite = TestSuite::new(path(&verified.file).to_string());
    match &verified.came {
        Ok(judgement) => judged(&mut suite, judgement),
        Err(failure) => {
            suite.add_test_case(failed("readable", failure));
        }
    }
    suite
}

fn judged(suite: &mut TestSuite, judgement: &Judgement) {
    suite.add_property(property("outcome", &judgement.found.outcome().name()));
    match &judgement.found {
        Found::Judged(judged) => {
            suite.add_property(property("claim", &judged.promise().claim));
            suite.add_test_cases(one(&**judged));
        }
        Found::Strongest { history, strongest } => {
            suite.add_test_cases(claims(history, strongest));
        }
    }
    let Some(source) = &judgement.source else {
        return;
    };
    suite.add_property(property("format", &source.format));
    for note in &source.notes {
        let kind = if note.limits() {
            "not checked"
        } else {
            "assumed"
        };
        suite.add_property(property(kind, &note));
    }
    if let Some(fault) = &source.fault {
        suite.add_test_case(open("whole file", &fault.to_string()));
    }
}

/// A test case for each invariant that was promised, and for what was not decided.
fn one(judged: &dyn AnyJudged) -> Vec<TestCase> {
    let violations = judged.violations();
    let mut cases = invariants(
        judged.promise(),
        judged.exercised().into_iter(),
        Some(&violations),
    );
    let unknown = judged.unknown().iter();
    cases.extend(unknown.map(|unknown| open("decided", &judged.why(unknown))));
    cases
}

/// A test case for each claim. Nobody promised them, so one that fails is a failure only where none
/// holds, and one that is open an error only there; else they are skipped, with the reason.
fn claims(history: &Arc<History>, strongest: &Strongest) -> Vec<TestCase> {
    let outcome = strongest.outcome();
    let case = |verdict: &Verdict| {
        let name = verdict.claim.to_string();
        let judged = Judged {
            history: Arc::clone(history),
            verdict: verdict.clone(),
        };
        let all: Vec<String> = judged.violations().iter().map(told).collect();
        let all = all.join("\n\n");
        let unknown = verdict.unknown.iter();
        let why: Vec<String> = unknown.map(|each| each.sentence(history)).collect();
        let why = why.join("\n");
        match (verdict.outcome, outcome) {
            (Outcome::Valid, _) => passed(&name),
            (Outcome::Violated, Outcome::Violated) => {
                unsuccessful(&name, NonSuccessKind::Failure, "fails", &all)
            }
            (Outcome::Violated, _) => skipped(&name, &format!("fails: {all}")),
            (Outcome::Unknown, Outcome::Unknown) => open(&name, &why),
            (Outcome::Unknown, _) => skipped(&name, &format!("undecided: {why}")),
        }
    };
    let mut cases: Vec<TestCase> = strongest.verdicts().iter().map(case).collect();
    let backwards = strongest.replica_monotonic();
    cases.push(match backwards.outcome {
        Outcome::Valid => passed("nodes never go backwards"),
        other => skipped("nodes never go backwards", other.name()),
    });
    cases
}

fn replay(replayed: &Replayed) -> TestSuite {
    let mut suite = TestSuite::new("replay");
    for (case, judged) in &replayed.judged {
        let name = path(&case.path).to_string();
        let expected = judged.expected.as_ref();
        let expected = expected.map_or_else(String::new, |what| format!("; expected: {what}"));
        let mut all = vec![format!("{}{expected}", judged.found)];
        if let Some(evidence) = &judged.evidence {
            all.extend(evidence.violations().iter().map(told));
            let unknown = evidence.unknown().iter();
            all.extend(unknown.map(|each| format!("not tested: {}", evidence.why(each))));
        }
        let all = all.join("\n\n");
        let unjudged = judged.evidence.is_none() && judged.outcome == Outcome::Unknown;
        suite.add_test_case(match (judged.as_expected, &judged.expected) {
            (true, _) if unjudged => skipped(&name, &judged.found),
            (true, _) => passed(&name),
            (false, None) if judged.outcome == Outcome::Unknown => open(&name, &all),
            (false, _) => unsuccessful(&name, NonSuccessKind::Failure, "verdict", &all),
        });
    }
    for (file, failure) in &replayed.unreadable {
        suite.add_test_case(failed(&path(file).to_string(), failure));
    }
    suite
}

fn conform(report: &conform::Report) -> TestSuite {
    let dialect = report.dialect.as_deref();
    let name = dialect.map_or_else(|| "conform".to_owned(), |name| format!("conform {name}"));
    let mut suite = TestSuite::new(Outside(name).to_string());
    for case in &report.cases {
        let name = &case.name;
        suite.add_test_case(match &case.came {
            came if came.is_met() => passed(name),
            Came::Run(ran) => {
                let all: Vec<String> = ran.judged.told.violations().iter().map(told).collect();
                let all = [vec![ran.fault()], all].concat().join("\n\n");
                unsuccessful(name, NonSuccessKind::Failure, "demand", &all)
            }
            Came::Lines(difference) => {
                unsuccessful(name, NonSuccessKind::Failure, "lines", &lines(difference))
            }
            Came::Failed(how) => unsuccessful(name, NonSuccessKind::Error, "node failed", how),
        });
    }
    for note in &report.notes {
        suite.add_property(property("not demanded", &note));
    }
    if let Some(nodes) = report.silent_nodes() {
        suite.add_property(property("cause", &conform::silence(nodes)));
    }
    suite
}

/// The lines that are not as expected: `-` expected, `+` got.
fn lines(difference: &Difference) -> String {
    let mut text = vec![format!(
        "{} not as expected",
        count(difference.wrong() as u64, "line")
    )];
    for (to, lines) in &difference.destinations {
        for line in lines {
            match line {
                Compared::Same(_) => {}
                Compared::Missing(line) => text.push(format!("to {to}\n- {line}")),
                Compared::Unexpected(line) => text.push(format!("to {to}\n+ {line}")),
                Compared::Other { expected, got, .. } => {
                    text.push(format!("to {to}\n- {expected}\n+ {got}"));
                }
            }
        }
    }
    text.join("\n")
}
