//! How do calls that must not block reach an engine that does?

use std::sync::Arc;

use async_trait::async_trait;
use hikyaku_traits::{
    Batch, Decision, Durability, Keys, Page, RecordStore, RetainStore, Scan, SessionStore, StoreError, Table,
};
use tokio::sync::{mpsc, oneshot};

use crate::worker::{self, Answer, Joined, Poison, Read, Write};
use crate::{Engine, Reader};

/// How many reads wait for the reader's thread; one more waits with its caller, who is not blocked but not served either.
pub const READS_MAX: usize = 64;

/// How many batches wait for the writer's thread while one is applied. The broker has only one under way.
const WRITES_MAX: usize = 1;

/// A synchronous engine as a record store.
///
/// No call blocks its thread. Calls that are given up by their caller still take place. Dropping the store without a close
/// waits for the call that each thread is at and ends both threads; what was not synced may be lost.
#[derive(Debug)]
pub struct Blocking {
    // The order is the order of the drops: the reader lets go before the writer does.
    reads: mpsc::Sender<Read>,
    _reader: Joined,
    writes: mpsc::Sender<Write>,
    _writer: Joined,
}

impl Blocking {
    /// Starts the two threads, `<name>-write` and `<name>-read` (Linux shows the first 15 bytes). Does not block.
    pub fn start(name: &str, engine: impl Engine, reader: impl Reader) -> Result<Self, StoreError> {
        let poison = Poison::default();
        let (reads, read_calls) = mpsc::channel(READS_MAX);
        let (writes, write_calls) = mpsc::channel(WRITES_MAX);
        let shared = Arc::clone(&poison);
        let writer = Joined::start(&format!("{name}-write"), move || worker::write(engine, write_calls, &shared))?;
        let reader = Joined::start(&format!("{name}-read"), move || worker::read(reader, read_calls, &poison))?;
        Ok(Self { reads, _reader: reader, writes, _writer: writer })
    }
}

#[async_trait]
impl RecordStore for Blocking {
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        ask(&self.writes, |answer| Write::Apply(batch, durability, answer)).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        ask(&self.reads, |answer| Read::Scan(scan, answer)).await
    }

    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        ask(&self.reads, |answer| Read::Get(table, keys, answer)).await
    }

    /// Ends the reader, then syncs and ends the writer. Whatever it answers, the engine and its files are let go when it
    /// returns, and the store may be opened again.
    async fn close(&self) -> Result<(), StoreError> {
        let read = ask(&self.reads, Read::Close).await;
        let written = ask(&self.writes, Write::Close).await;
        read.and(written)
    }
}

impl SessionStore for Blocking {}
impl RetainStore for Blocking {}

/// Sends a call to a thread and waits for its answer.
async fn ask<C, T>(calls: &mpsc::Sender<C>, call: impl FnOnce(Answer<T>) -> C) -> Result<T, StoreError> {
    let (answer, answered) = oneshot::channel();
    calls.send(call(answer)).await.map_err(|_| closed())?;
    answered.await.map_err(|_| closed())?
}

/// What is answered when the thread is gone.
fn closed() -> StoreError {
    StoreError::new(Decision::Poisoned, "Cannot use the store: it is closed. It has to be opened again.")
}
