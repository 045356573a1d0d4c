//! The tracer itself: its threads, their stops, and what is due.

mod filter;
mod launch;
mod memory;
mod randomness;
mod storage;
mod syncs;
mod timers;
mod vdso;
mod waits;
mod x86_64;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use nix::{errno::Errno, sys::ptrace, unistd::Pid};
use rustix::process::{
    Pid as ProcessId, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process, waitid,
    waitpid,
};
use sibcheck_ptrace::{Resume, resume};

use crate::simulation::{Hand, NodeClock, Run, SECOND};

use super::{super::threads::Kinship, Leaks, Tracing};
pub(in crate::nodes::process) use launch::command;
use launch::{Made, go_to_call, make};
use memory::Memory;
use randomness::Randomness;
use storage::Storage;
use syncs::Seen;
use timers::{Due, Notice, Timers};
use vdso::Page;
use waits::{Begun, BrokenOff, Wait};
use x86_64::{self as calls, Registers};

/// Children of every kind.
const ALL_KINDS: WaitOptions = WaitOptions::from_bits_retain(0x4000_0000);

/// The same, and only those of this thread.
const OF_THIS_THREAD: WaitIdOptions = WaitIdOptions::from_bits_retain(0x6000_0000);

/// Stops that are looked at before whoever waits is asked whether it still does.
const MOST_STOPS: u32 = 10_000;

/// So often a thread may read the clock from one place before it rests. Each further time it moves on, so
/// that who waits by looking at it comes to an end.
const MOST_READINGS: u32 = 1_000;

/// The same of a process that reads it without a stop, by any of its threads, and how often after that
/// each time it has moved on.
const MOST_CHEAP_READINGS: u32 = 20_000;
const FURTHER_CHEAP_READINGS: u32 = 20;

/// What is told of programs that do system calls of 32 bits: none of them is covered.
const CALLS_OF_32_BITS: &str = "calls of 32 bits";

/// How far it moves on then, in nanoseconds.
const STEP: Run = 20_000;

const SIGTRAP: i32 = 5;
const SIGSEGV: i32 = 11;
/// What a stop at a system call is marked with.
const AT_CALL: i32 = SIGTRAP | 0x80;

const AT_IGNORE: u64 = 1;
const AT_RANDOM: u64 = 25;
/// Where the kernel's code for reading clocks without a call is mapped.
const AT_SYSINFO_EHDR: u64 = 33;

/// Why a thread stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The process, or this thread of it, has ended with this status.
    Ended(i32),
    /// In a call that the filter names.
    Filtered,
    /// It enters or leaves a call.
    Call,
    /// It has given birth to a thread or process.
    Birth { borrowed: bool },
    /// A child that had borrowed its memory gives it back.
    Returned,
    /// It has become another program.
    Exec,
    /// Because of an interrupt, or of its own birth.
    Interrupt,
    /// Its process was stopped by this signal.
    Group(i32),
    /// A signal is about to be delivered.
    Signal(i32),
}

impl Stop {
    fn of(status: WaitStatus) -> Self {
        let raw = status.as_raw();
        if !status.stopped() {
            return Self::Ended(raw);
        }
        let (signal, event) = (raw >> 8 & 0xff, raw >> 16);
        match event {
            1 | 3 => Self::Birth { borrowed: false },
            2 => Self::Birth { borrowed: true },
            4 => Self::Exec,
            5 => Self::Returned,
            7 => Self::Filtered,
            128 if signal == SIGTRAP => Self::Interrupt,
            128 => Self::Group(signal),
            _ if signal == AT_CALL => Self::Call,
            _ => Self::Signal(signal),
        }
    }
}

