//! The stores of these tests, what is in them, and one that counts its batches.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hikyaku_broker::ledger::Ledger;
use hikyaku_broker::{Change, Message, MessageParts, Receipt, SessionRecord};
use hikyaku_memory::Memory;
use hikyaku_traits::{Batch, Decision, Durability, Keys, Op, Ops, Page, RecordStore, Row, Scan, StoreError, Table};
use hikyaku_types::{ProtocolVersion, Qos};

use crate::old;

/// How many messages wait for each of two sessions.
pub const MESSAGES: usize = 6_000;

/// A directory for a store, removed when this is dropped.
pub struct Place {
    directory: PathBuf,
    backend: &'static str,
}

impl Place {
    pub fn new(backend: &'static str) -> Self {
        let directory = std::env::temp_dir().join(format!("hikyaku-migrate-{backend}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory, backend }
    }

    pub fn file(&self) -> PathBuf {
        self.directory.join(self.backend)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub fn open(backend: &str, file: &Path) -> Arc<dyn RecordStore> {
    match backend {
        "redb" => Arc::new(hikyaku_redb::open(file, &Default::default()).unwrap()),
        _ => Arc::new(hikyaku_sqlite::open(file, &Default::default()).unwrap()),
    }
}

/// What a store of today's format has in it.
pub fn today_rows() -> Vec<(Table, Row)> {
    static ROWS: std::sync::OnceLock<Vec<(Table, Row)>> = std::sync::OnceLock::new();
    ROWS.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let filled = async {
            let store = Memory::new();
            let batch = Ledger::default().encode(&changes(), 1_000_000, false).sessions.unwrap();
            store.apply(batch, Durability::Synced).await.unwrap();
            content(&store).await
        };
        // Beside the runtime of the test, which may not be blocked.
        std::thread::spawn(move || runtime.block_on(filled)).join().unwrap()
    })
    .clone()
}

/// The same in the format before.
pub fn old_rows() -> Vec<(Table, Row)> {
    old::age(&today_rows(), |row| u64::from(row.value[1]))
}

fn changes() -> Vec<Change> {
    let sessions = (1..=2).map(|number| {
        Change::Session(SessionRecord {
            number,
            client_id: format!("client {number}").into(),
            epoch: 1,
            protocol: ProtocolVersion::V5,
            expiry_secs: u32::MAX,
            parked_since_ms: Some(1),
        })
    });
    let messages = (1..=MESSAGES as u64).map(|id| {
        let payload = format!("message {id} ").repeat(if id % 100 == 0 { 400 } else { 20 });
        let parts = MessageParts {
            topic: "t",
            properties: b"",
            payload: payload.as_bytes(),
            qos: Qos::AtLeastOnce,
            retain: false,
            expires_at_ms: None,
        };
        let receipt = |session| Receipt {
            session,
            position: id,
            qos: Qos::AtLeastOnce,
            retain: false,
            subscription_ids: Default::default(),
        };
        Change::Publish { message: Arc::new(Message::new(id, &parts)), receivers: (1..=2).map(receipt).collect() }
    });
    sessions.chain(messages).collect()
}

/// All rows of a store.
pub async fn content<S: RecordStore + ?Sized>(store: &S) -> Vec<(Table, Row)> {
    let mut rows = Vec::new();
    for table in Table::ALL {
        let mut from = Box::default();
        loop {
            let page = store.scan(Scan { table, from, to: None, bytes_max: 1 << 20 }).await.unwrap();
            from = page.rows.last().map_or_else(Box::default, |row| row.key.iter().copied().chain([0]).collect());
            rows.extend(page.rows.into_iter().map(|row| (table, row)));
            if !page.more {
                break;
            }
        }
    }
    rows
}

/// Puts rows into a store.
pub async fn fill<S: RecordStore + ?Sized>(store: &S, rows: &[(Table, Row)]) {
    struct Puts(Vec<(Table, Row)>);
    impl Ops for Puts {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn op(&self, i: usize) -> Option<Op<'_>> {
            self.0.get(i).map(|(table, row)| Op::Put { table: *table, key: &row.key, value: &row.value })
        }
    }
    store.apply(Batch::new(Puts(rows.to_vec())), Durability::Synced).await.unwrap();
}

/// A store that counts what it applies.
pub struct Counting {
    store: Arc<dyn RecordStore>,
    applied: AtomicUsize,
    max: usize,
    tells: bool,
}

impl Counting {
    /// After so many batches it fails, and nothing of the next one is written.
    pub fn stopping(store: impl RecordStore + 'static, max: usize) -> Self {
        Self { store: Arc::new(store), applied: AtomicUsize::new(0), max, tells: false }
    }

    /// Each batch is a line on stdout, before it is applied.
    pub fn telling(store: Arc<dyn RecordStore>) -> Self {
        Self { store, applied: AtomicUsize::new(0), max: usize::MAX, tells: true }
    }
}

#[async_trait]
impl RecordStore for Counting {
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let number = self.applied.fetch_add(1, Ordering::Relaxed);
        if number >= self.max {
            return Err(StoreError::new(Decision::Away, "the test wants no more"));
        }
        if self.tells {
            println!("batch {number}");
        }
        self.store.apply(batch, durability).await
    }
    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        self.store.scan(scan).await
    }
    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        self.store.get(table, keys).await
    }
    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
