//! One program outside: its pipes, its life and its death.

use std::{
    collections::VecDeque,
    fmt, fs,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{self, Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio, ioctl_fionread},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use super::{
    DATA_DIR_VARIABLE, DEFAULT_PATIENCE, ExternalError, GUARD_COMMAND, Idle, Launch, Limits, Line,
    Unsettled, Waited,
    files::{append_to, last_words, locate},
    guardian::Guardian,
    idle::{self, Before, Rest, Watch},
    lines::{Lines, Storm},
    nanos, now,
    tracer::{self, Leaks, Tracer},
};
use crate::{interrupt::Interrupt, simulation::NodeClock};

/// Read at once: as much as a pipe holds unless it was enlarged.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks read before the clock and the input are looked at again.
const CHUNKS_PER_TURN: usize = 16;
/// How long we look without sleeping between looks: most programs rest by then.
const EAGER: Duration = Duration::from_micros(200);
/// The first sleep between looks; it doubles until [`LONGEST_NAP`]. Output or death end it.
const SHORTEST_NAP: Duration = Duration::from_micros(20);
const LONGEST_NAP: Duration = Duration::from_millis(1);
/// The longest where the program is traced, since its stops end no sleep of ours.
const LONGEST_TRACED_NAP: Duration = Duration::from_micros(40);
/// Time moves on with a traced thread that computes for so long without looking at the clock: others
/// may wait for a time before they go on, and it for them.
const COMPUTING: Duration = Duration::from_millis(100);
/// So much of the run's time a program that is told to end may take for it.
const TIME_TO_END: Duration = Duration::from_mins(1);
/// The longest sleep, so that an interrupt, or an end which wakes nobody, is noticed.
const LONGEST_DEAFNESS: Duration = Duration::from_millis(50);
/// How many times its patience a program is given in addition for being held up by others.
const MOST_HELD_UP: u32 = 9;
/// From a closed pipe to the end of the process that closed it.
const DEATH_NOTICE: Duration = Duration::from_millis(500);
/// From SIGKILL to the end; more means that it hangs in a system call.
const KILL_NOTICE: Duration = Duration::from_secs(5);
/// From SIGSTOP until all threads stand still.
const STOP_NOTICE: Duration = Duration::from_secs(1);
/// Rounds of killing descendants that were born meanwhile.
const KILL_ROUNDS: usize = 8;
const TRACE_REMEDY: &str = "it needs ptrace and seccomp (in a container: `--cap-add SYS_PTRACE`, and a profile that allows both); without them: `--time lockstep` or `--time real`";
const READ_REMEDY: &str = "this is the machine's fault; raise `ulimit -n` if files ran out, else run again with `--time real`";

/// How a program was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its status, when it could be had.
    pub status: Option<ExitStatus>,
    /// Whether it had to be killed.
    pub killed: bool,
}

/// A running program. Dropping it kills it, its process group and its known descendants.
pub struct Process {
    name: String,
    stderr_file: PathBuf,
    child: Child,
    group: Pid,
    /// Ends the group when we cannot.
    guardian: Option<&'static Guardian>,
    /// Becomes readable at the end of the process; `None` on kernels before 5.3.
    end: Option<OwnedFd>,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stdout_ended: bool,
    /// What the pipe had no room for.
    unsent: VecDeque<Unsent>,
    lines: Lines,
    line: Vec<u8>,
    chunk: Box<[u8]>,
    watch: Option<Watch>,
    /// Holds its clock, where that is ours.
    tracer: Option<Tracer>,
    patience: Duration,
    paused: bool,
    /// Its end was seen and it was waited for: its number may mean another process by now.
    gone: bool,
    status: Option<ExitStatus>,
    /// Whoever waits for the program stops waiting when it is raised.
    interrupt: Interrupt,
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Process")
            .field("name", &self.name)
            .field("id", &self.child.id())
            .field("gone", &self.gone)
            .finish_non_exhaustive()
    }
}

/// A line that is not written, or not completely.
struct Unsent {
    bytes: Vec<u8>,
    written: usize,
}

/// Whether a traced program computes without looking at the clock.
struct Computing {
    /// When it was looked at last.
    looked: Instant,
    /// How long it had run then; not known before it seemed to compute.
    computed: Option<Duration>,
}

