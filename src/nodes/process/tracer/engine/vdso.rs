//! Reading the clock without a stop: the code that the kernel maps into every program for that (the
//! vDSO) is replaced by code of ours, which reads a page that the tracer keeps up to date.
//!
//! Runtimes read the clock hundreds of times while they start, and several times a request; a stop
//! each would cost more than all others together. The page begins with [`Page::SHOWN`] words, and two in
//! which the code notes what it did:
//!
//! | word | what |
//! | --- | --- |
//! | 0 | how often the clock may still be read before the tracer wants to know |
//! | 1, 2 | the steady hand, in seconds and nanoseconds |
//! | 3, 4 | the wall's hand |
//! | 5 | its microseconds |
//! | 6, 7 | how often the wall's and the steady hand were read |
//!
//! The code is on the page behind it, and the three functions of the vDSO jump there. When word 0 is
//! used up, or a clock is asked for that is not on the page, the code makes the call, and the filter
//! stops it. The kernel allows the vDSO to be written by who traces, for debuggers' sake; each process
//! then has pages of its own. Where any of this fails, the vDSO is hidden, and each reading is a call.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
};

use crate::simulation::{Hand, NodeClock, Run, SECOND};

/// The most that is read of a vDSO: a few pages.
const MOST_BYTES: usize = 16 << 10;

/// The data page and the code page.
pub(super) const PAGES_BYTES: u64 = 2 * PAGE;
const PAGE: u64 = 4096;

/// Clocks that show the wall's hand, as bits: `REALTIME`, `REALTIME_COARSE`, `REALTIME_ALARM`, `TAI`.
const WALL_CLOCKS: [u8; 4] = [0x21, 0x09, 0, 0];

/// The functions that are replaced.
const FUNCTIONS: [&[u8]; 3] = [
    b"__vdso_clock_gettime",
    b"__vdso_gettimeofday",
    b"__vdso_time",
];

/// The page of one process.
#[derive(Debug)]
pub(super) struct Page {
    at: u64,
    memory: File,
}

impl Page {
    /// How many words it shows.
    const SHOWN: usize = 6;

    /// Writes the code and the jumps to it: `at` is where [`PAGES_BYTES`] that can be executed were
    /// mapped, `vdso` where the vDSO is, and `functions` what [`functions`] found there.
    pub(super) fn install(
        process: i32,
        at: u64,
        vdso: u64,
        functions: [u64; 3],
    ) -> io::Result<Self> {
        let page = Self::of(process, at)?;
        let mut code_at = at + PAGE;
        for (function, code) in functions.into_iter().zip(code(at)) {
            page.memory.write_all_at(&code, code_at)?;
            page.memory
                .write_all_at(&jump_to(code_at), vdso + function)?;
            code_at += code.len() as u64;
        }
        Ok(page)
    }

    /// That of a process which has inherited it.
    pub(super) fn of(process: i32, at: u64) -> io::Result<Self> {
        let path = format!("/proc/{process}/mem");
        let memory = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { at, memory })
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether it was read as often as it may be.
    pub(super) fn is_used_up(&self) -> bool {
        let mut left = [0; 8];
        let read = self.memory.read_exact_at(&mut left, self.at);
        read.is_ok() && i64::from_le_bytes(left) < 0
    }

    /// Whether the clock was read since this was asked: the wall's hand, or with `steady` either.
    pub(super) fn take_uses(&self, steady: bool) -> bool {
        let mut words = [0; 16];
        let at = self.at + 8 * Self::SHOWN as u64;
        // Who is gone reads nothing.
        let known = self.memory.read_exact_at(&mut words, at).is_ok();
        let begun_anew = words == [0; 16] || self.memory.write_all_at(&[0; 16], at).is_ok();
        let [wall, steadily] = [&words[..8], &words[8..]].map(|word| word != [0; 8]);
        known && begun_anew && (wall || (steady && steadily))
    }

    /// Shows the present moment, which may be read so often.
    pub(super) fn show(&self, clock: &NodeClock, now: Run, readings: u32) -> io::Result<()> {
        let [steady, wall] = [Hand::Steady, Hand::Wall].map(|hand| clock.shows(hand, now));
        let words: [u64; Self::SHOWN] = [
            readings.into(),
            steady / SECOND,
            steady % SECOND,
            wall / SECOND,
            wall % SECOND,
            wall % SECOND / 1_000,
        ];
        let bytes = words.map(u64::to_le_bytes);
        self.memory.write_all_at(bytes.as_flattened(), self.at)
    }
}

/// `mov rax, at; jmp rax`.
fn jump_to(at: u64) -> Vec<u8> {
    [&[0x48, 0xb8][..], &at.to_le_bytes(), &[0xff, 0xe0]].concat()
}

