//! Timers that are not a thread's wait: `timerfd`s, and those that send signals.
//!
//! None is ever armed in the kernel before its time: it is kept here. Then a `timerfd` is armed for at
//! once, through a descriptor of our own for the same timer, and a signal is sent as the kernel would.

use std::{collections::BTreeMap, fs, os::fd::OwnedFd};

use nix::errno::Errno;
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open},
    time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime},
};

use sibcheck_ptrace::signal_of_timer;

use super::{
    super::clock::{NodeClock, Reading, Run},
    memory::Memory,
    waits::{hand, nanos},
    x86_64::{self as calls, Registers},
};

/// The kernel's own timers are due within this real time once they are armed for at once.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

const SECOND: u64 = 1_000_000_000;

/// Timers that go off again and again do so no more often than this.
const SHORTEST_INTERVAL: u64 = 100_000;

/// `ITIMER_REAL`: the others count time on a processor.
const ITIMER_REAL: u64 = 0;

/// `TFD_TIMER_ABSTIME`.
const ABSOLUTE: u64 = 1;

/// Which timer of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Alarm,
    Descriptor(i32),
    /// By the number that `timer_create` gave.
    Numbered(i32),
}

/// How a timer of `timer_create` tells that it has gone off (sigevent(3type)).
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    /// None is sent where this is 0.
    signal: i32,
    thread: Option<i32>,
    /// `None`: the timer's number.
    value: Option<u64>,
    clock: u64,
}

impl Notice {
    /// `SIGEV_NONE`, `SIGEV_THREAD_ID`.
    const NONE: i32 = 1;
    const TO_A_THREAD: i32 = 4;
    const SIGALRM: i32 = 14;

