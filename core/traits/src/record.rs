//! Where do sessions and retained messages live? In records: (table, key, value).
//!
//! Keys are bytes whose order is memory order and are made by the core's ledger; values are opaque and carry their own
//! version. A backend that puts, deletes, scans and gets is complete.

use std::sync::Arc;

use async_trait::async_trait;

/// The tables of a store. A backend may map them to its own as it likes; their names and numbers stand for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Table {
    /// Format version, counters, the clock's high-water mark.
    Meta = 0,
    /// Client id to session.
    Session = 1,
    /// (session number, filter) to options.
    Subscription = 2,
    /// Message id to header, receivers and a small body.
    Message = 3,
    /// Message id to a large body.
    Body = 4,
    /// Session number to what of its queue is done.
    Progress = 5,
    /// (session number, direction, packet id) to a QoS 2 exchange.
    Inflight = 6,
    /// Session number to its Will.
    Will = 7,
    /// Topic to the retained message's header and a small body.
    Retained = 8,
    /// Topic to a large retained body.
    RetainedBody = 9,
}

impl Table {
    /// All tables, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Meta,
        Self::Session,
        Self::Subscription,
        Self::Message,
        Self::Body,
        Self::Progress,
        Self::Inflight,
        Self::Will,
        Self::Retained,
        Self::RetainedBody,
    ];

    /// The name of the table, as tools and SQL show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Session => "session",
            Self::Subscription => "subscription",
            Self::Message => "message",
            Self::Body => "body",
            Self::Progress => "progress",
            Self::Inflight => "inflight",
            Self::Will => "will",
            Self::Retained => "retained",
            Self::RetainedBody => "retained_body",
        }
    }
}

/// One operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op<'a> {
    /// Writes a record, in place of one that is there.
    Put {
        /// In which table.
        table: Table,
        /// Under which key; may be empty.
        key: &'a [u8],
        /// What.
        value: &'a [u8],
    },
    /// Removes a record, if it is there.
    Delete {
        /// From which table.
        table: Table,
        /// Under which key.
        key: &'a [u8],
    },
    /// Removes all records with `from <= key < to`.
    DeleteRange {
        /// From which table.
        table: Table,
        /// The first key.
        from: &'a [u8],
        /// The key behind the last one.
        to: &'a [u8],
    },
}

/// The operations of a batch, in order.
pub trait Ops: Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;
    /// The operation at `i`; `None` if it is of a kind that this build does not know: refuse the whole batch with
    /// [`Decision::Unsupported`].
    fn op(&self, i: usize) -> Option<Op<'_>>;
    /// Whether there is nothing to do.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A batch of operations: all or nothing, in order, idempotent (applied twice it gives the same records). Cheap to clone,
/// borrows nothing.
#[derive(Clone)]
pub struct Batch(Arc<dyn Ops>);

impl Batch {
    /// Wraps operations.
    pub fn new(ops: impl Ops + 'static) -> Self {
        Self(Arc::new(ops))
    }

    /// The operations one after the other; `None` stands for one of an unknown kind.
    pub fn iter(&self) -> impl Iterator<Item = Option<Op<'_>>> {
        (0..self.0.len()).map(|i| self.0.op(i))
    }
}

impl std::ops::Deref for Batch {
    type Target = dyn Ops;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// How much a batch must withstand when `apply` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives the loss of power: written and synced.
    Synced,
    /// It is handed on and survives as the engine can without a sync; a later synced batch makes it durable.
    Buffered,
}

/// A question for the records of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// In which table.
    pub table: Table,
    /// From this key on, inclusive.
    pub from: Box<[u8]>,
    /// Up to this key, exclusive; `None`: to the end.
    pub to: Option<Box<[u8]>>,
    /// Stop once keys and values of the page hold this many bytes; at least one row comes if there is one.
    pub bytes_max: usize,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: Box<[u8]>,
    /// Its value.
    pub value: Box<[u8]>,
}

/// Rows in key order (of a scan) or in the order of the keys that were asked for (of a get, absent ones left out).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether a scan has more behind the last row.
    pub more: bool,
}

/// Keys to be looked up.
pub type Keys = Vec<Box<[u8]>>;

/// What the broker does about an error; each is a decision, not a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Nothing was written; the same call may be repeated on the same handle.
    Retry,
    /// Nothing was written: no room. Close, wait, open again.
    Full,
    /// Nothing was written: another owner has the store. Stop.
    Fenced,
    /// Nothing was written: an operation or table that this store does not know. Stop.
    Unsupported,
    /// The outcome is unknown: the store is out of reach. Close, wait, open again, apply again.
    Away,
    /// The outcome is unknown, and the handle is not to be used again: a write or sync failed.
    Poisoned,
    /// What is stored is not what was written. Stop.
    Corrupt,
}

/// What went wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// What to do about it.
    pub decision: Decision,
    /// For people: what was tried, where, why it failed, what to try.
    pub message: String,
}

impl StoreError {
    /// An error with its decision.
    pub fn new(decision: Decision, message: impl Into<String>) -> Self {
        Self { decision, message: message.into() }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}

/// A place for records. The broker has at most one `apply` under way; `scan` and `get` may run beside it and see either
/// all of a batch or nothing of it.
#[async_trait]
pub trait RecordStore: Send + Sync {
    /// Applies a batch in order, all or nothing. With [`Durability::Synced`] it is on disk, synced, when this returns.
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError>;
    /// Reads a range in key order, one page.
    async fn scan(&self, scan: Scan) -> Result<Page, StoreError>;
    /// Looks keys up; absent ones are left out of the answer.
    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError>;
    /// Ends the use of the store; all that was applied is synced when it returns. Nothing may be called afterwards.
    async fn close(&self) -> Result<(), StoreError>;
}

/// A store for the tables of sessions: all but [`Table::Retained`] and [`Table::RetainedBody`].
pub trait SessionStore: RecordStore {}

/// A store for [`Table::Meta`], [`Table::Retained`] and [`Table::RetainedBody`].
pub trait RetainStore: RecordStore {}
