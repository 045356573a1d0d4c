//! The calls by which a program brings files to storage, as its [`Storage`] has to know of them.
//!
//! A call that syncs does so when it begins, and is left out: in a run no machine loses power but on purpose.
//! What writes to a file that was opened to be synced at each write is looked at when it is done.

use std::fs::{self, File};

use super::{
    filter::When,
    storage::Storage,
    x86_64::{self as calls, Registers},
};

/// The calls that matter to storage, beside those that change files.
pub(super) const SYNCS: [(u32, When); 8] = [
    (calls::SYNC, When::Always),
    (calls::SYNCFS, When::Always),
    (calls::SYNC_FILE_RANGE, When::Always),
    (calls::SENDFILE, When::Always),
    (calls::SPLICE, When::Always),
    (calls::COPY_FILE_RANGE, When::Always),
    (calls::FALLOCATE, When::Always),
    (calls::IO_SUBMIT, When::Always),
];

const MS_SYNC: u64 = 4;
/// `RWF_DSYNC | RWF_SYNC`.
const SYNCED_WRITE: u64 = 2 | 4;
/// `O_DIRECT | O_DSYNC`; `O_SYNC` has the latter in it. What is written past the cache may be on storage, so it
/// is taken to be.
const SYNCED_AT_EACH_WRITE: u32 = 0o40_000 | 0o10_000;

/// What is to become of a call.
pub(super) enum Seen {
    /// It is done as it is.
    Through,
    /// It is left out, and returns 0.
    Done,
    /// Once it is done, this file is synced.
    Afterwards(File),
}

/// Looks at a call that a thread is about to do.
pub(super) fn see(storage: &mut Storage, thread: i32, registers: &Registers) -> Seen {
    let arguments = registers.arguments();
    let [first, second, third, .., last] = arguments;
    let written = match registers.call() {
        calls::FSYNC | calls::FDATASYNC | calls::SYNC_FILE_RANGE => {
            return match open(storage, thread, first) {
                Some(file) => {
                    storage.sync(file);
                    Seen::Done
                }
                None => Seen::Through,
            };
        }
        calls::SYNC | calls::SYNCFS => {
            storage.sync_all();
            return if registers.call() == calls::SYNC {
                Seen::Done
            } else {
                // The descriptor may be wrong.
                Seen::Through
            };
        }
        calls::MSYNC => {
            if third & MS_SYNC != 0 {
                sync_mapped(storage, thread, first..first.saturating_add(second));
            }
            return Seen::Through;
        }
        calls::IO_SUBMIT => {
            storage.lose_sight("io_submit, whose end is not seen".to_owned());
            return Seen::Through;
        }
        calls::PWRITEV2 if last & SYNCED_WRITE != 0 => {
            return open(storage, thread, first).map_or(Seen::Through, Seen::Afterwards);
        }
        calls::COPY_FILE_RANGE | calls::SPLICE => third,
        calls::SENDFILE | calls::FALLOCATE | calls::FTRUNCATE => first,
        call if calls::WRITES.contains(&call) => first,
        _ => return Seen::Through,
    };
    if flags(thread, written) & SYNCED_AT_EACH_WRITE == 0 {
        return Seen::Through;
    }
    open(storage, thread, written).map_or(Seen::Through, Seen::Afterwards)
}

/// Opens a file or folder that a thread has open; none where it is neither, or where it cannot be read:
/// then nothing is known of storage any more.
fn open(storage: &mut Storage, thread: i32, descriptor: u64) -> Option<File> {
    // The argument has 32 bits.
    let descriptor = u32::try_from(descriptor & u64::from(u32::MAX)).ok()?;
    let path = format!("/proc/{thread}/fd/{descriptor}");
    let kind = fs::metadata(&path).ok()?;
    if !kind.is_file() && !kind.is_dir() {
        return None;
    }
    match File::open(path) {
        Ok(file) => Some(file),
        Err(error) => {
            storage.lose_sight(format!("a file that was synced: {error}"));
            None
        }
    }
}

/// The flags with which a file was opened.
fn flags(thread: i32, descriptor: u64) -> u32 {
    let descriptor = descriptor & u64::from(u32::MAX);
    let told = fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}"));
    let told = told.unwrap_or_default();
    let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.unwrap_or_default()
}

/// Syncs the files that are mapped, and shared, between these addresses.
fn sync_mapped(storage: &mut Storage, thread: i32, addresses: std::ops::Range<u64>) {
    let maps = fs::read_to_string(format!("/proc/{thread}/maps")).unwrap_or_default();
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(span), Some(permissions), Some(path)) =
            (words.next(), words.next(), words.nth(3))
        else {
            continue;
        };
        let hexadecimal = |number| u64::from_str_radix(number, 16).ok();
        let span = span
            .split_once('-')
            .and_then(|(begin, end)| Some(hexadecimal(begin)?..hexadecimal(end)?));
        let overlaps =
            span.is_some_and(|span| span.start < addresses.end && addresses.start < span.end);
        if !overlaps || !permissions.ends_with('s') || !path.starts_with('/') {
            continue;
        }
        // Words after it, or an escape in it: a path that cannot be told from another.
        match File::open(path) {
            Ok(file) if words.next().is_none() && !path.contains('\\') => storage.sync(file),
            _ => storage.lose_sight(format!("msync of a file without a plain path, {path}")),
        }
    }
}
