//! Which records does a change write?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ahash::RandomState;
use hikyaku_traits::{Batch, Table};

use super::batch::Builder;
use super::key::{self, Direction};
use super::meta::Meta;
use super::progress::Progress;
use super::read::{is_body_apart, write_waiting};
use super::recover::Place;
use super::{retained, rows};
use crate::change::{Change, Position, Receipt, SessionNumber, SessionRecord};
use crate::message::Message;
use crate::planted::{Bug, has};

/// Turns changes into records. It remembers what it must know for that of the records that are stored: how many
/// receivers wait for a message if they are more than one, and which sessions live and how far they are.
///
/// What it has encoded counts as stored: a batch that could not be applied is to be applied again, before any later one.
#[derive(Debug)]
pub struct Ledger {
    pub(super) meta: Meta,
    /// The live number of each client id.
    pub(super) clients: HashMap<Arc<str>, SessionNumber, RandomState>,
    /// The live sessions; `None`: nothing of its queue was ever done.
    pub(super) sessions: HashMap<SessionNumber, Option<Box<Tracked>>, RandomState>,
    /// How many receivers a message has left, where that is two or more. Ids rise, so those in use lie close together in a
    /// tree; and it never moves all it has at once, as a table does when it grows.
    pub(super) remaining: BTreeMap<u64, u32>,
    /// Messages whose payload has a row of its own.
    pub(super) bodies: BTreeSet<u64>,
    pub(super) retained: retained::Last,
    /// Sessions whose progress is to be written with the batch.
    changed: Vec<SessionNumber>,
    /// Operations and bytes of the last batch.
    room: (usize, usize),
}

/// What the ledger knows of a live session.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub progress: Progress,
    is_changed: bool,
}

impl Tracked {
    /// `None` for the progress of a session with an empty queue from its beginning.
    pub fn of(progress: Progress) -> Option<Box<Self>> {
        (progress != Progress::default()).then(|| Box::new(Self { progress, is_changed: false }))
    }
}

/// The records of a sealed batch.
#[derive(Clone)]
pub struct Encoded {
    /// For the store of the sessions; `None`: nothing to write.
    pub sessions: Option<Batch>,
    /// For the store of retained messages, if it is a separate one; `None`: nothing to write.
    pub retained: Option<Batch>,
    /// How many operations there are in both.
    pub ops: usize,
    /// How many bytes keys and values have in both.
    pub bytes: usize,
}

impl Default for Ledger {
    /// The ledger of an empty store, with seeds that everybody knows.
    fn default() -> Self {
        Self::new([0; 4])
    }
}

impl Ledger {
    /// The ledger of an empty store. The seeds key the hashes of what clients choose. For a store that has records see
    /// [`super::Recovery`].
    #[must_use]
    pub fn new(seeds: [u64; 4]) -> Self {
        let hasher = RandomState::with_seeds(seeds[0], seeds[1], seeds[2], seeds[3]);
        Self {
            meta: Meta::default(),
            clients: HashMap::with_hasher(hasher.clone()),
            sessions: HashMap::with_hasher(hasher.clone()),
            remaining: BTreeMap::new(),
            bodies: BTreeSet::new(),
            retained: retained::Last::new(hasher, &[]),
            changed: Vec::new(),
            room: (0, 0),
        }
    }

    /// Turns the changes of one sealed batch into records, in their order. With `separate`, the tables of retained messages
    /// go into a batch of their own. `wall_ms` is noted now and then, so that the clock does not go back at a restart.
    pub fn encode(&mut self, changes: &[Change], wall_ms: u64, separate: bool) -> Encoded {
        let mut sessions = Builder::with_room(self.room.0, self.room.1);
        let mut retained = Builder::default();
        for change in changes {
            if let Change::Retain { message } = change {
                self.retained.note(message);
            }
        }
        for change in changes {
            match change {
                Change::Retain { message } => {
                    self.meta.note_message(message.id);
                    self.retained.write(message, if separate { &mut retained } else { &mut sessions });
                }
                other => self.change(other, &mut sessions),
            }
        }
        self.retained.forget_cleared();
        self.write_progress(&mut sessions);
        self.meta.write_counters(&mut sessions);
        self.meta.write_along(Place::Sessions, &mut sessions, wall_ms);
        self.meta.write_along(Place::Retained, &mut retained, wall_ms);
        self.room = (sessions.len(), sessions.bytes());
        Encoded {
            ops: sessions.len() + retained.len(),
            bytes: sessions.bytes() + retained.bytes(),
            sessions: sessions.finish(),
            retained: retained.finish(),
        }
    }

    fn change(&mut self, change: &Change, batch: &mut Builder) {
        match change {
            Change::Session(record) => self.session(record, batch),
            Change::SessionDrop { number, client_id } => self.session_drop(*number, client_id, batch),
            Change::Publish { message, receivers } => self.publish(message, receivers, batch),
            Change::Done { session, position, message_id, low } => {
                self.done(*session, *position, *message_id, *low, batch)
            }
            Change::SentMark { session, position } => self.sent_mark(*session, *position),
            Change::Retain { .. } => {} // has a batch that may be another one
            Change::Subscribe { session, .. }
            | Change::Unsubscribe { session, .. }
            | Change::Received { session, .. }
            | Change::Forgotten { session, .. }
            | Change::Outbound { session, .. }
            | Change::Completed { session, .. }
            | Change::WillSet { session, .. }
            | Change::WillClear { session } => {
                // Those of a session that has ended came too late.
                if self.sessions.contains_key(session) {
                    self.write_row(change, batch);
                }
            }
        }
    }