/// Waits until a thread stops.
pub(super) fn wait_for(thread: Pid) -> io::Result<Stop> {
    match waitpid(ProcessId::from_raw(thread.as_raw()), ALL_KINDS)? {
        Some((_, status)) => Ok(Stop::of(status)),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// What a thread is about, as far as that matters here.
#[derive(Debug)]
enum Doing {
    /// Something else.
    Else,
    /// It waits for a time.
    Waiting(Wait),
    /// Its time has come.
    WakingUp(Wait),
    /// It is in a call after which something is to be put right.
    Calling(Afterwards),
}

/// What is put right after a call.
#[derive(Debug)]
enum Afterwards {
    /// The uptime in the first word there is ours.
    Uptime(u64),
    /// A timer's number was written there.
    Timer(u64, Notice),
    /// This file is on storage then.
    Synced(File),
    /// The argument of `open` was replaced; the file is taken away once it is open.
    Opened { arguments: [u64; 6], file: PathBuf },
}

#[derive(Debug)]
struct Thread {
    /// Of which process.
    process: i32,
    /// By birth, among all threads and timers of the node.
    order: u64,
    doing: Doing,
    broken_off: Option<BrokenOff>,
    /// It is stopped with its process.
    stopped: bool,
    /// It stands still until a child gives its memory back.
    lends: bool,
    /// How often it has read the clock since the program rested, by how deep its stack was: who waits by
    /// looking at the clock does so from one place.
    readings: BTreeMap<u64, u32>,
}

/// Whether a program is to crash.
#[derive(Clone, Copy, Debug)]
enum Doom {
    None,
    /// At which of its next deeds; 1 is the next one.
    AtDeed(u32),
    /// It was made to.
    Fell,
}

/// A program under the tracer, with all that it starts.
#[derive(Debug)]
pub(in crate::nodes::process) struct Tracer {
    root: i32,
    tracing_deeds: bool,
    /// What of its files is on storage, where its machine can lose power.
    storage: Option<Storage>,
    threads: BTreeMap<i32, Thread>,
    /// The last place that was given by birth.
    order: u64,
    timers: Timers,
    clock: NodeClock,
    now: Run,
    /// A thread has used the clock since this was asked, but for readings from the pages.
    clock_used: bool,
    randomness: Randomness,
    /// Where processes read the clock without a stop.
    pages: BTreeMap<i32, Page>,
    /// One of them has used up its readings since the last rest.
    used_up: bool,
    /// Where files of random bytes are made, and how many were.
    random_files: (PathBuf, u32),
    /// Born since [`Tracer::take_births`]: process and thread.
    births: Vec<(u32, u32)>,
    /// How the program ended.
    status: Option<i32>,
    doom: Doom,
    leaks: Leaks,
}

impl Tracer {
    /// Seizes a program that was started by [`command`]; all is to be done by this thread from now on.
    /// Files of ours get names that begin with `files`; the program's are in `folder`.
    pub(in crate::nodes::process) fn seize(
        root: u32,
        tracing: Tracing,
        files: &Path,
        folder: &Path,
    ) -> io::Result<Self> {
        let root = i32::try_from(root).map_err(|_| io::ErrorKind::InvalidInput)?;
        let begin = || {
            let mut copies = files.to_owned().into_os_string();
            copies.push(".synced");
            Storage::begin(folder, copies.into())
        };
        let storage = tracing.storage.then(begin).transpose()?;
        launch::seize(Pid::from_raw(root), tracing.deeds, tracing.storage)?;
        let mut tracer = Self {
            root,
            tracing_deeds: tracing.deeds || tracing.storage,
            storage,
            threads: BTreeMap::new(),
            order: 0,
            timers: Timers::default(),
            clock: tracing.clock,
            now: 0,
            clock_used: false,
            randomness: Randomness::new(tracing.seed, tracing.stream),
            pages: BTreeMap::new(),
            used_up: false,
            random_files: (files.to_owned(), 0),
            births: Vec::new(),
            status: None,
            doom: Doom::None,
            leaks: Leaks::default(),
        };
        tracer.adopt(root, root);
        Ok(tracer)
    }

    /// The present moment of the run, as the node knows it.
    pub(in crate::nodes::process) fn now(&self) -> Run {
        self.now
    }

    /// Time has passed elsewhere; it never goes back.
    pub(in crate::nodes::process) fn pass_to(&mut self, now: Run) {
        if now > self.now {
            self.now = now;
            self.show(MOST_CHEAP_READINGS);
        }
    }

    /// Brings all pages up to date.
    fn show(&mut self, readings: u32) {
        let (clock, now) = (&self.clock, self.now);
        // Who is gone need not be told.
        self.pages
            .retain(|_, page| page.show(clock, now, readings).is_ok());
    }

    /// Gives the node another clock.
    pub(in crate::nodes::process) fn set_clock(&mut self, clock: NodeClock) {
        self.clock = clock;
        self.show(MOST_CHEAP_READINGS);
    }

    /// Whether the program has used its clock since this was asked.
    pub(in crate::nodes::process) fn clock_was_used(&mut self) -> bool {
        let drifts = self.clock.drifts();
        // All are asked, so that all begin anew.
        let read = self.pages.values().map(|page| page.take_uses(drifts));
        let read = read.fold(false, |any, read| any | read);
        std::mem::take(&mut self.clock_used) | read
    }

    /// Notes that the program goes by one hand of its clock.
    fn use_clock(&mut self, hand: Hand) {
        self.clock_used |= hand == Hand::Wall || self.clock.drifts();
    }

    /// How the program ended, as wait(2) tells it.
    pub(in crate::nodes::process) fn status(&self) -> Option<i32> {
        self.status
    }

    /// The program is to crash when it is about to change a file for the n-th time; `None`: not
    /// any more.
    pub(in crate::nodes::process) fn doom(&mut self, deeds: Option<u32>) {
        self.doom = deeds.map_or(Doom::None, Doom::AtDeed);
    }

    /// Whether it was made to crash.
    pub(in crate::nodes::process) fn fell(&self) -> bool {
        matches!(self.doom, Doom::Fell)
    }

    /// The machine of the program, which is dead, loses power. Returns how many of its files were set back;
    /// `None` where that cannot be known, and none was.
    pub(in crate::nodes::process) fn lose_power(
        &mut self,
        keeps_names: bool,
    ) -> io::Result<Option<u64>> {
        match &mut self.storage {
            Some(storage) => storage.lose_power(keeps_names),
            None => Ok(None),
        }
    }

    pub(in crate::nodes::process) fn leaks(&self) -> &Leaks {
        &self.leaks
    }

    /// The threads that were born since this was asked, with their processes.
    pub(in crate::nodes::process) fn take_births(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.births)
    }

    /// Whether a thread that is not asleep rests nevertheless.
    pub(in crate::nodes::process) fn is_held(&self, thread: u32) -> bool {
        let thread = i32::try_from(thread).ok();
        let thread = thread.and_then(|thread| self.threads.get(&thread));
        thread.is_some_and(|thread| thread.stopped || thread.lends)
    }

    /// The program rests: it may read the clock again.
    pub(in crate::nodes::process) fn rested(&mut self) {
        for thread in self.threads.values_mut() {
            thread.readings.clear();
        }
        if std::mem::take(&mut self.used_up) {
            self.show(MOST_CHEAP_READINGS);
        }
    }

    /// A thread computes, and nothing else moves time on.
    pub(in crate::nodes::process) fn creep(&mut self, by: Run) -> io::Result<()> {
        self.leaks.crept += by;
        self.move_on(by)
    }

    /// When the first timer or wait is due; a moment that is past is due now. O(threads + timers).
    pub(in crate::nodes::process) fn due(&self) -> Option<Run> {
        self.first().map(|(when, _, _)| when.max(self.now))
    }

    fn first(&self) -> Option<(Run, u64, Either)> {
        let threads = self.threads.iter().filter_map(|(number, thread)| {
            let Doing::Waiting(wait) = &thread.doing else {
                return None;
            };
            let when = self.clock.when(wait.until);
            Some((when, thread.order, Either::Thread(*number)))
        });
        let timer = self.timers.first(&self.clock);
        let timer = timer.map(|(when, order, due)| (when, order, Either::Timer(due)));
        threads
            .chain(timer)
            .min_by_key(|(when, order, _)| (*when, *order))
    }

    /// Lets the first one go off that is due at the present moment. False: there is none.
    pub(in crate::nodes::process) fn fire(&mut self) -> io::Result<bool> {
        let Some((_, _, which)) = self.first().filter(|(when, _, _)| *when <= self.now) else {
            return Ok(false);
        };
        match which {
            Either::Timer(due) => {
                let processes = in_order_of_birth(&self.threads);
                if let Some(hand) = self.timers.hand(due) {
                    self.use_clock(hand);
                }
                self.timers
                    .fire(due, processes.into_iter(), &self.clock, self.now);
            }
            Either::Thread(number) => {
                if let Some(thread) = self.threads.get_mut(&number)
                    && let Doing::Waiting(wait) = std::mem::replace(&mut thread.doing, Doing::Else)
                {
                    let hand = wait.until.hand;
                    thread.doing = Doing::WakingUp(wait);
                    self.use_clock(hand);
                    unless_gone(ptrace::interrupt(Pid::from_raw(number)))?;
                }
            }
        }
        Ok(true)
    }

    /// Ends all that there is of the program.
    pub(in crate::nodes::process) fn kill(&self) {
        let processes: BTreeSet<i32> = self.threads.values().map(|thread| thread.process).collect();
        for process in processes.into_iter().filter_map(ProcessId::from_raw) {
            // Until its end was told here its number is no other's.
            let _ = kill_process(process, Signal::KILL);
        }
    }

    /// Whether nothing is left of the program: whose end was not told here stays a zombie.
    pub(in crate::nodes::process) fn is_over(&self) -> bool {
        self.threads.is_empty()
    }

    /// Time moves on while the program runs: all that is due goes off.
    fn move_on(&mut self, by: Run) -> io::Result<()> {
        self.now += by;
        self.show(MOST_CHEAP_READINGS);
        while self.fire()? {}
        Ok(())
    }

    /// Looks at all stops that there are, and lets the threads go on. Returns whether there were any.
    pub(in crate::nodes::process) fn pump(&mut self) -> io::Result<bool> {
        let mut stops = 0;
        while has_stopped() {
            let before = stops;
            let threads: Vec<i32> = self.threads.keys().copied().collect();
            for thread in threads {
                while let Some(stop) = self.next_stop(thread)? {
                    stops += 1;
                    self.handle(thread, stop)?;
                    if stops == MOST_STOPS {
                        return Ok(true);
                    }
                }
            }
            if stops == before {
                break;
            }
        }
        Ok(stops > 0)
    }

    fn next_stop(&mut self, thread: i32) -> io::Result<Option<Stop>> {
        match waitpid(ProcessId::from_raw(thread), ALL_KINDS | WaitOptions::NOHANG) {
            Ok(status) => Ok(status.map(|(_, status)| Stop::of(status))),
            // Another thread of its process has become another program, or took its number.
            Err(rustix::io::Errno::CHILD) => {
                self.threads.remove(&thread);
                Ok(None)
            }
            Err(rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn handle(&mut self, number: i32, stop: Stop) -> io::Result<()> {
        let pid = Pid::from_raw(number);
        match stop {
            Stop::Ended(status) => {
                self.threads.remove(&number);
                self.timers.forget(number);
                self.pages.remove(&number);
                if number == self.root {
                    self.status = Some(status);
                }
                Ok(())
            }
            Stop::Filtered => unless_gone(self.enter(number)),
            Stop::Call => unless_gone(self.leave(number)),
            Stop::Birth { borrowed } => {
                if let Ok(child) = ptrace::getevent(pid)
                    && let Ok(child) = i32::try_from(child)
                {
                    let process = u32::try_from(child).ok().and_then(Kinship::of);
                    let process = process.and_then(|kinship| i32::try_from(kinship.process).ok());
                    let process = process.unwrap_or(child);
                    self.adopt(process, child);
                    if process == child {
                        self.inherit_page(number, child);
                    }
                }
                if let Some(thread) = self.threads.get_mut(&number) {
                    thread.lends = borrowed;
                }
                go_on(number, Resume::Run, 0)
            }
            Stop::Returned => {
                if let Some(thread) = self.threads.get_mut(&number) {
                    thread.lends = false;
                }
                go_on(number, Resume::Run, 0)
            }
            Stop::Exec => {
                self.become_another(number);
                match self.furnish(number) {
                    Ok(signal) => go_on(number, Resume::Run, signal),
                    // It was killed meanwhile, and that was told already.
                    Err(Errno::ESRCH) => Ok(()),
                    // One of 32 bits, whose memory begins otherwise.
                    Err(_) => {
                        self.leaks.calls.insert("a program that is not for x86-64");
                        go_on(number, Resume::Run, 0)
                    }
                }
            }
            Stop::Interrupt => {
                if let Some(thread) = self.threads.get_mut(&number) {
                    thread.stopped = false;
                }
                go_on(number, Resume::Run, 0)
            }
            Stop::Group(_) => {
                if let Some(thread) = self.threads.get_mut(&number) {
                    thread.stopped = true;
                }
                go_on(number, Resume::Listen, 0)
            }
            Stop::Signal(SIGSEGV) if self.read_counter(pid).unwrap_or(false) => {
                go_on(number, Resume::Run, 0)
            }
            Stop::Signal(signal) => {
                if let Some(thread) = self.threads.get_mut(&number)
                    && thread.broken_off.is_some()
                    && is_caught(number, signal)
                {
                    thread.broken_off = None;
                }
                go_on(number, Resume::Run, signal)
            }
        }
    }

    fn adopt(&mut self, process: i32, number: i32) {
        self.order += 1;
        let thread = Thread {
            process,
            order: self.order,
            doing: Doing::Else,
            broken_off: None,
            stopped: false,
            lends: false,
            readings: BTreeMap::new(),
        };
        self.threads.insert(number, thread);
        if let (Ok(process), Ok(number)) = (u32::try_from(process), u32::try_from(number)) {
            self.births.push((process, number));
        }
    }

    /// A process that was born has the page of its parent.
    fn inherit_page(&mut self, parent: i32, child: i32) {
        let parent = self.threads.get(&parent).map(|thread| thread.process);
        let page = parent.and_then(|parent| self.pages.get(&parent));
        let page = page.and_then(|page| Page::of(child, page.at()).ok());
        if let Some(page) = page {
            self.pages.insert(child, page);
        }
    }

    /// The process has become another program: this is its only thread now.
    fn become_another(&mut self, number: i32) {
        self.pages.remove(&number);
        self.threads
            .retain(|other, thread| *other == number || thread.process != number);
        if let Some(thread) = self.threads.get_mut(&number) {
            thread.doing = Doing::Else;
            thread.broken_off = None;
        }
    }

    /// Gives a program that begins random bytes of ours, and a clock of ours that it can read without a
    /// stop; else hides the kernel's code for reading clocks. Returns a signal that came meanwhile.
    fn furnish(&mut self, number: i32) -> Result<i32, Errno> {
        let pid = Pid::from_raw(number);
        if Registers(ptrace::getregs(pid)?).is_of_32_bits() {
            // All is laid out otherwise there.
            self.leaks.calls.insert(CALLS_OF_32_BITS);
            return Ok(0);
        }
        let memory = Memory(pid);
        let word = |at: u64| memory.read::<8>(at).map(u64::from_le_bytes);
        let mut at = Registers(ptrace::getregs(pid)?).stack();
        // The number of arguments, they, a zero; the environment, a zero; the auxiliary vector.
        at += 8 * (word(at)? + 2);
        while word(at)? != 0 {
            at += 8;
        }
        at += 8;
        let mut vdso = None;
        loop {
            match word(at)? {
                0 => break,
                AT_SYSINFO_EHDR => vdso = Some((at, word(at + 8)?)),
                AT_RANDOM => memory.write(word(at + 8)?, &self.randomness.bytes(16))?,
                _ => {}
            }
            at += 16;
        }
        let Some((entry, vdso)) = vdso else {
            return Ok(0);
        };
        let mut signal = 0;
        if !self.replace_vdso(number, vdso, &mut signal)? {
            memory.write_words(entry, &[AT_IGNORE])?;
        }
        Ok(signal)
    }

    /// False: it cannot be replaced.
    fn replace_vdso(&mut self, number: i32, vdso: u64, signal: &mut i32) -> Result<bool, Errno> {
        const READ_WRITE_EXECUTE: u64 = 7;
        const PRIVATE_ANONYMOUS: u64 = 0x22;
        let pid = Pid::from_raw(number);
        let Some((functions, call)) = vdso::image(number, vdso)
            .ok()
            .and_then(|image| vdso::functions(&image))
        else {
            return Ok(false);
        };
        // Out of the call that made it another program.
        if let Some(status) = go_to_call(pid, signal).map_err(errno)? {
            return self.ended_meanwhile(number, status);
        }
        let before = Registers(ptrace::getregs(pid)?);
        let arguments = [
            0,
            vdso::PAGES_BYTES,
            READ_WRITE_EXECUTE,
            PRIVATE_ANONYMOUS,
            u64::MAX,
            0,
        ];
        let map = (calls::MMAP, arguments);
        let (made, other) = make(pid, before, vdso + call, map).map_err(errno)?;
        if other != 0 {
            *signal = other;
        }
        let at = match made {
            Made::Result(at) => at,
            Made::Ended(status) => return self.ended_meanwhile(number, status),
        };
        ptrace::setregs(pid, before.0)?;
        let Ok(at) = u64::try_from(at) else {
            return Ok(false);
        };
        let page = Page::install(number, at, vdso, functions);
        let shown = page.and_then(|page| {
            page.show(&self.clock, self.now, MOST_CHEAP_READINGS)?;
            Ok(page)
        });
        let installed = shown.is_ok();
        self.pages.extend(shown.ok().map(|page| (number, page)));
        Ok(installed)
    }

    fn ended_meanwhile<T>(&mut self, number: i32, status: i32) -> Result<T, Errno> {
        self.handle(number, Stop::Ended(status)).map_err(errno)?;
        Err(Errno::ESRCH)
    }

    /// Answers a thread that reads the processor's counter. False: that is not why it was stopped.
    fn read_counter(&mut self, pid: Pid) -> Result<bool, Errno> {
        let mut registers = Registers(ptrace::getregs(pid)?);
        let mut code = [0; 3];
        // The last byte may lie on a page that is not there.
        Memory(pid).read_some(registers.instruction(), &mut code)?;
        let counter = self.clock.shows(Hand::Steady, self.now);
        let answered = registers.answer_counter(code, counter);
        if answered {
            self.use_clock(Hand::Steady);
            ptrace::setregs(pid, registers.0)?;
        }
        Ok(answered)
    }

    /// A thread is about to do a call that the filter names.
    fn enter(&mut self, number: i32) -> Result<(), Errno> {
        let pid = Pid::from_raw(number);
        let (memory, mut registers) = (Memory(pid), Registers(ptrace::getregs(pid)?));
        if ptrace::getevent(pid)? == i64::from(filter::OTHER_CALLS) {
            self.leaks.calls.insert(CALLS_OF_32_BITS);
            self.look_at_storage(|storage| storage.lose_sight(CALLS_OF_32_BITS.to_owned()));
            return resumed(resume(number, Resume::Run, 0));
        }
        let Some(thread) = self.threads.get_mut(&number) else {
            return resumed(resume(number, Resume::Run, 0));
        };
        let process = thread.process;
        let broken_off = thread.broken_off.take();
        let [first, second, ..] = registers.arguments();
        let answer = match registers.call() {
            calls::CLOCK_GETTIME => {
                let shown = self.look_at_clock(number, &registers, waits::hand(first));
                Some(
                    memory
                        .write_words(second, &[shown / SECOND, shown % SECOND])
                        .map(|()| 0),
                )
            }
            calls::GETTIMEOFDAY => {
                let shown = self.look_at_clock(number, &registers, Hand::Wall);
                let words = [shown / SECOND, shown % SECOND / 1_000];
                let written = memory.offer_words(first, &words);
                Some(
                    written
                        .and_then(|()| memory.offer_words(second, &[0]))
                        .map(|()| 0),
                )
            }
            calls::TIME => {
                let seconds = self.look_at_clock(number, &registers, Hand::Wall) / SECOND;
                let written = memory.offer_words(first, &[seconds]);
                Some(written.map(|()| seconds.cast_signed()))
            }
            calls::TIMES => {
                // In hundredths of a second; no time is spent on a processor.
                let ticks = self.look_at_clock(number, &registers, Hand::Steady) / (SECOND / 100);
                let written = memory.offer_words(first, &[0; 4]);
                Some(written.map(|()| ticks.cast_signed()))
            }
            calls::GETRANDOM => {
                let bytes = self.randomness.bytes(second);
                let count = i64::try_from(bytes.len()).unwrap_or(0);
                Some(memory.write(first, &bytes).map(|()| count))
            }
            // Runtimes then do without.
            calls::IO_URING_SETUP => Some(Err(Errno::ENOSYS)),
            calls::SYSINFO => return self.call_and(number, Afterwards::Uptime(first)),
            calls::TIMER_CREATE => match Notice::asked(&registers, memory) {
                Ok(notice) => {
                    let [_, _, at, ..] = registers.arguments();
                    return self.call_and(number, Afterwards::Timer(at, notice));
                }
                Err(errno) => Some(Err(errno)),
            },
            calls::OPEN => return self.open(number, registers, 0),
            calls::OPENAT => return self.open(number, registers, 1),
            call if self.tracing_deeds && changes_files(call) => {
                return self.change_file(number, registers);
            }
            _ => {
                let (clock, now) = (&self.clock, self.now);
                let order = &mut self.order;
                self.timers
                    .call(&registers, process, memory, clock, now, order)
            }
        };
        if let Some(answer) = answer {
            registers.skip(answer.unwrap_or_else(|errno| -i64::from(errno as i32)));
            return set_and_run(number, registers);
        }
        match waits::begin(&mut registers, memory, &self.clock, self.now, broken_off) {
            Begun::Over(result) => {
                registers.skip(result);
                set_and_run(number, registers)
            }
            Begun::Waits(wait) => {
                ptrace::setregs(pid, registers.0)?;
                if let Some(thread) = self.threads.get_mut(&number) {
                    thread.doing = Doing::Waiting(wait);
                }
                resumed(resume(number, Resume::ToSyscall, 0))
            }
            Begun::Through => {
                let call = registers.call();
                let name = calls::NOT_COVERED
                    .iter()
                    .find(|(number, _)| *number == call);
                self.leaks.calls.extend(name.map(|(_, name)| *name));
                resumed(resume(number, Resume::Run, 0))
            }
        }
    }

    /// A thread is about to change a file, or to bring one to storage.
    fn change_file(&mut self, number: i32, mut registers: Registers) -> Result<(), Errno> {
        if is_deed(registers.call()) && self.falls(number, &registers) {
            return Ok(());
        }
        let seen = self.look_at_storage(|storage| syncs::see(storage, number, &registers));
        match seen {
            None | Some(Seen::Through) => resumed(resume(number, Resume::Run, 0)),
            Some(Seen::Done) => {
                registers.skip(0);
                set_and_run(number, registers)
            }
            Some(Seen::Afterwards(file)) => self.call_and(number, Afterwards::Synced(file)),
        }
    }

    /// Looks at storage, where it matters and is known, and notes when it is not known any more.
    fn look_at_storage<T>(&mut self, look: impl FnOnce(&mut Storage) -> T) -> Option<T> {
        let storage = self.storage.as_mut()?;
        if storage.unknown().is_some() {
            return None;
        }
        let seen = look(storage);
        self.leaks
            .storage
            .extend(storage.unknown().map(str::to_owned));
        Some(seen)
    }

    /// A thread is about to change a file: whether the program crashes before it does.
    fn falls(&mut self, number: i32, registers: &Registers) -> bool {
        let Doom::AtDeed(left) = self.doom else {
            return false;
        };
        let [descriptor, ..] = registers.arguments();
        if calls::WRITES.contains(&registers.call()) && !is_file(number, descriptor) {
            return false;
        }
        if left > 1 {
            self.doom = Doom::AtDeed(left - 1);
            return false;
        }
        self.doom = Doom::Fell;
        self.kill();
        true
    }

    fn call_and(&mut self, number: i32, afterwards: Afterwards) -> Result<(), Errno> {
        if let Some(thread) = self.threads.get_mut(&number) {
            thread.doing = Doing::Calling(afterwards);
        }
        resumed(resume(number, Resume::ToSyscall, 0))
    }

    /// A program that opens a source of randomness opens a file of ours.
    fn open(&mut self, number: i32, registers: Registers, argument: u32) -> Result<(), Errno> {
        let pid = Pid::from_raw(number);
        let memory = Memory(pid);
        let at = registers.arguments()[argument as usize];
        let path = memory.text(at, RANDOM_PATHS[0].len() + 1);
        if !path.is_ok_and(|path| RANDOM_PATHS.iter().any(|random| random.as_bytes() == path)) {
            return resumed(resume(number, Resume::Run, 0));
        }
        let (prefix, count) = &mut self.random_files;
        *count += 1;
        let mut file = prefix.clone().into_os_string();
        file.push(format!(".random-{count}"));
        let file = PathBuf::from(file);
        if fs::write(&file, self.randomness.file()).is_err() {
            self.leaks.calls.insert("open of /dev/urandom");
            return resumed(resume(number, Resume::Run, 0));
        }
        let mut path = file.as_os_str().as_encoded_bytes().to_vec();
        path.push(0);
        // Below what a leaf function may use without telling.
        let place = (registers.stack() - 256 - path.len() as u64) & !15;
        memory.write(place, &path)?;
        let mut replaced = registers;
        replaced.set_argument(argument, place);
        ptrace::setregs(pid, replaced.0)?;
        self.call_and(
            number,
            Afterwards::Opened {
                arguments: registers.arguments(),
                file,
            },
        )
    }

    /// A thread reads the clock.
    fn look_at_clock(&mut self, number: i32, registers: &Registers, hand: Hand) -> u64 {
        self.use_clock(hand);
        let process = self.threads.get(&number).map(|thread| thread.process);
        let page = process.and_then(|process| self.pages.get(&process));
        if page.is_some_and(Page::is_used_up) {
            return self.clock_used_up(hand);
        }
        if let Some(thread) = self.threads.get_mut(&number) {
            let readings = thread.readings.entry(registers.stack()).or_default();
            *readings = readings.saturating_add(1);
            if *readings > MOST_READINGS {
                // Who is gone need not be woken.
                let _ = self.move_on(STEP);
            }
        }
        self.clock.shows(hand, self.now)
    }

    /// A process has read the clock without a stop as often as it may before it is looked at.
    fn clock_used_up(&mut self, hand: Hand) -> u64 {
        if std::mem::replace(&mut self.used_up, true) {
            // Who is gone need not be woken.
            let _ = self.move_on(STEP);
            self.show(FURTHER_CHEAP_READINGS);
        } else {
            self.show(MOST_CHEAP_READINGS);
        }
        self.clock.shows(hand, self.now)
    }

    /// A thread leaves a call after which something is to be put right.
    fn leave(&mut self, number: i32) -> Result<(), Errno> {
        let pid = Pid::from_raw(number);
        let Some(thread) = self.threads.get_mut(&number) else {
            return Ok(());
        };
        let doing = std::mem::replace(&mut thread.doing, Doing::Else);
        let mut registers = Registers(ptrace::getregs(pid)?);
        let memory = Memory(pid);
        match doing {
            Doing::Else => {}
            Doing::Waiting(ref wait) | Doing::WakingUp(ref wait) => {
                let due = matches!(doing, Doing::WakingUp(_));
                let (clock, now) = (&self.clock, self.now);
                thread.broken_off = wait.end(&mut registers, memory, clock, now, due);
                ptrace::setregs(pid, registers.0)?;
            }
            Doing::Calling(Afterwards::Uptime(at)) => {
                let uptime = self.look_at_clock(number, &registers, Hand::Steady) / SECOND;
                if registers.result() == 0 {
                    memory.write_words(at, &[uptime])?;
                }
            }
            Doing::Calling(Afterwards::Timer(at, notice)) => {
                if registers.result() == 0 {
                    let process = thread.process;
                    self.timers.made(process, at, notice, memory);
                }
            }
            Doing::Calling(Afterwards::Synced(file)) => {
                if registers.result() >= 0 {
                    self.look_at_storage(|storage| storage.sync(file));
                }
            }
            Doing::Calling(Afterwards::Opened { arguments, file }) => {
                registers.set_arguments(arguments);
                ptrace::setregs(pid, registers.0)?;
                // It stays open.
                let _ = fs::remove_file(file);
            }
        }
        resumed(resume(number, Resume::Run, 0))
    }
}

/// The processes of a node, by the birth of their first threads that are still there.
fn in_order_of_birth(threads: &BTreeMap<i32, Thread>) -> Vec<i32> {
    let mut births = BTreeMap::new();
    for thread in threads.values() {
        let birth = births.entry(thread.process).or_insert(thread.order);
        *birth = thread.order.min(*birth);
    }
    let mut processes: Vec<_> = births.into_iter().collect();
    processes.sort_unstable_by_key(|(_, birth)| *birth);
    processes.into_iter().map(|(process, _)| process).collect()
}

/// The longer one first.
const RANDOM_PATHS: [&str; 2] = ["/dev/urandom", "/dev/random"];

/// Whether it is a deed, or another call that matters to storage.
fn changes_files(call: u32) -> bool {
    is_deed(call) || syncs::SYNCS.iter().any(|(sync, _)| *sync == call)
}

fn is_deed(call: u32) -> bool {
    calls::DEEDS.iter().any(|(deed, _)| *deed == call)
}

/// Whether a descriptor is of a file on a disk.
fn is_file(thread: i32, descriptor: u64) -> bool {
    fs::metadata(format!("/proc/{thread}/fd/{descriptor}")).is_ok_and(|data| data.is_file())
}

/// Whether there may be a stop of any program that this thread traces: one question for all of their
/// threads, most of the time the only one.
fn has_stopped() -> bool {
    // Nothing is taken from whoever else waits for children of this thread.
    let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    let options = options | WaitIdOptions::NOHANG | OF_THIS_THREAD;
    !matches!(waitid(WaitId::All, options), Ok(None))
}

/// What goes off first.
enum Either {
    Thread(i32),
    Timer(Due),
}

fn set_and_run(number: i32, registers: Registers) -> Result<(), Errno> {
    ptrace::setregs(Pid::from_raw(number), registers.0)?;
    resumed(resume(number, Resume::Run, 0))
}

fn resumed(result: io::Result<()>) -> Result<(), Errno> {
    result.map_err(errno)
}

#[expect(clippy::needless_pass_by_value, reason = "what maps errors takes them")]
fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}

/// A thread may be killed at any moment: then there is nothing to be done any more.
fn unless_gone(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn go_on(thread: i32, how: Resume, signal: i32) -> io::Result<()> {
    unless_gone(resumed(resume(thread, how, signal)))
}

/// Whether a handler of the program's own takes a signal.
fn is_caught(thread: i32, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
