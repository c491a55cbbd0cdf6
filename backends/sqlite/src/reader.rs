//! How are records read from SQLite beside its writer?

use std::path::{Path, PathBuf};

use hikyaku_blocking::{PageBuilder, Reader};
use hikyaku_traits::{Keys, Page, Row, Scan, StoreError, Table};
use rusqlite::{Connection, Error};

use crate::fault::fault;
use crate::sql::{BEGIN_READ, COMMIT, Kind, Sql};

/// The reading side, on a connection of its own: each call sees the newest commit whole.
pub(crate) struct SqliteReader {
    connection: Connection,
    sql: Sql,
    path: PathBuf,
}

impl SqliteReader {
    pub(crate) fn new(connection: Connection, path: &Path) -> Self {
        Self { connection, sql: Sql::new(), path: path.to_owned() }
    }

    fn read_range(&self, scan: &Scan) -> Result<Page, Error> {
        let kind = if scan.to.is_some() { Kind::ScanTo } else { Kind::ScanOn };
        let mut statement = self.connection.prepare_cached(self.sql.of(scan.table, kind))?;
        let mut rows = match &scan.to {
            Some(to) => statement.query((&*scan.from, &**to))?,
            None => statement.query((&*scan.from,))?,
        };
        let mut page = PageBuilder::new(scan.bytes_max);
        while let Some(row) = rows.next()? {
            if !page.take(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?) {
                break;
            }
        }
        Ok(page.done())
    }

    /// In one transaction, so that no commit comes between two keys.
    fn look_up(&self, table: Table, keys: &Keys) -> Result<Page, Error> {
        self.connection.prepare_cached(BEGIN_READ)?.execute(())?;
        let mut statement = self.connection.prepare_cached(self.sql.of(table, Kind::Get))?;
        let mut page = Page { rows: Vec::with_capacity(keys.len()), more: false };
        for key in keys {
            let mut rows = statement.query((&**key,))?;
            if let Some(row) = rows.next()? {
                page.rows.push(Row { key: key.clone(), value: row.get_ref(0)?.as_blob()?.into() });
            }
        }
        self.connection.prepare_cached(COMMIT)?.execute(())?;
        Ok(page)
    }
}

impl Reader for SqliteReader {
    fn scan(&mut self, scan: &Scan) -> Result<Page, StoreError> {
        self.read_range(scan).map_err(|error| fault("scan the store", &self.path, &error))
    }

    fn get(&mut self, table: Table, keys: &Keys) -> Result<Page, StoreError> {
        self.look_up(table, keys).map_err(|error| {
            if !self.connection.is_autocommit() {
                // If that fails too, the first error says more.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            fault("look records up in the store", &self.path, &error)
        })
    }
}