    /// What changes one row of a session and nothing else.
    fn write_row(&mut self, change: &Change, batch: &mut Builder) {
        match change {
            Change::Subscribe { session, filter, options, subscription_id } => {
                let key: [&[u8]; 2] = [&key::number(*session), filter.as_bytes()];
                batch.put(Table::Subscription, &key, |value| {
                    rows::write_subscription(value, *options, *subscription_id)
                });
            }
            Change::Unsubscribe { session, filter } => {
                batch.delete(Table::Subscription, &[&key::number(*session), filter.as_bytes()]);
            }
            Change::Received { session, packet_id } => {
                batch.put(
                    Table::Inflight,
                    &[&key::inflight(*session, Direction::Inbound, *packet_id)],
                    rows::write_inbound,
                );
            }
            Change::Forgotten { session, packet_id } => {
                batch.delete(Table::Inflight, &[&key::inflight(*session, Direction::Inbound, *packet_id)]);
            }
            Change::Outbound { session, packet_id, position, message_id, phase } => {
                self.meta.note_message(*message_id);
                batch.put(Table::Inflight, &[&key::inflight(*session, Direction::Outbound, *packet_id)], |value| {
                    rows::write_outbound(value, *phase, *position, *message_id);
                });
            }
            Change::Completed { session, packet_id } => {
                batch.delete(Table::Inflight, &[&key::inflight(*session, Direction::Outbound, *packet_id)]);
            }
            Change::WillSet { session, will, due_at_ms } => {
                batch.put(Table::Will, &[&key::number(*session)], |value| rows::write_will(value, will, *due_at_ms));
            }
            Change::WillClear { session } => batch.delete(Table::Will, &[&key::number(*session)]),
            Change::Session(_)
            | Change::SessionDrop { .. }
            | Change::Publish { .. }
            | Change::Done { .. }
            | Change::SentMark { .. }
            | Change::Retain { .. } => {}
        }
    }

    fn session(&mut self, record: &SessionRecord, batch: &mut Builder) {
        self.meta.note_session(record.number);
        self.clients.insert(record.client_id.clone(), record.number);
        self.sessions.entry(record.number).or_default();
        batch.put(Table::Session, &[record.client_id.as_bytes()], |value| rows::write_session(value, record));
    }

    fn session_drop(&mut self, number: SessionNumber, client_id: &str, batch: &mut Builder) {
        if self.sessions.remove(&number).is_none() {
            return;
        }
        if self.clients.get(client_id) == Some(&number) {
            self.clients.remove(client_id);
            batch.delete(Table::Session, &[client_id.as_bytes()]);
        }
        let (from, to) = (key::number(number), key::number(number.saturating_add(1)));
        batch.delete_range(Table::Subscription, &from, &to);
        batch.delete_range(Table::Inflight, &from, &to);
        batch.delete(Table::Progress, &[&from]);
        batch.delete(Table::Will, &[&from]);
    }

    fn publish(&mut self, message: &Arc<Message>, receivers: &[Receipt], batch: &mut Builder) {
        if receivers.is_empty() {
            return;
        }
        let key = key::number(message.id);
        self.meta.note_message(message.id);
        if receivers.len() > 1 {
            self.remaining.insert(message.id, u32::try_from(receivers.len()).unwrap_or(u32::MAX));
        }
        batch.put(Table::Message, &[&key], |value| write_waiting(value, message, receivers));
        if is_body_apart(message) {
            self.bodies.insert(message.id);
            batch.put_body(Table::Body, &key, message);
        }
    }

    fn done(&mut self, session: SessionNumber, position: Position, id: u64, low: Position, batch: &mut Builder) {
        let others_wait = self.take_receiver(id);
        if !others_wait {
            batch.delete(Table::Message, &[&key::number(id)]);
            if self.bodies.remove(&id) {
                batch.delete(Table::Body, &[&key::number(id)]);
            }
        }
        if let Some(tracked) = self.sessions.get_mut(&session) {
            let tracked = tracked.get_or_insert_default();
            tracked.progress.done(position, low);
            // Without a row there is nothing of which the progress would have to tell.
            if others_wait && !std::mem::replace(&mut tracked.is_changed, true) {
                self.changed.push(session);
            }
        }
    }

    /// Whether the message has receivers left when one is done.
    fn take_receiver(&mut self, id: u64) -> bool {
        let Some(remaining) = self.remaining.get_mut(&id) else { return false };
        if has(Bug::DropMessageEarly) {
            self.remaining.remove(&id);
            return false;
        }
        *remaining -= 1;
        if *remaining == 1 {
            self.remaining.remove(&id);
        }
        true
    }

    fn sent_mark(&mut self, session: SessionNumber, position: Position) {
        let Some(tracked) = self.sessions.get_mut(&session) else { return };
        let tracked = tracked.get_or_insert_default();
        if position > tracked.progress.sent_mark {
            tracked.progress.sent_mark = position;
            if !std::mem::replace(&mut tracked.is_changed, true) {
                self.changed.push(session);
            }
        }
    }

    /// The progress of a session is written once for all that the batch has done.
    fn write_progress(&mut self, batch: &mut Builder) {
        self.changed.sort_unstable();
        for number in self.changed.drain(..) {
            if let Some(Some(tracked)) = self.sessions.get_mut(&number) {
                tracked.is_changed = false;
                batch.put(Table::Progress, &[&key::number(number)], |value| tracked.progress.write(value));
            }
        }
    }
}
