//! How does a redb file become a store, and what if it cannot?

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use hikyaku_blocking::{Blocking, StoreLock, sync_directory};
use hikyaku_traits::{StoreError, Table};
use redb::{Builder, Database, DatabaseError, Error, ReadableDatabase, StorageBackend, StorageError, TableHandle};

use crate::definition;
use crate::fault::{altered, fault, fault_of_open};
use crate::reader::RedbReader;
use crate::shrink::{compact_fully, is_mostly_empty};
use crate::unfinished::{empty_unfinished, empty_unfinished_file};
use crate::writer::RedbWriter;

/// How the file is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// The memory for pages of the file, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 16 << 20 }
    }
}

/// Opens the store in the file `path`, or makes it, with its directory. Blocks for the disk, after a crash for as long as
/// redb needs to check the file (about two seconds per gigabyte), and compacts a large file that is mostly empty. A file that
/// is new is durable when this returns.
pub fn open(path: &Path, options: &Options) -> Result<Blocking, StoreError> {
    start(path, || {
        empty_unfinished_file(path).map_err(StorageError::from)?;
        let mut database = builder(options).create(path)?;
        let shrunk = shrink(&mut database, path);
        if shrunk.is_err() {
            // Only room was not given back, for want of room perhaps. What else is wrong, the next open says.
            drop(database);
            database = builder(options).create(path)?;
        }
        Ok(database)
    })
}

/// Compacts the file if it is large and mostly empty.
fn shrink(database: &mut Database, path: &Path) -> Result<(), Error> {
    if has_tables(database)? && is_mostly_empty(database, path)? { compact_fully(database) } else { Ok(()) }
}

/// [`open`] with the bytes of the store in `storage` instead of a file, for tests that lay a disk under it which fails or
/// loses its power. `path` names the store in messages, and its lock lies there.
pub fn open_on(storage: impl StorageBackend, path: &Path, options: &Options) -> Result<Blocking, StoreError> {
    start(path, || {
        empty_unfinished(&storage).map_err(StorageError::from)?;
        builder(options).create_with_backend(storage)
    })
}

fn builder(options: &Options) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes);
    builder
}

fn start(path: &Path, create: impl FnOnce() -> Result<Database, DatabaseError>) -> Result<Blocking, StoreError> {
    let lock = StoreLock::take(path)?;
    let database = unless_altered(path, || prepare(path, create))?;
    sync_directory(path.parent().unwrap_or(Path::new("")))?;
    let database = Arc::new(database);
    let reader = RedbReader::new(Arc::clone(&database), path);
    Blocking::start("redb", RedbWriter::new(database, path, lock), reader)
}

/// Opens the file and makes the tables that are missing.
fn prepare(path: &Path, create: impl FnOnce() -> Result<Database, DatabaseError>) -> Result<Database, StoreError> {
    let database = create().map_err(|error| fault_of_open(path, error.into()))?;
    make_tables(&database).map_err(|error| fault("make the tables of the store", path, &error))?;
    Ok(database)
}

/// Whether each table is there.
fn has_tables(database: &Database) -> Result<bool, Error> {
    let there: HashSet<String> = database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect();
    Ok(Table::ALL.iter().all(|table| there.contains(table.name())))
}

fn make_tables(database: &Database) -> Result<(), Error> {
    if has_tables(database)? {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    for table in Table::ALL {
        transaction.open_table(definition(table))?;
    }
    Ok(transaction.commit()?)
}

/// Runs what reads a file that is not trusted yet: redb says that it may panic on one that was altered behind its back.
pub(crate) fn unless_altered<T>(path: &Path, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(altered("open the store", path)))
}
