//! How does what was appended come to disk? One task: seal, encode, apply, move the watermark, again.
//!
//! There is no timer in `always`: the disk's own time gathers the next batch. When a commit fails, its outcome may be
//! unknown: the stores are closed and opened again, and the same batch is applied again, until it succeeds. Until then
//! nothing that needs the store is taken, and nothing is acknowledged.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hikyaku_broker::ledger::{Encoded, Ledger};
use hikyaku_broker::{Hub, Sealed};
use hikyaku_traits::{Batch, Decision, Durability, StoreError};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config;
use crate::store::Stores;

/// The first pause before the stores are opened again; it doubles up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The writing side of the broker.
pub(crate) struct Writer {
    pub hub: Arc<Hub>,
    pub stores: Arc<Stores>,
    pub ledger: Ledger,
    pub clock: Clock,
    pub durability: config::Durability,
    pub sync_interval: Duration,
    /// Becomes true when the broker stops: what has gathered is written, then the task ends.
    pub stop: watch::Receiver<bool>,
    synced_at: Instant,
    dirty: bool,
}

impl Writer {
    pub fn new(
        hub: Arc<Hub>,
        stores: Arc<Stores>,
        ledger: Ledger,
        clock: Clock,
        storage: &config::Storage,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            hub,
            stores,
            ledger,
            clock,
            durability: storage.durability,
            sync_interval: Duration::from_millis(storage.sync_interval_ms),
            stop,
            synced_at: Instant::now(),
            dirty: false,
        }
    }

    /// Runs until the broker stops. Ends with an error when the store can not be used any more.
    pub async fn run(mut self) -> Result<(), StoreError> {
        loop {
            let Some(sealed) = self.next().await? else { break };
            self.write(sealed).await?;
        }
        self.stores.sessions().close().await?;
        if let Some(retained) = self.stores.retained() {
            retained.close().await?;
        }
        Ok(())
    }

    /// The next batch; `None` when the broker stops and nothing has gathered.
    async fn next(&mut self) -> Result<Option<Sealed>, StoreError> {
        loop {
            let hub = self.hub.clone();
            let gathered = std::future::poll_fn(|cx| {
                hub.set_journal_waker(cx.waker().clone());
                hub.seal().map_or(Poll::Pending, Poll::Ready)
            });
            let sync_in = (self.durability == config::Durability::Interval && self.dirty)
                .then(|| self.sync_interval.saturating_sub(self.synced_at.elapsed()));
            tokio::select! {
                biased;
                sealed = gathered => return Ok(Some(sealed)),
                _ = self.stop.wait_for(|stop| *stop) => return Ok(None),
                () = tokio::time::sleep(sync_in.unwrap_or(Duration::MAX)), if sync_in.is_some() => {}
            }
            self.apply(&Encoded {
                sessions: Some(empty()),
                retained: self.stores.is_separate().then(empty),
                ops: 0,
                bytes: 0,
            })
            .await?;
        }
    }

    async fn write(&mut self, sealed: Sealed) -> Result<(), StoreError> {
        if !sealed.changes.is_empty() {
            let encoded = self.ledger.encode(&sealed.changes, self.clock.now().wall_ms, self.stores.is_separate());
            if encoded.ops > 0 {
                self.apply(&encoded).await?;
            }
        }
        self.hub.committed(sealed);
        Ok(())
    }

    /// Applies until it has succeeded. Only what no retry can mend is an error.
    async fn apply(&mut self, encoded: &Encoded) -> Result<(), StoreError> {
        let mut backoff = BACKOFF;
        loop {
            let error = match self.apply_once(encoded).await {
                Ok(()) => break,
                Err(error) => error,
            };
            if matches!(error.decision, Decision::Fenced | Decision::Unsupported | Decision::Corrupt) {
                self.hub.set_store_up(false);
                return Err(error);
            }
            if self.hub.is_store_up() {
                let said = error.message.trim_end_matches('.');
                tracing::error!(
                    "{said}. Until then nothing is acknowledged that is not stored, and what needs the store is refused."
                );
                self.hub.set_store_up(false);
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
            if error.decision != Decision::Retry
                && let Err(error) = self.stores.reopen().await
            {
                tracing::warn!(store = %self.stores.files(), "the store cannot be opened again yet: {error}");
            }
        }
        if !self.hub.is_store_up() {
            tracing::info!(store = %self.stores.files(), "the store works again; nothing acknowledged was lost");
            self.hub.set_store_up(true);
        }
        Ok(())
    }

    /// Retained messages commit before sessions.
    async fn apply_once(&mut self, encoded: &Encoded) -> Result<(), StoreError> {
        let durability = self.durability_now();
        if let (Some(batch), Some(store)) = (&encoded.retained, self.stores.retained()) {
            store.apply(batch.clone(), durability).await?;
        }
        if let Some(batch) = &encoded.sessions {
            self.stores.sessions().apply(batch.clone(), durability).await?;
        }
        match durability {
            Durability::Synced => (self.synced_at, self.dirty) = (Instant::now(), false),
            Durability::Buffered => self.dirty = true,
        }
        Ok(())
    }

    fn durability_now(&self) -> Durability {
        match self.durability {
            config::Durability::Always => Durability::Synced,
            config::Durability::Interval if self.synced_at.elapsed() >= self.sync_interval => Durability::Synced,
            config::Durability::Interval | config::Durability::Never => Durability::Buffered,
        }
    }
}

/// A batch of nothing: a sync of what was applied before.
fn empty() -> Batch {
    struct Nothing;
    impl hikyaku_traits::Ops for Nothing {
        fn len(&self) -> usize {
            0
        }
        fn op(&self, _: usize) -> Option<hikyaku_traits::Op<'_>> {
            None
        }
    }
    Batch::new(Nothing)
}
