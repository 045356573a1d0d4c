//! The records of a node, in redb: a copy-on-write B-tree in one file, without threads of its own.
//!
//! A batch is one transaction with two syncs (redb's two-phase commit): the second one writes which of two
//! roots counts. With one sync redb would, after damage to the last batch, open with the batch before it,
//! and an acknowledged write would be gone without a word.

use std::{marker::PhantomData, path::Path};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::stores::{Found, Storage};

use super::{DataFolder, FolderError, FolderFault, RECORDS as FILE, told};

/// Places as JSON, with their records as JSON.
const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");

/// What redb keeps of the file in memory: the node has all records in memory itself, and the system
/// has the file in its cache.
const CACHE_BYTES: usize = 16 << 20;

/// The records of a node, by their places.
#[derive(Debug)]
pub(in crate::nodes) struct Records<P, R> {
    database: Database,
    /// What is written at the next sync, in this order; none where a record is removed.
    batch: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    folder: DataFolder,
    types: PhantomData<fn(P) -> R>,
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

/// Makes a file without records, durably.
pub(super) fn create(path: &Path) -> Result<(), FolderFault> {
    let create = || -> Result<(), redb::Error> {
        let database = builder().create(path)?;
        commit(&database, &mut Vec::new())
    };
    create().map_err(fault("make the records"))
}

/// Writes a batch, and empties it.
fn commit(
    database: &Database,
    batch: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    {
        let mut records = transaction.open_table(RECORDS)?;
        for (place, record) in batch.drain(..) {
            match record {
                Some(record) => records.insert(&*place, &*record)?,
                None => records.remove(&*place)?,
            };
        }
    }
    Ok(transaction.commit()?)
}

/// An error of redb as one of the folder.
fn fault(doing: &'static str) -> impl Fn(redb::Error) -> FolderFault {
    move |error| match error {
        redb::Error::DatabaseAlreadyOpen => FolderFault::InUse,
        redb::Error::Io(error) => FolderFault::Failed { doing, error },
        redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_) => {
            FolderFault::Failed {
                doing,
                error: std::io::Error::other(told(error)),
            }
        }
        error => FolderFault::Damaged {
            file: FILE,
            what: told(error),
        },
    }
}

impl<P, R> Records<P, R> {
    /// Opens the file, when all of its pages have their checksums. O(its length).
    pub(super) fn open(folder: DataFolder, path: &Path) -> Result<Self, FolderFault> {
        let opened = builder().open(path).map_err(|error| match error {
            // redb says so of a file that is shorter than what it should hold.
            DatabaseError::Storage(StorageError::Io(error))
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
                ) =>
            {
                FolderFault::Damaged {
                    file: FILE,
                    what: told(error),
                }
            }
            error => fault("open the records")(error.into()),
        });
        Ok(Self {
            database: opened?,
            batch: Vec::new(),
            folder,
            types: PhantomData,
        })
    }

    fn in_folder(&self, fault: FolderFault) -> FolderError {
        FolderError {
            folder: self.folder.path.clone(),
            fault,
        }
    }

    fn bytes(&self, of: &impl Serialize) -> Result<Vec<u8>, FolderError> {
        serde_json::to_vec(of).map_err(|error| {
            self.in_folder(FolderFault::Failed {
                doing: "write a record",
                error: error.into(),
            })
        })
    }
}

impl<P: DeserializeOwned, R: DeserializeOwned> Records<P, R> {
    /// Hands the records to `start`, up to the first one that cannot be read.
    fn read(&self, start: &mut dyn FnMut(&mut Found<'_, P, R>)) -> Result<(), FolderFault> {
        let failed = fault("read the records");
        let read = |error: redb::StorageError| failed(error.into());
        let transaction = self.database.begin_read().map_err(|e| failed(e.into()))?;
        let table = transaction
            .open_table(RECORDS)
            .map_err(|e| failed(e.into()))?;
        let mut wrong = None;
        let mut found = table.iter().map_err(read)?.map_while(|entry| {
            let decoded = entry.map_err(read).and_then(|(place, record)| {
                let decode = || {
                    Ok((
                        serde_json::from_slice(place.value())?,
                        serde_json::from_slice(record.value())?,
                    ))
                };
                decode().map_err(|error: serde_json::Error| FolderFault::Damaged {
                    file: FILE,
                    what: format!(
                        "the record of {}: {}",
                        told(String::from_utf8_lossy(place.value())),
                        told(error)
                    ),
                })
            });
            decoded.map_err(|fault| wrong = Some(fault)).ok()
        });
        start(&mut found);
        drop(found);
        wrong.map_or(Ok(()), Err)
    }
}

impl<P, R> Storage<P, R> for Records<P, R>
where
    P: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    type Error = FolderError;

    fn write(&mut self, place: P, record: R) -> Result<(), FolderError> {
        let written = (self.bytes(&place)?, Some(self.bytes(&record)?));
        self.batch.push(written);
        Ok(())
    }

    fn remove(&mut self, place: P) -> Result<(), FolderError> {
        let removed = (self.bytes(&place)?, None);
        self.batch.push(removed);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), FolderError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        commit(&self.database, &mut self.batch)
            .map_err(|error| self.in_folder(fault("write the records")(error)))
    }

    fn recover(&mut self, start: &mut dyn FnMut(&mut Found<'_, P, R>)) -> Result<(), FolderError> {
        self.read(start).map_err(|fault| self.in_folder(fault))
    }
}
