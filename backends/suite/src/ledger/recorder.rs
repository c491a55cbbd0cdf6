//! Which batches did a store get?

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hikyaku_traits::{
    Batch, Durability, Keys, Op, Page, RecordStore, RetainStore, Scan, SessionStore, StoreError, Table,
};

use crate::{Store, Write};

/// A store that keeps a copy of each batch on its way to another one. A clone is another handle of both, so that a store
/// without files can be opened again.
#[derive(Clone)]
pub struct Recorder {
    store: Arc<dyn Store>,
    batches: Arc<Mutex<Vec<Vec<Write>>>>,
}

impl Recorder {
    /// Records what that store gets.
    #[must_use]
    pub fn new(store: Box<dyn Store>) -> Self {
        Self { store: store.into(), batches: Arc::default() }
    }

    /// The batches since this was asked last, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Vec<Write>> {
        std::mem::take(&mut *self.batches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn copy(op: Option<Op<'_>>) -> Write {
    match op {
        Some(Op::Put { table, key, value }) => Write::Put(table, key.into(), value.into()),
        Some(Op::Delete { table, key }) => Write::Delete(table, key.into()),
        Some(Op::DeleteRange { table, from, to }) => Write::DeleteRange(table, from.into(), to.into()),
        _ => Write::Unknown,
    }
}

#[async_trait]
impl RecordStore for Recorder {
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let writes = batch.iter().map(copy).collect();
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(writes);
        self.store.apply(batch, durability).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        self.store.scan(scan).await
    }

    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        self.store.get(table, keys).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}

impl SessionStore for Recorder {}
impl RetainStore for Recorder {}
