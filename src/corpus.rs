//! The corpus: saved plans, histories, conformance cases and fuzz inputs, each with its verdict.
//!
//! A file's kind is told by its place and name: inputs of a fuzz target lie in a folder with the
//! target's name inside one named `fuzz`, or inside `fuzz/artifacts` or `fuzz/corpus`, where cargo-fuzz
//! puts them; plans end in `.json`, histories in `.jsonl`, conformance cases in `.txt`. Files named `README.md` and hidden ones are for people.

use std::{
    ffi::OsStr,
    fmt,
    fs::{self, File},
    io::{self, BufReader, ErrorKind},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::Value as Json;
use sibcheck_checkers::{
    AnyJudged, Claim, History, Invariant, Object, Outcome,
    format::{FormatError, Recorded, read_any},
    history::Header,
    outside,
};

use crate::{
    campaign::{JudgedRun, RunError, run_and_judge},
    cases::{Judged, Kind, Saved},
    files,
    fuzzing::TARGETS,
    nodes::{
        Server,
        external::{NodeFailure, Program},
        serve,
    },
    plans::{Plan, PlanError, read_plan},
    program_under_test::{ProgramUnderTest, Purpose},
    protocol::Case,
};

/// What `check` leaves beside a plan and its history: the verdict.
pub const VERDICT_FILE: &str = "verdict.json";

/// What `check` leaves beside a plan and its history: what became of every message.
pub const TRACE_FILE: &str = "trace.jsonl";

/// What `check` leaves beside a plan and its history: what each node wrote to stderr.
pub const LOG_EXTENSION: &str = "stderr";

/// Files that are no cases.
const FOR_PEOPLE: [&str; 3] = ["README.md", VERDICT_FILE, TRACE_FILE];

/// Why a file cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// It cannot be read.
    #[error("failed to read {}: {error}", outside::path(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The program that it is run on failed.
    #[error("{}: {failure}", outside::path(path))]
    Node {
        /// The plan.
        path: PathBuf,
        /// How it failed.
        failure: NodeFailure,
    },
    /// It could not be run.
    #[error("{}: {error}", outside::path(path))]
    Run {
        /// The plan.
        path: PathBuf,
        /// Why.
        error: RunError,
    },
    /// It is not what its place and name say.
    #[error("{}: {what}", outside::path(path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the place inside the file.
        what: String,
    },
}

/// The files of the corpus at `path`, which is one file or a folder, in the order of their names.
///
/// # Errors
///
/// When something cannot be read, or a file's kind cannot be told.
pub fn find(path: &Path) -> Result<Vec<Saved>, CorpusError> {
    let io_error = |error| CorpusError::Io {
        path: path.to_owned(),
        error,
    };
    if !fs::metadata(path).map_err(io_error)?.is_dir() {
        let kind = kind(path).ok_or_else(|| CorpusError::Malformed {
            path: path.to_owned(),
            what: "its name does not tell what it is: plans end in .json, histories in .jsonl, \
                   conformance cases in .txt, and inputs of a fuzz target lie in fuzz/TARGET/ or \
                   fuzz/artifacts/TARGET/"
                .to_owned(),
        })?;
        return Ok(vec![Saved {
            path: path.to_owned(),
            kind,
        }]);
    }
    let mut inside = Vec::new();
    for entry in fs::read_dir(path).map_err(io_error)? {
        let entry = entry.map_err(io_error)?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let is_log = entry.extension() == Some(LOG_EXTENSION.as_ref());
        if !FOR_PEOPLE.contains(&&*name) && !name.starts_with('.') && !is_log {
            inside.push(entry);
        }
    }
    inside.sort();
    let mut found = Vec::new();
    for entry in inside {
        found.extend(find(&entry)?);
    }
    Ok(found)
}

fn kind(path: &Path) -> Option<Kind> {
    let absolute = std::path::absolute(path).ok()?;
    let folder = absolute.parent()?;
    let mut names = folder.iter().rev().map(Some).chain([None, None, None]);
    let (target, above, top) = (names.next()?, names.next()?, names.next()?);
    let is_fuzz = |name: Option<&OsStr>| name == Some("fuzz".as_ref());
    let of_cargo_fuzz = ["artifacts", "corpus"].map(AsRef::as_ref).map(Some);
    if is_fuzz(above) || (of_cargo_fuzz.contains(&above) && is_fuzz(top)) {
        let meant = |(name, _): &&(&str, _)| target == Some(name.as_ref());
        if let Some((target, _)) = TARGETS.iter().find(meant) {
            return Some(Kind::Fuzz(target));
        }
    }
    match path.extension()?.to_str()? {
        "json" => Some(Kind::Plan),
        "jsonl" => Some(Kind::History),
        "txt" => Some(Kind::Conformance),
        _ => None,
    }
}

