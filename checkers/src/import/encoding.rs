//! The bytes of a file as UTF-8: unpacked, without byte-order marks, from UTF-16.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::ImportError;
use crate::bounded;

/// So much of a file is looked at to find out what it is.
const BEGINNING: u64 = 1 << 20;

/// What files that are packed by gzip begin with.
const GZIP: &[u8] = b"\x1f\x8b";

/// What other packed files begin with, what they are called, and what unpacks them. One that is
/// packed twice is among them, too.
const PACKED: [(&[u8], &str, &str); 5] = [
    (GZIP, "gzip", "gunzip -c"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
    (b"\xfd7zXZ\0", "xz", "xz -dc"),
    (b"BZh", "bzip2", "bunzip2 -c"),
    (b"PK\x03\x04", "zip", "unzip -p"),
];

/// The text of a file as UTF-8, without a byte-order mark; UTF-16 that begins with one is converted,
/// and what gzip has packed is unpacked while it is read. The first [`BufRead::fill_buf`] has as much of the text as [`super::Format::detect`] needs.
///
/// # Errors
///
/// When reading fails, or the file is packed otherwise.
pub fn open<'r>(mut reader: impl BufRead + 'r) -> Result<Box<dyn BufRead + 'r>, ImportError> {
    let head = head(&mut reader)?;
    if head.starts_with(GZIP) {
        // One after another they are one file.
        let unpacked = MultiGzDecoder::new(Cursor::new(head).chain(reader));
        return text(BufReader::with_capacity(1 << 16, unpacked));
    }
    text(Cursor::new(head).chain(reader))
}

fn head(reader: &mut impl Read) -> Result<Vec<u8>, ImportError> {
    let mut head = Vec::new();
    let beginning = reader.take(BEGINNING).read_to_end(&mut head);
    beginning.map_err(|source| ImportError::Io { line: 1, source })?;
    Ok(head)
}

fn text<'r>(mut reader: impl BufRead + 'r) -> Result<Box<dyn BufRead + 'r>, ImportError> {
    let io = |source| ImportError::Io { line: 1, source };
    let mut head = head(&mut reader)?;
    if let Some((_, name, unpack)) = PACKED.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Err(ImportError::NoHistory {
            found: format!("a {name} file"),
            remedy: format!("unpack it: {unpack} FILE | sibcheck verify -"),
        });
    }
    let unit: fn([u8; 2]) -> u16 = match head[..] {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let mut head = Cursor::new(head);
            if head.get_ref().starts_with(b"\xef\xbb\xbf") {
                head.set_position(3);
            }
            return Ok(Box::new(head.chain(reader)));
        }
    };
    bounded::read_whole(&mut reader, &mut head).map_err(io)?;
    let (units, rest) = head[2..].as_chunks::<2>();
    if !rest.is_empty() {
        let cut = io::Error::new(io::ErrorKind::InvalidData, "half a character of UTF-16");
        return Err(io(cut));
    }
    let chars = char::decode_utf16(units.iter().map(|pair| unit(*pair)));
    let text: String = chars
        .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Ok(Box::new(Cursor::new(text.into_bytes())))
}
