//! The files of a program: where it is found, and what it wrote to stderr.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io,
    path::{self, Path, PathBuf},
};

use rustix::fs::Access;
use sibcheck_checkers::outside::Outside;

use super::ExternalError;
use crate::files;

/// What a report shows of stderr.
const TAIL_LINES: usize = 10;
const TAIL_BYTES: u64 = 64 << 10;
const TAIL_LINE_CHARS: usize = 300;

/// Finds a program as a shell would, but tells why it cannot.
pub(in crate::nodes) fn locate(name: &str, program: &str) -> Result<PathBuf, ExternalError> {
    let not_found = |place: &str| ExternalError::NotFound {
        name: name.to_owned(),
        program: program.to_owned(),
        place: place.to_owned(),
    };
    let not_executable = || ExternalError::NotExecutable {
        name: name.to_owned(),
        program: program.to_owned(),
    };
    let folder = || ExternalError::Folder {
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
        } else if path.is_dir() {
            Err(folder())
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
    } else if Path::new(program).is_dir() {
        folder()
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

/// What is shown of a program's stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords {
    /// The line that names the error, when it stands above the last lines: in the stack traces of
    /// many languages the message comes first.
    pub error: Option<String>,
    /// The last lines, cut.
    pub tail: Vec<String>,
}

/// The last lines of a file, cut, and the line before them that names the error; nothing when it
/// cannot be read.
pub(super) fn last_words(path: &Path) -> LastWords {
    let bytes = files::read_end(path, TAIL_BYTES).unwrap_or_default();
    of_text(&String::from_utf8_lossy(&bytes))
}

fn of_text(text: &str) -> LastWords {
    let lines: Vec<&str> = text.lines().collect();
    let (before, tail) = lines.split_at(lines.len().saturating_sub(TAIL_LINES));
    let cut =
        |line: &&str| Outside(line.chars().take(TAIL_LINE_CHARS).collect::<String>()).to_string();
    let named_below = tail.iter().any(|line| names_an_error(line));
    let error = before.iter().rev().find(|line| names_an_error(line));
    LastWords {
        error: error.filter(|_| !named_below).map(cut),
        tail: tail.iter().map(cut).collect(),
    }
}

/// True of a line that tells what went wrong, as Node.js, Java, Go, Rust, Python and others write
/// it. Frames of a stack are indented and do not count.
fn names_an_error(line: &str) -> bool {
    const WORDS: [&str; 7] = [
        "error",
        "exception",
        "panic",
        "fatal",
        "assertion",
        "abort",
        "segmentation fault",
    ];
    let indented = line.starts_with([' ', '\t']);
    let lower = line.to_lowercase();
    !indented && WORDS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_above_a_long_stack_is_kept() {
        let frames = "    at a frame\n".repeat(30);
        let node = format!("/node.js:7\n  throw new Error('x')\n  ^\n\nError: no quorum\n{frames}");
        let java = format!(
            "starting\nException in thread \"main\" java.lang.Exception: no quorum\n{frames}"
        );
        let go = format!("panic: no quorum\n\ngoroutine 1 [running]:\n{frames}");
        for (text, error) in [
            (node, "Error: no quorum"),
            (
                java,
                "Exception in thread \"main\" java.lang.Exception: no quorum",
            ),
            (go, "panic: no quorum"),
        ] {
            let words = of_text(&text);
            assert_eq!(words.error.as_deref(), Some(error));
            assert_eq!(words.tail.len(), TAIL_LINES);
        }
    }

    #[test]
    fn a_message_among_the_last_lines_is_not_repeated() {
        let python = "an old error\n".to_owned() + &"noise\n".repeat(20) + "ValueError: x\n";
        assert_eq!(of_text(&python).error, None);
        assert_eq!(of_text("fine\n").error, None);
        assert_eq!(of_text(""), LastWords::default());
    }
}
