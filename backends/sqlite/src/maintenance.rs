//! What can be done with an SQLite file that no broker has open?

use std::path::Path;

use hikyaku_blocking::{Compacted, FileInfo, StoreLock, complain, file_bytes};
use hikyaku_traits::{Decision, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error};

use crate::checkpoint::empty_log;
use crate::connect::{connect_existing, log_of};
use crate::fault::{fault, fault_of_open};
use crate::layout::{Kind, free_bytes, judge, rewrite, used_bytes};

/// The memory for pages of the file, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// How many findings of a check are told.
const FINDINGS_MAX: usize = 5;

/// What the file holds. Blocks shortly. A log that the last broker left stays as it is.
///
/// # Errors
/// [`Decision::Fenced`] if a broker has the store open, [`Decision::Away`] if there is no file.
pub fn info(path: &Path) -> Result<FileInfo, StoreError> {
    let (_lock, connection, layout) = opened(path)?;
    let free_bytes = free_bytes(&connection).map_err(|error| fault("read the store", path, &error))?;
    let engine = format!("SQLite {}, layout {layout}", rusqlite::version());
    Ok(FileInfo { bytes: bytes(path)?, free_bytes, log_bytes: file_bytes(&log_of(path))?, engine })
}

/// Reads the file and its log and judges each page. Blocks for as long as that takes. Changes nothing.
///
/// # Errors
/// [`Decision::Corrupt`] with what was found, [`Decision::Fenced`] if a broker has the store open, [`Decision::Away`] if
/// there is no file.
pub fn verify(path: &Path) -> Result<(), StoreError> {
    let (_lock, connection, _) = opened(path)?;
    let findings = findings(&connection).map_err(|error| fault("verify the store", path, &error))?;
    if findings == ["ok"] {
        return Ok(());
    }
    let advice = "keep a copy of the file and its -wal and bring back a backup";
    Err(complain(Decision::Corrupt, "verify the store", path, &findings.join("; "), advice))
}

/// Writes what the file holds anew, without gaps, and gives the rest and the log back to the disk. Blocks for as long as that
/// takes. It may be killed at any moment: the records stay, in the old order or in the new one.
///
/// # Errors
/// [`Decision::Full`] if the disk has too little room, [`Decision::Fenced`] if a broker has the store open,
/// [`Decision::Away`] if there is no file.
pub fn compact(path: &Path) -> Result<Compacted, StoreError> {
    let (_lock, connection, _) = opened(path)?;
    let bytes_before = bytes(path)?;
    let mut room_bytes = 0;
    let compacted = || {
        room_bytes = 2 * used_bytes(&connection)?;
        rewrite(&connection)?;
        empty_log(&connection)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        connection.close().map_err(|(_, error)| error)
    };
    compacted().map_err(|error| no_room(fault("compact the store", path, &error), &error, path, room_bytes))?;
    Ok(Compacted { bytes_before, bytes_after: bytes(path)? })
}

/// A connection to a store that is there and belongs to nobody else meanwhile, and its layout.
fn opened(path: &Path) -> Result<(StoreLock, Connection, i64), StoreError> {
    let lock = StoreLock::take_existing(path)?;
    let connection = connect_existing(path, CACHE_BYTES).map_err(|error| fault_of_open(path, &error))?;
    match judge(&connection, path)? {
        Kind::Store(layout) => Ok((lock, connection, layout)),
        Kind::New => {
            let why = "it holds no store";
            Err(complain(Decision::Corrupt, "open the store", path, &why, "the path of the store's file"))
        }
    }
}

/// The bytes of the file and its log. The index of the log is made anew at each open.
fn bytes(path: &Path) -> Result<u64, StoreError> {
    Ok(file_bytes(path)? + file_bytes(&log_of(path))?)
}

fn findings(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS_MAX})"))?;
    statement.query_map((), |row| row.get(0))?.collect()
}

/// Says of a full disk how much room would do.
fn no_room(error: StoreError, why: &Error, path: &Path, room_bytes: u64) -> StoreError {
    if error.decision != Decision::Full {
        return error;
    }
    let advice = format!("make room on the disk, {room_bytes} bytes are enough, and compact again");
    complain(Decision::Full, "compact the store", path, why, &advice)
}