    /// What a call of `timer_create` asks for.
    pub(super) fn asked(registers: &Registers, memory: Memory) -> Result<Self, Errno> {
        let [clock, event, ..] = registers.arguments();
        let usual = Self {
            signal: Self::SIGALRM,
            thread: None,
            value: None,
            clock,
        };
        if event == 0 {
            return Ok(usual);
        }
        let bytes: [u8; 20] = memory.read(event)?;
        let number = |at: usize| {
            let bytes = bytes[at..at + 4].try_into().unwrap_or_default();
            i32::from_le_bytes(bytes)
        };
        let value = bytes[..8].try_into().unwrap_or_default();
        let (signal, kind, thread) = (number(8), number(12), number(16));
        Ok(Self {
            signal: if kind == Self::NONE { 0 } else { signal },
            thread: (kind == Self::TO_A_THREAD).then_some(thread),
            value: Some(u64::from_le_bytes(value)),
            clock,
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    /// By creation, among all threads and timers of the node.
    order: u64,
    /// `None`: not armed.
    due: Option<Reading>,
    interval: u64,
}

/// The timers of a node.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: BTreeMap<(i32, Which), Timer>,
    /// By process and number.
    notices: BTreeMap<(i32, i32), Notice>,
}

/// One that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due(i32, Which);

impl Timers {
    /// The one that is due first: when, its place among those due at once, and which it is.
    pub(super) fn first(&self, clock: &NodeClock) -> Option<(Run, u64, Due)> {
        let armed = self.set.iter().filter_map(|((process, which), timer)| {
            Some((clock.when(timer.due?), timer.order, Due(*process, *which)))
        });
        armed.min_by_key(|(when, order, _)| (*when, *order))
    }

    /// Lets it go off. One that goes off again and again does so next at the first of its times that is
    /// still to come: those that have passed meanwhile are told once, as signals are.
    pub(super) fn fire(&mut self, Due(process, which): Due, clock: &NodeClock, now: Run) {
        let Some(timer) = self.set.get_mut(&(process, which)) else {
            return;
        };
        let interval = timer.interval;
        timer.due = timer.due.filter(|_| interval > 0).map(|due| {
            let late = clock.shows(due.hand, now).saturating_sub(due.ns);
            let steps = (late / interval).saturating_add(1);
            Reading {
                ns: due.ns.saturating_add(interval.saturating_mul(steps)),
                ..due
            }
        });
        let gone_off = match which {
            Which::Alarm => Pid::from_raw(process)
                .is_some_and(|process| kill_process(process, Signal::ALARM).is_ok()),
            Which::Descriptor(fd) => go_off(process, fd).is_some(),
            Which::Numbered(number) => self.notices.get(&(process, number)).is_some_and(|notice| {
                let value = notice.value.unwrap_or(u64::from(number.cast_unsigned()));
                notice.signal == 0
                    || signal_of_timer(process, notice.thread, notice.signal, number, value).is_ok()
            }),
        };
        if !gone_off {
            self.set.remove(&(process, which));
        }
    }

    /// A process has ended.
    pub(super) fn forget(&mut self, process: i32) {
        self.set.retain(|(owner, _), _| *owner != process);
        self.notices.retain(|(owner, _), _| *owner != process);
    }

    /// A process has made a timer: its number lies there.
    pub(super) fn made(&mut self, process: i32, at: u64, notice: Notice, memory: Memory) {
        if let Ok(number) = memory.read::<4>(at) {
            let number = i32::from_le_bytes(number);
            self.set.remove(&(process, Which::Numbered(number)));
            self.notices.insert((process, number), notice);
        }
    }

    /// Does a call that sets or reads a timer. `None`: it is let through as it is.
    pub(super) fn call(
        &mut self,
        registers: &Registers,
        process: i32,
        memory: Memory,
        clock: &NodeClock,
        now: Run,
        order: &mut u64,
    ) -> Option<Result<i64, Errno>> {
        let [first, second, third, fourth, ..] = registers.arguments();
        let mut set = |timers: &mut Self, which, due, interval: u64| {
            let timer = timers.set.entry((process, which)).or_insert_with(|| {
                *order += 1;
                Timer {
                    order: *order,
                    due: None,
                    interval: 0,
                }
            });
            // As with sleeps: nobody can count on a timer that fires so often.
            let interval = if interval == 0 {
                0
            } else {
                interval.max(SHORTEST_INTERVAL)
            };
            (timer.due, timer.interval) = (due, interval);
        };
        match registers.call() {
            calls::ALARM => {
                let left = self.left((process, Which::Alarm), clock, now);
                let seconds = first & u64::from(u32::MAX);
                let due = (seconds > 0).then(|| clock.after(now, seconds * SECOND));
                set(self, Which::Alarm, due, 0);
                // At least a second while there is any left.
                let seconds = (left.0 + SECOND / 2) / SECOND;
                let seconds = seconds.max(u64::from(left.0 > 0));
                Some(Ok(seconds.cast_signed()))
            }
            calls::SETITIMER if first & u64::from(u32::MAX) == ITIMER_REAL => {
                let old = self.left((process, Which::Alarm), clock, now);
                if second != 0 {
                    let (interval, value) = (
                        nanos(memory, second, true)?,
                        nanos(memory, second + 16, true)?,
                    );
                    let due = (value > 0).then(|| clock.after(now, value));
                    set(self, Which::Alarm, due, interval);
                } else {
                    set(self, Which::Alarm, None, 0);
                }
                Some(write(memory, third, old, 1_000))
            }
            calls::GETITIMER if first & u64::from(u32::MAX) == ITIMER_REAL => {
                let old = self.left((process, Which::Alarm), clock, now);
                Some(write(memory, second, old, 1_000))
            }
            calls::TIMERFD_SETTIME => {
                let fd = i32::try_from(first).ok()?;
                let clock_id = clock_of(process, fd)?;
                let (interval, value) = (
                    nanos(memory, third, false)?,
                    nanos(memory, third + 16, false)?,
                );
                let old = self.left((process, Which::Descriptor(fd)), clock, now);
                let due = due(second & ABSOLUTE != 0, clock_id, value, clock, now);
                // What has gone off and was not read is forgotten.
                settime(process, fd, 0)?;
                set(self, Which::Descriptor(fd), due, interval);
                Some(write(memory, fourth, old, 1))
            }
            calls::TIMERFD_GETTIME => {
                let fd = i32::try_from(first).ok()?;
                clock_of(process, fd)?;
                let old = self.left((process, Which::Descriptor(fd)), clock, now);
                Some(write(memory, second, old, 1))
            }
            calls::TIMER_SETTIME | calls::TIMER_GETTIME => {
                let number = i32::try_from(first).ok()?;
                let clock_id = self.notices.get(&(process, number))?.clock;
                let which = Which::Numbered(number);
                let old = self.left((process, which), clock, now);
                if registers.call() == calls::TIMER_GETTIME {
                    return Some(write(memory, second, old, 1));
                }
                let (interval, value) = (
                    nanos(memory, third, false)?,
                    nanos(memory, third + 16, false)?,
                );
                let due = due(second & ABSOLUTE != 0, clock_id, value, clock, now);
                set(self, which, due, interval);
                Some(write(memory, fourth, old, 1))
            }
            calls::TIMER_DELETE => {
                let number = i32::try_from(first).ok()?;
                self.set.remove(&(process, Which::Numbered(number)));
                self.notices.remove(&(process, number));
                None
            }
            _ => None,
        }
    }

    /// How long until it goes off, and its interval; zeros for one that is not armed.
    fn left(&self, which: (i32, Which), clock: &NodeClock, now: Run) -> (u64, u64) {
        let Some(timer) = self.set.get(&which) else {
            return (0, 0);
        };
        let left = |due| clock.when(due).saturating_sub(now).max(1);
        (timer.due.map_or(0, left), timer.interval)
    }
}

/// When a timer goes off that is set to this; `None` where that disarms it.
fn due(absolute: bool, clock_id: u64, value: u64, clock: &NodeClock, now: Run) -> Option<Reading> {
    let due = if absolute {
        Reading {
            hand: hand(clock_id),
            ns: value,
        }
    } else {
        clock.after(now, value)
    };
    (value > 0).then_some(due)
}

/// Writes an interval and what is left, unless that goes to nowhere.
fn write(memory: Memory, at: u64, (left, interval): (u64, u64), unit: u64) -> Result<i64, Errno> {
    if at != 0 {
        let words = [interval, left].map(|ns| [ns / SECOND, ns % SECOND / unit]);
        memory.write_words(at, words.as_flattened())?;
    }
    Ok(0)
}

/// The clock that a `timerfd` of a process goes by; `None` when it is none.
fn clock_of(process: i32, fd: i32) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{fd}")).ok()?;
    let clock = info
        .lines()
        .find_map(|line| line.strip_prefix("clockid:"))?;
    clock.trim().parse().ok()
}

fn timer_of(process: i32, fd: i32) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(process)?, PidfdFlags::empty()).ok()?;
    pidfd_getfd(process, fd, PidfdGetfdFlags::empty()).ok()
}

/// Arms a `timerfd` for so many nanoseconds from now, or disarms it.
fn settime(process: i32, fd: i32, ns: i64) -> Option<OwnedFd> {
    let timer = timer_of(process, fd)?;
    let [it_interval, it_value] = [0, ns].map(|tv_nsec| Timespec { tv_sec: 0, tv_nsec });
    let value = Itimerspec {
        it_interval,
        it_value,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &value).ok()?;
    Some(timer)
}

/// Lets it go off, and waits until it has.
fn go_off(process: i32, fd: i32) -> Option<()> {
    let timer = settime(process, fd, 1)?;
    poll(&mut [PollFd::new(&timer, PollFlags::IN)], Some(&AT_ONCE)).ok()?;
    Some(())
}
