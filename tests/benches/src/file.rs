//! What is the least that a durable store can do? Append each batch to a file, sync, and forget it.
//!
//! It keeps nothing that could be read: it is the yardstick for stores that do, and no store.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hikyaku_blocking::{Blocking, Engine, Reader, complain, decide};
use hikyaku_traits::{Batch, Durability, Keys, Op, Page, Scan, StoreError, Table};

/// The yardstick, on a new file. Each commit takes `delay` longer than its sync.
pub fn open(path: &Path, delay: Duration) -> Result<Blocking, StoreError> {
    let file = File::create(path).map_err(|error| fail(path, &error))?;
    Blocking::start("file", Appender { file, path: path.to_owned(), bytes: Vec::new(), delay }, Nothing)
}

struct Appender {
    file: File,
    path: PathBuf,
    bytes: Vec<u8>,
    delay: Duration,
}

impl Engine for Appender {
    fn apply(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.bytes.clear();
        for op in batch.iter().flatten() {
            match op {
                Op::Put { table, key, value } => self.record(1, table, key, value),
                Op::Delete { table, key } => self.record(2, table, key, b""),
                Op::DeleteRange { table, from, to } => self.record(3, table, from, to),
                _ => {}
            }
        }
        let written = self.file.write_all(&self.bytes).and_then(|()| match durability {
            Durability::Synced => self.file.sync_data(),
            Durability::Buffered => Ok(()),
        });
        if !self.delay.is_zero() {
            std::thread::sleep(self.delay);
        }
        written.map_err(|error| fail(&self.path, &error))
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.file.sync_all().map_err(|error| fail(&self.path, &error))
    }
}

impl Appender {
    fn record(&mut self, kind: u8, table: Table, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(&[kind, table as u8]);
        for part in [key, value] {
            self.bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            self.bytes.extend_from_slice(part);
        }
    }
}

fn fail(path: &Path, error: &std::io::Error) -> StoreError {
    complain(decide(error), "append to", path, error, "another directory")
}

struct Nothing;

impl Reader for Nothing {
    fn scan(&mut self, _: &Scan) -> Result<Page, StoreError> {
        Ok(Page::default())
    }
    fn get(&mut self, _: Table, _: &Keys) -> Result<Page, StoreError> {
        Ok(Page::default())
    }
}
