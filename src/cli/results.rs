//! The results folder: what a violation leaves behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sibcheck_checkers::format::write_history;

use crate::{
    campaign::Judged,
    corpus::{LOG_EXTENSION, TRACE_FILE, VERDICT_FILE},
    laboratory::Observed,
    plans::{Plan, write_plan},
};

/// A file's name and content.
type File = (String, Vec<u8>);

/// Everything that is kept of a violation.
pub(super) struct Found<'a> {
    /// The plan as it was drawn.
    pub(super) original: &'a Plan,
    /// The shrunk plan.
    pub(super) plan: &'a Plan,
    /// Its run, judged.
    pub(super) observed: &'a Observed,
}

/// Writes plan, history, trace and verdict into a folder of their own under `results`, and returns it.
/// What is already there is never overwritten; the same content is not written twice.
///
/// # Errors
///
/// When the machine refuses.
pub(super) fn save(results: &Path, name: &str, found: &Found<'_>) -> io::Result<PathBuf> {
    let Observed {
        judged: Judged { run, verdict },
        trace,
        logs,
    } = found.observed;
    let mut original = Vec::new();
    write_plan(found.original, &mut original)?;
    let mut plan = Vec::new();
    write_plan(found.plan, &mut plan)?;
    let mut history = Vec::new();
    write_history(&run.history, &mut history)?;
    let mut verdict = serde_json::to_vec_pretty(&verdict.to_json(&run.history))?;
    verdict.push(b'\n');
    let mut files: Vec<File> = vec![
        ("plan.json".to_owned(), plan),
        ("original-plan.json".to_owned(), original),
        ("history.jsonl".to_owned(), history),
        (TRACE_FILE.to_owned(), trace.clone().into_bytes()),
        (VERDICT_FILE.to_owned(), verdict),
    ];
    let logs = logs.iter();
    files.extend(logs.map(|(node, log)| (format!("{node}.{LOG_EXTENSION}"), log.clone())));
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
