//! The files of a program: where it is found, and what it wrote to stderr.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{self, Path, PathBuf},
};

use rustix::fs::Access;

use super::ExternalError;

/// What a report shows of stderr.
const TAIL_LINES: usize = 10;
const TAIL_BYTES: u64 = 4096;
const TAIL_LINE_CHARS: usize = 300;

/// Finds a program as a shell would, but tells why it cannot.
pub(super) fn locate(name: &str, program: &str) -> Result<PathBuf, ExternalError> {
    let not_found = |place: &str| ExternalError::NotFound {
        name: name.to_owned(),
        program: program.to_owned(),
        place: place.to_owned(),
    };
    let not_executable = || ExternalError::NotExecutable {
        name: name.to_owned(),
        program: program.to_owned(),
    };
    let is_executable =
        |path: &Path| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        // The program gets another working folder, so the path must not depend on ours.
        let path = path::absolute(program).map_err(|_| not_found("there"))?;
        return if is_executable(&path) {
            Ok(path)
        } else if path.exists() {
            Err(not_executable())
        } else {
            Err(not_found("there"))
        };
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut seen = false;
    for folder in env::split_paths(&folders) {
        let Ok(path) = path::absolute(folder.join(program)) else {
            continue;
        };
        if is_executable(&path) {
            return Ok(path);
        }
        seen |= path.is_file();
    }
    Err(if seen {
        not_executable()
    } else {
        not_found("in PATH")
    })
}

pub(super) fn append_to(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().append(true).create(true).open(path)
}

/// The last lines of a file, cut; none when it cannot be read.
pub(super) fn tail(path: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    let cut = |line: &&str| line.chars().take(TAIL_LINE_CHARS).collect();
    lines[first..].iter().map(cut).collect()
}
