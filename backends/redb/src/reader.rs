//! How are records read from redb beside its writer?

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hikyaku_blocking::{PageBuilder, Reader};
use hikyaku_traits::{Keys, Page, Row, Scan, StoreError, Table};
use redb::{Database, Error, ReadableDatabase};

use crate::definition;
use crate::fault::{altered, fault};

/// The reading side: each call sees the newest commit whole.
pub(crate) struct RedbReader {
    database: Arc<Database>,
    path: PathBuf,
}

impl RedbReader {
    pub(crate) fn new(database: Arc<Database>, path: &Path) -> Self {
        Self { database, path: path.to_owned() }
    }
}

impl Reader for RedbReader {
    fn scan(&mut self, scan: &Scan) -> Result<Page, StoreError> {
        guarded(&self.path, "scan the store", || read_range(&self.database, scan))
    }

    fn get(&mut self, table: Table, keys: &Keys) -> Result<Page, StoreError> {
        guarded(&self.path, "look records up in the store", || look_up(&self.database, table, keys))
    }
}

/// redb says that it may panic on a file that was altered behind its back.
fn guarded(path: &Path, what: &str, read: impl FnOnce() -> Result<Page, Error>) -> Result<Page, StoreError> {
    let read = catch_unwind(AssertUnwindSafe(read)).map_err(|_| altered(what, path))?;
    read.map_err(|error| fault(what, path, &error))
}

fn read_range(database: &Database, scan: &Scan) -> Result<Page, Error> {
    let mut page = PageBuilder::new(scan.bytes_max);
    if scan.to.as_deref().is_some_and(|to| to <= &*scan.from) {
        return Ok(page.done());
    }
    let records = database.begin_read()?.open_table(definition(scan.table))?;
    let to = scan.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    for row in records.range::<&[u8]>((Bound::Included(&*scan.from), to))? {
        let (key, value) = row?;
        if !page.take(key.value(), value.value()) {
            break;
        }
    }
    Ok(page.done())
}

fn look_up(database: &Database, table: Table, keys: &Keys) -> Result<Page, Error> {
    let records = database.begin_read()?.open_table(definition(table))?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        if let Some(value) = records.get(&**key)? {
            rows.push(Row { key: key.clone(), value: value.value().into() });
        }
    }
    Ok(Page { rows, more: false })
}
