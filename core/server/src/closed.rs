//! What answers while no store is open? "Away", to everything.

use async_trait::async_trait;
use hikyaku_traits::{
    Batch, Decision, Durability, Keys, Page, RecordStore, RetainStore, Scan, SessionStore, StoreError, Table,
};

/// Stands in for a store that is being opened again.
pub(crate) struct Closed;

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::new(Decision::Away, "the store is closed and being opened again"))
}

#[async_trait]
impl RecordStore for Closed {
    async fn apply(&self, _: Batch, _: Durability) -> Result<(), StoreError> {
        away()
    }
    async fn scan(&self, _: Scan) -> Result<Page, StoreError> {
        away()
    }
    async fn get(&self, _: Table, _: Keys) -> Result<Page, StoreError> {
        away()
    }
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl SessionStore for Closed {}
impl RetainStore for Closed {}

/// Runs a blocking piece of work on the runtime's threads for such.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::new(Decision::Poisoned, format!("opening the store did not end well: {error}"))),
    }
}
