//! Reading within bounds: a file may be a device without end, or unpack to more than anybody wrote.
//!
//! Lines are read one by one, and one has a bound; what does not stand on lines is held as a whole,
//! and has one too. Both are far beyond what anybody records, and an error names them.

use std::io::{self, BufRead, ErrorKind, Read};

/// The longest line, in bytes.
pub(crate) const LONGEST_LINE: u64 = 256 << 20;

/// The longest file that is held as a whole, in bytes.
pub(crate) const LONGEST_WHOLE: u64 = 1 << 30;

/// Adds a line to `text`, with its line feed; returns its length, 0 at the end. O(its length).
///
/// # Errors
///
/// When reading fails or the line is too long.
pub(crate) fn read_line(reader: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<usize> {
    let read = reader.take(LONGEST_LINE + 1).read_until(b'\n', text)?;
    if read as u64 > LONGEST_LINE {
        return Err(too_long(&format!(
            "a line is longer than {LONGEST_LINE} bytes, which is the most that is read: end lines with line feeds"
        )));
    }
    Ok(read)
}

/// Adds all that is left to `text`. O(its length).
///
/// # Errors
///
/// When reading fails or `text` gets too long.
pub(crate) fn read_whole(reader: &mut impl Read, text: &mut Vec<u8>) -> io::Result<()> {
    reader.take(LONGEST_WHOLE + 1).read_to_end(text)?;
    if text.len() as u64 > LONGEST_WHOLE {
        return Err(too_long(&format!(
            "a file that is held as a whole may have {LONGEST_WHOLE} bytes: split it by key, or write it as plain JSON lines, which are read one by one"
        )));
    }
    Ok(())
}

fn too_long(what: &str) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, what)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, repeat};

    use super::*;

    #[test]
    fn what_has_no_end_is_an_error_that_names_the_bound() {
        let mut endless = BufReader::new(repeat(b'x'));
        let error = read_line(&mut endless, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("268435456 bytes"), "{error}");
        let mut lines = &b"one\ntwo"[..];
        let mut text = Vec::new();
        assert_eq!(read_line(&mut lines, &mut text).unwrap(), 4);
        assert_eq!(read_line(&mut lines, &mut text).unwrap(), 3);
        assert_eq!(read_line(&mut lines, &mut text).unwrap(), 0);
        assert_eq!(text, b"one\ntwo");
        let mut whole = b"a".to_vec();
        read_whole(&mut &b"bc"[..], &mut whole).unwrap();
        assert_eq!(whole, b"abc");
    }
}
