//! How a program comes under the tracer before it runs.
//!
//! A shell is started in its place, stops itself, and later becomes the program. While it is stopped it
//! is seized, and made to do four calls by the instruction that it stopped in: no fixed addresses, the
//! processor's counter not to be read, no new privileges (the kernel demands that), and the filter. All
//! four are inherited, over `exec` too, so nothing has to be done again for what it starts.

use std::{ffi::OsStr, io, path::Path, process::Command};

use nix::{
    errno::Errno,
    sys::ptrace::{self, Options},
    unistd::Pid,
};
use rustix::{
    process::{Pid as ProcessId, Signal, WaitId, WaitIdOptions, kill_process, waitid},
    thread::{CpuSet, sched_getcpu, sched_setaffinity},
};
use sibcheck_ptrace::{Resume, resume};

use super::{
    Stop, filter,
    memory::Memory,
    wait_for,
    x86_64::{self as calls, Registers, SYSCALL_INSTRUCTION},
};

/// The shell stops itself; once it goes on, it becomes the program.
const STOP_THEN_BECOME: &str = r#"kill -STOP "$$"; exec "$@""#;

const SHELL: &str = "/bin/sh";

/// `ADDR_NO_RANDOMIZE`.
const FIXED_ADDRESSES: u64 = 0x0004_0000;
/// `PR_SET_TSC`, `PR_TSC_SIGSEGV`.
const SET_COUNTER: [u64; 2] = [26, 2];
/// `PR_SET_NO_NEW_PRIVS`.
const SET_NO_NEW_PRIVILEGES: [u64; 2] = [38, 1];
/// `SECCOMP_SET_MODE_FILTER`.
const SET_FILTER: u64 = 1;

/// Far below what the shell uses of its stack.
const BELOW_THE_STACK: u64 = 16 << 10;

/// The command that starts the shell in place of a program.
pub(in crate::nodes::process) fn command(program: &Path) -> Command {
    let mut command = Command::new(SHELL);
    let words = ["-c", STOP_THEN_BECOME, "sh"].map(OsStr::new);
    command.args(words).arg(program);
    command
}

/// Seizes the shell once it has stopped, prepares it, and lets it go on; with `deeds` it will stop before
/// it changes a file, with `syncs` in all that matters to storage.
pub(super) fn seize(root: Pid, deeds: bool, syncs: bool) -> io::Result<()> {
    let Some(process) = ProcessId::from_raw(root.as_raw()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(process), options)?;
    if !status.is_some_and(|status| status.stopped()) {
        return Err(io::Error::other(
            "the shell ended before it could be traced",
        ));
    }
    let options = Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEVFORKDONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(root, options)?;
    stay_on_one_processor(process);
    loop {
        match wait_for(root)? {
            Stop::Group(_) => break,
            Stop::Ended(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => resume(root.as_raw(), Resume::Run, 0)?,
        }
    }
    kill_process(process, Signal::CONT)?;
    prepare(root, deeds, syncs)?;
    resume(root.as_raw(), Resume::Run, 0)
}

/// Keeps the program, and all that it starts, on the processor that we are on: then one thread runs at
/// a time, and no stop has to be waited for from afar. Where that is not allowed it goes without.
fn stay_on_one_processor(process: ProcessId) {
    let mut here = CpuSet::new();
    here.set(sched_getcpu());
    let _ = sched_setaffinity(Some(process), &here);
}

/// Makes the calls, and puts all back as it was.
fn prepare(root: Pid, deeds: bool, syncs: bool) -> io::Result<()> {
    let before = Registers(ptrace::getregs(root)?);
    let memory = Memory(root);
    if memory.read(before.place())? != SYSCALL_INSTRUCTION {
        return Err(io::Error::other("the shell did not stop in a system call"));
    }
    let (count, program) = filter::bytes(deeds, syncs);
    let header = (before.stack() - BELOW_THE_STACK) & !15;
    let filter = header + 16;
    memory.write_words(header, &[count.into(), filter])?;
    memory.write(filter, &program)?;
    let [counter, forbidden] = SET_COUNTER;
    let [privileges, none] = SET_NO_NEW_PRIVILEGES;
    for (call, arguments) in [
        (calls::PERSONALITY, [FIXED_ADDRESSES, 0, 0, 0, 0, 0]),
        (calls::PRCTL, [counter, forbidden, 0, 0, 0, 0]),
        (calls::PRCTL, [privileges, none, 0, 0, 0, 0]),
        (calls::SECCOMP, [SET_FILTER, 0, header, 0, 0, 0]),
    ] {
        let Made::Result(result) = make(root, before, before.place(), (call, arguments))?.0 else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        // The processor's counter may be out of reach anyway, as on some virtual machines.
        if result < 0 && (call, arguments[0]) != (calls::PRCTL, counter) {
            let code = i32::try_from(-result).unwrap_or(Errno::EINVAL as i32);
            return Err(io::Error::from_raw_os_error(code));
        }
    }
    ptrace::setregs(root, before.0)?;
    Ok(())
}

/// What came of a call that a thread was made to do.
pub(super) enum Made {
    Result(i64),
    /// It ended meanwhile.
    Ended(i32),
}

/// Makes a stopped thread do one call, by the instruction at this place. Its registers are left as they
/// are behind it. Returns the last signal that came meanwhile, too; 0 for none.
pub(super) fn make(
    thread: Pid,
    before: Registers,
    place: u64,
    (call, arguments): (u32, [u64; 6]),
) -> io::Result<(Made, i32)> {
    let mut registers = before;
    registers.inject(place, call, arguments);
    ptrace::setregs(thread, registers.0)?;
    let mut signal = 0;
    // Into the call, and out of it.
    for _ in 0..2 {
        if let Some(status) = go_to_call(thread, &mut signal)? {
            return Ok((Made::Ended(status), signal));
        }
    }
    let result = Registers(ptrace::getregs(thread)?).result();
    Ok((Made::Result(result), signal))
}

/// Lets a stopped thread go on until it enters or leaves a call. Returns how it ended, if it did.
pub(super) fn go_to_call(thread: Pid, signal: &mut i32) -> io::Result<Option<i32>> {
    loop {
        resume(thread.as_raw(), Resume::ToSyscall, 0)?;
        match wait_for(thread)? {
            Stop::Call => return Ok(None),
            Stop::Ended(status) => return Ok(Some(status)),
            Stop::Signal(other) => *signal = other,
            _ => {}
        }
    }
}
