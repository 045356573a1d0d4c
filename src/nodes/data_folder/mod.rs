//! The folder in which a served node keeps what a kill or a power failure must not take.
//!
//! ```text
//! DIR/
//!   node.json      whose folder it is: written once, compared each time
//!   records.redb   the node's records, in redb
//!   records.new    the same while it is made
//! ```
//!
//! A folder that is not this node's, is in use, or is damaged is refused, and not a byte of its files is
//! changed: whose it is stands outside the records, and redb checks the checksums of all pages before it
//! writes.

mod header;
mod records;

pub(super) use records::Records;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use sibcheck_checkers::outside::Outside;

use crate::{clocks::Actor, files, stores::StoreName};

use self::header::Header;

/// Why a folder cannot be used, or not any more.
#[derive(Debug, thiserror::Error)]
#[error("the data folder {:?}: {fault}", .folder)]
pub struct FolderError {
    /// The folder.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub fault: FolderFault,
}

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderFault {
    /// Another process has it.
    #[error("another process uses it; give each node a folder of its own")]
    InUse,
    /// It belongs to another node, or to one of another store or cluster.
    #[error(
        "it belongs to {what} {theirs}, and this node has {what} {ours}; give it another folder"
    )]
    Foreign {
        /// What differs.
        what: &'static str,
        /// As the folder has it.
        theirs: String,
        /// As this node has it.
        ours: String,
    },
    /// It was written by a version of this program that writes it otherwise.
    #[error(
        "it has format {theirs}, and this version reads format {ours}; use the version that wrote it"
    )]
    Version {
        /// That of the folder.
        theirs: u64,
        /// That of this version.
        ours: u64,
    },
    /// What stands in it is not what was written.
    #[error(
        "{file} is damaged: {what}; nothing was changed: restore it from a copy, or give the node an empty folder and another name"
    )]
    Damaged {
        /// The file.
        file: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The machine failed.
    #[error("failed to {doing}: {error}")]
    Failed {
        /// What was to be done.
        doing: &'static str,
        /// Why it could not be.
        error: io::Error,
    },
}

impl FolderFault {
    fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Failed { doing, error }
    }
}

const HEADER: &str = "node.json";
const RECORDS: &str = "records.redb";
const NEW_RECORDS: &str = "records.new";

/// A data folder that this process has for itself.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    store: StoreName,
    header: Option<Header>,
    /// Holds the lock.
    _lock: File,
}

impl DataFolder {
    /// Takes a folder for a node of this store; it is made when it is missing. Whose node it is, is asked
    /// later.
    ///
    /// # Errors
    ///
    /// When another process has it, it belongs to another store, it is of another version, or its header
    /// cannot be read.
    pub fn take(path: &Path, store: StoreName) -> Result<Self, FolderError> {
        Self::taken(path, store).map_err(|fault| FolderError {
            folder: path.to_owned(),
            fault,
        })
    }

    fn taken(path: &Path, store: StoreName) -> Result<Self, FolderFault> {
        fs::create_dir_all(path).map_err(FolderFault::failed("make it"))?;
        let lock = File::open(path).map_err(FolderFault::failed("open it"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderFault::InUse),
            Err(TryLockError::Error(error)) => return Err(FolderFault::failed("lock it")(error)),
        }
        let header = Header::read(&path.join(HEADER))?;
        if let Some(header) = &header {
            header.serves(store)?;
        }
        Ok(Self {
            path: path.to_owned(),
            store,
            header,
            _lock: lock,
        })
    }

    /// Opens the records of this node of this cluster, and makes them in a folder that has none. The order
    /// of the names counts, as records name nodes by their positions. O(records): all are checked.
    ///
    /// # Errors
    ///
    /// When the folder belongs to another node or cluster, or is damaged, or the machine fails.
    pub(super) fn open<P, R>(
        self,
        node: &Actor,
        cluster: &[Actor],
    ) -> Result<Records<P, R>, FolderError> {
        let folder = self.path.clone();
        self.opened(node, cluster)
            .map_err(|fault| FolderError { folder, fault })
    }

    fn opened<P, R>(self, node: &Actor, cluster: &[Actor]) -> Result<Records<P, R>, FolderFault> {
        let ours = Header::of(self.store, node, cluster);
        let (records, new) = (self.path.join(RECORDS), self.path.join(NEW_RECORDS));
        let there = |path: &Path| {
            path.try_exists()
                .map_err(FolderFault::failed("look into it"))
        };
        match &self.header {
            Some(theirs) => theirs.is(&ours)?,
            None if there(&records)? => {
                return Err(FolderFault::Damaged {
                    file: HEADER,
                    what: "it is missing, and there are records".to_owned(),
                });
            }
            None => {
                // What is left of a start that was cut short holds no records yet.
                if there(&new)? {
                    fs::remove_file(&new).map_err(FolderFault::failed("begin anew"))?;
                }
                records::create(&new)?;
                self.write_header(&ours)?;
            }
        }
        if !there(&records)? {
            if !there(&new)? {
                return Err(FolderFault::Damaged {
                    file: RECORDS,
                    what: "it is missing".to_owned(),
                });
            }
            fs::rename(&new, &records).map_err(FolderFault::failed("name the records"))?;
            self.sync_names()?;
        }
        Records::open(self, &records)
    }

    fn write_header(&self, header: &Header) -> Result<(), FolderFault> {
        let text = header.to_text();
        files::write(&self.path.join(HEADER), |out| {
            out.write_all(text.as_bytes())
        })
        .map_err(FolderFault::failed("say whose it is"))?;
        self.sync_names()
    }

    /// Makes the names of its files durable.
    fn sync_names(&self) -> Result<(), FolderFault> {
        let folder = File::open(&self.path).and_then(|folder| folder.sync_all());
        folder.map_err(FolderFault::failed("make its files durable"))
    }
}

/// What went wrong with a file, as it is told.
fn told(error: impl std::fmt::Display) -> String {
    Outside(error).to_string()
}

#[cfg(test)]
mod tests;
