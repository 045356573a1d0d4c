//! All that is peculiar to x86-64: the numbers of system calls, and in which registers they find what.

use nix::libc::user_regs_struct;

use super::filter::When;

/// `AUDIT_ARCH_X86_64`.
pub(super) const ARCHITECTURE: u32 = 0xc000_003e;

/// Bytes of the instruction `syscall`.
pub(super) const SYSCALL_INSTRUCTION: [u8; 2] = [0x0f, 0x05];

macro_rules! calls {
    ($($name:ident = $number:literal, $when:expr;)*) => {
        $(pub(super) const $name: u32 = $number;)*

        /// The calls that may stop a program, and when they do.
        pub(super) const TRACED: [(u32, When); [$($number),*].len()] = [$(($name, $when)),*];
    };
}

calls! {
    // Those that come most often first.
    CLOCK_GETTIME = 228, When::Always;
    FUTEX = 202, When::FutexWait(3);
    EPOLL_WAIT = 232, When::Millis(3);
    EPOLL_PWAIT = 281, When::Millis(3);
    POLL = 7, When::Millis(2);
    PPOLL = 271, When::Pointer(2);
    NANOSLEEP = 35, When::Always;
    CLOCK_NANOSLEEP = 230, When::Always;
    SELECT = 23, When::Pointer(4);
    PSELECT6 = 270, When::Pointer(4);
    GETTIMEOFDAY = 96, When::Always;
    TIME = 201, When::Always;
    TIMES = 100, When::Always;
    GETRANDOM = 318, When::Always;
    OPENAT = 257, When::Always;
    OPEN = 2, When::Always;
    EPOLL_PWAIT2 = 441, When::Pointer(3);
    FUTEX_WAITV = 449, When::Pointer(3);
    FUTEX_WAIT = 455, When::Pointer(4);
    TIMERFD_SETTIME = 286, When::Always;
    TIMERFD_GETTIME = 287, When::Always;
    SETITIMER = 38, When::Always;
    GETITIMER = 36, When::Always;
    ALARM = 37, When::Always;
    TIMER_CREATE = 222, When::Always;
    TIMER_SETTIME = 223, When::Always;
    TIMER_GETTIME = 224, When::Always;
    TIMER_DELETE = 226, When::Always;
    RT_SIGTIMEDWAIT = 128, When::Pointer(2);
    SYSINFO = 99, When::Always;
    IO_URING_SETUP = 425, When::Always;
    MQ_TIMEDSEND = 242, When::Pointer(4);
    MQ_TIMEDRECEIVE = 243, When::Pointer(4);
    SEMTIMEDOP = 220, When::Pointer(3);
    RECVMMSG = 299, When::Pointer(4);
    IO_GETEVENTS = 208, When::Pointer(4);
    IO_PGETEVENTS = 333, When::Pointer(4);
}

/// The calls that change files, at which a node may be made to crash.
pub(super) const DEEDS: [(u32, When); 15] = [
    (1, When::AboveStandard(0)),   // write
    (18, When::AboveStandard(0)),  // pwrite64
    (20, When::AboveStandard(0)),  // writev
    (296, When::AboveStandard(0)), // pwritev
    (PWRITEV2, When::AboveStandard(0)),
    (FSYNC, When::Always),
    (FDATASYNC, When::Always),
    (MSYNC, When::Always),
    (FTRUNCATE, When::Always),
    (82, When::Always),  // rename
    (264, When::Always), // renameat
    (316, When::Always), // renameat2
    (86, When::Always),  // link
    (87, When::Always),  // unlink
    (263, When::Always), // unlinkat
];

/// The calls among them that write to a descriptor, which need not be a file.
pub(super) const WRITES: [u32; 5] = [1, 18, 20, 296, PWRITEV2];

/// Calls that bring files to storage, or change them in ways of their own.
pub(super) const MSYNC: u32 = 26;
pub(super) const SENDFILE: u32 = 40;
pub(super) const FSYNC: u32 = 74;
pub(super) const FDATASYNC: u32 = 75;
pub(super) const FTRUNCATE: u32 = 77;
pub(super) const SYNC: u32 = 162;
pub(super) const IO_SUBMIT: u32 = 209;
pub(super) const SPLICE: u32 = 275;
pub(super) const SYNC_FILE_RANGE: u32 = 277;
pub(super) const FALLOCATE: u32 = 285;
pub(super) const SYNCFS: u32 = 306;
pub(super) const COPY_FILE_RANGE: u32 = 326;
pub(super) const PWRITEV2: u32 = 328;

