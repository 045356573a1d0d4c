//! The results folder: what a violation leaves behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sibcheck_checkers::{Verdict, format::write_history};

use crate::{
    corpus::{LOG_EXTENSION, TRACE_FILE, VERDICT_FILE},
    plans::{Plan, write_plan},
    runner::Run,
};

/// A file's name and content.
type File = (String, Vec<u8>);

/// Everything that is kept of a violation.
pub(super) struct Found<'a> {
    /// The plan as it was drawn.
    pub(super) original: &'a Plan,
    /// The shrunk plan.
    pub(super) plan: &'a Plan,
    /// Its run.
    pub(super) run: &'a Run,
    /// The verdict on that run.
    pub(super) verdict: &'a Verdict,
    /// What became of every message of it.
    pub(super) trace: String,
    /// What each node wrote to stderr, by its name.
    pub(super) logs: Vec<(String, Vec<u8>)>,
}

/// Writes plan, history, trace and verdict into a folder of their own under `results`, and returns it.
/// What is already there is never overwritten; the same content is not written twice.
///
/// # Errors
///
/// When the machine refuses.
pub(super) fn save(results: &Path, name: &str, found: Found<'_>) -> io::Result<PathBuf> {
    let mut original = Vec::new();
    write_plan(found.original, &mut original)?;
    let mut plan = Vec::new();
    write_plan(found.plan, &mut plan)?;
    let mut history = Vec::new();
    write_history(&found.run.history, &mut history)?;
    let mut verdict = serde_json::to_vec_pretty(&found.verdict.to_json(&found.run.history))?;
    verdict.push(b'\n');
    let mut files: Vec<File> = vec![
        ("plan.json".to_owned(), plan),
        ("original-plan.json".to_owned(), original),
        ("history.jsonl".to_owned(), history),
        (TRACE_FILE.to_owned(), found.trace.into_bytes()),
        (VERDICT_FILE.to_owned(), verdict),
    ];
    let logs = found.logs.into_iter();
    files.extend(logs.map(|(node, log)| (format!("{node}.{LOG_EXTENSION}"), log)));
    let name = name.replace(':', "-");
    for attempt in 1u32.. {
        let folder = results.join(if attempt == 1 {
            name.clone()
        } else {
            format!("{name}.{attempt}")
        });
        if !folder.exists() {
            fs::create_dir_all(&folder)?;
            for (file, content) in &files {
                fs::write(folder.join(file), content)?;
            }
            return Ok(folder);
        }
        let same = |(file, content): &File| {
            fs::read(folder.join(file)).is_ok_and(|there| there == *content)
        };
        if files.iter().all(same) {
            return Ok(folder);
        }
    }
    Err(io::Error::other("there are too many results already"))
}
