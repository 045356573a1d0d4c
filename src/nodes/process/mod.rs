//! Programs outside, spoken to in lines: started, fed, observed until they rest, and ended.
//!
//! [`Process`] is one such program. It knows nothing about messages: a line goes in, lines come
//! out. What makes lockstep possible is that the program's *rest* can be seen from outside
//! (module `idle`): once it rests, nothing more comes of what it was given, and virtual time may
//! jump to the next event.
//!
//! # What lockstep cannot see
//!
//! A program rests when all its threads sleep, and a thread that sleeps **until a moment** looks
//! like one that sleeps until the next request. An answer that a worker sends after
//! `sleep(5 ms)`, a timer, a reply from a socket or from a disk through `io_uring` comes after
//! [`Idle::Reached`]. Nothing is lost: the lines are handed over by the next call, and
//! [`Process::wait`] lets real time pass for programs that need it.

mod files;
mod guardian;
mod idle;
mod lines;
mod running;
mod threads;
mod tracer;

pub use files::LastWords;
pub(in crate::nodes) use files::locate;
pub use guardian::{GUARDIAN_COMMAND, guard_over};
pub use idle::supported;
pub use lines::{
    Limits, Line, MAX_BYTES_PER_BURST, MAX_BYTES_PER_RUN, MAX_LINE_BYTES, MAX_LINES_PER_BURST,
    MAX_LINES_PER_RUN, Storm,
};
pub use running::{Ended, Process, await_any, let_start_together};
pub use tracer::{Leaks, Tracing};

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use sibcheck_checkers::outside::{self, Outside};

use crate::interrupt::Interrupt;

/// The environment variable in which a program finds the folder for its data.
pub const DATA_DIR_VARIABLE: &str = "SIBCHECK_DATA_DIR";

/// The hidden subcommand of [`Launch::guard`]. The guard is called with this word, the expected
/// parent's process id, and the program with its arguments; it hands them to [`exec_guarded`].
pub const GUARD_COMMAND: &str = "__exec-guarded";

/// How long a program may take to come to rest before [`Idle::Never`] is returned, unless
/// [`Process::set_patience`] says otherwise. A rest usually takes 20 to 100 microseconds.
pub const DEFAULT_PATIENCE: Duration = Duration::from_millis(500);

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program and its arguments. A program with a `/` in its name is taken from the caller's
    /// working folder, any other from `PATH`. Arguments are passed as they are: relative paths
    /// among them are resolved by the program, whose working folder is [`Launch::folder`].
    pub argv: Vec<String>,
    /// The program's working folder, also passed in [`DATA_DIR_VARIABLE`]; created when missing.
    /// No two running nodes may share one: descendants are told apart by it.
    pub folder: PathBuf,
    /// Where its stderr is appended; folders are created when missing.
    pub stderr_file: PathBuf,
    /// What messages call it: `n1`, ….
    pub name: String,
    /// A program that passes its arguments to [`exec_guarded`], normally `/proc/self/exe`; it
    /// sees to it that the program dies with us. It also becomes the guardian ([`guard_over`]) that
    /// ends the program's children when we die. `None` starts the program directly.
    pub guard: Option<PathBuf>,
    /// Ends every wait for the program once it is raised.
    pub interrupt: Interrupt,
    /// Its clock is ours, and its randomness comes from here. All calls are then to be made by the
    /// thread that called [`Process::spawn`]. `None`: its time is that of the machine.
    pub tracing: Option<Tracing>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// All input is read and every thread sleeps: nothing more comes until more goes in, real
    /// time passes, or something outside happens.
    Reached,
    /// The program did not come to rest within the patience. All output so far was handed over.
    Never(Unsettled),
    /// [`Process::pause`] holds the program. The line waits for [`Process::resume`].
    Paused,
}

/// Why a program did not come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsettled {
    /// A thread kept running or waiting for a disk, or output kept coming.
    Running,
    /// Every thread sleeps, but input was left unread.
    InputUnread,
    /// This system shows no threads: see [`supported`].
    Unobservable,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The program wrote at least one line, and rests again.
    Wrote,
    /// The span is over, or the patience after a first line, and the program still runs.
    Busy,
    /// The span is over. No line came.
    Silent,
}

