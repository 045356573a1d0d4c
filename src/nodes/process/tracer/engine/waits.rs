//! Calls that wait: until when, how they are let into the kernel without a limit, and how they end.
//!
//! A thread that waits for a time waits in the kernel without a limit, so that data, signals and
//! wake-ups of other threads end its wait as ever. At its time it is interrupted, and the call
//! returns what it would have returned. Either way the registers in which the limit was left out are
//! put back: programs may count on them.

use nix::errno::Errno;

use crate::simulation::{Hand, NodeClock, Reading, Run, SECOND};

use super::{
    memory::Memory,
    x86_64::{self as calls, Registers},
};

/// Results that never reach a program: the kernel starts the call again, or says `EINTR`.
const RESTART_SYS: i64 = -512;
const RESTART_NO_INTERRUPT: i64 = -513;
const RESTART_NO_HANDLER: i64 = -514;
const RESTART_BLOCK: i64 = -516;

/// A bit of `futex` operations: absolute times are the wall's.
const FUTEX_WALL: u64 = 256;
/// `clock_nanosleep`: the time is absolute.
const ABSOLUTE: u64 = 1;

/// A sleep shorter than [`SHORT`] lasts [`SHORTEST`]: the kernel promises no more than that it is not
/// shorter, and runtimes that sleep for 20 µs again and again, while they are busy, would be woken for
/// nothing a thousand times a request.
const SHORT: u64 = 100_000;
const SHORTEST: u64 = 1_500_000;

/// A thread's wait for a time.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) until: Reading,
    kind: Kind,
    /// As the program made it.
    call: u32,
    arguments: [u64; 6],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// What is left is written there, where that is not 0.
    Sleep {
        left: u64,
    },
    Futex,
    /// What is left is written to where the limit was.
    Poll {
        left: Option<Left>,
    },
    Select {
        left: Left,
    },
    Epoll,
    Signal,
}

/// Where a call writes how much of its limit is left.
#[derive(Clone, Copy, Debug)]
struct Left {
    at: u64,
    /// In microseconds, else in nanoseconds.
    micros: bool,
}

impl Left {
    fn write(self, memory: Memory, ns: u64) {
        let unit = if self.micros { 1_000 } else { 1 };
        // The kernel does not mind either where it cannot be written.
        let _ = memory.write_words(self.at, &[ns / SECOND, ns % SECOND / unit]);
    }
}

/// A call that a signal broke off, and that starts again unless a handler ran.
#[derive(Clone, Debug)]
pub(super) struct BrokenOff {
    call: u32,
    arguments: [u64; 6],
    until: Reading,
}

/// What becomes of a call that could wait.
pub(super) enum Begun {
    /// It waits, let in without its limit.
    Waits(Wait),
    /// It does not wait: it is let in as it is.
    Through,
    /// It is over.
    Over(i64),
}

/// The hand of a clock that a program names. Times on a processor, too, are the run's.
pub(super) fn hand(clock: u64) -> Hand {
    // REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI.
    if matches!(clock, 0 | 5 | 8 | 11) {
        Hand::Wall
    } else {
        Hand::Steady
    }
}

/// A span or time in nanoseconds; `None` for one that the kernel refuses.
pub(super) fn nanos(memory: Memory, at: u64, micros: bool) -> Option<u64> {
    let [seconds, parts] = memory.pair(at).ok()?;
    let unit = if micros { 1_000 } else { 1 };
    let (seconds, parts) = (u64::try_from(seconds).ok()?, u64::try_from(parts).ok()?);
    let valid = parts < SECOND / unit;
    valid.then(|| seconds.saturating_mul(SECOND).saturating_add(parts * unit))
}

