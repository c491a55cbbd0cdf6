//! What did the broker know when it wrote these records?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ahash::RandomState;
use hikyaku_traits::Table;

use super::encode::{Ledger, Tracked};
use super::key::{self, Direction};
use super::progress::Progress;
use super::read::{Body, PartialMessage, read_retained, read_waiting};
use super::recover::Place;
use super::recovered::{OutboundRef, QueuedRef, Recovered, RecoveredSession};
use super::{FORMAT, LedgerError, retained, rows};
use crate::change::{Phase, Receipt, SessionNumber};
use crate::message::Message;

/// Takes rows in, table by table.
#[derive(Debug)]
pub(super) struct Rebuild {
    ledger: Ledger,
    hasher: RandomState,
    sessions: HashMap<SessionNumber, Building, RandomState>,
    retained: Vec<Arc<Message>>,
    /// Retained messages that lack their payload, by topic.
    partial: BTreeMap<Box<[u8]>, PartialMessage>,
    next_message: u64,
    orphans: Vec<u64>,
    /// Used again for each message.
    receivers: Vec<Receipt>,
}

#[derive(Debug)]
struct Building {
    session: RecoveredSession,
    progress: Progress,
}

impl Rebuild {
    pub fn new(seeds: [u64; 4]) -> Self {
        let hasher = RandomState::with_seeds(seeds[0], seeds[1], seeds[2], seeds[3]);
        Self {
            ledger: Ledger::new(seeds),
            sessions: HashMap::with_hasher(hasher.clone()),
            hasher,
            retained: Vec::new(),
            partial: BTreeMap::new(),
            next_message: 1,
            orphans: Vec::new(),
            receivers: Vec::new(),
        }
    }

    /// Takes a row in.
    pub fn row(&mut self, place: Place, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        if table != Table::Meta && !self.ledger.meta.has_format[place as usize] {
            return Err(LedgerError::corrupt(Table::Meta, key::FORMAT)); // rows without it: never written by this broker
        }
        let taken = match table {
            Table::Meta if *key == *key::MIGRATION => return Err(LedgerError::Unmigrated { known: FORMAT }),
            Table::Meta => match self.ledger.meta.read(place, key, value) {
                Some(Some(found)) if found > FORMAT => return Err(LedgerError::Newer { found, known: FORMAT }),
                Some(Some(found)) if found < FORMAT => return Err(LedgerError::Unmigrated { known: FORMAT }),
                read => read.map(drop),
            },
            Table::Session => self.session(key, value),
            Table::Subscription => self.subscription(key, value),
            Table::Progress => self.progress(key, value),
            Table::Inflight => self.inflight(key, value),
            Table::Will => self.will(key, value),
            Table::Message => self.message(key, value),
            Table::Retained => self.retained(key, value),
            Table::RetainedBody => self.retained_body(key, value),
            _ => Some(()),
        };
        taken.ok_or_else(|| LedgerError::corrupt(table, key))
    }

    /// The session of that number, if it lives.
    fn find(&mut self, number: SessionNumber) -> Option<&mut Building> {
        self.ledger.meta.note_session(number);
        self.sessions.get_mut(&number)
    }

    fn session(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let record = rows::read_session(key, value)?;
        let number = record.number;
        self.ledger.meta.note_session(number);
        self.ledger.clients.insert(record.client_id.clone(), number);
        // The clock itself is noted now and then only: a Will that was due when its client was lost must not wait again.
        self.ledger.meta.clock_ms = self.ledger.meta.clock_ms.max(record.parked_since_ms.unwrap_or(0));
        let session = RecoveredSession {
            record,
            subscriptions: Vec::new(),
            queue: Vec::new(),
            received: Vec::new(),
            outbound: Vec::new(),
            will: None,
            next_position: 1,
            low: 1,
            sent_mark: 0,
        };
        let twin = self.sessions.insert(number, Building { session, progress: Progress::default() });
        twin.is_none().then_some(())
    }

    fn subscription(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (number, filter) = key::split_number(key)?;
        let filter = std::str::from_utf8(filter).ok()?;
        let (options, subscription_id) = rows::read_subscription(value)?;
        if let Some(found) = self.find(number) {
            if found.session.subscriptions.len() < 4 {
                found.session.subscriptions.reserve_exact(1); // most have one, and what is freed later leaves holes
            }
            found.session.subscriptions.push((filter.into(), options, subscription_id));
        }
        Some(())
    }

