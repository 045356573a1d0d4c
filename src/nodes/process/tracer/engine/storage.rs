//! What of a program's files is surely on storage, and the loss of all else when its machine loses power.
//!
//! # The model
//!
//! *Whatever a completed call has synced is there after a loss of power, as it was then or as a later write
//! left it.* What is there beside it is up to the disk. Here nothing is: of all states that a disk may be in,
//! a loss of power leaves the oldest one.
//!
//! - A file has what it had when it was last synced; one that never was is empty.
//! - Names (files and folders that were created, renamed, linked or removed) are as they were when any file
//!   or folder of the node was last synced, as in file systems whose journal keeps the order of changes
//!   (ext4, XFS). POSIX would allow to lose more: the name of a file that was synced, but not its folder.
//!   Or, as a journal may have been written a moment ago, names are as they are, and only contents are lost.
//! - What a program finds when it starts counts as synced: storage has caught up meanwhile.
//!
//! So only calls that sync matter, and it does not matter by which way a file was written: by a call, through
//! a mapping, or by the kernel for somebody else. A call that cannot be followed makes the state of storage
//! unknown, and then a loss of power takes nothing: no program is accused of what a disk might have kept.
//!
//! # Cost
//!
//! A sync copies the file, without its holes, and lists the folder: O(its bytes + names in the folder). A
//! start and a loss of power cost O(bytes and names of the folder). A file that is known is kept open, so
//! that its number is given to no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rustix::fs::{SeekFrom as Place, seek};

/// What stands under a name in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// A file, by its number.
    File(u64),
    Folder,
    Link(PathBuf),
    /// A socket, or what lies on another file system: it stays as it is.
    Else,
}

/// What stands under each name, by the path from the folder: a folder comes before what is in it.
type Names = BTreeMap<PathBuf, Named>;

/// A file whose content as of its last sync is kept.
#[derive(Debug)]
struct Synced {
    /// Keeps its number from being given to another file.
    file: File,
    mode: u32,
    /// It had no name when it was synced, and may be given one later.
    nameless: bool,
}

/// The storage of one node, during one life of it.
#[derive(Debug)]
pub(super) struct Storage {
    folder: PathBuf,
    /// The device that the folder is on.
    device: u64,
    /// Where the contents of files are kept, by their numbers.
    copies: PathBuf,
    /// The names as of the last sync.
    names: Names,
    files: BTreeMap<u64, Synced>,
    /// Why nothing is known of it any more.
    unknown: Option<String>,
}

impl Storage {
    /// The storage of a program that is about to start in this folder: all in it is synced. Copies of its
    /// files are kept in another folder on our side.
    pub(super) fn begin(folder: &Path, copies: PathBuf) -> io::Result<Self> {
        let _ = fs::remove_dir_all(&copies);
        fs::create_dir_all(&copies)?;
        let mut storage = Self {
            device: fs::metadata(folder)?.dev(),
            folder: folder.to_owned(),
            copies,
            names: Names::new(),
            files: BTreeMap::new(),
            unknown: None,
        };
        storage.sync_all();
        Ok(storage)
    }

    /// Why it is not known what is on it, if it is not.
    pub(super) fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// Something was done after which nobody knows what is on it.
    pub(super) fn lose_sight(&mut self, why: String) {
        self.unknown.get_or_insert(why);
        // Descriptors and copies are of no use any more.
        self.files.clear();
        self.names.clear();
        let _ = fs::remove_dir_all(&self.copies);
    }

    /// A file or folder is synced, and with it all names. O(its bytes + names in the folder).
    pub(super) fn sync(&mut self, file: File) {
        let synced = self
            .keep(file)
            .and_then(|()| scan(&self.folder, self.device));
        self.take(synced);
    }

