//! How are the rows of a store read one page after the other, and written so?

use std::path::Path;

use hikyaku_blocking::Blocking;
use hikyaku_broker::ledger::{self, LedgerError, meta_name};
use hikyaku_traits::{Batch, Durability, Op, Ops, Page, RecordStore, Row, Scan, StoreError, Table};

use super::Failure;
use super::address::Address;
use super::copy::RETAINED;

/// Bytes of rows that are read, or written in one batch, at a time. One large row may be more.
const PAGE_BYTES: usize = 1 << 20;

/// Reads tables from their first row to their last.
pub(super) struct Pages<'a> {
    store: &'a Blocking,
    tables: std::slice::Iter<'a, Table>,
    next: Option<Scan>,
}

impl<'a> Pages<'a> {
    pub fn of(store: &'a Blocking, tables: &'a [Table]) -> Self {
        let mut tables = tables.iter();
        let next = tables.next().map(|table| scan(*table));
        Self { store, tables, next }
    }

    /// The next rows, all of one table; `None` when all are read. Pages may be empty.
    pub async fn next(&mut self) -> Result<Option<(Table, Vec<Row>)>, StoreError> {
        let Some(scan_now) = self.next.take() else { return Ok(None) };
        let table = scan_now.table;
        let Page { rows, more } = self.store.scan(scan_now).await?;
        self.next = match rows.last() {
            Some(last) if more => {
                let behind = last.key.iter().copied().chain([0]).collect();
                Some(Scan { from: behind, ..scan(table) })
            }
            _ => self.tables.next().map(|table| scan(*table)),
        };
        Ok(Some((table, rows)))
    }
}

/// Row by row: two stores may part the same rows into other pages.
pub(super) struct ByRow<'a> {
    pages: Pages<'a>,
    table: Table,
    rows: std::vec::IntoIter<Row>,
}

impl<'a> Pages<'a> {
    pub fn by_row(self) -> ByRow<'a> {
        ByRow { pages: self, table: Table::Meta, rows: Vec::new().into_iter() }
    }
}

impl ByRow<'_> {
    pub async fn next(&mut self) -> Result<Option<(Table, Row)>, StoreError> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some((self.table, row)));
            }
            let Some((table, rows)) = self.pages.next().await? else { return Ok(None) };
            (self.table, self.rows) = (table, rows.into_iter());
        }
    }
}

fn scan(table: Table) -> Scan {
    Scan { table, from: Box::default(), to: None, bytes_max: PAGE_BYTES }
}

/// The first of some tables that has a row.
pub(super) async fn first_filled(store: &Blocking, tables: &[Table]) -> Result<Option<Table>, StoreError> {
    for &table in tables {
        if !store.scan(Scan { bytes_max: 1, ..scan(table) }).await?.rows.is_empty() {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// The rows of [`Table::Meta`] of a store that this build can read.
pub(super) async fn meta_rows(store: &Blocking, file: &Path) -> Result<Vec<Row>, Failure> {
    let rows = store.scan(Scan { bytes_max: usize::MAX, ..scan(Table::Meta) }).await?.rows;
    let format = ledger::format_of(&rows).map_err(|error| Failure::ledger(file, &error))?;
    if format.is_none() && first_filled(store, &Table::ALL).await?.is_some() {
        let key = meta_name::FORMAT.bytes().map(|byte| format!("{byte:02x}")).collect();
        return Err(Failure::ledger(file, &LedgerError::Corrupt { table: Table::Meta, key }));
    }
    Ok(rows)
}

/// Retained messages that lie in the store of the sessions although they have a store of their own belong to nobody.
pub(super) async fn refuse_stranded(store: &Blocking, main: &Address, retained: &Address) -> Result<(), Failure> {
    match first_filled(store, &RETAINED).await? {
        None => Ok(()),
        Some(_) => Err(Failure::new(crate::recover::stranded(&main.to_string(), &retained.to_string()))),
    }
}

/// Gathers rows into batches. Only the last one is synced.
pub(super) struct Filler<'a> {
    store: &'a Blocking,
    rows: Vec<(Table, Row)>,
    bytes: usize,
    /// How many rows have come, and how many bytes they have.
    pub written: (u64, u64),
}

impl<'a> Filler<'a> {
    pub const fn new(store: &'a Blocking) -> Self {
        Self { store, rows: Vec::new(), bytes: 0, written: (0, 0) }
    }

    pub async fn put(&mut self, table: Table, row: Row) -> Result<(), StoreError> {
        let bytes = row.key.len() + row.value.len();
        self.bytes += bytes;
        self.written = (self.written.0 + 1, self.written.1 + bytes as u64);
        self.rows.push((table, row));
        if self.bytes >= PAGE_BYTES { self.apply(Durability::Buffered).await } else { Ok(()) }
    }

    /// Everything is on disk when this returns.
    pub async fn finish(mut self) -> Result<(u64, u64), StoreError> {
        self.apply(Durability::Synced).await?;
        Ok(self.written)
    }

    async fn apply(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.bytes = 0;
        self.store.apply(Batch::new(Puts(std::mem::take(&mut self.rows))), durability).await
    }
}

struct Puts(Vec<(Table, Row)>);

impl Ops for Puts {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn op(&self, i: usize) -> Option<Op<'_>> {
        self.0.get(i).map(|(table, row)| Op::Put { table: *table, key: &row.key, value: &row.value })
    }
}

/// Removes all rows of some tables, durably.
pub(super) async fn clear(store: &Blocking, tables: &'static [Table]) -> Result<(), StoreError> {
    struct Clear(&'static [Table]);
    impl Ops for Clear {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn op(&self, i: usize) -> Option<Op<'_>> {
            // No key is above this one: those of these tables are UTF-8.
            self.0.get(i).map(|table| Op::DeleteRange { table: *table, from: &[], to: &[0xFF] })
        }
    }
    store.apply(Batch::new(Clear(tables)), Durability::Synced).await
}
