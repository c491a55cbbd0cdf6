//! How does a broker run without a disk?

use async_trait::async_trait;
use hikyaku_traits::{Batch, Durability, Keys, Page, RecordStore, RetainStore, Scan, SessionStore, StoreError, Table};
use parking_lot::RwLock;

use crate::tables::Tables;

/// Records in memory. No call blocks; nothing is durable, whatever the durability; all is gone when it is dropped.
#[derive(Debug, Default)]
pub struct Memory(RwLock<Tables>);

impl Memory {
    /// A store without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl RecordStore for Memory {
    async fn apply(&self, batch: Batch, _: Durability) -> Result<(), StoreError> {
        self.0.write().apply(&batch, &mut |_| ())
    }

    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        self.0.read().scan(&scan)
    }

    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        self.0.read().get(table, &keys)
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl SessionStore for Memory {}
impl RetainStore for Memory {}
