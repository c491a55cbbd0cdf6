//! Which store keeps what, and how is it opened (again)?

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hikyaku_memory::Memory;
use hikyaku_traits::{RetainStore, SessionStore, StoreError};
use parking_lot::RwLock;

use crate::closed::{Closed, blocking};
use crate::config::{Backend, Config};

/// An open store of sessions.
pub type Sessions = Arc<dyn SessionStore>;
/// An open store of retained messages.
pub type Retained = Arc<dyn RetainStore>;

/// Opens a store, `dyn SessionStore` or `dyn RetainStore`: at start, and again after a failure.
#[async_trait]
pub trait Open<S: ?Sized + Send + Sync>: Send + Sync {
    /// Opens it. When this is called again, the store that came out before has been closed and let go.
    ///
    /// # Errors
    /// What the engine says; the broker asks again after a pause.
    async fn open(&self) -> Result<Arc<S>, StoreError>;

    /// Where its records lie, for messages.
    fn place(&self) -> String;
}

/// A store that is built in, and where it lies.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Which engine.
    backend: Backend,
    /// In which directory.
    path: PathBuf,
    /// What memory holds stays when it is opened again.
    memory: Arc<Memory>,
}

impl Spot {
    /// The store of an engine in a directory.
    #[must_use]
    pub fn new(backend: Backend, path: PathBuf) -> Self {
        Self { backend, path, memory: Arc::default() }
    }

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

macro_rules! open {
    ($store:ident) => {
        #[async_trait]
        impl Open<dyn $store> for Spot {
            async fn open(&self) -> Result<Arc<dyn $store>, StoreError> {
                let file = self.file();
                Ok(match self.backend {
                    Backend::Redb => Arc::new(blocking(move || hikyaku_redb::open(&file, &Default::default())).await?),
                    Backend::Sqlite => {
                        Arc::new(blocking(move || hikyaku_sqlite::open(&file, &Default::default())).await?)
                    }
                    Backend::Memory => self.memory.clone(),
                })
            }

            fn place(&self) -> String {
                self.file().display().to_string()
            }
        }
    };
}

open!(SessionStore);
open!(RetainStore);

/// The stores of a broker: one, or one more for what is retained. Shared by the journal, which opens them again after a
/// failure, and the readers.
pub struct Stores {
    sessions_open: Arc<dyn Open<dyn SessionStore>>,
    retained_open: Option<Arc<dyn Open<dyn RetainStore>>>,
    sessions: RwLock<Sessions>,
    retained: RwLock<Option<Retained>>,
}

impl Stores {
    /// Stores that are not open yet: see [`Self::reopen`].
    #[must_use]
    pub fn new(
        sessions_open: Arc<dyn Open<dyn SessionStore>>,
        retained_open: Option<Arc<dyn Open<dyn RetainStore>>>,
    ) -> Self {
        let retained = retained_open.as_ref().map(|_| -> Retained { Arc::new(Closed) });
        Self { sessions_open, retained_open, sessions: RwLock::new(Arc::new(Closed)), retained: RwLock::new(retained) }
    }

    /// What the configuration names.
    #[must_use]
    pub fn configured(config: &Config) -> Self {
        let storage = &config.storage;
        let retained_open = storage.retained.as_ref().map(|retained| -> Arc<dyn Open<dyn RetainStore>> {
            Arc::new(Spot::new(retained.backend, retained.path.clone()))
        });
        Self::new(Arc::new(Spot::new(storage.backend, storage.path.clone())), retained_open)
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
        self.retained_open.is_some()
    }

    /// The files, for messages.
    #[must_use]
    pub fn files(&self) -> String {
        let main = self.sessions_open.place();
        self.retained_open.as_ref().map_or(main.clone(), |retained| format!("{main} and {}", retained.place()))
    }

    /// Closes what is open, and opens it again.
    ///
    /// # Errors
    /// What the engine says; then nothing is open, and calls fail until this succeeds.
    pub async fn reopen(&self) -> Result<(), StoreError> {
        let old = std::mem::replace(&mut *self.sessions.write(), Arc::new(Closed));
        // A store that has failed may fail to close; its handle goes all the same.
        let _ = old.close().await;
        drop(old);
        *self.sessions.write() = self.sessions_open.open().await?;
        if let Some(opener) = &self.retained_open {
            let old = self.retained.write().replace(Arc::new(Closed));
            if let Some(old) = old {
                let _ = old.close().await;
            }
            *self.retained.write() = Some(opener.open().await?);
        }
        Ok(())
    }
}
