//! Which layout has a file, and how does it get the newest one?
//!
//! Layout 1 has the tables. Layout 2 has the same in a file that can be made shorter step by step, as SQLite can only decide
//! while it writes the whole file anew.

use std::path::Path;

use hikyaku_blocking::complain;
use hikyaku_traits::{Decision, StoreError};
use rusqlite::{Connection, Error};

use crate::fault::fault_of_open;
use crate::sql::{APPLICATION_ID, INCREMENTAL, LAYOUT};

/// Up to how many bytes of content a file is written anew at a start: that takes about a second.
const RENEW_BYTES_MAX: u64 = 128 << 20;

/// From how many free bytes on it is worth it for a file that has the newest layout, if they are most of the file.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// SQLite's number of the way in which a file gets shorter step by step.
const IS_INCREMENTAL: i64 = 2;

/// What lies in a file that may be used.
pub(crate) enum Kind {
    /// Nothing, or what a start left that was killed while it made the tables.
    New,
    /// A store of this layout.
    Store(i64),
}

/// Looks into the file; what is not a store of this broker, or of a newer one, is refused.
pub(crate) fn judge(connection: &Connection, path: &Path) -> Result<Kind, StoreError> {
    let judged = || -> Result<_, Error> {
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

/// Writes a small file anew, in one transaction, if it has an old layout or is mostly empty. A large one keeps its layout:
/// its pages are used again, and it is renewed at the start after it has drained, or by a compaction.
pub(crate) fn renew(connection: &Connection) -> Result<(), Error> {
    let (used_bytes, free_bytes) = (used_bytes(connection)?, free_bytes(connection)?);
    let small = used_bytes <= RENEW_BYTES_MAX;
    let mostly_empty = free_bytes >= FREE_BYTES_MIN && free_bytes / 3 > used_bytes;
    if small && (mostly_empty || !gets_shorter(connection)?) {
        return rewrite(connection);
    }
    sign(connection)
}

/// Writes the whole file anew, in one transaction, in the newest layout. Needs room on the disk for its content twice.
pub(crate) fn rewrite(connection: &Connection) -> Result<(), Error> {
    let directory = connection.path().and_then(|path| Path::new(path).parent()).and_then(Path::to_str).unwrap_or("");
    // What does not fit into memory goes to the disk of the file, not to one for temporary files that may be small. It is a
    // setting of the whole process, so it is taken back.
    let _ = connection.pragma_update(None, "temp_store_directory", directory);
    let rewritten = connection.execute_batch(&format!("{INCREMENTAL}; VACUUM"));
    let _ = connection.pragma_update(None, "temp_store_directory", "");
    rewritten?;
    sign(connection)
}

/// Notes the newest layout in a file that has it.
fn sign(connection: &Connection) -> Result<(), Error> {
    if gets_shorter(connection)? && number(connection, "PRAGMA user_version")? < LAYOUT {
        connection.pragma_update(None, "user_version", LAYOUT)?;
    }
    Ok(())
}

/// Whether the file can be made shorter step by step.
pub(crate) fn gets_shorter(connection: &Connection) -> Result<bool, Error> {
    Ok(number(connection, "PRAGMA auto_vacuum")? == IS_INCREMENTAL)
}

/// The bytes of the pages that hold nothing.
pub(crate) fn free_bytes(connection: &Connection) -> Result<u64, Error> {
    pages(connection, "PRAGMA freelist_count")
}

/// The bytes of the pages that hold something.
pub(crate) fn used_bytes(connection: &Connection) -> Result<u64, Error> {
    Ok(pages(connection, "PRAGMA page_count")?.saturating_sub(free_bytes(connection)?))
}

fn pages(connection: &Connection, sql: &str) -> Result<u64, Error> {
    let bytes = number(connection, sql)? * number(connection, "PRAGMA page_size")?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Asks for one number.
pub(crate) fn number(connection: &Connection, sql: &str) -> Result<i64, Error> {
    connection.prepare_cached(sql)?.query_row((), |row| row.get(0))
}