/// Calls that may wait for a time, which are let through as they are: in real time.
pub(super) const NOT_COVERED: [(u32, &str); 6] = [
    (MQ_TIMEDSEND, "mq_timedsend"),
    (MQ_TIMEDRECEIVE, "mq_timedreceive"),
    (SEMTIMEDOP, "semtimedop"),
    (RECVMMSG, "recvmmsg"),
    (IO_GETEVENTS, "io_getevents"),
    (IO_PGETEVENTS, "io_pgetevents"),
];

/// Operations of `futex` that wait: `WAIT`, `WAIT_BITSET`, `LOCK_PI`, `WAIT_REQUEUE_PI`, `LOCK_PI2`.
pub(super) const FUTEX_WAITS: [u32; 5] = [0, 9, 6, 11, 13];

/// Calls that the tracer makes a program do.
pub(super) const MMAP: u32 = 9;
pub(super) const PAUSE: u32 = 34;
pub(super) const PERSONALITY: u32 = 135;
pub(super) const PRCTL: u32 = 157;
pub(super) const SECCOMP: u32 = 317;

/// The registers of a stopped thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers(pub(super) user_regs_struct);

impl Registers {
    /// The number of the call that it is in.
    pub(super) fn call(&self) -> u32 {
        u32::try_from(self.0.orig_rax).unwrap_or(u32::MAX)
    }

    /// Does another call instead of the one that it is about to do.
    pub(super) fn set_call(&mut self, call: u32) {
        self.0.orig_rax = call.into();
    }

    pub(super) fn arguments(&self) -> [u64; 6] {
        let r = &self.0;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]
    }

    pub(super) fn set_argument(&mut self, argument: u32, value: u64) {
        let r = &mut self.0;
        *match argument {
            0 => &mut r.rdi,
            1 => &mut r.rsi,
            2 => &mut r.rdx,
            3 => &mut r.r10,
            4 => &mut r.r8,
            _ => &mut r.r9,
        } = value;
    }

    pub(super) fn set_arguments(&mut self, values: [u64; 6]) {
        for (position, value) in (0..).zip(values) {
            self.set_argument(position, value);
        }
    }

    /// What the call returned.
    pub(super) fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    pub(super) fn set_result(&mut self, result: i64) {
        self.0.rax = result.cast_unsigned();
    }

    /// Leaves out the call that it is about to do, and lets it return this.
    pub(super) fn skip(&mut self, result: i64) {
        self.0.orig_rax = u64::MAX;
        self.set_result(result);
    }

    /// At the next step it does this call, by the instruction at this place.
    pub(super) fn inject(&mut self, place: u64, call: u32, arguments: [u64; 6]) {
        self.0.rip = place;
        self.0.rax = call.into();
        self.0.orig_rax = u64::MAX;
        self.set_arguments(arguments);
    }

    /// Where the instruction of the call stands that it is in, or has just returned from.
    pub(super) fn place(&self) -> u64 {
        self.0.rip.wrapping_sub(SYSCALL_INSTRUCTION.len() as u64)
    }

    /// Whether it runs code of 32 bits (`__USER32_CS`).
    pub(super) fn is_of_32_bits(&self) -> bool {
        self.0.cs == 0x23
    }

    pub(super) fn stack(&self) -> u64 {
        self.0.rsp
    }

    /// Answers an instruction that reads the processor's counter, where it stands.
    pub(super) fn answer_counter(&mut self, code: [u8; 3], counter: u64) -> bool {
        let length = match code {
            // rdtsc
            [0x0f, 0x31, _] => 2,
            // rdtscp, which tells the processor's number, too
            [0x0f, 0x01, 0xf9] => {
                self.0.rcx = 0;
                3
            }
            _ => return false,
        };
        self.0.rax = counter & u64::from(u32::MAX);
        self.0.rdx = counter >> 32;
        self.0.rip += length;
        true
    }

    pub(super) fn instruction(&self) -> u64 {
        self.0.rip
    }
}
