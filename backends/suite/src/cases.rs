//! What do the cases share? Batches written as values, questions in one line.

use hikyaku_traits::{Batch, Durability, Op, Ops, Page, RecordStore, Scan, StoreError, Table};

use crate::Store;

/// Key and value.
pub type Record = (Vec<u8>, Vec<u8>);

/// An operation as an owned value.
#[derive(Clone, Debug)]
pub enum Write {
    /// Writes a record.
    Put(Table, Vec<u8>, Vec<u8>),
    /// Removes a record.
    Delete(Table, Vec<u8>),
    /// Removes a range of records.
    DeleteRange(Table, Vec<u8>, Vec<u8>),
    /// Is of a kind that nobody knows.
    Unknown,
}

impl Write {
    /// A put into the table of messages.
    pub fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        Self::Put(Table::Message, key.as_ref().to_vec(), value.as_ref().to_vec())
    }

    /// A delete from the table of messages.
    pub fn delete(key: impl AsRef<[u8]>) -> Self {
        Self::Delete(Table::Message, key.as_ref().to_vec())
    }

    /// A delete of a range of the table of messages.
    pub fn delete_range(from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Self {
        Self::DeleteRange(Table::Message, from.as_ref().to_vec(), to.as_ref().to_vec())
    }
}

struct Writes(Vec<Write>);

impl Ops for Writes {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn op(&self, i: usize) -> Option<Op<'_>> {
        match &self.0[i] {
            Write::Put(table, key, value) => Some(Op::Put { table: *table, key, value }),
            Write::Delete(table, key) => Some(Op::Delete { table: *table, key }),
            Write::DeleteRange(table, from, to) => Some(Op::DeleteRange { table: *table, from, to }),
            Write::Unknown => None,
        }
    }
}

/// A batch of operations.
#[must_use]
pub fn batch(writes: impl IntoIterator<Item = Write>) -> Batch {
    Batch::new(Writes(writes.into_iter().collect()))
}

/// Keys and values of a page.
#[must_use]
pub fn rows(page: &Page) -> Vec<Record> {
    page.rows.iter().map(|row| (row.key.to_vec(), row.value.to_vec())).collect()
}

/// Compares what a store has answered with what it should have. The message names the first record that differs.
#[track_caller]
pub fn same(found: impl AsRef<[Record]>, expected: impl AsRef<[Record]>) {
    let difference = difference(found.as_ref(), expected.as_ref());
    assert!(difference.is_none(), "{}", difference.unwrap_or_default());
}

/// What is wrong, in words; `None`: nothing.
pub(crate) fn difference(found: &[Record], expected: &[Record]) -> Option<String> {
    let first = (0..found.len().max(expected.len())).find(|&i| found.get(i) != expected.get(i))?;
    let (many, few) = (found.len(), expected.len());
    let [is, should] = [found, expected].map(|records| records.get(first).map_or("nothing".into(), show));
    Some(format!("there are {many} records where {few} belong; number {first} is {is} and should be {should}"))
}

/// A record for people: escaped, and not too long.
fn show((key, value): &Record) -> String {
    const SHOWN: usize = 40;
    let [key, value] = [key, value].map(|bytes| {
        let begin = bytes[..bytes.len().min(SHOWN)].escape_ascii();
        if bytes.len() > SHOWN { format!("\"{begin}\"... ({} bytes)", bytes.len()) } else { format!("\"{begin}\"") }
    });
    format!("{key}: {value}")
}

/// Runs a case to its end on a runtime of its own.
pub fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(case);
}

/// Calls in one line.
#[allow(async_fn_in_trait, reason = "used with one thread")]
pub trait Ask: RecordStore {
    /// Applies operations, synced.
    async fn write(&self, writes: impl IntoIterator<Item = Write>) -> Result<(), StoreError> {
        self.apply(batch(writes), Durability::Synced).await
    }

    /// Applies operations, buffered.
    async fn write_buffered(&self, writes: impl IntoIterator<Item = Write>) -> Result<(), StoreError> {
        self.apply(batch(writes), Durability::Buffered).await
    }

    /// A page of a range of the messages.
    async fn page(&self, from: &[u8], to: Option<&[u8]>, bytes_max: usize) -> Page {
        self.scan(Scan { table: Table::Message, from: from.into(), to: to.map(Into::into), bytes_max }).await.unwrap()
    }

    /// All records of a table.
    async fn all_of(&self, table: Table) -> Vec<Record> {
        let page = self.scan(Scan { table, from: [].into(), to: None, bytes_max: usize::MAX }).await.unwrap();
        assert!(!page.more, "a page without a limit says that there is more");
        rows(&page)
    }

    /// All messages.
    async fn all(&self) -> Vec<Record> {
        self.all_of(Table::Message).await
    }

    /// All keys of the messages.
    async fn keys(&self) -> Vec<Vec<u8>> {
        self.all().await.into_iter().map(|(key, _)| key).collect()
    }
}

impl Ask for dyn Store + '_ {}

/// A record as the cases compare it.
pub(crate) fn row(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Record {
    (key.as_ref().to_vec(), value.as_ref().to_vec())
}
