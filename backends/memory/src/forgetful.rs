//! What is left of the records after a crash? What was synced, and of the rest as much as the simulator says.

use std::sync::Arc;

use async_trait::async_trait;
use hikyaku_traits::{Batch, Durability, Keys, Page, RecordStore, RetainStore, Scan, SessionStore, StoreError, Table};
use parking_lot::Mutex;

use crate::tables::{Before, Tables};

/// Records in memory that know what was synced. A clone is another handle of the same records, as the file is for a broker
/// that starts again.
///
/// Deterministic: no clock, no chance, no thread. The `_now` calls are the same as those of the record store and need no
/// runtime.
#[derive(Clone, Debug, Default)]
pub struct Forgetful(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    tables: Tables,
    /// How to go back to what was synced: per batch since then, oldest first, what its records were.
    unsynced: Vec<Vec<Before>>,
}

impl Forgetful {
    /// A store without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a batch in order, all or nothing. With [`Durability::Synced`] a crash leaves it and all before it.
    pub fn apply_now(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        let mut before = Vec::new();
        state.tables.apply(batch, &mut |record| before.push(record))?;
        match durability {
            Durability::Synced => state.unsynced.clear(),
            Durability::Buffered => state.unsynced.push(before),
        }
        Ok(())
    }

    /// Syncs all that was applied: a crash leaves it.
    pub fn sync_now(&self) {
        self.0.lock().unsynced.clear();
    }

    /// Reads a page of a range in key order; nothing of a table that is not known.
    #[must_use]
    pub fn scan_now(&self, scan: &Scan) -> Page {
        self.0.lock().tables.scan(scan).unwrap_or_default()
    }

    /// Looks keys up; absent ones, and all of an unknown table, are left out.
    #[must_use]
    pub fn get_now(&self, table: Table, keys: &Keys) -> Page {
        self.0.lock().tables.get(table, keys).unwrap_or_default()
    }

    /// How many batches a crash would take.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.0.lock().unsynced.len()
    }

    /// Loses all batches that were not synced.
    pub fn crash(&self) {
        self.crash_keeping(0);
    }

    /// Loses the batches that were not synced, but for the oldest `batches` of them, which happened to reach the disk and
    /// now are as good as synced.
    pub fn crash_keeping(&self, batches: usize) {
        let mut state = self.0.lock();
        while state.unsynced.len() > batches {
            let newest = state.unsynced.pop().unwrap_or_default();
            newest.into_iter().rev().for_each(|record| state.tables.restore(record));
        }
        state.unsynced.clear();
    }
}

#[async_trait]
impl RecordStore for Forgetful {
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.apply_now(&batch, durability)
    }

    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        self.0.lock().tables.scan(&scan)
    }

    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        self.0.lock().tables.get(table, &keys)
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.sync_now();
        Ok(())
    }
}

impl SessionStore for Forgetful {}
impl RetainStore for Forgetful {}
