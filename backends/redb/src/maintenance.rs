//! What can be done with a redb file that no broker has open?

use std::path::Path;

use hikyaku_blocking::{Compacted, FileInfo, StoreLock, complain, file_bytes};
use hikyaku_traits::{Decision, StoreError};
use redb::{Builder, Database, Error};

use crate::fault::{fault, fault_of_open};
use crate::open::unless_altered;
use crate::shrink::{compact_fully, used_bytes};
use crate::untouched::Untouched;

/// The memory for pages of the file, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// What the file holds. Blocks: it reads the whole file. Changes nothing, whatever the last broker left there.
///
/// # Errors
/// [`Decision::Fenced`] if a broker has the store open, [`Decision::Away`] if there is no file.
pub fn info(path: &Path) -> Result<FileInfo, StoreError> {
    let used_bytes =
        look_into(path, |database| used_bytes(database).map_err(|error| fault("read the store", path, &error)))?;
    let bytes = file_bytes(path)?;
    let engine = "redb 4, file format 3".to_owned();
    Ok(FileInfo { bytes, free_bytes: bytes.saturating_sub(used_bytes), log_bytes: 0, engine })
}

/// Reads the file and compares each page with its checksum. Blocks for as long as that takes. Changes nothing: what an open
/// would repair is repaired in memory only.
///
/// # Errors
/// [`Decision::Corrupt`] with what was found, [`Decision::Fenced`] if a broker has the store open, [`Decision::Away`] if
/// there is no file.
pub fn verify(path: &Path) -> Result<(), StoreError> {
    look_into(path, |database| match database.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => {
            let why = "it is damaged, and redb could only go back to an older state of it";
            let advice = "keep a copy of the file and bring back a backup";
            Err(complain(Decision::Corrupt, "verify the store", path, &why, advice))
        }
        Err(error) => Err(fault("verify the store", path, &error.into())),
    })
}

/// Moves what the file holds to its front and gives the rest back to the disk. Blocks for as long as that takes. It may be
/// killed at any moment: the records stay, and the next start takes the time to check the file.
///
/// # Errors
/// [`Decision::Full`] if the disk has too little room, [`Decision::Fenced`] if a broker has the store open,
/// [`Decision::Away`] if there is no file.
pub fn compact(path: &Path) -> Result<Compacted, StoreError> {
    let mut bytes_before = 0;
    with_file(path, |database| {
        bytes_before = file_bytes(path)?;
        let used_bytes = used_bytes(database).map_err(|error| fault("read the store", path, &error))?;
        compact_fully(database)
            .map_err(|error| no_room(fault("compact the store", path, &error), &error, path, used_bytes))
    })?;
    Ok(Compacted { bytes_before, bytes_after: file_bytes(path)? })
}

/// Works on a file that is there and belongs to nobody else meanwhile, and closes it.
fn with_file<T>(path: &Path, work: impl FnOnce(&mut Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let _lock = StoreLock::take_existing(path)?;
    unless_altered(path, || {
        let mut database = builder().open(path).map_err(|error| fault_of_open(path, error.into()))?;
        let result = work(&mut database)?;
        database.close().map_err(|error| fault("close the store", path, &error.into()))?;
        Ok(result)
    })
}

/// The same without a change to the file.
fn look_into<T>(path: &Path, work: impl FnOnce(&mut Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let _lock = StoreLock::take_existing(path)?;
    unless_altered(path, || {
        let file = Untouched::open(path).map_err(|error| fault_of_open(path, error.into()))?;
        if file.is_empty() {
            // redb would make a store of it.
            let why = "it holds no store";
            return Err(complain(Decision::Corrupt, "open the store", path, &why, "the path of the store's file"));
        }
        let opened = builder().create_with_backend(file);
        work(&mut opened.map_err(|error| fault_of_open(path, error.into()))?)
    })
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Says of a full disk how much room would do.
fn no_room(error: StoreError, why: &Error, path: &Path, used_bytes: u64) -> StoreError {
    if error.decision != Decision::Full {
        return error;
    }
    let advice = format!("make room on the disk, {used_bytes} bytes are enough, and compact again");
    complain(Decision::Full, "compact the store", path, why, &advice)
}
