//! How is a connection set up so that nothing happens that was not asked for?

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Result};

use crate::sql::KINDS;

/// How long a call waits for another program that holds the file locked, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many statements are kept prepared beside those of the tables.
const STATEMENTS_MORE: usize = 12;

/// The size to which the log is cut back when it begins anew, and from which the writer makes it begin anew.
pub(crate) const LOG_BYTES_MAX: usize = 64 << 20;

/// The size of a page in a new file, and in the log of one.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Opens a connection. No checkpoint takes place by itself: not at a commit, and not when the last connection goes, which
/// would write on after a failed sync.
///
/// `vfs` names the VFS between SQLite and the disk; `None`: the operating system's.
pub(crate) fn connect(path: &Path, cache_bytes: usize, vfs: Option<&str>) -> Result<Connection> {
    connect_with(path, cache_bytes, OpenFlags::SQLITE_OPEN_CREATE, vfs)
}

/// [`connect`] to a file that must be there.
pub(crate) fn connect_existing(path: &Path, cache_bytes: usize) -> Result<Connection> {
    connect_with(path, cache_bytes, OpenFlags::empty(), None)
}

fn connect_with(path: &Path, cache_bytes: usize, flags: OpenFlags, vfs: Option<&str>) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(hikyaku_traits::Table::ALL.len() * KINDS + STATEMENTS_MORE);
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA cache_size = -{};
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = OFF;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {LOG_BYTES_MAX};",
        cache_bytes / 1024
    ))?;
    Ok(connection)
}

/// The write-ahead log of a file.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
