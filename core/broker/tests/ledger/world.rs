//! A store in a map, a ledger in front of it, and words for what happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use hikyaku_broker::ledger::{Encoded, Ledger, LedgerError, Place, QueuedRef, Recovered, RecoveredSession, Recovery};
use hikyaku_broker::{Change, Message, MessageParts, Receipt, SessionRecord};
use hikyaku_traits::{Batch, Op, Page, Row, Scan, Table};
use hikyaku_types::{ProtocolVersion, Qos};
use smallvec::SmallVec;

pub const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// Records in a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store(pub BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Store {
    pub fn apply(&mut self, batch: &Batch) {
        for op in batch.iter() {
            match op.unwrap() {
                Op::Put { table, key, value } => drop(self.0.insert((table, key.into()), value.into())),
                Op::Delete { table, key } => drop(self.0.remove(&(table, key.to_vec()))),
                Op::DeleteRange { table, from, to } => {
                    self.0.retain(|(other, key), _| *other != table || key.as_slice() < from || key.as_slice() >= to);
                }
                _ => unreachable!(),
            }
        }
    }

    pub fn scan(&self, scan: &Scan) -> Page {
        let mut bytes = 0;
        let mut rows = Vec::new();
        for ((_, key), value) in
            self.0.range((scan.table, scan.from.to_vec())..).take_while(|row| row.0.0 == scan.table)
        {
            if bytes >= scan.bytes_max {
                return Page { rows, more: true };
            }
            bytes += key.len() + value.len();
            rows.push(Row { key: key.as_slice().into(), value: value.as_slice().into() });
        }
        Page { rows, more: false }
    }

    pub fn rows(&self, table: Table) -> Vec<Row> {
        self.scan(&Scan { table, from: Box::default(), to: None, bytes_max: usize::MAX }).rows
    }

    pub fn count(&self, table: Table) -> usize {
        self.rows(table).len()
    }

    pub fn get(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        self.0.get(&(table, key.to_vec())).map(Vec::as_slice)
    }

    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.0.insert((table, key.into()), value.into());
    }
}

/// Reads two stores, which may be the same, one page after the other.
pub fn recover(sessions: &Store, retained: &Store, page_bytes: usize) -> Result<(Ledger, Recovered), LedgerError> {
    let mut recovery = Recovery::new(SEEDS, page_bytes);
    while let Some((place, scan)) = recovery.next_scan() {
        let store = if place == Place::Sessions { sessions } else { retained };
        recovery.page(place, store.scan(&scan))?;
    }
    recovery.finish()
}

/// A ledger and its store.
#[derive(Debug)]
pub struct World {
    pub ledger: Ledger,
    pub store: Store,
    pub wall_ms: u64,
}

impl World {
    pub fn new() -> Self {
        Self { ledger: Ledger::new(SEEDS), store: Store::default(), wall_ms: 1_000_000 }
    }

    /// A world in which these sessions live.
    pub fn with_sessions(numbers: &[u64]) -> Self {
        let mut world = Self::new();
        let changes: Vec<_> = numbers.iter().map(|number| Change::Session(record(*number))).collect();
        world.commit(&changes);
        world
    }

    /// Seals a batch of these changes and applies it; once more, to see that nothing changes by that.
    pub fn commit(&mut self, changes: &[Change]) -> Encoded {
        let encoded = self.ledger.encode(changes, self.wall_ms, false);
        assert!(encoded.retained.is_none());
        if let Some(batch) = &encoded.sessions {
            assert_eq!(batch.len(), encoded.ops);
            self.store.apply(batch);
            let once = self.store.clone();
            self.store.apply(batch);
            assert_eq!(self.store, once, "a batch that is applied twice gives the same records");
        } else {
            assert_eq!((encoded.ops, encoded.bytes), (0, 0));
        }
        encoded
    }

    /// A restart; the pages hold one row each.
    pub fn reopen(&mut self) -> Recovered {
        let (ledger, recovered) = recover(&self.store, &self.store, 1).unwrap();
        self.ledger = ledger;
        recovered
    }

    /// A restart, and what became of the only session.
    pub fn reopen_one(&mut self) -> RecoveredSession {
        let mut recovered = self.reopen();
        assert_eq!(recovered.sessions.len(), 1);
        recovered.sessions.remove(0)
    }
}

pub fn record(number: u64) -> SessionRecord {
    SessionRecord {
        number,
        client_id: format!("client {number}").into(),
        epoch: 1,
        protocol: ProtocolVersion::V5,
        expiry_secs: 3600,
        parked_since_ms: None,
    }
}

/// A session ends.
pub fn ends(number: u64) -> Change {
    Change::SessionDrop { number, client_id: record(number).client_id }
}

pub fn message(id: u64, topic: &str, payload: &[u8]) -> Arc<Message> {
    let parts = MessageParts {
        topic,
        properties: b"\x01\x01",
        payload,
        qos: Qos::ExactlyOnce,
        retain: true,
        expires_at_ms: Some(9_000_000),
    };
    Arc::new(Message::new(id, &parts))
}

pub fn receipt(session: u64, position: u64) -> Receipt {
    Receipt { session, position, qos: Qos::AtLeastOnce, retain: false, subscription_ids: SmallVec::new() }
}

/// A small message with that id waits for sessions at positions.
pub fn publish(id: u64, receivers: &[(u64, u64)]) -> Change {
    publish_of(message(id, "a/b", b"payload"), receivers)
}

pub fn publish_of(message: Arc<Message>, receivers: &[(u64, u64)]) -> Change {
    Change::Publish {
        message,
        receivers: receivers.iter().map(|(session, position)| receipt(*session, *position)).collect(),
    }
}

pub fn done(session: u64, position: u64, message_id: u64, low: u64) -> Change {
    Change::Done { session, position, message_id, low }
}

/// Positions and messages of a queue.
pub fn places(queue: &[QueuedRef]) -> Vec<(u64, u64)> {
    queue.iter().map(|queued| (queued.position, queued.message_id)).collect()
}

/// All that makes a message.
pub fn content(message: &Message) -> (u64, &str, &[u8], &[u8], Qos, bool, Option<u64>) {
    let Message { id, qos, retain, .. } = *message;
    (id, message.topic(), message.properties(), message.payload(), qos, retain, message.expires_at())
}
