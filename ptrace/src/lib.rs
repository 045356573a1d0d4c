//! Letting a traced thread go on, with any signal and in every way.
//!
//! The safe wrappers of ptrace know the signals with names only, so a stop at a real-time signal
//! (those of thread libraries) could not be passed on, and none of them offers `PTRACE_LISTEN`. This is
//! all that is missing, and the one place of this repository with `unsafe` in it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_traced_is_refused() {
        for how in [Resume::Run, Resume::ToSyscall, Resume::Listen] {
            let error = resume(1, how, 0).expect_err("process 1 is not ours");
            assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
        }
    }
}
