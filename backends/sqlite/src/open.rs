//! How does an SQLite file become a store, and what if it cannot?

use std::path::Path;

use hikyaku_blocking::{Blocking, StoreLock, complain, sync_directory};
use hikyaku_traits::{Decision, StoreError};
use rusqlite::{Connection, MAIN_DB, Result as Answer};

use crate::checkpoint::{Checkpointer, empty_log};
use crate::connect::connect;
use crate::fault::{TRY_RIGHTS, fault_of_open, may_wait};
use crate::layout::{Kind, judge, renew};
use crate::reader::SqliteReader;
use crate::sql::{INCREMENTAL, LAYOUT_OF_TABLES, schema};
use crate::writer::SqliteWriter;

/// How the file is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// The memory for pages of the file, in bytes; the writer and the reader have half of it each.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 32 << 20 }
    }
}

/// Opens the store in the file `path`, or makes it, with its directory. Blocks for the disk, after a crash for as long as
/// SQLite needs to move the log into the file. A file that is new is durable when this returns.
pub fn open(path: &Path, options: &Options) -> Result<Blocking, StoreError> {
    start(path, options, None)
}

/// [`open`] with the files of the store where the registered VFS of the name `vfs` keeps them, for tests that lay a disk
/// under it which fails or loses its power. The lock lies at `path` all the same.
pub fn open_on(vfs: &str, path: &Path, options: &Options) -> Result<Blocking, StoreError> {
    start(path, options, Some(vfs))
}

fn start(path: &Path, options: &Options, vfs: Option<&str>) -> Result<Blocking, StoreError> {
    let lock = StoreLock::take(path)?;
    let cannot = |error| fault_of_open(path, &error);
    let cache_bytes = options.cache_bytes / 2;
    let mut writer = connect(path, cache_bytes, vfs).map_err(cannot)?;
    // SQLite opens what it may not write as well, and tells it at the first write.
    if writer.is_readonly(MAIN_DB).map_err(cannot)? {
        return Err(complain(Decision::Away, "open the store", path, &"it may only be read", TRY_RIGHTS));
    }
    prepare(&writer, path)?;
    // Whatever ended the last run, the log is empty from here on, as far as the disk has room.
    empty_log(&writer).map_err(cannot)?;
    sync_directory(path.parent().unwrap_or(Path::new("")))?;
    let reader = connect(path, cache_bytes, vfs).map_err(cannot)?;
    let checkpoints = connect(path, 0, vfs).map_err(cannot)?;
    let checkpoints = Checkpointer::start(checkpoints, &mut writer, path)?;
    let writer = SqliteWriter::new(writer, checkpoints, path, lock).map_err(cannot)?;
    Blocking::start("sqlite", writer, SqliteReader::new(reader, path))
}

/// Judges the file, makes the tables that are missing, and renews it where that takes a moment only.
fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    // A file that is whole is not written to: the disk may be full, and it shall be read all the same.
    let schema = match judge(connection, path)? {
        Kind::Store(layout) if layout >= LAYOUT_OF_TABLES => String::new(),
        Kind::Store(_) => schema(),
        Kind::New => {
            connection.execute_batch(INCREMENTAL).map_err(|error| fault_of_open(path, &error))?;
            schema()
        }
    };
    make_ready(connection, path, &schema)?;
    match renew(connection) {
        Err(error) if !may_wait(&error) => Err(fault_of_open(path, &error)),
        _ => Ok(()),
    }
}

fn make_ready(connection: &Connection, path: &Path, schema: &str) -> Result<(), StoreError> {
    let made = || -> Answer<String> {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
        connection.execute_batch(schema)?;
        Ok(mode)
    };
    let mode = made().map_err(|error| fault_of_open(path, &error))?;
    if mode != "wal" {
        let why = format!("it cannot have a write-ahead log there (it has {mode})");
        return Err(complain(Decision::Away, "open the store", path, &why, "a storage path on a disk of this machine"));
    }
    Ok(())
}
