//! What tests of programs have in common.
#![allow(dead_code, reason = "no test program needs all of it")]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Checks the node that a test wrote into its folder; a seed follows.
pub(crate) const CHECK_NODE: [&str; 6] = [
    "check",
    "--bin",
    "python3 node.py",
    "--dialect",
    "vc",
    "--seed",
];

/// An empty folder of the test's own.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Compiles a program; says so, and is false, where there is no such compiler.
#[track_caller]
pub(crate) fn compiled(compiler: &str, words: &[impl AsRef<OsStr>]) -> bool {
    let Ok(done) = Command::new(compiler).args(words).output() else {
        println!("skipped: there is no {compiler} on this machine");
        return false;
    };
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    true
}

/// True when a program can be started; else says that the test is skipped.
pub(crate) fn have(program: &str) -> bool {
    let have = Command::new(program)
        .arg("--version")
        .env("PATH", path())
        .output()
        .is_ok();
    if !have {
        println!("skipped: there is no {program} on this machine");
    }
    have
}

/// The folders in which programs are looked for, first the one of an interpreter that starts fast:
/// tests start it hundreds of times.
pub(crate) fn path() -> OsString {
    static PATH: OnceLock<OsString> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = interpreters().into_iter().chain(env::split_paths(&path));
        env::join_paths(folders).unwrap()
    });
    path.clone()
}

/// The folder of a virtual environment of Python's, in which nothing is installed that its start would
/// have to load, and which no script of a version manager has to find first.
#[cfg(unix)]
fn interpreters() -> Option<PathBuf> {
    let said = |python: &Path, program: &str| {
        let mut command = Command::new(python);
        let output = command.args(["-c", program]).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| said.trim().to_owned())
    };
    let real = "import os, sys; print(os.path.realpath(sys.executable))";
    let python = PathBuf::from(said("python3".as_ref(), real)?);
    let environment = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python");
    let folder = environment.join("bin");
    let link = folder.join("python3");
    if fs::read_link(&link).ok().as_ref() != Some(&python) {
        fs::create_dir_all(&folder).unwrap();
        let home = python.parent()?.display();
        let settings = format!("home = {home}\ninclude-system-site-packages = false\n");
        fs::write(environment.join("pyvenv.cfg"), settings).unwrap();
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&python, &link).ok()?;
    }
    // Not every installation takes it.
    said(&link, "import json, threading").map(|_| folder)
}

#[cfg(not(unix))]
const fn interpreters() -> Option<PathBuf> {
    None
}

/// The command line of a Python program in a file, for tests that start nodes themselves.
pub(crate) fn python(file: &str, flags: &[&str]) -> Vec<String> {
    let path = path();
    let mut all = env::split_paths(&path).map(|folder| folder.join("python3"));
    let python = all.find(|python| python.exists());
    let python = python.unwrap_or_else(|| "python3".into());
    let words = [&[python.to_str().unwrap(), file], flags].concat();
    words.into_iter().map(str::to_owned).collect()
}

/// `sibcheck` in a folder. Runs of a program have the usual size unless a size is given: else it would
/// depend on how fast this machine starts the program.
pub(crate) fn sibcheck(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sibcheck"));
    let checks_program = arguments.first() == Some(&"check") && arguments.contains(&"--bin");
    let flags = ["--ops", "--clients", "--keys", "--groups"];
    let usual: &[&str] = if checks_program && !flags.iter().any(|flag| arguments.contains(flag)) {
        &["--ops", "100"]
    } else {
        &[]
    };
    command
        .args(arguments)
        .args(usual)
        .env("PATH", path())
        .current_dir(folder);
    command
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs a command to its end.
    pub(crate) fn by(command: &mut Command) -> Self {
        Self::of(command.output().unwrap())
    }

    /// What was said on stdout, as if no line were wrapped.
    pub(crate) fn unwrapped(&self) -> String {
        let words: Vec<_> = self.stdout.split_whitespace().collect();
        words.join(" ")
    }

    /// Ends with this code, and says these words; lines may be wrapped in them.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, words: &[&str]) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "{stdout}{stderr}");
        let unwrapped = self.unwrapped();
        for word in words {
            let said = [stdout, stderr, &unwrapped].map(|text| text.contains(word));
            assert!(
                said.contains(&true),
                "{word:?} is missing:\n{stdout}{stderr}"
            );
        }
        self
    }
}

/// Asks something of all of these, four at a time: most of what tests of programs take is waiting.
pub(crate) fn of_each<T: Sync>(all: &[T], asked: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..all.len().min(4) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    asked(one);
                }
            });
        }
    });
}
