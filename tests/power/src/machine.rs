//! What does a store stand on? A directory, a disk, and an engine.

use std::sync::Arc;

use fastrand::Rng;
use hikyaku_blocking::Blocking;
use hikyaku_suite::Place;
use hikyaku_traits::{Decision, StoreError};

use crate::disk::Disk;
use crate::under_log::LogDirectory;
use crate::under_redb::Storage;
use crate::under_sqlite::Vfs;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// redb.
    Redb,
    /// SQLite.
    Sqlite,
}

impl Backend {
    /// Its name, as the command takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
        }
    }
}

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    cache_bytes: usize,
    /// The log in front of the engine, as the broker has it; `None`: the engine alone.
    log: Option<hikyaku_log::Options>,
}

impl Setup {
    /// Large and small caches; the engine alone, or behind a log that is written down often, or only at the end.
    pub(crate) fn by_chance(random: &mut Rng) -> Self {
        let cache_bytes = [64 << 10, 1 << 20, 32 << 20][random.usize(..3)];
        let bytes_max = [10 << 10, 200 << 10, 100 << 20][random.usize(..3)];
        let log = hikyaku_log::Options { bytes_max, entries_max: 1_000 };
        Self { cache_bytes, log: random.bool().then_some(log) }
    }
}

/// The name of the store's file.
const FILE: &str = "records";

/// A disk with an engine on it. Stores must be dropped before it is.
pub(crate) struct Machine {
    backend: Backend,
    pub disk: Arc<Disk>,
    // Before the directory: it goes first.
    vfs: Option<Vfs>,
    place: Place,
}

impl Machine {
    pub(crate) fn new(backend: Backend, seed: u64, lies: bool) -> Self {
        let place = Place::new();
        let disk = Arc::new(Disk::new(place.path(), seed, lies));
        let vfs = if backend == Backend::Sqlite { Vfs::register(&disk) } else { None };
        Self { backend, disk, vfs, place }
    }

    /// Opens the store with the code that the broker opens it with. That syncs the directory: here, as far as the disk knows
    /// of it, when it is done.
    pub(crate) fn open(&self, setup: &Setup) -> Result<Blocking, StoreError> {
        let engine = self.open_engine(setup.cache_bytes)?;
        self.disk.sync_names();
        match setup.log {
            Some(options) => hikyaku_log::open(engine, LogDirectory(Arc::clone(&self.disk)), options),
            None => Ok(engine),
        }
    }

    fn open_engine(&self, cache_bytes: usize) -> Result<Blocking, StoreError> {
        let path = self.place.path().join(FILE);
        match self.backend {
            Backend::Redb => {
                let storage = Storage::open(&self.disk, FILE)
                    .map_err(|error| StoreError::new(Decision::Away, format!("Cannot open the disk: {error}")))?;
                hikyaku_redb::open_on(storage, &path, &hikyaku_redb::Options { cache_bytes })
            }
            Backend::Sqlite => {
                let name = self.vfs.as_ref().map_or("", Vfs::name);
                hikyaku_sqlite::open_on(name, &path, &hikyaku_sqlite::Options { cache_bytes })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hikyaku_suite::{Write, batch, run};
    use hikyaku_traits::{Durability, RecordStore, Row, Scan, Table};

    use super::*;

    /// So many bytes of values make SQLite's log long enough for a checkpoint beside the commits.
    fn long() -> impl Iterator<Item = Write> {
        (0..60u32).map(|i| Write::put(i.to_be_bytes(), vec![7; 100 << 10]))
    }

    async fn messages(store: &Blocking) -> Vec<Row> {
        let scan = Scan { table: Table::Message, from: [].into(), to: None, bytes_max: usize::MAX };
        store.scan(scan).await.unwrap().rows
    }

    /// A checkpoint beside the commits that fails in the end is told by the close, which must not make another one in its
    /// place. What was acknowledged is in the log, and comes back.
    #[test]
    fn checkpoint_that_fails_at_the_end_is_told() {
        let machine = Machine::new(Backend::Sqlite, 1, false);
        let setup = Setup { cache_bytes: 1 << 20, log: None };
        run(async {
            let store = machine.open(&setup).unwrap();
            machine.disk.fail_syncs_of("sqlite-log");
            store.apply(batch(long()), Durability::Synced).await.unwrap();
            let error = store.close().await.unwrap_err();
            assert_eq!(error.decision, Decision::Poisoned, "{error}");
            drop(store);
            machine.disk.mend();
            machine.disk.cut();
            machine.disk.come_back().unwrap();
            let store = machine.open(&setup).unwrap();
            assert_eq!(messages(&store).await.len(), 60);
        });
    }

    /// A batch in memory that a killed process left in the log is read, and what comes behind it says that it is durable. So it
    /// is, before that.
    #[test]
    fn log_that_is_read_is_durable_before_it_goes_on() {
        for seed in 0..10 {
            let machine = Machine::new(Backend::Redb, seed, false);
            let setup = Setup { cache_bytes: 1 << 20, log: Some(hikyaku_log::Options::default()) };
            run(async {
                let store = machine.open(&setup).unwrap();
                store.apply(batch([Write::put("first", "v")]), Durability::Buffered).await.unwrap();
                drop(store);
                let store = machine.open(&setup).unwrap();
                store.apply(batch([Write::put("second", "v")]), Durability::Synced).await.unwrap();
                drop(store);
                machine.disk.cut();
                machine.disk.come_back().unwrap();
                let store = machine.open(&setup).unwrap();
                assert_eq!(messages(&store).await.len(), 2, "seed {seed}");
            });
        }
    }
}
