//! A small process that outlives this one and ends what nodes leave behind.
//!
//! The kernel ends a node itself when its starter dies ([`exec_guarded`](super::exec_guarded)), but
//! not the children of the node. Nothing that this process does can end them once it was killed with
//! SIGKILL, so another one has to: the guardian, started with the first node, in a session of its
//! own where no Ctrl-C reaches it. It reads a pipe that ends, whatever this process dies of, when
//! the kernel closes it. Then it looks through `/proc` for processes that
//!
//! - were started with [`RUN_VARIABLE`] set to this run's token, which all descendants of nodes
//!   inherit, in whatever group or session they are; or
//! - are in the process group of a node: the guardian is told of each group and of its end.
//!
//! and kills them until none is left. It is not between the pipes of a node, and has no part in a
//! run that ends by itself.
//!
//! **What remains.** A descendant that leaves the group of its node *and* was started with a cleaned
//! environment is not found. Whoever kills the guardian as well (a container that is ended takes all
//! of its processes with it anyway; `kill -9 -1`) is left with the nodes' own bond to their
//! starter. Without `/proc` groups are killed, and nothing else.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, setsid};

use super::threads::{self, Kinship};

/// The hidden subcommand that becomes the guardian; its argument is the token.
pub const GUARDIAN_COMMAND: &str = "__guardian";

/// The environment variable with the token of this run, which nodes and all they start inherit.
const RUN_VARIABLE: &str = "SIBCHECK_RUN";

/// Searches for what is left. One that finds nothing is the last.
const SEARCHES: u32 = 200;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(5);

/// The guardian of this process, told which groups it is to end.
pub(super) struct Guardian {
    token: String,
    pipe: Mutex<ChildStdin>,
}

impl Guardian {
    /// The one of this process, started by the first call; `None` when it cannot be.
    pub(super) fn of_this_process(program: &Path) -> Option<&'static Self> {
        static GUARDIAN: OnceLock<Option<Guardian>> = OnceLock::new();
        GUARDIAN.get_or_init(|| Self::start(program)).as_ref()
    }

    fn start(program: &Path) -> Option<Self> {
        let process = std::process::id();
        let token = format!("{process}-{:016x}", RandomState::new().hash_one(process));
        let mut child = Command::new(program)
            .args([GUARDIAN_COMMAND, &token])
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let pipe = Mutex::new(child.stdin.take()?);
        Some(Self { token, pipe })
    }

    /// What a node is to be started with.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (RUN_VARIABLE, &self.token)
    }

    /// A process group has come to be.
    pub(super) fn begin(&self, group: u32) {
        self.tell('+', group);
    }

    /// A process group is no more, and its number may mean another one soon.
    pub(super) fn end(&self, group: u32) {
        self.tell('-', group);
    }

    fn tell(&self, what: char, group: u32) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a guardian a node is still bound to us by the kernel.
        let _ = pipe.write_all(format!("{what}{group}\n").as_bytes());
    }
}

/// Becomes the guardian: returns when the process that started it is gone and nothing of its nodes is
/// left.
pub fn guard_over(token: &str) {
    // It leads its group, so it is in a session of its own only if the kernel lets it: else its
    // group alone keeps the terminal's signals away.
    let _ = setsid();
    let mut groups = BTreeSet::new();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let group = line.get(1..).and_then(|group| group.parse::<u32>().ok());
        match (line.chars().next(), group) {
            (Some('+'), Some(group)) => {
                groups.insert(group);
            }
            (Some('-'), Some(group)) => {
                groups.remove(&group);
            }
            _ => {}
        }
    }
    let variable = format!("{RUN_VARIABLE}={token}").into_bytes();
    for _ in 0..SEARCHES {
        if !end_all(&groups, &variable) {
            break;
        }
        thread::sleep(PAUSE);
    }
}

/// Kills what belongs to the run. Returns whether there was anything.
fn end_all(groups: &BTreeSet<u32>, variable: &[u8]) -> bool {
    let Ok(processes) = threads::numbers("/proc") else {
        for &group in groups {
            if let Some(group) = pid(group) {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
        }
        return false;
    };
    let own = std::process::id();
    let is_ours = |process: u32| {
        process != own
            && Kinship::of(process).is_some_and(|kinship| {
                !kinship.zombie
                    && (groups.contains(&kinship.group) || threads::has_variable(process, variable))
            })
    };
    let mut any = false;
    for process in processes {
        if is_ours(process) {
            any = true;
            kill(process, || is_ours(process));
        }
    }
    any
}

fn pid(process: u32) -> Option<Pid> {
    i32::try_from(process).ok().and_then(Pid::from_raw)
}

/// Kills a process, and surely no other that was given its number since.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn kill(process: u32, still_ours: impl Fn() -> bool) {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let Some(process) = pid(process) else { return };
    match pidfd_open(process, PidfdFlags::empty()) {
        Ok(handle) if still_ours() => {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
        // A kernel before 5.3 has no such handles.
        Err(rustix::io::Errno::NOSYS) => {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
        Ok(_) | Err(_) => {}
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn kill(process: u32, _still_ours: impl Fn() -> bool) {
    if let Some(process) = pid(process) {
        let _ = rustix::process::kill_process(process, Signal::KILL);
    }
}