impl Computing {
    fn since(moment: Instant) -> Self {
        Self {
            looked: moment,
            computed: None,
        }
    }
}

/// What became of a turn of reading and writing.
enum Turn {
    /// Nothing was read.
    Quiet,
    /// Output came.
    Read,
    /// The program closed a pipe.
    Closed(&'static str),
}

impl Process {
    /// What is said to have failed where a program's clock cannot be taken over.
    pub const TRACE: &str = "take over the program's clock";

    /// Starts a program in its own process group.
    ///
    /// With [`Launch::guard`] it dies with the calling **thread**, see
    /// [`exec_guarded`](super::exec_guarded).
    ///
    /// # Errors
    ///
    /// When there is no such program or it cannot be executed, or a file cannot be created. Behind
    /// a guard, what only `exec` finds out (a script without `#!`) shows as a death instead.
    pub fn spawn(launch: &Launch) -> Result<Self, ExternalError> {
        let name = &launch.name;
        let create = |path: &Path| {
            let path = path.to_owned();
            move |source| ExternalError::Create {
                name: name.clone(),
                path,
                source,
            }
        };
        let (program, arguments) = launch
            .argv
            .split_first()
            .ok_or_else(|| ExternalError::NoProgram { name: name.clone() })?;
        let found = locate(name, program)?;
        fs::create_dir_all(&launch.folder).map_err(create(&launch.folder))?;
        let folder = path::absolute(&launch.folder).map_err(create(&launch.folder))?;
        let stderr = append_to(&launch.stderr_file).map_err(create(&launch.stderr_file))?;

        let mut command = match &launch.guard {
            // What is traced dies with its tracer.
            _ if launch.tracing.is_some() => tracer::command(&found),
            None => Command::new(&found),
            Some(guard) => {
                let mut command = Command::new(guard);
                command
                    .arg(GUARD_COMMAND)
                    .arg(std::process::id().to_string())
                    .arg(&found);
                command
            }
        };
        command
            .args(arguments)
            .current_dir(&folder)
            .env(DATA_DIR_VARIABLE, &folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let guardian = launch.guard.as_deref().and_then(Guardian::of_this_process);
        if let Some(guardian) = guardian {
            let (name, token) = guardian.variable();
            command.env(name, token);
        }
        let before = Before::now();
        let failed = |source| ExternalError::Spawn {
            name: name.clone(),
            program: program.clone(),
            source,
        };
        let mut child = command.spawn().map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let group = Pid::from_child(&child);
        if let Some(guardian) = guardian {
            guardian.begin(child.id());
        }
        let mut process = Self {
            name: name.clone(),
            stderr_file: launch.stderr_file.clone(),
            end: end_of(group),
            group,
            guardian,
            child,
            stdin: Some(stdin),
            stdout,
            stdout_ended: false,
            unsent: VecDeque::new(),
            lines: Lines::default(),
            line: Vec::new(),
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            watch: None,
            tracer: None,
            patience: DEFAULT_PATIENCE,
            paused: false,
            gone: false,
            status: None,
            interrupt: launch.interrupt.clone(),
        };
        // From here on an error drops, and so ends, the process.
        if let Some(tracing) = launch.tracing {
            let files = launch.stderr_file.as_path();
            process.tracer = match Tracer::seize(process.id(), tracing, files, &folder) {
                Ok(tracer) => Some(tracer),
                Err(source) => return Err(process.system(Self::TRACE, source)),
            };
        }
        process
            .prepare(&folder, before)
            .map_err(|source| process.system("watch the process", source))?;
        Ok(process)
    }

    fn prepare(&mut self, folder: &Path, before: Before) -> io::Result<()> {
        if let Some(stdin) = &self.stdin {
            ioctl_fionbio(stdin, true)?;
        }
        ioctl_fionbio(&self.stdout, true)?;
        if idle::supported() {
            let mut variable = format!("{DATA_DIR_VARIABLE}=").into_bytes();
            variable.extend_from_slice(folder.as_os_str().as_encoded_bytes());
            let before = self.tracer.is_none().then_some(before);
            self.watch = Some(Watch::new(self.child.id(), variable, before)?);
        }
        Ok(())
    }

    /// Whether its clock is ours.
    pub fn is_traced(&self) -> bool {
        self.tracer.is_some()
    }

    /// The present moment of the run, since its begin, where its clock is ours: it may be later than
    /// it was told, when the program looked at the clock again and again, or computed for long.
    pub fn time(&self) -> Option<Duration> {
        let tracer = self.tracer.as_ref()?;
        Some(Duration::from_nanos(tracer.now()))
    }

    /// Tells it the present moment of the run. It never goes back.
    pub fn pass_to(&mut self, time: Duration) {
        if let Some(tracer) = &mut self.tracer {
            tracer.pass_to(nanos(time));
        }
    }

    /// Gives it another clock, where its clock is ours.
    pub fn set_clock(&mut self, clock: NodeClock) {
        if let Some(tracer) = &mut self.tracer {
            tracer.set_clock(clock);
        }
    }

    /// Whether it has used its clock since this was asked, where that is ours: it read the wall clock,
    /// a wait for a time of the wall clock ended, or, where the clock is too fast or too slow, it read
    /// any clock or any wait for a time ended. A reading that comes to nothing more counts, too.
    pub fn clock_was_used(&mut self) -> bool {
        self.tracer.as_mut().is_some_and(Tracer::clock_was_used)
    }

    /// When the first of its timers and waits is due, where its clock is ours; not while it is paused.
    pub fn due(&self) -> Option<Duration> {
        let tracer = self
            .tracer
            .as_ref()
            .filter(|_| !self.paused && !self.gone)?;
        tracer.due().map(Duration::from_nanos)
    }

    /// Lets the first of its timers and waits go off that is due at the present moment. Follow with
    /// [`Process::settle`].
    ///
    /// # Errors
    ///
    /// When the program is gone.
    pub fn fire(&mut self) -> Result<(), ExternalError> {
        self.check_alive()?;
        let Some(tracer) = &mut self.tracer else {
            return Ok(());
        };
        let fired = tracer.fire();
        fired
            .map(drop)
            .map_err(|source| self.system("wake the program", source))
    }

    /// The program is to crash when it is about to write to, sync, rename or remove a file for the
    /// n-th time from now; `None`: not any more. False where it cannot be made to.
    pub fn doom(&mut self, deeds: Option<u32>) -> bool {
        match &mut self.tracer {
            Some(tracer) => {
                tracer.doom(deeds);
                true
            }
            None => false,
        }
    }

    /// Whether it died because it was made to.
    pub fn fell(&self) -> bool {
        self.tracer.as_ref().is_some_and(Tracer::fell)
    }

    /// Its machine loses power, after it was killed: its folder becomes as it surely is on storage. Returns how
    /// many files were set back; `None` where that cannot be known, and none was.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or written to.
    pub fn lose_power(&mut self, keeps_names: bool) -> Result<Option<u64>, ExternalError> {
        let Some(tracer) = &mut self.tracer else {
            return Ok(None);
        };
        let lost = tracer.lose_power(keeps_names);
        lost.map_err(|source| self.system("set back the node's files", source))
    }

    /// What could not be held to the run's time.
    pub fn leaks(&self) -> Option<&Leaks> {
        self.tracer.as_ref().map(Tracer::leaks)
    }

    /// Looks at the stops of a traced program, and lets it go on. Returns whether there were any.
    fn pump(&mut self) -> Result<bool, ExternalError> {
        let Some(tracer) = &mut self.tracer else {
            return Ok(false);
        };
        let pumped = tracer.pump();
        let births = tracer.take_births();
        let any = match pumped {
            Ok(any) => any,
            Err(source) => return Err(self.system(Self::TRACE, source)),
        };
        if any && let Some(watch) = &mut self.watch {
            watch.stir();
            for (process, thread) in births {
                if let Err(source) = watch.learn(process, thread) {
                    return Err(self.system("read /proc", source));
                }
            }
        }
        Ok(any)
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, also the id of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long to wait for a rest before [`Idle::Never`]. Give a first request more: some
    /// languages take seconds to start.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// What the program may write in its life.
    pub fn set_limits(&mut self, limits: Limits) {
        self.lines.set_limits(limits);
    }

    /// What the program has written behind the last end of a line.
    pub fn unfinished(&self) -> &[u8] {
        self.lines.unfinished()
    }

    /// Hands that over as a line; an end that comes later is not another line.
    pub fn take_unfinished(&mut self, out: &mut Vec<Line>) {
        self.lines.take_unfinished(out);
    }

    /// Writes a line, waits until the program rests, and hands over what it wrote, in order.
    ///
    /// The line goes out by a write of its own, with a line feed added. After [`Idle::Reached`]
    /// the program has read it; after [`Idle::Never`] part of it may still have to be written,
    /// which the next call goes on with.
    ///
    /// # Errors
    ///
    /// When the program died, closed a pipe or wrote too much. Lines that came before are in `out`
    /// then, too. Only [`Process::kill`] and the like are of use afterwards.
    pub fn deliver(&mut self, line: &str, out: &mut Vec<Line>) -> Result<Idle, ExternalError> {
        self.send(line, out)?;
        self.settle(out)
    }

    /// Waits until the program rests, and hands over what it wrote: after a start, after
    /// [`Process::resume`], or after [`Process::send`].
    ///
    /// # Errors
    ///
    /// As [`Process::deliver`].
    pub fn settle(&mut self, out: &mut Vec<Line>) -> Result<Idle, ExternalError> {
        let deadline = now() + self.patience;
        self.settle_until(deadline, out)
    }

    /// Writes a line and does not wait: for real time. What the pipe has no room for is written by
    /// later calls.
    ///
    /// # Errors
    ///
    /// As [`Process::deliver`].
    pub fn send(&mut self, line: &str, out: &mut Vec<Line>) -> Result<(), ExternalError> {
        self.check_alive()?;
        self.lines.begin_burst();
        let mut bytes = std::mem::take(&mut self.line);
        bytes.clear();
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let written = if self.unsent.is_empty() {
            self.write(&bytes)
        } else {
            Ok(0)
        };
        let result = match written {
            Ok(written) => {
                if written < bytes.len() {
                    let bytes = std::mem::take(&mut bytes);
                    self.unsent.push_back(Unsent { bytes, written });
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(self.closed("stdin", out))
            }
            Err(error) => Err(self.system("write to stdin", error)),
        };
        self.line = bytes;
        result
    }

    /// Hands over what the program wrote so far, and does not wait.
    ///
    /// # Errors
    ///
    /// As [`Process::deliver`].
    pub fn collect(&mut self, out: &mut Vec<Line>) -> Result<(), ExternalError> {
        self.check_alive()?;
        match self.turn(out)? {
            Turn::Closed(stream) => Err(self.closed(stream, out)),
            Turn::Quiet if self.has_ended() => Err(self.died(out)),
            Turn::Read | Turn::Quiet => Ok(()),
        }
    }

    /// Lets real time pass until the program wrote a line and rests again, or the span is over:
    /// for programs with timers of their own. A program that writes but does not rest is waited
    /// for as long as the patience.
    ///
    /// # Errors
    ///
    /// As [`Process::deliver`].
    pub fn wait(&mut self, up_to: Duration, out: &mut Vec<Line>) -> Result<Waited, ExternalError> {
        self.check_alive()?;
        self.lines.begin_burst();
        let deadline = now() + up_to;
        let before = out.len();
        loop {
            match self.turn(out)? {
                Turn::Closed(stream) => return Err(self.closed(stream, out)),
                Turn::Read | Turn::Quiet => {}
            }
            if out.len() > before {
                let settled = self.settle_until(deadline.min(now() + self.patience), out)?;
                return Ok(match settled {
                    Idle::Reached | Idle::Paused => Waited::Wrote,
                    Idle::Never(_) => Waited::Busy,
                });
            }
            if self.has_ended() {
                return Err(self.died(out));
            }
            self.check_interrupt()?;
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                if let Some(watch) = &mut self.watch {
                    watch.stir();
                }
                let rests = matches!(self.look(), Ok(None | Some(Rest::Asleep)));
                return Ok(if rests { Waited::Silent } else { Waited::Busy });
            }
            self.nap(left);
        }
    }

    /// Stops the process group where it stands (SIGSTOP), and returns once it stands still.
    ///
    /// # Errors
    ///
    /// When the program is gone.
    pub fn pause(&mut self) -> Result<(), ExternalError> {
        self.check_alive()?;
        if self.is_traced() {
            // It rests, and nothing that it waits for comes.
            self.paused = true;
            return Ok(());
        }
        self.signal(Signal::STOP)?;
        self.paused = true;
        let deadline = now() + STOP_NOTICE;
        while let Some(watch) = &mut self.watch
            && now() < deadline
        {
            match watch.is_stopped() {
                Ok(false) => std::thread::sleep(SHORTEST_NAP),
                Ok(true) => break,
                Err(source) => return Err(self.system("read /proc", source)),
            }
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT). Follow with [`Process::settle`].
    ///
    /// # Errors
    ///
    /// When the program is gone.
    pub fn resume(&mut self) -> Result<(), ExternalError> {
        self.check_alive()?;
        self.paused = false;
        if self.is_traced() {
            return Ok(());
        }
        self.signal(Signal::CONT)
    }

    /// Kills the process group and the known descendants at once (SIGKILL), and waits for the end.
    pub fn kill(&mut self) -> Ended {
        let killed = !self.has_ended();
        self.kill_all();
        Ended {
            status: self.status,
            killed,
        }
    }

    /// Closes its stdin: the sign that a program should end. [`Process::stop`] waits for that.
    pub fn close_input(&mut self) {
        // What is still unsent is lost: it would keep stdin open for ever.
        self.unsent.clear();
        self.stdin = None;
    }

    /// Ends it gracefully: closes stdin, waits for its end as long as `grace`, then kills what is
    /// left of the group. What it writes meanwhile is handed over, as far as the limits allow.
    pub fn stop(&mut self, grace: Duration, out: &mut Vec<Line>) -> Ended {
        if self.paused {
            // It may be gone already.
            let _ = self.resume();
        }
        let deadline = now() + grace;
        self.close_input();
        let end = self.time().unwrap_or_default() + TIME_TO_END;
        while !self.has_ended() && now() < deadline && !self.interrupt.is_raised() {
            if self.is_traced() {
                // Its own time passes, since it may wait for a timer before it ends.
                let rests = self.settle_until(deadline, out).is_ok();
                let due = self.due().filter(|due| *due <= end);
                match due {
                    Some(due) if rests => {
                        self.pass_to(due);
                        let _ = self.fire();
                        continue;
                    }
                    _ if !self.has_ended() && rests => break,
                    _ => {}
                }
            }
            if self.read(out).is_err() {
                break;
            }
            self.nap(
                deadline
                    .saturating_duration_since(now())
                    .min(LONGEST_NAP * 10),
            );
        }
        if !self.gone && self.has_ended() {
            self.read_rest(out);
        }
        self.kill()
    }

    fn settle_until(
        &mut self,
        deadline: Instant,
        out: &mut Vec<Line>,
    ) -> Result<Idle, ExternalError> {
        self.check_alive()?;
        if let Some(watch) = &mut self.watch {
            watch.begin();
        }
        let mut was_unread = false;
        let mut held_up_for = Duration::ZERO;
        let mut eager_until = deadline.min(now() + EAGER);
        let mut eager = true;
        let mut nap = SHORTEST_NAP;
        let mut computing = Computing::since(now());
        loop {
            if self.pump()? {
                let moment = now();
                computing = Computing::since(moment);
                eager_until = moment + EAGER;
                nap = SHORTEST_NAP;
            }
            match self.turn(out)? {
                Turn::Closed(stream) => return Err(self.closed(stream, out)),
                Turn::Read | Turn::Quiet => {}
            }
            if self.paused {
                return Ok(Idle::Paused);
            }
            let unread = self
                .has_unread_input()
                .map_err(|source| self.system("ask for unread input", source))?;
            // What was seen while there was input does not tell of the time since it was read.
            if std::mem::replace(&mut was_unread, unread)
                && let Some(watch) = &mut self.watch
            {
                watch.stir();
            }
            let is_due = unread && self.due().is_some();
            // While it is eager, one that has not read its input need not be looked at.
            let looked = if unread && eager && self.watch.is_some() {
                Some(Rest::Busy)
            } else {
                self.look()?
            };
            let unsettled = match looked {
                None => return Ok(Idle::Never(Unsettled::Unobservable)),
                Some(Rest::Dead) => return Err(self.died(out)),
                // Where its clock is ours it may have to wait before it reads.
                Some(Rest::Asleep) if unread && !is_due => Unsettled::InputUnread,
                // What was written before the rest is in the pipe.
                Some(Rest::Asleep) => match self.turn(out)? {
                    // One that was stopped may just have been told to go on.
                    Turn::Quiet if self.pump()? => continue,
                    Turn::Quiet => {
                        if let Some(tracer) = &mut self.tracer {
                            tracer.rested();
                        }
                        return Ok(Idle::Reached);
                    }
                    Turn::Closed(stream) => return Err(self.closed(stream, out)),
                    Turn::Read => continue,
                },
                Some(Rest::Busy) if unread && eager => Unsettled::InputUnread,
                Some(Rest::Busy) => Unsettled::Running,
            };
            let moment = now();
            if unsettled == Unsettled::Running && self.is_traced() {
                self.creep(&mut computing, moment)?;
            }
            eager = moment < eager_until;
            // Stops that never cease keep us eager for ever: patience ends nevertheless.
            let mut left = (deadline + held_up_for).saturating_duration_since(moment);
            if left.is_zero() {
                // On a busy machine it had less than the time that passed.
                let held_up = self.watch.as_ref().map_or(Duration::ZERO, Watch::held_up);
                held_up_for = held_up.min(self.patience * MOST_HELD_UP);
                left = (deadline + held_up_for).saturating_duration_since(moment);
            }
            if left.is_zero() {
                return Ok(Idle::Never(unsettled));
            }
            self.check_interrupt()?;
            if eager {
                std::thread::yield_now();
            } else {
                if self.has_ended() {
                    return Err(self.died(out));
                }
                self.nap(nap.min(left));
                nap = (nap * 2).min(LONGEST_NAP);
            }
        }
    }

    /// What is seen of its rest just now; `None` where nothing is.
    fn look(&mut self) -> Result<Option<Rest>, ExternalError> {
        let tracer = self.tracer.as_ref();
        let held = |thread| tracer.is_some_and(|tracer| tracer.is_held(thread));
        let looked = self.watch.as_mut().map(|watch| watch.look(&held));
        looked
            .transpose()
            .map_err(|source| self.system("read /proc", source))
    }

    /// Lets time pass with a program that computes without looking at the clock: as much as it computed.
    fn creep(&mut self, computing: &mut Computing, moment: Instant) -> Result<(), ExternalError> {
        if moment - computing.looked < COMPUTING {
            return Ok(());
        }
        computing.looked = moment;
        let computed = self.watch.as_ref().map_or(Duration::ZERO, Watch::computed);
        let before = *computing.computed.get_or_insert(computed);
        let by = computed.saturating_sub(before);
        if by < COMPUTING / 2 {
            return Ok(());
        }
        computing.computed = Some(computed);
        let crept = self.tracer.as_mut().map(|tracer| tracer.creep(nanos(by)));
        crept
            .transpose()
            .map(drop)
            .map_err(|source| self.system("wake the program", source))
    }

    /// Writes what is unsent and reads what has come, both without waiting. Room in a full pipe may
    /// wake the program: after it was read from, what was seen of its rest is void.
    fn turn(&mut self, out: &mut Vec<Line>) -> Result<Turn, ExternalError> {
        while let Some(mut next) = self.unsent.pop_front() {
            match self.write(&next.bytes[next.written..]) {
                Ok(written) => {
                    next.written += written;
                    if next.written < next.bytes.len() {
                        self.unsent.push_front(next);
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(Turn::Closed("stdin"));
                }
                Err(error) => return Err(self.system("write to stdin", error)),
            }
        }
        let read = self.read(out)?;
        if read && let Some(watch) = &mut self.watch {
            watch.stir();
        }
        Ok(if self.stdout_ended {
            Turn::Closed("stdout")
        } else if read {
            Turn::Read
        } else {
            Turn::Quiet
        })
    }

    /// Writes as much as there is room for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(stdin) = &mut self.stdin else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut written = 0;
        while written < bytes.len() {
            match stdin.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Reads until nothing is left, or for one turn. Returns whether anything came.
    fn read(&mut self, out: &mut Vec<Line>) -> Result<bool, ExternalError> {
        let mut any = false;
        for _ in 0..CHUNKS_PER_TURN {
            if self.stdout_ended {
                break;
            }
            match self.stdout.read(&mut self.chunk) {
                Ok(0) => {
                    self.stdout_ended = true;
                    self.lines.finish(out);
                }
                Ok(count) => {
                    any = true;
                    self.lines
                        .push(&self.chunk[..count], out)
                        .map_err(|storm| self.storm(storm))?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.system("read stdout", error)),
            }
        }
        Ok(any)
    }

    /// After the end: all that is still in the pipe, and the last line without an end.
    fn read_rest(&mut self, out: &mut Vec<Line>) {
        // A storm or a broken pipe changes nothing about a dead program.
        while let Ok(true) = self.read(out) {}
        self.lines.finish(out);
    }

    fn has_unread_input(&self) -> io::Result<bool> {
        Ok(!self.unsent.is_empty()
            || match &self.stdin {
                Some(stdin) => ioctl_fionread(stdin)? > 0,
                None => false,
            })
    }

    /// Sleeps until output comes, the process ends, unsent input finds room, or the span is over.
    fn nap(&self, span: Duration) {
        let longest = if self.is_traced() {
            LONGEST_TRACED_NAP
        } else {
            span
        };
        await_any(&[self], span.min(longest));
    }

    /// What may wake one that naps; false when its end does not.
    fn wakers<'p>(&'p self, sources: &mut Vec<PollFd<'p>>) -> bool {
        if !self.stdout_ended {
            sources.push(PollFd::new(&self.stdout, PollFlags::IN));
        }
        if let Some(end) = &self.end {
            sources.push(PollFd::new(end, PollFlags::IN));
        }
        if let Some(stdin) = &self.stdin
            && !self.unsent.is_empty()
        {
            sources.push(PollFd::new(stdin, PollFlags::OUT));
        }
        self.end.is_some()
    }

    /// Whether the process has ended. Does not wait for it, so that its number stays taken.
    fn has_ended(&mut self) -> bool {
        if self.tracer.is_some() && !self.gone {
            // Its end is a stop like others.
            let failed = self.pump().is_err();
            let tracer = self.tracer.as_ref();
            return failed || tracer.is_some_and(|tracer| tracer.status().is_some());
        }
        self.gone
            || !matches!(
                waitid(
                    WaitId::Pid(self.group),
                    WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
                ),
                Ok(None) | Err(Errno::INTR)
            )
    }

    fn await_end(&mut self, span: Duration) -> bool {
        let deadline = now() + span;
        loop {
            if self.has_ended() {
                return true;
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return false;
            }
            let longest = if self.is_traced() {
                LONGEST_TRACED_NAP
            } else {
                LONGEST_NAP * 10
            };
            let span = Timespec::try_from(left.min(longest)).unwrap_or_default();
            let mut end: Vec<_> = self
                .end
                .iter()
                .map(|end| PollFd::new(end, PollFlags::IN))
                .collect();
            let _ = poll(&mut end, Some(&span));
        }
    }

    /// Waits for the ends of what a traced program has started, which were killed: each is told to its
    /// tracer, and is a zombie until then.
    fn await_end_of_all(&mut self, span: Duration) {
        let deadline = now() + span;
        while self.tracer.as_ref().is_some_and(|tracer| !tracer.is_over()) && now() < deadline {
            match self.pump() {
                Ok(true) => {
                    // Born while they were killed.
                    if let Some(tracer) = &self.tracer {
                        tracer.kill();
                    }
                }
                Ok(false) => std::thread::sleep(SHORTEST_NAP),
                Err(_) => break,
            }
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), ExternalError> {
        kill_process_group(self.group, signal)
            .map_err(|source| self.system("signal the process group", source.into()))
    }

    fn kill_all(&mut self) {
        for _ in 0..KILL_ROUNDS {
            if !self.gone {
                // Not waited for yet, so the number still means this group. When it fails, there is
                // nobody left.
                let _ = kill_process_group(self.group, Signal::KILL);
            }
            let Some(watch) = &mut self.watch else { break };
            let born = watch.refresh().unwrap_or(false);
            for thread in watch.descendants() {
                kill_process(thread);
            }
            if let Some(tracer) = &self.tracer {
                tracer.kill();
            }
            if !born {
                break;
            }
        }
        self.stdin = None;
        if !self.gone {
            // A process that hangs in the kernel is left to it: nobody could end it.
            let ended = self.await_end(KILL_NOTICE);
            self.await_end_of_all(KILL_NOTICE);
            if let Some(guardian) = self.guardian {
                guardian.end(self.child.id());
            }
            self.status = match &self.tracer {
                // It was waited for already.
                Some(tracer) => tracer.status().map(ExitStatus::from_raw),
                None => ended.then(|| self.child.wait().ok()).flatten(),
            };
            self.gone = true;
        }
    }

    fn check_alive(&self) -> Result<(), ExternalError> {
        self.check_interrupt()?;
        if self.gone { Err(self.dead()) } else { Ok(()) }
    }

    fn check_interrupt(&self) -> Result<(), ExternalError> {
        if self.interrupt.is_raised() {
            let name = self.name.clone();
            return Err(ExternalError::Interrupted { name });
        }
        Ok(())
    }

    /// A pipe was closed, most likely by the end of the process.
    fn closed(&mut self, stream: &'static str, out: &mut Vec<Line>) -> ExternalError {
        let deadline = now() + DEATH_NOTICE;
        while !self.has_ended() {
            // It may be unable to end before its last output is taken.
            if now() > deadline || self.read(out).is_err() {
                return ExternalError::Closed {
                    name: self.name.clone(),
                    stream,
                };
            }
            self.await_end(LONGEST_NAP);
        }
        self.died(out)
    }

    /// The process has ended: hands over what it left, and ends what is left of its group.
    fn died(&mut self, out: &mut Vec<Line>) -> ExternalError {
        self.read_rest(out);
        self.kill_all();
        self.dead()
    }

    fn dead(&self) -> ExternalError {
        ExternalError::Died {
            name: self.name.clone(),
            status: self.status,
            last_words: last_words(&self.stderr_file),
            stderr_file: self.stderr_file.clone(),
        }
    }

    fn storm(&self, storm: Storm) -> ExternalError {
        ExternalError::Storm {
            name: self.name.clone(),
            storm,
        }
    }

    fn system(&self, action: &'static str, source: io::Error) -> ExternalError {
        ExternalError::System {
            name: self.name.clone(),
            action,
            source,
            remedy: if action == Self::TRACE {
                TRACE_REMEDY
            } else {
                READ_REMEDY
            },
        }
    }
}

/// Sleeps until output of one of them comes, one ends, its unsent input finds room, or the span is
/// over. It may return early: look again.
pub fn await_any(processes: &[&Process], span: Duration) {
    let mut sources = Vec::with_capacity(3 * processes.len());
    let mut span = span.min(LONGEST_DEAFNESS);
    for process in processes {
        if !process.wakers(&mut sources) {
            span = span.min(LONGEST_NAP);
        }
    }
    let span = Timespec::try_from(span).unwrap_or_default();
    // Being interrupted is a short nap.
    let _ = poll(&mut sources, Some(&span));
}

/// Lets traced programs, just started, come to their first rest side by side. None is waited for longer
/// than the patience; whether it rests is found out when it is spoken to.
///
/// # Errors
///
/// When a program cannot be traced any more.
pub fn let_start_together<'p>(
    processes: impl IntoIterator<Item = &'p mut Process>,
    patience: Duration,
) -> Result<(), ExternalError> {
    let deadline = now() + patience;
    let mut starting: Vec<&mut Process> = processes.into_iter().collect();
    while !starting.is_empty() && now() < deadline {
        let mut stops = false;
        let mut position = 0;
        while position < starting.len() {
            let process = &mut *starting[position];
            process.check_interrupt()?;
            if process.pump()? {
                stops = true;
                position += 1;
            } else if process.look()? != Some(Rest::Busy) {
                starting.swap_remove(position);
            } else {
                position += 1;
            }
        }
        if !stops {
            std::thread::sleep(SHORTEST_NAP);
        }
    }
    Ok(())
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_all();
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_of(process: Pid) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(process, PidfdFlags::empty()).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn end_of(_process: Pid) -> Option<OwnedFd> {
    None
}

/// Kills the process of this thread, and surely no other that was given its number since.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn kill_process(thread: &super::threads::Thread) {
    use rustix::process::pidfd_send_signal;
    let process = i32::try_from(thread.process).ok().and_then(Pid::from_raw);
    let Some(handle) = process.and_then(end_of) else {
        return;
    };
    // The handle was made while the thread lived, so it is of the thread's process.
    if let Ok(Some(_)) = thread.state() {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn kill_process(_thread: &super::threads::Thread) {}
