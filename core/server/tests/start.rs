//! What has happened when the broker accepts? On stores that the test holds in its hands.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hikyaku_broker::ledger::Ledger;
use hikyaku_broker::{Change, SessionRecord};
use hikyaku_memory::Memory;
use hikyaku_server::config::{Config, Listener};
use hikyaku_server::{Open, Server, ServerError, Stores};
use hikyaku_traits::{Batch, Decision, Durability, Keys, Page, RecordStore, Scan, SessionStore, StoreError, Table};
use hikyaku_types::ProtocolVersion;
use tokio::sync::{Semaphore, oneshot};

/// A store in memory whose writes wait for a permit; with none left and the door shut they fail as the test says.
struct Gated {
    memory: Memory,
    permits: Semaphore,
    fails: Option<Decision>,
}

#[async_trait]
impl RecordStore for Gated {
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if let Some(decision) = self.fails {
            return Err(StoreError::new(decision, "Cannot write to the store gate: it is shut. Try: another"));
        }
        self.permits.acquire().await.unwrap().forget();
        self.memory.apply(batch, durability).await
    }
    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        self.memory.scan(scan).await
    }
    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        self.memory.get(table, keys).await
    }
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl SessionStore for Gated {}

/// Gives the same store each time.
struct Same(Arc<Gated>);

#[async_trait]
impl Open<dyn SessionStore> for Same {
    async fn open(&self) -> Result<Arc<dyn SessionStore>, StoreError> {
        Ok(self.0.clone())
    }
    fn place(&self) -> String {
        "gate".into()
    }
}

/// A store in which a client is connected, as after `kill -9`.
async fn left_behind(fails: Option<Decision>) -> Arc<Gated> {
    let memory = Memory::new();
    let record = SessionRecord {
        number: 1,
        client_id: "lost".into(),
        epoch: 1,
        protocol: ProtocolVersion::V5,
        expiry_secs: 3600,
        parked_since_ms: None,
    };
    let batch = Ledger::default().encode(&[Change::Session(record)], 1, false).sessions.unwrap();
    memory.apply(batch, Durability::Synced).await.unwrap();
    Arc::new(Gated { memory, permits: Semaphore::new(0), fails })
}

async fn start(store: Arc<Gated>) -> Result<Server, ServerError> {
    let listener = Listener { bind: "127.0.0.1:0".parse().unwrap(), allow_anonymous: None };
    let config = Config { listeners: vec![listener], ..Config::default() };
    Server::start_on(&config, Stores::new(Arc::new(Same(store)), None)).await
}

/// The last byte but the time of a session row says whether it is parked.
async fn row(store: &Gated) -> Box<[u8]> {
    let page = store.get(Table::Session, vec![b"lost".as_slice().into()]).await.unwrap();
    page.rows[0].value.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_before_it_is_stored_who_was_lost() {
    let store = left_behind(None).await;
    let connected = row(&store).await;
    let (started, mut has_started) = oneshot::channel();
    tokio::spawn({
        let store = store.clone();
        async move { drop(started.send(start(store).await)) }
    });
    // A broker that does not wait has started by then.
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut has_started).await.is_err(), "it did not wait");
    assert_eq!(row(&store).await, connected);
    store.permits.add_permits(1_000);
    let server = has_started.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    assert!(row(&store).await.len() > connected.len(), "the row says since when it is parked");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_room_is_not_waited_for() {
    let server = start(left_behind(Some(Decision::Full)).await).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!server.hub().is_store_up(), "what needs the store is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_used_at_all_ends_the_start() {
    let Err(error) = start(left_behind(Some(Decision::Fenced)).await).await else { panic!("it started") };
    assert!(error.to_string().contains("Cannot write to the store gate"), "{error}");
}
