//! When does the write-ahead log go into the file? Beside the commits, on a thread and a connection of its own; and in the
//! writer once the log is long, since checkpoints beside commits never make it begin anew.

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

/// From how many pages on the writer helps to begin it anew without a wait.
const REST_PAGES_MIN: usize = LOG_PAGES_MAX / 2;

/// By how many pages the log grows until it tries again.
const REST_PAGES_STEP: usize = 250;

/// The thread of the checkpoints, as the writer sees it. Dropping it waits for the checkpoint under way.
pub(crate) struct Checkpointer {
    signal: SyncSender<()>,
    _thread: Joined,
    /// How long the log is, told by the writer's connection at each commit.
    log_pages: Arc<AtomicUsize>,
    /// How much of it is in the file, as far as is known.
    moved_pages: Arc<AtomicUsize>,
    /// From which length of the log on the writer moves the rest of it.
    rest_pages: usize,
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
        let moved_pages = Arc::new(AtomicUsize::new(0));
        let (shared, moved, path) = (Arc::clone(&failed), Arc::clone(&moved_pages), path.to_owned());
        let thread = Joined::start("sqlite-log", move || serve(&own, &signals, &path, &moved, &shared))?;
        let (next_pages, rest_pages) = (STEP_PAGES, REST_PAGES_MIN);
        Ok(Self { signal, _thread: thread, log_pages, moved_pages, rest_pages, next_pages, failed })
    }

    /// What failed, if something did.
    pub(crate) fn failed(&self) -> Option<&StoreError> {
        self.failed.get()
    }

    /// Waits for the checkpoint under way, and says what failed.
    pub(crate) fn end(self) -> Option<StoreError> {
        let Self { signal, _thread: thread, failed, .. } = self;
        drop(signal);
        drop(thread);
        failed.get().cloned()
    }

    /// To be called after each commit. Mostly does nothing; past the limit it blocks until the log begins anew.
    pub(crate) fn committed(&mut self, writer: &Connection) -> Result<(), Error> {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages + STEP_PAGES < self.next_pages {
            // The log has begun anew by itself.
            (self.next_pages, self.rest_pages) = (STEP_PAGES, REST_PAGES_MIN);
        }
        if pages < self.next_pages {
            return Ok(());
        }
        self.next_pages = pages + STEP_PAGES;
        if pages < LOG_PAGES_MAX {
            self.soon();
            return Ok(());
        }
        if begin_log_anew(writer)? {
            self.next_pages = STEP_PAGES;
        }
        Ok(())
    }

    /// To be called while no batch waits. Once the log is long, this moves the rest of it that the thread has not moved yet,
    /// as soon as that is little: the next commit then finds it in the file as a whole and begins the log anew by itself.
    pub(crate) fn move_rest(&mut self, writer: &Connection) -> Result<(), Error> {
        let pages = self.log_pages.load(Ordering::Relaxed);
        let rest = pages.saturating_sub(self.moved_pages.load(Ordering::Relaxed));
        if pages < self.rest_pages {
            return Ok(());
        }
        // The longer the log, the longer it may take.
        if rest > (pages - REST_PAGES_MIN) / 32 {
            self.soon();
            return Ok(());
        }
        self.rest_pages = pages + REST_PAGES_STEP;
        move_some(writer, &self.moved_pages)
    }

    /// Has the thread make a checkpoint.
    pub(crate) fn soon(&self) {
        // One that waits already is enough.
        let _ = self.signal.try_send(());
    }
}

/// Moves the whole log into the file and cuts it to nothing. Blocks for the disk. `false`: not now, and nothing is lost.
pub(crate) fn empty_log(connection: &Connection) -> Result<bool, Error> {
    move_log(connection, CheckpointMode::TRUNCATE)
}

/// Moves the whole log into the file, so that the next commit uses the log's room again. Blocks for the disk. `false`: not
/// now, and nothing is lost.
fn begin_log_anew(connection: &Connection) -> Result<bool, Error> {
    move_log(connection, CheckpointMode::RESTART)
}

fn move_log(connection: &Connection, mode: CheckpointMode) -> Result<bool, Error> {
    match connection.wal_checkpoint_v2(Some(MAIN_DB), mode) {
        Ok(_) => Ok(true),
        Err(error) if may_wait(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves what can be moved beside commits and reads, and notes how much of the log that is.
fn move_some(connection: &Connection, moved_pages: &AtomicUsize) -> Result<(), Error> {
    match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
        Ok((_, moved)) => moved_pages.store(usize::try_from(moved).unwrap_or(0), Ordering::Relaxed),
        Err(error) if may_wait(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Makes a checkpoint per signal until the writer is gone.
fn serve(own: &Connection, signals: &Receiver<()>, path: &Path, moved: &AtomicUsize, failed: &OnceLock<StoreError>) {
    while signals.recv().is_ok() {
        if let Err(error) = move_some(own, moved) {
            let _ = failed.set(fault("move the log into the store", path, &error));
            return;
        }
    }
}