/// Looks at a call that may wait for a time, and leaves its limit out where it will wait.
pub(super) fn begin(
    registers: &mut Registers,
    memory: Memory,
    clock: &NodeClock,
    now: Run,
    broken_off: Option<BrokenOff>,
) -> Begun {
    let call = registers.call();
    let arguments @ [first, second, third, fourth, fifth, sixth] = registers.arguments();
    let mut inside = *registers;
    // What the limit is, and how it is left out.
    let (limit, kind) = match call {
        calls::NANOSLEEP => (
            nanos(memory, first, false).map(Limit::Span),
            Kind::Sleep { left: second },
        ),
        calls::CLOCK_NANOSLEEP => {
            let ns = nanos(memory, third, false);
            if second & ABSOLUTE == 0 {
                (ns.map(Limit::Span), Kind::Sleep { left: fourth })
            } else {
                let time = ns.map(|ns| Limit::at(hand(first), ns));
                (time, Kind::Sleep { left: 0 })
            }
        }
        calls::POLL | calls::EPOLL_WAIT | calls::EPOLL_PWAIT => {
            let (argument, kind) = if call == calls::POLL {
                (2, Kind::Poll { left: None })
            } else {
                (3, Kind::Epoll)
            };
            inside.set_argument(argument, u32::MAX.into());
            let millis = arguments[argument as usize] & u64::from(u32::MAX);
            (Some(Limit::Span(millis * 1_000_000)), kind)
        }
        calls::PPOLL => {
            inside.set_argument(2, 0);
            let left = Left {
                at: third,
                micros: false,
            };
            let span = nanos(memory, third, false).map(Limit::Span);
            (span, Kind::Poll { left: Some(left) })
        }
        calls::SELECT | calls::PSELECT6 => {
            inside.set_argument(4, 0);
            let micros = call == calls::SELECT;
            let left = Left { at: fifth, micros };
            let span = nanos(memory, fifth, micros).map(Limit::Span);
            (span, Kind::Select { left })
        }
        calls::EPOLL_PWAIT2 => {
            inside.set_argument(3, 0);
            (nanos(memory, fourth, false).map(Limit::Span), Kind::Epoll)
        }
        calls::RT_SIGTIMEDWAIT => {
            inside.set_argument(2, 0);
            (nanos(memory, third, false).map(Limit::Span), Kind::Signal)
        }
        calls::FUTEX => {
            inside.set_argument(3, 0);
            let ns = nanos(memory, fourth, false);
            let limit = ns.map(|ns| match second & 0x7f {
                0 => Limit::Span(ns),
                6 => Limit::at(Hand::Wall, ns),
                _ if second & FUTEX_WALL != 0 => Limit::at(Hand::Wall, ns),
                _ => Limit::at(Hand::Steady, ns),
            });
            (limit, Kind::Futex)
        }
        calls::FUTEX_WAITV => {
            inside.set_argument(3, 0);
            let ns = nanos(memory, fourth, false);
            (ns.map(|ns| Limit::at(hand(fifth), ns)), Kind::Futex)
        }
        calls::FUTEX_WAIT => {
            inside.set_argument(4, 0);
            let ns = nanos(memory, fifth, false);
            (ns.map(|ns| Limit::at(hand(sixth), ns)), Kind::Futex)
        }
        _ => return Begun::Through,
    };
    let again = broken_off.filter(|broken| broken.call == call && broken.arguments == arguments);
    let until = match (again, limit) {
        (Some(broken), _) => broken.until,
        (None, Some(Limit::Span(0))) if matches!(kind, Kind::Sleep { .. }) => {
            return Begun::Over(0);
        }
        // It does not wait, or the kernel says what is wrong with it.
        (None, None | Some(Limit::Span(0))) => return Begun::Through,
        (None, Some(Limit::Span(span))) if span < SHORT && matches!(kind, Kind::Sleep { .. }) => {
            clock.after(now, SHORTEST)
        }
        (None, Some(Limit::Span(span))) => clock.after(now, span),
        (None, Some(Limit::Time(time))) => time,
    };
    if let Kind::Sleep { .. } = kind {
        if clock.when(until) <= now {
            return Begun::Over(0);
        }
        inside.set_call(calls::PAUSE);
    }
    *registers = inside;
    Begun::Waits(Wait {
        until,
        kind,
        call,
        arguments,
    })
}

enum Limit {
    Span(u64),
    Time(Reading),
}

impl Limit {
    fn at(hand: Hand, ns: u64) -> Self {
        Self::Time(Reading { hand, ns })
    }
}

impl Wait {
    /// Adjusts the registers at the end of the call, whatever ended it; `due` when it was interrupted
    /// because its time had come.
    pub(super) fn end(
        &self,
        registers: &mut Registers,
        memory: Memory,
        clock: &NodeClock,
        now: Run,
        due: bool,
    ) -> Option<BrokenOff> {
        let result = registers.result();
        registers.set_arguments(self.arguments);
        registers.set_call(self.call);
        let interrupted = matches!(
            result,
            RESTART_SYS | RESTART_NO_INTERRUPT | RESTART_NO_HANDLER | RESTART_BLOCK
        ) || result == -i64::from(Errno::EINTR as i32);
        if interrupted && due {
            registers.skip(self.times_out(memory));
            return None;
        }
        let left = clock.lacks(self.until, now);
        match self.kind {
            Kind::Sleep { left: at } if at != 0 && interrupted => {
                let at = Left { at, micros: false };
                at.write(memory, left);
            }
            Kind::Poll { left: Some(at) } | Kind::Select { left: at } => at.write(memory, left),
            _ => {}
        }
        if !interrupted {
            return None;
        }
        // With a limit they all say `EINTR` once a handler has run, and start again where none did.
        if matches!(result, RESTART_SYS | RESTART_BLOCK) {
            registers.set_result(RESTART_NO_HANDLER);
        }
        Some(BrokenOff {
            call: self.call,
            arguments: self.arguments,
            until: self.until,
        })
    }

    /// What the call returns, and writes, when its time has come.
    fn times_out(&self, memory: Memory) -> i64 {
        let errno = |errno: Errno| -i64::from(errno as i32);
        match self.kind {
            Kind::Sleep { .. } | Kind::Epoll => 0,
            Kind::Futex => errno(Errno::ETIMEDOUT),
            Kind::Signal => errno(Errno::EAGAIN),
            Kind::Poll { left } => {
                if let Some(left) = left {
                    left.write(memory, 0);
                }
                0
            }
            Kind::Select { left } => {
                left.write(memory, 0);
                let [count, sets @ ..] = self.arguments;
                let words = count.min(1 << 20).div_ceil(64);
                let nothing = vec![0; usize::try_from(words).unwrap_or(0)];
                for set in sets.into_iter().take(3).filter(|set| *set != 0) {
                    let _ = memory.write_words(set, &nothing);
                }
                0
            }
        }
    }
}