impl Saved {
    /// Judges the file; a plan that was made for a program is run on `program`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not what its place and name say, or a program is missing or
    /// fails.
    pub fn judge(&self, program: Option<&Program>) -> Result<Judged, CorpusError> {
        match self.kind {
            Kind::Plan => self.judge_plan(&self.text(files::Kind::Plan)?, program),
            Kind::History => self.judge_history(),
            Kind::Conformance => self.judge_case(&self.text(files::Kind::Case)?),
            Kind::Fuzz(target) => {
                let bytes = files::read(&self.path, files::Kind::FuzzInput);
                let bytes = bytes.map_err(|error| self.unreadable(error))?;
                Ok(judge_input(target, &bytes))
            }
        }
    }

    fn unreadable(&self, error: io::Error) -> CorpusError {
        if matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::FileTooLarge
        ) {
            return self.malformed(&error);
        }
        CorpusError::Io {
            path: self.path.clone(),
            error,
        }
    }

    fn malformed(&self, what: &dyn fmt::Display) -> CorpusError {
        CorpusError::Malformed {
            path: self.path.clone(),
            what: what.to_string(),
        }
    }

    fn text(&self, kind: files::Kind) -> Result<String, CorpusError> {
        files::read_text(&self.path, kind).map_err(|error| self.unreadable(error))
    }

    fn judge_plan(&self, text: &str, program: Option<&Program>) -> Result<Judged, CorpusError> {
        let plan = read_plan(text).map_err(|error| self.malformed(&error))?;
        let told = self.run(&plan, program)?.told;
        Ok(match &plan.expect {
            Some(expect) => {
                let invariants: Vec<_> = expect.invariants.iter().map(|name| name.0).collect();
                compare(Some((expect.verdict, &invariants)), &told)
            }
            None => compare(None, &told),
        })
    }

    fn run(&self, plan: &Plan, program: Option<&Program>) -> Result<JudgedRun, CorpusError> {
        let failed = |error| CorpusError::Run {
            path: self.path.clone(),
            error,
        };
        let Some(dialect) = &plan.program else {
            let Some(store) = plan.store else {
                return Err(self.malformed(&PlanError::Subject));
            };
            return run_and_judge(store, plan).map_err(failed);
        };
        let Some(program) = program else {
            let what = format!(
                "this plan was made for a program that speaks {dialect}: name it with --bin"
            );
            return Err(self.malformed(&what));
        };
        let program = Program {
            dialect: dialect.clone(),
            ..program.clone()
        };
        let observed = ProgramUnderTest::new(program)
            .run(plan, Purpose::Search)
            .map_err(failed)?;
        match observed.failure {
            // A violation outranks what became of the node afterwards.
            Some(failure) if observed.judged.told.outcome() != Outcome::Violated => {
                Err(CorpusError::Node {
                    path: self.path.clone(),
                    failure,
                })
            }
            _ => Ok(observed.judged),
        }
    }

    fn judge_history(&self) -> Result<Judged, CorpusError> {
        let file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
        let recorded = read_any(BufReader::new(file)).map_err(|error| match error {
            FormatError::Io { source, .. } => self.unreadable(source),
            other => self.malformed(&other),
        })?;
        match recorded {
            Recorded::Siblings(history) => self.judge_recorded(history),
            Recorded::Registers(history) => self.judge_recorded(history),
        }
    }

    fn judge_recorded<A: Object>(&self, history: History<A>) -> Result<Judged, CorpusError> {
        let claim = claim_of(&history.header);
        let verdict = A::judge(&history, claim.into()).map_err(|error| self.malformed(&error))?;
        let expect = history.header.expect.clone();
        let expected = expect
            .as_ref()
            .map(|expect| (expect.outcome, expect.invariants.as_slice()));
        let history = Arc::new(history);
        let told: Arc<dyn AnyJudged> = Arc::new(sibcheck_checkers::Judged { history, verdict });
        Ok(compare(expected, &told))
    }

    /// Runs a conformance case against the store that it names, through the lines of a served node.
    fn judge_case(&self, text: &str) -> Result<Judged, CorpusError> {
        let case = Case::parse(text).map_err(|error| self.malformed(&error))?;
        let Some(store) = case.store else {
            return Ok(Judged {
                expected: Some("is a case".to_owned()),
                found: "is a case; for a program: sibcheck conform --bin COMMAND FILE".to_owned(),
                outcome: Outcome::Unknown,
                as_expected: true,
                evidence: None,
            });
        };
        let mut input = case.input.join("\n");
        input.push('\n');
        let (mut output, mut log) = (Vec::new(), Vec::new());
        let server = Server::new(store, Duration::from_secs(1));
        serve(server, io::Cursor::new(input), &mut output, &mut log)
            .map_err(|error| self.malformed(&error))?;
        let lines: Vec<Json> = output
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        let difference = case.difference(&lines);
        let (found, outcome) = if difference.is_none() {
            ("conforms".to_owned(), Outcome::Valid)
        } else {
            (difference.to_string(), Outcome::Violated)
        };
        Ok(Judged {
            expected: Some("conforms".to_owned()),
            found,
            outcome,
            as_expected: outcome == Outcome::Valid,
            evidence: None,
        })
    }
}

