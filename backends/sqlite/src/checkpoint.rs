//! When does the write-ahead log go into the file? Beside the commits, on a thread and a connection of its own; and in the
//! writer once the log has grown too long, since a checkpoint beside commits never makes it begin anew.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use hikyaku_blocking::Joined;
use hikyaku_traits::StoreError;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, Error, MAIN_DB};

use crate::connect::{LOG_BYTES_MAX, PAGE_BYTES};
use crate::fault::{fault, may_wait};

/// By how many pages the log grows from one checkpoint to the next.
const STEP_PAGES: usize = 1_000;

/// From how many pages on the writer makes the log begin anew.
const LOG_PAGES_MAX: usize = LOG_BYTES_MAX / PAGE_BYTES;

/// The thread of the checkpoints, as the writer sees it. Dropping it waits for the checkpoint under way.
pub(crate) struct Checkpointer {
    signal: SyncSender<()>,
    _thread: Joined,
    /// How long the log is, told by the writer's connection at each commit.
    log_pages: Arc<AtomicUsize>,
    /// At which length of the log something is done next.
    next_pages: usize,
    /// What failed for good: a file whose sync failed must not be synced again as if nothing had been.
    failed: Arc<OnceLock<StoreError>>,
}

impl Checkpointer {
    /// Starts the thread on a connection of its own, and listens to the commits of the writer's.
    pub(crate) fn start(own: Connection, writer: &mut Connection, path: &Path) -> Result<Self, StoreError> {
        let log_pages = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&log_pages);
        let hook = move |_: &mut _, pages| {
            told.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(|error| fault("watch the log of", path, &error))?;
        let (signal, signals) = sync_channel(1);
        let failed = Arc::new(OnceLock::new());
        let (shared, path) = (Arc::clone(&failed), path.to_owned());
        let thread = Joined::start("sqlite-log", move || serve(&own, &signals, &path, &shared))?;
        Ok(Self { signal, _thread: thread, log_pages, next_pages: STEP_PAGES, failed })
    }

    /// What failed, if something did.
    pub(crate) fn failed(&self) -> Option<&StoreError> {
        self.failed.get()
    }

    /// To be called after each commit. Mostly does nothing; past the limit it blocks until the log begins anew.
    pub(crate) fn committed(&mut self, writer: &Connection) -> Result<(), Error> {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages + STEP_PAGES < self.next_pages {
            self.next_pages = STEP_PAGES; // The log has begun anew by itself.
        }
        if pages < self.next_pages {
            return Ok(());
        }
        self.next_pages = pages + STEP_PAGES;
        if pages < LOG_PAGES_MAX {
            // One that waits already is enough.
            let _ = self.signal.try_send(());
            return Ok(());
        }
        if begin_log_anew(writer)? {
            self.next_pages = STEP_PAGES;
        }
        Ok(())
    }
}

/// Moves the whole log into the file, so that the next commit uses the log's room again. Blocks for the disk. `false`: not
/// now, and nothing is lost.
pub(crate) fn begin_log_anew(connection: &Connection) -> Result<bool, Error> {
    match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::RESTART) {
        Ok(_) => Ok(true),
        Err(error) if may_wait(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a checkpoint per signal until the writer is gone.
fn serve(connection: &Connection, signals: &Receiver<()>, path: &Path, failed: &OnceLock<StoreError>) {
    while signals.recv().is_ok() {
        if let Err(error) = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE)
            && !may_wait(&error)
        {
            let _ = failed.set(fault("move the log into the store", path, &error));
            return;
        }
    }
}
