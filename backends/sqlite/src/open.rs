//! How does an SQLite file become a store, and what if it cannot?

use std::path::Path;

use hikyaku_blocking::{Blocking, StoreLock, complain, sync_directory};
use hikyaku_traits::{Decision, StoreError};
use rusqlite::{Connection, Result as Answer};

use crate::checkpoint::{Checkpointer, begin_log_anew};
use crate::connect::connect;
use crate::fault::fault_of_open;
use crate::reader::SqliteReader;
use crate::sql::{APPLICATION_ID, LAYOUT, schema};
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
    prepare(&writer, path)?;
    // Whatever ended the last run, the log is short from here on, as far as the disk has room.
    begin_log_anew(&writer).map_err(cannot)?;
    sync_directory(path.parent().unwrap_or(Path::new("")))?;
    let reader = connect(path, cache_bytes, vfs).map_err(cannot)?;
    let checkpoints = connect(path, 0, vfs).map_err(cannot)?;
    let checkpoints = Checkpointer::start(checkpoints, &mut writer, path)?;
    Blocking::start("sqlite", SqliteWriter::new(writer, checkpoints, path, lock), SqliteReader::new(reader, path))
}

/// What lies in a file that may be used.
pub(crate) enum Kind {
    /// Nothing, or what a start left that was killed while it made the tables.
    New,
    /// A store of this layout.
    Store(i64),
}

/// Judges the file and makes the tables that are missing.
fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match judge(connection, path)? {
        // A file that is whole is not written to: the disk may be full, and it shall be read all the same.
        Kind::Store(LAYOUT) => make_ready(connection, path, ""),
        _ => make_ready(connection, path, &schema()),
    }
}

/// Looks into the file; what is not a store of this broker, or of a newer one, is refused.
pub(crate) fn judge(connection: &Connection, path: &Path) -> Result<Kind, StoreError> {
    let judged = || -> Answer<_> {
        Ok((
            number(connection, "PRAGMA application_id")? == i64::from(APPLICATION_ID),
            number(connection, "PRAGMA user_version")?,
            number(connection, "SELECT count(*) FROM sqlite_schema")? == 0,
        ))
    };
    match judged().map_err(|error| fault_of_open(path, &error))? {
        (true, layout, _) if layout > LAYOUT => {
            let why = format!("a newer broker wrote it (layout {layout}, this one knows {LAYOUT})");
            let advice = "that version of the broker, or a newer one";
            Err(complain(Decision::Unsupported, "open the store", path, &why, advice))
        }
        (false, _, false) => {
            let why = "it is an SQLite database of another program";
            Err(complain(Decision::Corrupt, "open the store", path, &why, "another storage path"))
        }
        (true, layout, false) => Ok(Kind::Store(layout)),
        _ => Ok(Kind::New),
    }
}

/// Asks for one number.
pub(crate) fn number(connection: &Connection, sql: &str) -> Answer<i64> {
    connection.query_row(sql, (), |row| row.get(0))
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