    fn progress(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let number = key::read_number(key)?;
        let progress = Progress::read(value)?;
        if let Some(found) = self.find(number) {
            found.progress = progress;
        }
        Some(())
    }

    fn inflight(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (number, direction, packet_id) = key::read_inflight(key)?;
        if direction == Direction::Inbound {
            rows::read_inbound(value)?;
            if let Some(found) = self.find(number) {
                found.session.received.push(packet_id);
            }
            return Some(());
        }
        let (phase, position, message_id) = rows::read_outbound(value)?;
        self.next_message = self.next_message.max(message_id.saturating_add(1));
        if let Some(found) = self.find(number) {
            found.session.next_position = found.session.next_position.max(position.saturating_add(1));
            found.session.outbound.push(OutboundRef { packet_id, position, message_id, phase });
            if phase == Phase::Released {
                found.progress.done(position, 0); // its Done went with it
            }
        }
        Some(())
    }

    fn will(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let number = key::read_number(key)?;
        let (will, due_at_ms) = rows::read_will(value)?;
        if let Some(found) = self.find(number) {
            found.session.will = Some((Arc::new(will), due_at_ms));
        }
        Some(())
    }

    fn message(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let message_id = key::read_number(key)?;
        let mut receivers = std::mem::take(&mut self.receivers);
        receivers.clear();
        let (topic, header) = read_waiting(value, |receipt| receivers.push(receipt))?;
        let size = u32::try_from(header.size(topic)).ok()?;
        self.next_message = self.next_message.max(message_id.saturating_add(1));
        let mut waiting = 0;
        for &Receipt { session, position, qos, .. } in &receivers {
            let Some(found) = self.find(session) else { continue };
            found.session.next_position = found.session.next_position.max(position.saturating_add(1));
            if !found.progress.is_done(position) {
                found.session.queue.push(QueuedRef { position, message_id, size, qos });
                waiting += 1;
            }
        }
        match waiting {
            0 => self.orphans.push(message_id),
            1 => {}
            more => drop(self.ledger.remaining.insert(message_id, more)),
        }
        if header.is_body_apart() {
            self.ledger.bodies.insert(message_id);
        }
        self.receivers = receivers;
        Some(())
    }

    fn retained(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (id, topic, header) = read_retained(key, value)?;
        self.next_message = self.next_message.max(id.saturating_add(1));
        match header.body(id, topic) {
            Body::Whole(message) => self.retained.push(message),
            Body::Elsewhere(partial) => drop(self.partial.insert(key.into(), partial)),
        }
        Some(())
    }

    fn retained_body(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let Some(partial) = self.partial.remove(key) else { return Some(()) };
        if partial.payload_len() != value.len() {
            return None;
        }
        self.retained.push(partial.complete(value));
        Some(())
    }

    /// What the rows tell together.
    pub fn finish(self) -> Result<(Ledger, Recovered), LedgerError> {
        if let Some(topic) = self.partial.keys().next() {
            return Err(LedgerError::corrupt(Table::RetainedBody, topic));
        }
        let mut ledger = self.ledger;
        ledger.retained = retained::Last::new(self.hasher, &self.retained);
        let mut sessions: Vec<_> = self.sessions.into_values().map(|building| building.finish(&mut ledger)).collect();
        sessions.sort_unstable_by_key(|session| session.record.number);
        let recovered = Recovered {
            sessions,
            retained: self.retained,
            next_session_number: ledger.meta.next_session.max(1),
            next_message_id: ledger.meta.reserved_message.max(self.next_message),
            clock_ms: ledger.meta.clock_ms,
            orphans: self.orphans,
        };
        Ok((ledger, recovered))
    }
}

impl Building {
    fn finish(self, ledger: &mut Ledger) -> RecoveredSession {
        let Self { mut session, mut progress } = self;
        session.queue.sort_unstable_by_key(|queued| queued.position);
        session.queue.shrink_to_fit();
        session.next_position = session.next_position.max(progress.end());
        // What has no row any more is done, also where no progress was written.
        progress.raise(session.queue.first().map_or(session.next_position, |first| first.position));
        session.low = progress.low;
        session.sent_mark = progress.sent_mark;
        ledger.sessions.insert(session.record.number, Tracked::of(progress));
        session
    }
}
