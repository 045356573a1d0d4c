//! What `/proc` tells of threads: their state, their run counts, and whose they are.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    time::Duration,
};

/// `stat` is about 350 bytes, at most 52 numbers and a name of 64 bytes.
const STAT_BYTES: usize = 1024;
/// `schedstat` is three numbers of at most 20 digits.
const SCHEDSTAT_BYTES: usize = 64;

/// `syscall` is `running` or at most nine numbers of at most 18 digits.
const SYSCALL_BYTES: usize = 256;

const NO_SUCH_PROCESS: i32 = 3;

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for something that is no disk.
    Asleep,
    /// SIGSTOP or a debugger holds it.
    Stopped,
    /// It has ended, and so has its process but for being waited for.
    Dead,
    /// It waits for what no signal ends: a disk, or a child that has borrowed its memory.
    Stuck,
    /// It runs, or is about to.
    Busy,
}

impl State {
    /// Reads a `stat` line: `pid (name) S …`. The name may hold anything, also `)`.
    fn parse(stat: &[u8]) -> Option<Self> {
        /// Position of the number of threads behind the name: field 20 of `proc_pid_stat(5)`.
        const THREADS: usize = 17;
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = stat.get(name_end + 2..)?;
        Some(match rest.first()? {
            // `I` and `P` are kernel threads at rest.
            b'S' | b'I' | b'P' => Self::Asleep,
            b'T' | b't' => Self::Stopped,
            b'D' => Self::Stuck,
            // The first thread of a process may end before the others: it then stays a zombie,
            // and a later `exec` by another thread revives its number.
            b'Z' => match rest.split(|byte| *byte == b' ').nth(THREADS)? {
                b"0" | b"1" => Self::Dead,
                _ => Self::Asleep,
            },
            _ => Self::Busy,
        })
    }
}

/// Whether a thread has left its processor for good, until it is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is blocked, or has ended.
    Off,
    /// It runs or waits for a processor.
    On,
    /// We may not know: it is another user's, or guards its memory.
    Hidden,
}

/// Time on a processor, time waiting for one, times it got one. Compared as a whole: a thread that
/// left the processor since has another first number, one that came back another third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runs {
    text: [u8; SCHEDSTAT_BYTES],
}

impl Runs {
    /// How long it has waited for a processor in its life.
    pub(super) fn waited(&self) -> Duration {
        self.nanos(1)
    }

    /// How long it has been on a processor in its life.
    pub(super) fn computed(&self) -> Duration {
        self.nanos(0)
    }

    fn nanos(&self, position: usize) -> Duration {
        let text = str::from_utf8(&self.text).unwrap_or_default();
        let nanos = text.split_whitespace().nth(position);
        Duration::from_nanos(nanos.and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
    }
}

/// A thread, with its files kept open. They stay bound to this thread: once it is gone they read
/// as errors, even when its number is given to another.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) number: u32,
    pub(super) process: u32,
    stat: File,
    schedstat: File,
    syscall: Option<File>,
}

impl Thread {
    /// `None` when it has already ended.
    pub(super) fn open(process: u32, number: u32) -> io::Result<Option<Self>> {
        let open = |file| gone_is_none(File::open(format!("/proc/{process}/task/{number}/{file}")));
        let (Some(stat), Some(schedstat)) = (open("stat")?, open("schedstat")?) else {
            return Ok(None);
        };
        let syscall = match open("syscall") {
            Ok(syscall) => syscall,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
            Err(error) => return Err(error),
        };
        Ok(Some(Self {
            number,
            process,
            stat,
            schedstat,
            syscall,
        }))
    }

    /// As if it belonged to another user.
    #[cfg(test)]
    pub(super) fn hide(&mut self) {
        self.syscall = None;
    }

    /// `None` when it has ended.
    pub(super) fn state(&self) -> io::Result<Option<State>> {
        let mut buffer = [0; STAT_BYTES];
        let Some(length) = gone_is_none(self.stat.read_at(&mut buffer, 0))? else {
            return Ok(None);
        };
        match State::parse(&buffer[..length]) {
            Some(state) => Ok(Some(state)),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "malformed `stat` in /proc",
            )),
        }
    }

    /// Whether it is blocked, which a state of `S` does not tell: the kernel sets it before
    /// looking once more whether there is a reason to sleep, and `wait4` holds it while it collects
    /// children, even when told not to wait.
    pub(super) fn place(&self) -> Place {
        let mut buffer = [0; SYSCALL_BYTES];
        match self
            .syscall
            .as_ref()
            .map(|file| file.read_at(&mut buffer, 0))
        {
            // `running`, or the call it is blocked in; `-1 …` when it is in none.
            Some(Ok(length)) if length > 0 => {
                if buffer[0] == b'r' {
                    Place::On
                } else {
                    Place::Off
                }
            }
            Some(Err(error)) if error.raw_os_error() == Some(NO_SUCH_PROCESS) => Place::Off,
            Some(Ok(_) | Err(_)) | None => Place::Hidden,
        }
    }

    /// `None` when it has ended.
    pub(super) fn runs(&self) -> io::Result<Option<Runs>> {
        let mut text = [0; SCHEDSTAT_BYTES];
        Ok(gone_is_none(self.schedstat.read_at(&mut text, 0))?.map(|_| Runs { text }))
    }
}