/// The claim under which a history is judged: the one that it names, else `eventual`.
pub fn claim_of(header: &Header) -> Claim {
    header.claim.unwrap_or(Claim::Eventual)
}

fn compare(expected: Option<(Outcome, &[Invariant])>, told: &Arc<dyn AnyJudged>) -> Judged {
    let violations = told.violations();
    let violated: Vec<_> = violations
        .iter()
        .map(|violation| violation.invariant)
        .collect();
    let (outcome, invariants) = expected.unwrap_or((Outcome::Valid, &[]));
    Judged {
        expected: expected.map(|(outcome, invariants)| describe(outcome, invariants)),
        found: describe(told.outcome(), &violated),
        outcome: told.outcome(),
        as_expected: told.outcome() == outcome
            && invariants.iter().all(|name| violated.contains(name)),
        evidence: Some(Arc::clone(told)),
    }
}

/// `violated: dominance, no lost update`.
fn describe(outcome: Outcome, invariants: &[Invariant]) -> String {
    let mut names: Vec<Invariant> = invariants.to_vec();
    names.sort_unstable();
    names.dedup();
    let names: Vec<_> = names.into_iter().map(Invariant::name).collect();
    if names.is_empty() {
        outcome.name().to_owned()
    } else {
        format!("{}: {}", outcome.name(), names.join(", "))
    }
}

/// Runs a fuzz target; a panic is its way of saying that a law is broken.
fn judge_input(target: &str, bytes: &[u8]) -> Judged {
    let run = TARGETS.iter().find(|(name, _)| *name == target);
    let held =
        run.is_some_and(|(_, run)| panic::catch_unwind(AssertUnwindSafe(|| run(bytes))).is_ok());
    Judged {
        expected: Some("passes".to_owned()),
        found: if held { "passes" } else { "panics" }.to_owned(),
        outcome: if held {
            Outcome::Valid
        } else {
            Outcome::Violated
        },
        as_expected: held,
        evidence: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_and_name_tell_the_kind() {
        let kind = |path: &str| kind(Path::new(path));
        assert_eq!(kind("corpora/plans/a.json"), Some(Kind::Plan));
        assert_eq!(kind("a.jsonl"), Some(Kind::History));
        assert_eq!(kind("x/conformance/vc.txt"), Some(Kind::Conformance));
        assert_eq!(
            kind("corpora/fuzz/clock_merge/seed"),
            Some(Kind::Fuzz("clock_merge"))
        );
        let crash = kind("fuzz/artifacts/clock_merge/crash-0123");
        assert_eq!(crash, Some(Kind::Fuzz("clock_merge")));
        assert_eq!(
            kind("fuzz/corpus/clock_merge/0123"),
            Some(Kind::Fuzz("clock_merge"))
        );
        assert_eq!(kind("elsewhere/artifacts/clock_merge/crash-0123"), None);
        assert_eq!(kind("corpora/fuzz/unknown/seed"), None);
        assert_eq!(kind("notes.md"), None);
    }
}
