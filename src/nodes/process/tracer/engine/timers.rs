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

use crate::simulation::{Hand, NodeClock, Reading, Run, SECOND};

use super::{
    super::super::threads,
    memory::Memory,
    waits::{hand, nanos},
    x86_64::{self as calls, Registers},
};

/// The kernel's own timers are due within this real time once they are armed for at once.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Timers that go off again and again do so no more often than this.
const SHORTEST_INTERVAL: u64 = 100_000;

/// `ITIMER_REAL`: the others count time on a processor.
const ITIMER_REAL: u64 = 0;

/// `TFD_TIMER_ABSTIME`.
const ABSOLUTE: u64 = 1;

/// Of which process the `timerfd`s are noted to be: processes share them.
const NOBODY: i32 = 0;

/// A `timerfd` carries its mark as an interval of so many seconds more than its number, which no program
/// waits for: descriptors are copied, inherited, closed and their numbers used again, but whatever they
/// are called, what they stand for is known by that.
const MARK: i64 = 1 << 32;

/// Which timer of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Alarm,
    /// A `timerfd`, by the mark that it carries: whose it is only its descriptors tell.
    Marked(u32),
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
    /// Where each `timerfd` was found last: process and descriptor. Its place is its mark.
    marked: Vec<(i32, i32)>,
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

    /// By which hand of the clock a timer goes.
    pub(super) fn hand(&self, Due(process, which): Due) -> Option<Hand> {
        Some(self.set.get(&(process, which))?.due?.hand)
    }

    /// Lets it go off. One that goes off again and again does so next at the first of its times that is
    /// still to come: those that have passed meanwhile are told once, as signals are.
    pub(super) fn fire(
        &mut self,
        Due(process, which): Due,
        processes: impl Iterator<Item = i32>,
        clock: &NodeClock,
        now: Run,
    ) {
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
            Which::Marked(mark) => self
                .descriptor_of(mark, processes)
                .is_some_and(|(process, fd)| go_off(process, fd, mark).is_some()),
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

    /// Where a `timerfd` can be reached; `None` once all of its descriptors are closed.
    fn descriptor_of(
        &mut self,
        mark: u32,
        processes: impl Iterator<Item = i32>,
    ) -> Option<(i32, i32)> {
        let last = self.marked.get_mut(mark as usize)?;
        let is_it = |(process, fd): (i32, i32)| {
            Descriptor::of(process, fd).is_some_and(|found| found.mark == Some(mark))
        };
        if !is_it(*last) {
            // In the order of births, as processes are.
            let all = processes.flat_map(|process| {
                let folder = format!("/proc/{process}/fdinfo");
                let descriptors = threads::numbers(&folder).unwrap_or_default();
                let descriptors = descriptors
                    .into_iter()
                    .filter_map(|fd| i32::try_from(fd).ok());
                descriptors.map(move |fd| (process, fd))
            });
            *last = all.into_iter().find(|place| is_it(*place))?;
        }
        Some(*last)
    }

    /// The mark of a `timerfd` that a process acts on; it is given one when it has none.
    fn mark(&mut self, process: i32, fd: i32, descriptor: Descriptor) -> Option<u32> {
        let mark = match descriptor.mark {
            Some(mark) if (mark as usize) < self.marked.len() => mark,
            _ => {
                self.marked.push((process, fd));
                u32::try_from(self.marked.len() - 1).ok()?
            }
        };
        self.marked[mark as usize] = (process, fd);
        Some(mark)
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
            let owner = match which {
                Which::Marked(_) => NOBODY,
                Which::Alarm | Which::Numbered(_) => process,
            };
            let timer = timers.set.entry((owner, which)).or_insert_with(|| {
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
                let descriptor = Descriptor::of(process, fd)?;
                let (interval, value) = (
                    nanos(memory, third, false)?,
                    nanos(memory, third + 16, false)?,
                );
                let mark = self.mark(process, fd, descriptor)?;
                let which = Which::Marked(mark);
                let old = self.left((NOBODY, which), clock, now);
                let due = due(second & ABSOLUTE != 0, descriptor.clock, value, clock, now);
                // What has gone off and was not read is forgotten.
                settime(process, fd, mark, 0)?;
                set(self, which, due, interval);
                Some(write(memory, fourth, old, 1))
            }
            calls::TIMERFD_GETTIME => {
                let fd = i32::try_from(first).ok()?;
                let descriptor = Descriptor::of(process, fd)?;
                let old = descriptor.mark.map_or((0, 0), |mark| {
                    self.left((NOBODY, Which::Marked(mark)), clock, now)
                });
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
        let left = |due| clock.lacks(due, now).max(1);
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
    let words = [interval, left].map(|ns| [ns / SECOND, ns % SECOND / unit]);
    memory.offer_words(at, words.as_flattened()).map(|()| 0)
}

/// What the kernel tells of a `timerfd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Descriptor {
    /// The clock that it goes by.
    clock: u64,
    mark: Option<u32>,
}

impl Descriptor {
    /// `None` when it is no `timerfd`.
    fn of(process: i32, fd: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/fdinfo/{fd}")).ok()?)
    }

    fn parse(info: &str) -> Option<Self> {
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name));
        let interval = field("it_interval: (").and_then(|rest| rest.split(',').next());
        let interval: Option<i64> = interval.and_then(|seconds| seconds.parse().ok());
        let mark = interval.and_then(|seconds| u32::try_from(seconds.checked_sub(MARK)?).ok());
        let clock = field("clockid:")?.trim().parse().ok()?;
        Some(Self { clock, mark })
    }
}

fn timer_of(process: i32, fd: i32) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(process)?, PidfdFlags::empty()).ok()?;
    pidfd_getfd(process, fd, PidfdGetfdFlags::empty()).ok()
}

/// Arms a `timerfd` for so many nanoseconds from now, or disarms it; it carries its mark from now on.
fn settime(process: i32, fd: i32, mark: u32, ns: i64) -> Option<OwnedFd> {
    let timer = timer_of(process, fd)?;
    let [it_interval, it_value] = [(MARK + i64::from(mark), 0), (0, ns)]
        .map(|(tv_sec, tv_nsec)| Timespec { tv_sec, tv_nsec });
    let value = Itimerspec {
        it_interval,
        it_value,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &value).ok()?;
    Some(timer)
}

/// Lets it go off, and waits until it has.
fn go_off(process: i32, fd: i32, mark: u32) -> Option<()> {
    let timer = settime(process, fd, mark, 1)?;
    poll(&mut [PollFd::new(&timer, PollFlags::IN)], Some(&AT_ONCE)).ok()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_known_by_its_mark() {
        let info = |interval: i64| {
            format!(
                "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t1\nclockid: 1\nticks: 0\nsettime flags: 00\n\
                 it_value: (0, 0)\nit_interval: ({interval}, 0)\n"
            )
        };
        let parsed = |interval, mark| {
            let expected = Descriptor { clock: 1, mark };
            assert_eq!(Descriptor::parse(&info(interval)), Some(expected));
        };
        parsed(0, None);
        parsed(MARK - 1, None);
        parsed(MARK, Some(0));
        parsed(MARK + 17, Some(17));
        assert_eq!(Descriptor::parse("pos:\t0\nflags:\t02\n"), None);
    }
}
