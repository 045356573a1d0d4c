//! Letting a traced thread go on, with any signal and in every way, and sending signals as timers do.
//!
//! The safe wrappers of ptrace know the signals with names only, so a stop at a real-time signal
//! (those of thread libraries) could not be passed on, and none of them offers `PTRACE_LISTEN` or a
//! signal with what a timer says. This is all that is missing, and the one place of this repository
//! with `unsafe` in it.
#![cfg(target_os = "linux")]

use std::io;

/// How a stopped thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Until something stops it.
    Run,
    /// The same, or until it enters or leaves a system call.
    ToSyscall,
    /// Not at all: it stays stopped with its process (`SIGSTOP`), and tells when that ends.
    Listen,
}

/// Lets a thread that this thread traces, and that is stopped, go on; `signal` is delivered to it unless
/// it is 0.
///
/// # Errors
///
/// `ESRCH` when the thread is gone, not stopped, or not traced by the calling thread; `EIO` for a
/// number that is no signal.
pub fn resume(thread: i32, how: Resume, signal: i32) -> io::Result<()> {
    let request = match how {
        Resume::Run => libc::PTRACE_CONT,
        Resume::ToSyscall => libc::PTRACE_SYSCALL,
        Resume::Listen => libc::PTRACE_LISTEN,
    };
    let nowhere = std::ptr::null_mut::<libc::c_void>();
    let data = libc::c_long::from(signal);
    // SAFETY: of these three requests the kernel ignores the address and takes the data for a number,
    // never for a pointer (ptrace(2)), so no memory of this process is read or written. Whatever
    // thread is named, the kernel lets only its tracer act on it, and refuses with an error.
    let result = unsafe { libc::ptrace(request, thread, nowhere, data) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// What the kernel hands over with a signal, as it lies in memory (sigaction(2)): the beginning of it for
/// a timer's, and room for all others.
#[repr(C, align(8))]
struct SignalInfo {
    signal: i32,
    error: i32,
    code: i32,
    /// What follows begins at a multiple of eight.
    gap: i32,
    timer: i32,
    overrun: i32,
    value: u64,
    rest: [u64; 12],
}

/// `SI_TIMER`.
const OF_A_TIMER: i32 = -2;

/// Sends a signal as a timer of the process would: to one thread of it, or to any. `timer` is the number
/// that the kernel gave the timer, `value` what its owner wants to be told.
///
/// # Errors
///
/// `ESRCH` when there is no such process or thread, `EPERM` when it may not be signalled, `EINVAL` for a
/// number that is no signal, `EAGAIN` when too many signals wait already.
pub fn signal_of_timer(
    process: i32,
    thread: Option<i32>,
    signal: i32,
    timer: i32,
    value: u64,
) -> io::Result<()> {
    let info = SignalInfo {
        signal,
        error: 0,
        code: OF_A_TIMER,
        gap: 0,
        timer,
        overrun: 0,
        value,
        rest: [0; 12],
    };
    let info: *const SignalInfo = &raw const info;
    // SAFETY: the kernel reads one `siginfo_t` behind the pointer, of 128 bytes, and writes nothing
    // (rt_sigqueueinfo(2)). `info` has that size, which the test below asserts, is initialised, and
    // lives until the call has returned. All other arguments are numbers.
    let result = unsafe {
        match thread {
            None => libc::syscall(libc::SYS_rt_sigqueueinfo, process, signal, info),
            Some(thread) => {
                libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, info)
            }
        }
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_a_signal_is_as_big_as_the_kernel_takes_it() {
        assert_eq!(size_of::<SignalInfo>(), size_of::<libc::siginfo_t>());
        assert_eq!(size_of::<SignalInfo>(), 128);
    }

    #[test]
    fn nobody_is_signalled_by_mistake() {
        let error = signal_of_timer(i32::MAX, None, 0, 0, 0).expect_err("there is no such process");
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn what_is_not_traced_is_refused() {
        for how in [Resume::Run, Resume::ToSyscall, Resume::Listen] {
            let error = resume(1, how, 0).expect_err("process 1 is not ours");
            assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
        }
    }
}