fn gone_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(NO_SUCH_PROCESS) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whose a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinship {
    pub(super) process: u32,
    pub(super) parent: u32,
    /// 0 when the kernel does not say.
    pub(super) group: u32,
    /// It has ended, and nobody has waited for it yet.
    pub(super) zombie: bool,
}

impl Kinship {
    /// Of a thread or process. `None` when there is none of this number that we may see.
    pub(super) fn of(number: u32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{number}/status")).ok()?)
    }

    fn parse(status: &[u8]) -> Option<Self> {
        let word = |name: &[u8]| {
            let line = status
                .split(|byte| *byte == b'\n')
                .find_map(|line| line.strip_prefix(name))?;
            str::from_utf8(line).ok()?.split_whitespace().next()
        };
        let number = |name| word(name)?.parse().ok();
        Some(Self {
            process: number(b"Tgid:")?,
            parent: number(b"PPid:")?,
            group: number(b"NSpgid:").unwrap_or(0),
            zombie: word(b"State:") == Some("Z"),
        })
    }
}

/// Whether a process was started with this `NAME=value` in its environment.
pub(super) fn has_variable(process: u32, variable: &[u8]) -> bool {
    fs::read(format!("/proc/{process}/environ")).is_ok_and(|environ| {
        environ
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable)
    })
}

/// The numbers that a folder of `/proc` has entries for.
pub(super) fn numbers(folder: &str) -> io::Result<Vec<u32>> {
    let Some(entries) = gone_is_none(fs::read_dir(folder))? else {
        return Ok(Vec::new());
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let Some(entry) = gone_is_none(entry)? else {
            break;
        };
        numbers.extend(
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(numbers)
}

/// The number that was last given to a process or thread, anywhere in our process namespace.
///
/// It is the last word of `/proc/loadavg`. Every new thread takes the next free number, so while
/// this one stays, no thread was born: one short read stands for listing all directories.
#[derive(Debug)]
pub(super) struct LastNumber {
    file: File,
}

impl LastNumber {
    pub(super) fn open() -> Option<Self> {
        let file = File::open("/proc/loadavg").ok()?;
        Some(Self { file })
    }

    pub(super) fn read(&self) -> Option<u32> {
        let mut buffer = [0; 128];
        let length = self.file.read_at(&mut buffer, 0).ok()?;
        str::from_utf8(&buffer[..length])
            .ok()?
            .split_whitespace()
            .last()?
            .parse()
            .ok()
    }
}

/// Whether the kernel shows states and counts runs: asked once of our own thread.
pub(super) fn are_shown() -> bool {
    let runs = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let counts = runs
        .as_deref()
        .and_then(|runs| runs.split_whitespace().nth(2));
    let state = fs::read("/proc/thread-self/stat").ok();
    // Kernels without `CONFIG_SCHED_INFO` print zeros.
    counts.is_some_and(|count| count != "0")
        && state.is_some_and(|stat| State::parse(&stat) == Some(State::Busy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(name: &str, state: char, threads: u32) -> String {
        format!("7 ({name}) {state} 1 7 7 0 -1 4194560 1 2 0 5 1 0 19 16 20 0 {threads} 0 4914 5 9")
    }

    #[test]
    fn states_are_read_behind_any_name() {
        for name in ["sh", "a) R 1 (b", "x y", "", ")"] {
            for (letter, threads, expected) in [
                ('S', 1, State::Asleep),
                ('R', 1, State::Busy),
                ('D', 3, State::Stuck),
                ('T', 1, State::Stopped),
                ('t', 1, State::Stopped),
                ('Z', 1, State::Dead),
                ('Z', 2, State::Asleep),
                ('X', 1, State::Busy),
            ] {
                let line = stat(name, letter, threads);
                assert_eq!(State::parse(line.as_bytes()), Some(expected), "{line}");
            }
        }
        assert_eq!(State::parse(b""), None);
        assert_eq!(State::parse(b"7 (sh)"), None);
    }

    #[test]
    fn kinship_is_read_from_status() {
        let status =
            b"Name:\tsh\nState:\tS (sleeping)\nTgid:\t12\nPid:\t13\nPPid:\t7\nNSpgid:\t12\t1\n";
        let expected = Kinship {
            process: 12,
            parent: 7,
            group: 12,
            zombie: false,
        };
        assert_eq!(Kinship::parse(status), Some(expected));
        assert_eq!(Kinship::parse(b"Name:\tsh\n"), None);
    }

    #[test]
    fn a_new_thread_takes_the_next_number() {
        if !are_shown() {
            eprintln!("skipped: no /proc here");
            return;
        }
        let last = LastNumber::open().expect("open");
        let before = last.read().expect("a number");
        let of_thread = std::thread::spawn(|| {
            let link = fs::read_link("/proc/thread-self").expect("a link");
            let number = link
                .file_name()
                .and_then(|name| name.to_str()?.parse::<u32>().ok());
            number.expect("a number")
        });
        let number = of_thread.join().expect("join");
        let after = last.read().expect("a number");
        assert!(
            after < before || (before < number && number <= after),
            "{before} < {number} <= {after}"
        );
    }
}
