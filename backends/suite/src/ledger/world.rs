//! A ledger in front of a real store, and words for what happens.

use std::sync::Arc;

use hikyaku_broker::ledger::{Encoded, Ledger, QueuedRef, Recovered, RecoveredSession, Recovery};
use hikyaku_broker::{Change, Message, MessageParts, Receipt, SessionRecord};
use hikyaku_traits::{Durability, RecordStore, Table, Will};
use hikyaku_types::{ProtocolVersion, Qos, SubscriptionOptions};
use smallvec::SmallVec;

use super::Recorder;
use crate::{Ask, Store, Write};

const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// A ledger and its store, which can be dropped and opened again.
pub(super) struct World<O> {
    open: O,
    pub store: Option<Recorder>,
    pub ledger: Ledger,
    /// The wall clock.
    pub wall_ms: u64,
    /// How many bytes the pages have with which the store is read.
    pub page_bytes: usize,
}

impl<O: AsyncFn() -> Box<dyn Store>> World<O> {
    /// An empty store, read in pages of one row.
    pub async fn new(open: O) -> Self {
        let store = Recorder::new(open().await);
        let mut world =
            Self { open, store: Some(store), ledger: Ledger::new(SEEDS), wall_ms: 1_000_000, page_bytes: 1 };
        assert!(world.recover().await.sessions.is_empty(), "the store is not fresh");
        world
    }

    /// A store in which sessions of these numbers live.
    pub async fn with_sessions(open: O, numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut world = Self::new(open).await;
        let sessions: Vec<_> = numbers.into_iter().map(|number| Change::Session(record(number))).collect();
        world.commit(&sessions).await;
        world
    }

    pub fn store(&self) -> &Recorder {
        self.store.as_ref().expect("the store is open")
    }

    pub fn encode(&mut self, changes: &[Change]) -> Encoded {
        self.ledger.encode(changes, self.wall_ms, false)
    }

    /// Seals a batch of these changes and applies it. What the store got for it, in one piece.
    pub async fn commit(&mut self, changes: &[Change]) -> Vec<Write> {
        let Some(batch) = self.encode(changes).sessions else { return Vec::new() };
        let _ = self.store().take();
        self.store().apply(batch, Durability::Synced).await.unwrap();
        let mut batches = self.store().take();
        assert_eq!(batches.len(), 1, "changes that are sealed together go into one batch");
        batches.remove(0)
    }

    /// Drops the store, opens it and reads it: what it tells is what it told before.
    pub async fn reopen(&mut self) -> Recovered {
        let before = portrait(&self.recover().await);
        let recovered = self.restart().await;
        let after = portrait(&recovered);
        let difference = before.lines().zip(after.lines()).find(|(before, after)| before != after);
        assert!(before == after, "opened again the store tells something else (before, after): {difference:?}");
        recovered
    }

    /// Drops the store, whatever it is at, opens it and reads it.
    pub async fn restart(&mut self) -> Recovered {
        drop(self.store.take());
        self.store = Some(Recorder::new((self.open)().await));
        self.recover().await
    }

    /// The same, and what became of the only session.
    pub async fn reopen_one(&mut self) -> RecoveredSession {
        let mut recovered = self.reopen().await;
        assert_eq!(recovered.sessions.len(), 1, "{:?}", recovered.sessions);
        recovered.sessions.remove(0)
    }

    /// Reads the store to its end. The ledger is a new one afterwards, as after a start.
    pub async fn recover(&mut self) -> Recovered {
        let mut recovery = Recovery::new(SEEDS, self.page_bytes);
        while let Some((place, scan)) = recovery.next_scan() {
            recovery.page(place, self.store().scan(scan).await.unwrap()).unwrap();
        }
        let (ledger, recovered) = recovery.finish().unwrap();
        self.ledger = ledger;
        recovered
    }

    /// How many records these tables have.
    pub async fn counts<const N: usize>(&self, tables: [Table; N]) -> [usize; N] {
        let mut counts = [0; N];
        for (count, table) in counts.iter_mut().zip(tables) {
            let store: &dyn Store = self.store();
            *count = store.all_of(table).await.len();
        }
        counts
    }
}

/// All that was recovered, for a comparison.
pub(super) fn portrait(recovered: &Recovered) -> String {
    let mut retained: Vec<_> = recovered.retained.iter().map(|message| content(message)).collect();
    retained.sort_unstable_by_key(|(id, ..)| *id);
    let Recovered { sessions, next_session_number, next_message_id, clock_ms, orphans, .. } = recovered;
    format!("{sessions:#?}\n{retained:#?}\n{next_session_number} {next_message_id} {clock_ms} {orphans:?}")
}

/// All that makes a message.
pub(super) fn content(message: &Message) -> (u64, &str, &[u8], &[u8], Qos, bool, Option<u64>) {
    let Message { id, qos, retain, .. } = *message;
    (id, message.topic(), message.properties(), message.payload(), qos, retain, message.expires_at())
}

pub(super) fn record(number: u64) -> SessionRecord {
    SessionRecord {
        number,
        client_id: format!("client {number}").into(),
        epoch: 1,
        protocol: ProtocolVersion::V5,
        expiry_secs: 3600,
        parked_since_ms: Some(500_000),
    }
}

pub(super) fn message(id: u64, topic: &str, payload: &[u8]) -> Arc<Message> {
    let expires_at_ms = Some(9_000_000 + id);
    let (properties, qos) = (b"\x01\x01", Qos::ExactlyOnce);
    Arc::new(Message::new(id, &MessageParts { topic, properties, payload, qos, retain: true, expires_at_ms }))
}

/// A message waits for sessions, at these positions.
pub(super) fn publish(message: &Arc<Message>, receivers: impl IntoIterator<Item = (u64, u64)>) -> Change {
    let receipt = |(session, position)| Receipt {
        session,
        position,
        qos: Qos::AtLeastOnce,
        retain: false,
        subscription_ids: SmallVec::new(),
    };
    Change::Publish { message: message.clone(), receivers: receivers.into_iter().map(receipt).collect() }
}

pub(super) fn done(session: u64, position: u64, message_id: u64, low: u64) -> Change {
    Change::Done { session, position, message_id, low }
}

pub(super) fn subscribe(session: u64, filter: &str) -> Change {
    let options = SubscriptionOptions::qos(Qos::AtLeastOnce);
    Change::Subscribe { session, filter: filter.into(), options, subscription_id: Some(7) }
}

pub(super) fn will() -> Will {
    Will {
        topic: "007//é".into(),
        payload: vec![0, 1, 0xff],
        qos: Qos::ExactlyOnce,
        retain: true,
        delay_secs: 30,
        expiry_secs: Some(60),
        properties: vec![1, 1],
    }
}

/// Positions and messages of a queue.
pub(super) fn places(queue: &[QueuedRef]) -> Vec<(u64, u64)> {
    queue.iter().map(|queued| (queued.position, queued.message_id)).collect()
}
