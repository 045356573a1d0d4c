//! Reading and writing the memory of a traced thread.

use std::io::{IoSlice, IoSliceMut};

use nix::{
    errno::Errno,
    sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev},
    unistd::Pid,
};

/// Where a thread's memory is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory(pub(super) Pid);

fn place(base: u64, len: usize) -> Result<RemoteIoVec, Errno> {
    let base = usize::try_from(base).map_err(|_| Errno::EFAULT)?;
    Ok(RemoteIoVec { base, len })
}

impl Memory {
    /// Fills the buffer from there, as far as it can be read; returns how many bytes that were.
    pub(super) fn read_some(self, base: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let place = place(base, buffer.len())?;
        process_vm_readv(self.0, &mut [IoSliceMut::new(buffer)], &[place])
    }

    pub(super) fn read<const N: usize>(self, base: u64) -> Result<[u8; N], Errno> {
        let mut buffer = [0; N];
        match self.read_some(base, &mut buffer)? {
            read if read == N => Ok(buffer),
            _ => Err(Errno::EFAULT),
        }
    }

    pub(super) fn write(self, base: u64, bytes: &[u8]) -> Result<(), Errno> {
        let place = place(base, bytes.len())?;
        match process_vm_writev(self.0, &[IoSlice::new(bytes)], &[place])? {
            written if written == bytes.len() => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    /// Two words, as times are given.
    pub(super) fn pair(self, base: u64) -> Result<[i64; 2], Errno> {
        let bytes: [u8; 16] = self.read(base)?;
        let (first, second) = bytes.split_at(8);
        let word = |half: &[u8]| i64::from_le_bytes(half.try_into().unwrap_or_default());
        Ok([word(first), word(second)])
    }

    /// Writes words one after the other.
    pub(super) fn write_words(self, base: u64, words: &[u64]) -> Result<(), Errno> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.write(base, &bytes)
    }

    /// Writes words where a program may have asked for nothing: then there is no place.
    pub(super) fn offer_words(self, base: u64, words: &[u64]) -> Result<(), Errno> {
        if base == 0 {
            return Ok(());
        }
        self.write_words(base, words)
    }

    /// Text that ends with a zero, up to so many bytes.
    pub(super) fn text(self, base: u64, most: usize) -> Result<Vec<u8>, Errno> {
        let mut text = Vec::new();
        while text.len() < most {
            // Up to the end of a page: the next one may not be there.
            let at = base + text.len() as u64;
            let mut chunk = [0; 256];
            let left = usize::try_from(4096 - at % 4096).unwrap_or(chunk.len());
            let length = left.min(chunk.len());
            let read = self.read_some(at, &mut chunk[..length])?;
            if read == 0 {
                return Err(Errno::EFAULT);
            }
            if let Some(end) = chunk[..read].iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&chunk[..end]);
                return Ok(text);
            }
            text.extend_from_slice(&chunk[..read]);
        }
        Ok(text)
    }
}
