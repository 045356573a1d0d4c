//! Files that people give and get: read within a bound, written whole or not at all.
//!
//! What is read as a whole has a bound for its kind, so that a device without end or a wrong name
//! does not fill the memory. What is written gets its name only when all of it is on the disk, so
//! that a full disk or an end in the middle leaves no file that looks whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// What a file that is read as a whole holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The description of a dialect.
    Dialect,
    /// A conformance case.
    Case,
    /// A plan.
    Plan,
    /// The input of a fuzz target.
    FuzzInput,
}

impl Kind {
    /// Its bound in bytes, far beyond what anybody has.
    pub const fn most_bytes(self) -> u64 {
        match self {
            Self::Dialect => 1 << 20,
            Self::Case | Self::FuzzInput => 16 << 20,
            Self::Plan => 256 << 20,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Dialect => "the description of a dialect",
            Self::Case => "a conformance case",
            Self::Plan => "a plan",
            Self::FuzzInput => "the input of a fuzz target",
        }
    }
}

/// The content of a file. O(its length), which is bounded.
///
/// # Errors
///
/// When it cannot be read, or is longer than its kind may be: then the bound is named.
pub fn read(path: &Path, kind: Kind) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = kind.most_bytes();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let name = kind.name();
        let what = format!("it is longer than the {most} bytes that {name} may have");
        return Err(io::Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// The same of a text.
///
/// # Errors
///
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, kind: Kind) -> io::Result<String> {
    String::from_utf8(read(path, kind)?)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.utf8_error()))
}

/// The last bytes of a file, no more than `most`.
///
/// # Errors
///
/// When it cannot be read.
pub fn read_end(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// True when a file holds exactly this. O(length), and O(1) where it has another length.
///
/// # Errors
///
/// When it cannot be read.
pub fn holds(path: &Path, content: &[u8]) -> io::Result<bool> {
    let length = content.len() as u64;
    if fs::metadata(path)?.len() != length {
        return Ok(false);
    }
    Ok(read_end(path, length)? == content)
}

/// Writes a file. Until all of it is on the disk it has another name, in the same folder; when that
/// fails nothing is left, and what had the name before stays. What is no file, such as a device or a
/// pipe, is written as it is.
///
/// # Errors
///
/// When `write` or the machine fails.
pub fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Behind a link is what is to be replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let mut writer = buffered(OpenOptions::new().write(true).open(path)?);
        write(&mut writer)?;
        return writer.flush();
    }
    let unfinished = Unfinished::beside(path);
    let mut writer = buffered(File::create(&unfinished.0)?);
    write(&mut writer)?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    drop(writer);
    fs::rename(&unfinished.0, path)
}

fn buffered(file: File) -> BufWriter<File> {
    BufWriter::with_capacity(1 << 16, file)
}

/// A file before it has its name; removed unless it got one.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(path: &Path) -> Self {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        Self(path.with_file_name(name))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A folder for a while: removed with all that is in it, however its user ends.
#[derive(Debug)]
pub struct Temporary(PathBuf);

impl Temporary {
    /// One for this process among the machine's temporary files. It is made when first used.
    pub fn of_process(what: &str) -> Self {
        let pid = std::process::id();
        Self(std::env::temp_dir().join(format!("sibcheck-{what}-{pid}")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A folder that was not there before, and goes when nothing was kept in it.
#[derive(Debug)]
pub struct IfEmpty(Option<PathBuf>);

impl IfEmpty {
    /// Looks whether it is there.
    pub fn goes(folder: &Path) -> Self {
        Self((!folder.exists()).then(|| folder.to_owned()))
    }
}

impl Drop for IfEmpty {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // Fails where something is in it.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Finds out whether files can be written into a folder that need not be there yet, and leaves
/// nothing behind.
///
/// # Errors
///
/// When it is a file, or cannot be made or written into.
pub fn can_hold_files(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|part| !part.as_os_str().is_empty() && !part.exists())
        .collect();
    let tried = fs::create_dir_all(folder).and_then(|()| {
        let probe = Unfinished::beside(&folder.join("probe"));
        fs::write(&probe.0, b"probe")
    });
    for made in missing {
        let _ = fs::remove_dir(made);
    }
    tried
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Temporary {
        let folder = Temporary::of_process(&format!("files-{name}"));
        fs::create_dir_all(folder.path()).unwrap();
        folder
    }

    fn inside(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        let zero = Path::new("/dev/zero");
        if !zero.exists() {
            return;
        }
        let error = read(zero, Kind::Dialect).unwrap_err().to_string();
        assert!(error.contains("1048576 bytes"), "{error}");
        let folder = folder("bound");
        let path = folder.path().join("dialect");
        fs::write(&path, vec![b'#'; 1 << 20]).unwrap();
        assert_eq!(read_text(&path, Kind::Dialect).unwrap().len(), 1 << 20);
        fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert!(read_text(&path, Kind::Dialect).is_err());
        fs::write(&path, [b'a', 0xff]).unwrap();
        let error = read_text(&path, Kind::Dialect).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = folder("whole");
        let path = folder.path().join("file");
        write(&path, |out| out.write_all(b"first")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let full = || io::Error::from(ErrorKind::StorageFull);
        let failed = write(&path, |out| {
            out.write_all(&vec![b'x'; 1 << 17])?;
            Err(full())
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(inside(folder.path()), ["file"]);
        let none = write(&folder.path().join("none"), |_| Err(full()));
        assert!(none.is_err());
        assert_eq!(inside(folder.path()), ["file"]);
        assert!(holds(&path, b"first").unwrap());
        assert!(!holds(&path, b"fir").unwrap() && !holds(&path, b"fIrst").unwrap());
        assert_eq!(read_end(&path, 3).unwrap(), b"rst");
    }

    #[test]
    fn what_is_full_is_told_of_devices_too() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let failed = write(full, |out| out.write_all(b"text")).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::StorageFull);
        assert!(full.exists());
    }

    #[test]
    fn a_folder_is_tried_and_nothing_is_left() {
        let folder = folder("tried");
        let deep = folder.path().join("a/b");
        can_hold_files(&deep).unwrap();
        assert_eq!(inside(folder.path()), [""; 0]);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(can_hold_files(&file).is_err());
        assert!(can_hold_files(&file.join("below")).is_err());
        assert_eq!(inside(folder.path()), ["file"]);
    }
}
