//! Which store keeps what, and how is it opened (again)?

use std::sync::Arc;

use async_trait::async_trait;
use hikyaku_broker::ledger::Place;
use hikyaku_traits::{Decision, RetainStore, SessionStore, StoreError};
use parking_lot::RwLock;

use crate::closed::Closed;
use crate::config::Config;
pub use crate::spot::Spot;

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

    /// The same, as `hikyaku store` names it.
    fn address(&self) -> String {
        self.place()
    }

    /// Puts a damaged store aside, so that the next [`Self::open`] begins with an empty one: `storage.on_corrupt:
    /// set-aside`. Nothing is removed or overwritten. Gives where it lies now, for messages. The store is closed. Without a
    /// body of its own it refuses, and the broker does not start.
    ///
    /// # Errors
    /// It cannot be put aside.
    async fn set_aside(&self) -> Result<String, StoreError> {
        let why = format!("Cannot put the store {} aside: that is not known of this kind.", self.place());
        Err(StoreError::new(Decision::Unsupported, why))
    }
}

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
            Arc::new(Spot::new(retained.backend, retained.path.clone()).with_log(storage.log_bytes_max))
        });
        let sessions = Spot::new(storage.backend, storage.path.clone()).with_log(storage.log_bytes_max);
        Self::new(Arc::new(sessions), retained_open)
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

    /// Both, as `hikyaku store` names them.
    pub(crate) fn addresses(&self) -> (String, String) {
        (self.sessions_open.address(), self.retained_open.as_ref().map(|open| open.address()).unwrap_or_default())
    }

    /// The file of one of the stores, for messages.
    pub(crate) fn file(&self, place: Place) -> String {
        match (place, &self.retained_open) {
            (Place::Retained, Some(retained)) => retained.place(),
            _ => self.sessions_open.place(),
        }
    }

    /// Closes what is open, and opens it again.
    ///
    /// # Errors
    /// What the engine says; then nothing is open, and calls fail until this succeeds.
    pub async fn reopen(&self) -> Result<(), StoreError> {
        self.open_each().await.map_err(|(_, error)| error)
    }

    /// The same, telling which of them cannot be opened.
    pub(crate) async fn open_each(&self) -> Result<(), (Place, StoreError)> {
        self.close(Place::Sessions).await;
        *self.sessions.write() = self.sessions_open.open().await.map_err(|error| (Place::Sessions, error))?;
        if let Some(opener) = &self.retained_open {
            self.close(Place::Retained).await;
            *self.retained.write() = Some(opener.open().await.map_err(|error| (Place::Retained, error))?);
        }
        Ok(())
    }

    /// Puts a damaged store aside; gives where it lies now. Then nothing is open.
    pub(crate) async fn set_aside(&self, place: Place) -> Result<String, StoreError> {
        self.close(Place::Sessions).await;
        self.close(Place::Retained).await;
        match (place, &self.retained_open) {
            (Place::Retained, Some(retained)) => retained.set_aside().await,
            _ => self.sessions_open.set_aside().await,
        }
    }

    /// A store that has failed may fail to close; its handle goes all the same.
    async fn close(&self, place: Place) {
        match place {
            Place::Sessions => {
                let old = std::mem::replace(&mut *self.sessions.write(), Arc::new(Closed));
                let _ = old.close().await;
            }
            Place::Retained if self.is_separate() => {
                let old = self.retained.write().replace(Arc::new(Closed));
                if let Some(old) = old {
                    let _ = old.close().await;
                }
            }
            Place::Retained => {}
        }
    }
}
