//! When is a file worth compacting at a start, and at what price is that known?

use std::path::Path;

use hikyaku_blocking::file_bytes;
use hikyaku_traits::Table;
use redb::{Database, Error, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use crate::definition;

/// From how many bytes on a file is compacted when it is opened, if it is mostly empty.
const FILE_BYTES_MIN: u64 = 64 << 20;

/// How many records at either end of a table are looked at to guess the size of all.
const SAMPLES: usize = 32;

/// How often a compaction may find that there is more to do.
const PASSES_MAX: usize = 10;

/// Whether a large file is in use to less than a quarter. Reads a few pages, and all that is in use only if those say so:
/// a start with a full file is not held up.
pub(crate) fn is_mostly_empty(database: &Database, path: &Path) -> Result<bool, Error> {
    let Ok(bytes) = file_bytes(path) else { return Ok(false) };
    Ok(bytes > FILE_BYTES_MIN && guessed_bytes(database)? < bytes / 8 && used_bytes(database)? < bytes / 4)
}

/// The bytes of all keys and values, guessed from the first and the last of each table.
fn guessed_bytes(database: &Database) -> Result<u64, Error> {
    let transaction = database.begin_read()?;
    let mut all_bytes = 0;
    for table in Table::ALL {
        let records = transaction.open_table(definition(table))?;
        let (mut bytes, mut samples) = (0, 0);
        for row in records.iter()?.take(SAMPLES).chain(records.iter()?.rev().take(SAMPLES)) {
            let (key, value) = row?;
            bytes += (key.value().len() + value.value().len()) as u64;
            samples += 1;
        }
        all_bytes += bytes * records.len()? / samples.max(1);
    }
    Ok(all_bytes)
}

/// The bytes of all pages that hold something. Reads all of them.
pub(crate) fn used_bytes(database: &Database) -> Result<u64, Error> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    Ok(stats.allocated_pages() * stats.page_size() as u64)
}

/// Compacts until redb says that there is no more to do. After an error the handle is no good any more.
pub(crate) fn compact_fully(database: &mut Database) -> Result<(), Error> {
    for _ in 0..PASSES_MAX {
        if !database.compact()? {
            break;
        }
    }
    Ok(())
}