    /// All files are. O(bytes and names of the folder).
    pub(super) fn sync_all(&mut self) {
        let names = scan(&self.folder, self.device);
        let names = names.and_then(|names| {
            let mut seen = BTreeSet::new();
            for (path, what) in &names {
                if let Named::File(number) = what
                    && seen.insert(*number)
                {
                    match File::open(self.folder.join(path)) {
                        Ok(file) => self.keep(file)?,
                        // Removed meanwhile.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Ok(names)
        });
        self.take(names);
    }

    fn take(&mut self, names: io::Result<Names>) {
        if self.unknown.is_some() {
            return;
        }
        match names {
            Ok(names) => {
                self.names = names;
                self.forget_removed();
            }
            Err(error) => self.lose_sight(format!("a file that was synced: {error}")),
        }
    }

    /// Keeps what a file has now. What is no file of this device is not kept.
    fn keep(&mut self, mut file: File) -> io::Result<()> {
        let data = file.metadata()?;
        if self.unknown.is_some() || !data.is_file() || data.dev() != self.device {
            return Ok(());
        }
        let number = data.ino();
        copy(&mut file, &mut File::create(self.copy_of(number))?)?;
        let synced = Synced {
            file,
            mode: data.mode(),
            nameless: data.nlink() == 0,
        };
        self.files.insert(number, synced);
        Ok(())
    }

    /// Forgets files that are gone, so that no more are kept open than there are.
    fn forget_removed(&mut self) {
        let named: BTreeSet<u64> = numbers(&self.names).collect();
        let gone = |(number, synced): (&u64, &Synced)| {
            let removed = || synced.file.metadata().is_ok_and(|data| data.nlink() == 0);
            (!named.contains(number) && !synced.nameless && removed()).then_some(*number)
        };
        let gone: Vec<u64> = self.files.iter().filter_map(gone).collect();
        for number in gone {
            self.files.remove(&number);
            let _ = fs::remove_file(self.copy_of(number));
        }
    }

    fn copy_of(&self, number: u64) -> PathBuf {
        self.copies.join(number.to_string())
    }

    /// Power is lost, and nobody works on the folder any more: it becomes as it is on storage. Returns how
    /// many names were set back or lost content; `None` where it is not known what is on storage.
    pub(super) fn lose_power(&mut self, keeps_names: bool) -> io::Result<Option<u64>> {
        if self.unknown.is_some() {
            return Ok(None);
        }
        fs::create_dir_all(&self.folder)?;
        let present = scan(&self.folder, self.device)?;
        let names = if keeps_names {
            present.clone()
        } else {
            std::mem::take(&mut self.names)
        };
        let mut set_back = BTreeSet::new();
        // What is in a folder goes before it does.
        for (path, what) in present.iter().rev() {
            let goes = *what != Named::Else || names.contains_key(path);
            if goes && names.get(path) != Some(what) {
                remove(&self.folder.join(path), what)?;
                set_back.insert(path.clone());
            }
        }
        let stays = |(path, what): (&PathBuf, &Named)| match what {
            Named::File(number) if names.get(path) == Some(what) => Some((*number, path.clone())),
            _ => None,
        };
        // Where each file stands by then.
        let mut places: BTreeMap<u64, PathBuf> = present.iter().filter_map(stays).collect();
        for (number, path) in &places {
            if self.restore(*number, path)? {
                set_back.insert(path.clone());
            }
        }
        for (path, what) in &names {
            if present.get(path) == Some(what) {
                continue;
            }
            let at = self.folder.join(path);
            match what {
                Named::Else => continue,
                Named::Folder => fs::create_dir(&at)?,
                Named::Link(target) => symlink(target, &at)?,
                Named::File(number) => {
                    if let Some(place) = places.get(number) {
                        fs::hard_link(self.folder.join(place), &at)?;
                    } else {
                        self.make(*number, &at)?;
                        places.insert(*number, path.clone());
                    }
                }
            }
            set_back.insert(path.clone());
        }
        Ok(Some(set_back.len() as u64))
    }

    /// Gives a file the content that it has on storage; false: it has that.
    fn restore(&self, number: u64, path: &Path) -> io::Result<bool> {
        let at = self.folder.join(path);
        let mut kept = self.content(number)?;
        let data = fs::metadata(&at)?;
        let unchanged = match &kept {
            None => data.len() == 0,
            Some(kept) => {
                kept.metadata()?.len() == data.len()
                    && are_alike(kept, &File::open(&at)?, data.len())?
            }
        };
        if unchanged {
            return Ok(false);
        }
        // One that cannot be written to is made so for a moment.
        fs::set_permissions(&at, Permissions::from_mode(data.mode() | 0o600))?;
        let mut file = OpenOptions::new().write(true).truncate(true).open(&at)?;
        if let Some(kept) = &mut kept {
            copy(kept, &mut file)?;
        }
        fs::set_permissions(&at, data.permissions())?;
        Ok(true)
    }

    /// Makes a file anew that has lost its name.
    fn make(&self, number: u64, at: &Path) -> io::Result<()> {
        let mut file = File::create_new(at)?;
        if let Some(kept) = &mut self.content(number)? {
            copy(kept, &mut file)?;
        }
        if let Some(synced) = self.files.get(&number) {
            file.set_permissions(Permissions::from_mode(synced.mode))?;
        }
        Ok(())
    }

    /// What a file has on storage; none where it was never synced.
    fn content(&self, number: u64) -> io::Result<Option<File>> {
        let known = self.files.contains_key(&number);
        known.then(|| File::open(self.copy_of(number))).transpose()
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.copies);
    }
}

fn numbers(names: &Names) -> impl Iterator<Item = u64> {
    names.values().filter_map(|what| match what {
        Named::File(number) => Some(*number),
        _ => None,
    })
}

/// The names in a folder. What is removed meanwhile may be missing.
fn scan(folder: &Path, device: u64) -> io::Result<Names> {
    let mut names = Names::new();
    let mut left = vec![PathBuf::new()];
    while let Some(within) = left.pop() {
        let entries = match fs::read_dir(folder.join(&within)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = within.join(entry.file_name());
            let data = match entry.metadata() {
                Ok(data) => data,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let what = if data.dev() != device {
                Named::Else
            } else if data.is_file() {
                Named::File(data.ino())
            } else if data.is_dir() {
                left.push(path.clone());
                Named::Folder
            } else if data.is_symlink() {
                Named::Link(fs::read_link(entry.path())?)
            } else {
                Named::Else
            };
            names.insert(path, what);
        }
    }
    Ok(names)
}

fn remove(path: &Path, named: &Named) -> io::Result<()> {
    match named {
        Named::Folder => fs::remove_dir(path),
        _ => fs::remove_file(path),
    }
}

/// Copies a file from its begin into an empty one, without its holes.
fn copy(from: &mut File, to: &mut File) -> io::Result<()> {
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut at = next_data(from, 0, length);
    while at < length {
        let end = match seek(&*from, Place::Hole(at)) {
            Ok(end) => end.min(length),
            Err(_) => length,
        };
        from.seek(SeekFrom::Start(at))?;
        to.seek(SeekFrom::Start(at))?;
        io::copy(&mut Read::take(&*from, end - at), to)?;
        at = next_data(from, end, length);
    }
    Ok(())
}

/// Where the first data stands in a file of this length that is not before this place; its length where only
/// a hole follows.
fn next_data(file: &File, at: u64, length: u64) -> u64 {
    match seek(file, Place::Data(at)) {
        Ok(data) => data.min(length),
        Err(rustix::io::Errno::NXIO) => length,
        // The file system tells no holes.
        Err(_) => at,
    }
}

/// Whether two files of this length have the same content. What is a hole in both is not read.
fn are_alike(one: &File, other: &File, length: u64) -> io::Result<bool> {
    const CHUNK: usize = 64 << 10;
    let (mut ones, mut others) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0;
    loop {
        at = next_data(one, at, length).min(next_data(other, at, length));
        if at >= length {
            return Ok(true);
        }
        let left = usize::try_from(length - at).unwrap_or(CHUNK);
        let (ones, others) = (&mut ones[..left.min(CHUNK)], &mut others[..left.min(CHUNK)]);
        one.read_exact_at(ones, at)?;
        other.read_exact_at(others, at)?;
        if ones != others {
            return Ok(false);
        }
        at += ones.len() as u64;
    }
}

#[cfg(test)]
mod tests;
