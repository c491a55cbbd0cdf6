//! What does a store stand on? A directory, a disk, and an engine.

use std::sync::Arc;

use hikyaku_blocking::Blocking;
use hikyaku_suite::Place;
use hikyaku_traits::{Decision, StoreError};

use crate::disk::Disk;
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
    pub(crate) fn open(&self, cache_bytes: usize) -> Result<Blocking, StoreError> {
        let path = self.place.path().join(FILE);
        let store = match self.backend {
            Backend::Redb => {
                let storage = Storage::open(&self.disk, FILE)
                    .map_err(|error| StoreError::new(Decision::Away, format!("Cannot open the disk: {error}")))?;
                hikyaku_redb::open_on(storage, &path, &hikyaku_redb::Options { cache_bytes })?
            }
            Backend::Sqlite => {
                let name = self.vfs.as_ref().map_or("", Vfs::name);
                hikyaku_sqlite::open_on(name, &path, &hikyaku_sqlite::Options { cache_bytes })?
            }
        };
        self.disk.sync_names();
        Ok(store)
    }
}