/// The code of each function, for a page that is there.
fn code(page: u64) -> [Vec<u8>; 3] {
    // mov rax, page; dec qword [rax]; js, to be followed by how far
    let begin = [
        &[0x48, 0xb8][..],
        &page.to_le_bytes(),
        &[0x48, 0xff, 0x08, 0x78],
    ]
    .concat();
    // mov eax, call; syscall; ret
    let call = |number: u8| vec![0xb8, number, 0, 0, 0, 0x0f, 0x05, 0xc3];
    let [bit_0, bit_1, bit_2, bit_3] = WALL_CLOCKS;
    let clock_gettime = [
        &begin[..],
        &[51],
        // cmp edi, 11; ja call
        &[0x83, 0xff, 11, 0x77, 46],
        // mov ecx, wall clocks; bt ecx, edi; jc wall
        &[0xb9, bit_0, bit_1, bit_2, bit_3, 0x0f, 0xa3, 0xf9, 0x72, 14],
        // mov rcx, [rax+8]; mov rdx, [rax+16]; inc qword [rax+56]; jmp store
        &[0x48, 0x8b, 0x48, 8, 0x48, 0x8b, 0x50, 16],
        &[0x48, 0xff, 0x40, 56, 0xeb, 12],
        // wall: mov rcx, [rax+24]; mov rdx, [rax+32]; inc qword [rax+48]
        &[
            0x48, 0x8b, 0x48, 24, 0x48, 0x8b, 0x50, 32, 0x48, 0xff, 0x40, 48,
        ],
        // store: mov [rsi], rcx; mov [rsi+8], rdx; xor eax, eax; ret
        &[0x48, 0x89, 0x0e, 0x48, 0x89, 0x56, 8, 0x31, 0xc0, 0xc3],
        &call(228),
    ]
    .concat();
    let gettimeofday = [
        &begin[..],
        &[32],
        // test rdi, rdi; jz zone
        &[0x48, 0x85, 0xff, 0x74, 19],
        // mov rcx, [rax+24]; mov rdx, [rax+40]; inc qword [rax+48]; mov [rdi], rcx; mov [rdi+8], rdx
        &[
            0x48, 0x8b, 0x48, 24, 0x48, 0x8b, 0x50, 40, 0x48, 0xff, 0x40, 48,
        ],
        &[0x48, 0x89, 0x0f, 0x48, 0x89, 0x57, 8],
        // zone: test rsi, rsi; jnz call; xor eax, eax; ret
        &[0x48, 0x85, 0xf6, 0x75, 3, 0x31, 0xc0, 0xc3],
        &call(96),
    ]
    .concat();
    let time = [
        &begin[..],
        &[17],
        // inc qword [rax+48]; mov rax, [rax+24]; test rdi, rdi; jz done; mov [rdi], rax; done: ret
        &[
            0x48, 0xff, 0x40, 48, 0x48, 0x8b, 0x40, 24, 0x48, 0x85, 0xff, 0x74, 3, 0x48, 0x89,
            0x07, 0xc3,
        ],
        &call(201),
    ]
    .concat();
    [clock_gettime, gettimeofday, time]
}

/// Where the functions are in a vDSO, from its beginning: `None` when it is not as expected, or one of
/// them has no room for a jump. Also where it has an instruction that makes a call.
pub(super) fn functions(image: &[u8]) -> Option<([u64; 3], u64)> {
    let word = |at: usize| -> Option<u64> {
        let bytes = image.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let half = |at: usize| -> Option<usize> {
        let bytes = image.get(at..at.checked_add(2)?)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?).into())
    };
    let place = |value: u64| usize::try_from(value).ok();
    if !image.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    // The program headers: kind, offset in the file, address.
    let (headers, size, count) = (place(word(0x20)?)?, half(0x36)?, half(0x38)?);
    let header = |kind: u64| {
        (0..count)
            .map(|number| headers + number * size)
            .find(|at| word(*at).is_some_and(|word| word & 0xffff_ffff == kind))
    };
    let (loaded, dynamic) = (header(1)?, header(2)?);
    let base = word(loaded + 16)?.checked_sub(word(loaded + 8)?)?;
    // Pairs of a tag and an address.
    let table = place(word(dynamic + 8)?)?;
    let tagged = |tag: u64| {
        (0..64)
            .map(|number| table + 16 * number)
            .find(|at| word(*at) == Some(tag))
            .and_then(|at| place(word(at + 8)?.checked_sub(base)?))
    };
    let (names, symbols) = (tagged(5)?, tagged(6)?);
    // The names stand behind the symbols, of 24 bytes each: name, …, address, size.
    let count = names.checked_sub(symbols)? / 24;
    let find = |name: &[u8]| {
        (0..count)
            .map(|number| symbols + 24 * number)
            .find(|at| {
                let start = word(*at).and_then(|word| place(word & 0xffff_ffff));
                let text = start.and_then(|start| image.get(names.checked_add(start)?..));
                text.is_some_and(|text| text.starts_with(name) && text.get(name.len()) == Some(&0))
            })
            .and_then(|at| Some((word(at + 8)?.checked_sub(base)?, word(at + 16)?)))
    };
    let mut found = [0; 3];
    for (slot, name) in found.iter_mut().zip(FUNCTIONS) {
        let (at, size) = find(name)?;
        if size < jump_to(0).len() as u64 {
            return None;
        }
        *slot = at;
    }
    let calls = super::x86_64::SYSCALL_INSTRUCTION;
    let call = image
        .windows(calls.len())
        .position(|bytes| bytes == calls)?;
    // One that the jumps overwrite is of no use later, but it is used before.
    Some((found, call as u64))
}

/// Reads as much of the vDSO as there is.
pub(super) fn image(process: i32, at: u64) -> io::Result<Vec<u8>> {
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut image = Vec::new();
    let mut page = [0; 4096];
    while image.len() < MOST_BYTES {
        match memory.read_at(&mut page, at + image.len() as u64) {
            Ok(read) if read > 0 => image.extend_from_slice(&page[..read]),
            // What lies behind it is not there.
            _ if !image.is_empty() => break,
            Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => return Err(error),
        }
    }
    Ok(image)
}
