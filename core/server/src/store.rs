//! Which store keeps what, and how is it opened (again)?

use std::path::PathBuf;
use std::sync::Arc;

use hikyaku_traits::{RetainStore, SessionStore, StoreError};
use parking_lot::RwLock;

use crate::config::{Backend, Config};

/// An open store of sessions.
pub type Sessions = Arc<dyn SessionStore>;
/// An open store of retained messages.
pub type Retained = Arc<dyn RetainStore>;

/// Where one store lies.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Which engine.
    pub backend: Backend,
    /// In which directory.
    pub path: PathBuf,
}

impl Spot {
    /// The file of the store, for messages.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        match self.backend {
            Backend::Redb => self.path.join("hikyaku.redb"),
            Backend::Sqlite => self.path.join("hikyaku.sqlite"),
            Backend::Memory => PathBuf::from("memory"),
        }
    }
}

/// The stores of a broker: one, or one more for what is retained. Shared by the journal, which opens them again after a
/// failure, and the readers.
pub struct Stores {
    spot: Spot,
    retained_spot: Option<Spot>,
    sessions: RwLock<Sessions>,
    retained: RwLock<Option<Retained>>,
}

impl Stores {
    /// Opens what the configuration names. Blocks on the disk.
    ///
    /// # Errors
    /// What the engine says.
    pub fn open(config: &Config) -> Result<Self, StoreError> {
        let spot = Spot { backend: config.storage.backend, path: config.storage.path.clone() };
        let retained_spot = config
            .storage
            .retained
            .as_ref()
            .map(|retained| Spot { backend: retained.backend, path: retained.path.clone() });
        let sessions = open_sessions(&spot)?;
        let retained = retained_spot.as_ref().map(open_retained).transpose()?;
        Ok(Self { spot, retained_spot, sessions: RwLock::new(sessions), retained: RwLock::new(retained) })
    }

    /// The store of sessions.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        self.sessions.read().clone()
    }

    /// The store of retained messages, if it is another one.
    #[must_use]
    pub fn retained(&self) -> Option<Retained> {
        self.retained.read().clone()
    }

    /// Whether retained messages have a store of their own.
    #[must_use]
    pub fn is_separate(&self) -> bool {
        self.retained_spot.is_some()
    }

    /// The files, for messages.
    #[must_use]
    pub fn files(&self) -> String {
        let main = self.spot.file().display().to_string();
        self.retained_spot.as_ref().map_or(main.clone(), |spot| format!("{main} and {}", spot.file().display()))
    }

    /// Closes both and opens them again. Memory is kept: there is nothing to open.
    ///
    /// # Errors
    /// What the engine says; then nothing is open, and calls fail until this succeeds.
    pub async fn reopen(&self) -> Result<(), StoreError> {
        if self.spot.backend != Backend::Memory {
            let old = std::mem::replace(&mut *self.sessions.write(), Arc::new(crate::closed::Closed));
            // A store that has failed may fail to close; its handle goes all the same.
            let _ = old.close().await;
            drop(old);
            let spot = self.spot.clone();
            *self.sessions.write() = crate::closed::blocking(move || open_sessions(&spot)).await?;
        }
        if let Some(spot) = self.retained_spot.clone().filter(|spot| spot.backend != Backend::Memory) {
            let old = self.retained.write().replace(Arc::new(crate::closed::Closed));
            if let Some(old) = old {
                let _ = old.close().await;
            }
            *self.retained.write() = Some(crate::closed::blocking(move || open_retained(&spot)).await?);
        }
        Ok(())
    }
}

fn open_sessions(spot: &Spot) -> Result<Sessions, StoreError> {
    Ok(match spot.backend {
        Backend::Redb => Arc::new(hikyaku_redb::open(&spot.file(), &hikyaku_redb::Options::default())?),
        Backend::Sqlite => Arc::new(hikyaku_sqlite::open(&spot.file(), &hikyaku_sqlite::Options::default())?),
        Backend::Memory => Arc::new(hikyaku_memory::Memory::new()),
    })
}

fn open_retained(spot: &Spot) -> Result<Retained, StoreError> {
    Ok(match spot.backend {
        Backend::Redb => Arc::new(hikyaku_redb::open(&spot.file(), &hikyaku_redb::Options::default())?),
        Backend::Sqlite => Arc::new(hikyaku_sqlite::open(&spot.file(), &hikyaku_sqlite::Options::default())?),
        Backend::Memory => Arc::new(hikyaku_memory::Memory::new()),
    })
}