/// What goes wrong with a program outside. Every message names the node, what happened and what
/// to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// No program was given.
    #[error("node {name}: no program was given; name one, as in `--bin './my-node --flag'`")]
    NoProgram {
        /// The node.
        name: String,
    },
    /// There is no such program.
    #[error(
        "node {name}: cannot start `{}`: no such file {place}; check the spelling, build it{}",
        Outside(program),
        if place == "in PATH" { format!(", or give a path such as `./{}`", Outside(program)) } else { String::new() }
    )]
    NotFound {
        /// The node.
        name: String,
        /// As it was given.
        program: String,
        /// Where it was looked for.
        place: String,
    },
    /// It is a folder.
    #[error(
        "node {name}: cannot start `{0}`: it is a folder; name the program in it, or the interpreter and the script, as in `python3 {0}/node.py`",
        Outside(program)
    )]
    Folder {
        /// The node.
        name: String,
        /// As it was given.
        program: String,
    },
    /// The file cannot be executed.
    #[error(
        "node {name}: cannot start `{0}`: not an executable file; run `chmod +x` on it, or name its interpreter, as in `python3 {0}`",
        Outside(program)
    )]
    NotExecutable {
        /// The node.
        name: String,
        /// As it was given.
        program: String,
    },
    /// The operating system refused.
    #[error(
        "node {name}: cannot start `{}`: {source}; a script needs a first line such as `#!/usr/bin/env python3`, a binary must be built for this machine",
        Outside(program)
    )]
    Spawn {
        /// The node.
        name: String,
        /// As it was given.
        program: String,
        /// What it said.
        source: io::Error,
    },
    /// A folder or file of ours could not be made.
    #[error(
        "node {name}: cannot create {}: {source}; choose a results folder that can be written",
        outside::path(path)
    )]
    Create {
        /// The node.
        name: String,
        /// The folder or file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The program is dead.
    #[error(
        "node {name} died ({}){}; run the same line by hand",
        shown_status(*status), shown_words(last_words)
    )]
    Died {
        /// The node.
        name: String,
        /// Its exit status, when it could be had.
        status: Option<ExitStatus>,
        /// What its stderr ends with.
        last_words: LastWords,
        /// All of its stderr.
        stderr_file: PathBuf,
    },
    /// The program lives but has closed a pipe to us.
    #[error(
        "node {name} closed its {stream} but goes on running; a node reads requests on stdin and writes answers on stdout until stdin ends"
    )]
    Closed {
        /// The node.
        name: String,
        /// `stdin` or `stdout`.
        stream: &'static str,
    },
    /// The program wrote more than a run may hold.
    #[error("node {name}: {storm}")]
    Storm {
        /// The node.
        name: String,
        /// Which limit was reached.
        storm: Storm,
    },
    /// This process was asked to end while it waited for the program.
    #[error("node {name}: not waited for any longer: this process was asked to end")]
    Interrupted {
        /// The node.
        name: String,
    },
    /// A pipe or `/proc` failed us.
    #[error("node {name}: cannot {action}: {source}; {remedy}")]
    System {
        /// The node.
        name: String,
        /// What was tried.
        action: &'static str,
        /// What went wrong.
        source: io::Error,
        /// What may help.
        remedy: &'static str,
    },
}

fn shown_status(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "status unknown".to_owned(), |status| status.to_string())
}

fn shown_words(words: &LastWords) -> String {
    if words.tail.is_empty() {
        return " and wrote nothing to stderr".to_owned();
    }
    let error = words.error.iter().map(|line| format!("{line}\n  …\n  "));
    let error: String = error.collect();
    format!(", last on stderr:\n  {error}{}\n", words.tail.join("\n  "))
}

/// Becomes the program `argv`, which the kernel then kills when the thread that started this
/// process ends. Returns only when that fails.
///
/// `expected_parent` is the process id of the starter. When the starter is already gone, nothing
/// is executed.
///
/// The kernel ties this to the **thread** that called [`Process::spawn`], not to its process:
/// spawn from a thread that lives as long as the nodes are needed. The bond is for the program
/// alone: its own children do not inherit it (they are the guardian's, see [`guard_over`]), and a
/// program with set-user-id or file capabilities loses it.
pub fn exec_guarded(expected_parent: u32, argv: &[OsString]) -> io::Error {
    let Some((program, arguments)) = argv.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no program to execute");
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) =
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
    {
        return error.into();
    }
    // The starter may have died before the line above: then no signal will come.
    if std::os::unix::process::parent_id() != expected_parent {
        return io::Error::new(io::ErrorKind::NotConnected, "the starter is gone");
    }
    Command::new(program).args(arguments).exec()
}

/// A span in nanoseconds; the longest that there is for one that is longer.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Real time: only for patience and waiting, never for anything that is recorded.
#[expect(clippy::disallowed_methods, reason = "patience is real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
