//! The results folder: what a violation leaves behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    corpus::{LOG_EXTENSION, TRACE_FILE, VERDICT_FILE},
    files,
    plans::{Plan, write_plan},
    program_under_test::Observed,
    reports::json,
};

/// A file's name and content.
type File = (String, Vec<u8>);

/// The folder, inside that of a finding, with what was seen first.
const FIRST_SEEN: &str = "first-seen";

/// A run of a plan with all that there is to see of it.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The plan.
    pub(super) plan: &'a Plan,
    /// Its run, judged.
    pub(super) observed: &'a Observed,
}

/// Everything that is kept of a finding.
pub(super) struct Found<'a> {
    /// The first sighting of it, where another run of the same plan may show something else.
    pub(super) first: Option<Seen<'a>>,
    /// The plan as it was drawn, and the smallest run that shows it.
    pub(super) smallest: Option<(&'a Plan, Seen<'a>)>,
}

impl<'a> Found<'a> {
    /// That of a store inside, or of a run that was asked for: another run shows the same.
    pub(super) fn of_one(original: &'a Plan, plan: &'a Plan, observed: &'a Observed) -> Self {
        Self {
            first: None,
            smallest: Some((original, Seen { plan, observed })),
        }
    }
}

/// Writes plan, history, trace and verdict into a folder of their own under `results`, and returns
/// it. What is already there is never overwritten; the same content is not written twice, and a
/// folder that holds the same first sighting and nothing else is completed.
///
/// # Errors
///
/// When the machine refuses.
pub(super) fn save(results: &Path, name: &str, found: &Found<'_>) -> io::Result<PathBuf> {
    let mut files: Vec<File> = Vec::new();
    if let Some(first) = found.first {
        for (file, content) in files_of(first)? {
            files.push((format!("{FIRST_SEEN}/{file}"), content));
        }
    }
    if let Some((original, smallest)) = found.smallest {
        files.extend(files_of(smallest)?);
        files.push(("original-plan.json".to_owned(), plan_file(original)?));
    }
    let name = name.replace(':', "-");
    for attempt in 1u32.. {
        let folder = results.join(if attempt == 1 {
            name.clone()
        } else {
            format!("{name}.{attempt}")
        });
        let differs = |(file, content): &File| {
            let path = folder.join(file);
            path.exists() && !files::holds(&path, content).unwrap_or(false)
        };
        if files.iter().any(differs) {
            continue;
        }
        for (file, content) in &files {
            let path = folder.join(file);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            if !path.exists() {
                files::write(&path, |out| out.write_all(content))?;
            }
        }
        return Ok(folder);
    }
    Err(io::Error::other("there are too many results already"))
}

fn plan_file(plan: &Plan) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_plan(plan, &mut bytes)?;
    Ok(bytes)
}

fn files_of(seen: Seen<'_>) -> io::Result<Vec<File>> {
    let Observed {
        judged,
        trace,
        logs,
        failure,
    } = seen.observed;
    let mut history = Vec::new();
    judged.told.write_history(&mut history)?;
    let mut verdict = judged.told.to_json();
    if let Some(failure) = failure {
        verdict["node_failure"] = failure.to_string().into();
    }
    let verdict = json::line(&verdict).into_bytes();
    let mut files: Vec<File> = vec![
        ("plan.json".to_owned(), plan_file(seen.plan)?),
        ("history.jsonl".to_owned(), history),
        (TRACE_FILE.to_owned(), trace.clone().into_bytes()),
        (VERDICT_FILE.to_owned(), verdict),
    ];
    let logs = logs.iter();
    files.extend(logs.map(|(node, log)| (format!("{node}.{LOG_EXTENSION}"), log.clone())));
    Ok(files)
}
