//! What does one row say, all of it, and which row says that?
//!
//! The broker reads rows for what it needs of them. Tools read them as [`Record`]s, which hold every byte's meaning: a row
//! that is read and written again is the same, byte by byte, and one with which that would not be so is not read.

use std::cmp::Ordering;

use hikyaku_traits::{Row, Table, Will};
use hikyaku_types::{Qos, SubscriptionOptions};

use super::error::LedgerError;
use super::key::{self, Direction};
use super::progress::Progress;
use super::read::{Header, Payload, read_retained, read_topic, read_waiting};
use super::{FORMAT, meta, rows};
use crate::change::{Phase, Position, Receipt, SessionNumber, SessionRecord};

/// The names of the numbers of a store as a whole, [`Record::Meta`].
pub mod meta_name {
    /// The format of the store. Where it is missing nothing has been written.
    pub const FORMAT: &str = "format";
    /// The high-water mark of the wall clock, in milliseconds.
    pub const CLOCK: &str = "clock";
    /// The number of the next new session.
    pub const NEXT_SESSION_NUMBER: &str = "next_session_number";
    /// No message id at or above this one has been stored.
    pub const MESSAGE_ID_RESERVED: &str = "message_id_reserved";
}

/// A row, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A number of the store as a whole.
    Meta {
        /// Which, see [`meta_name`].
        name: Box<str>,
        /// Its value.
        number: u64,
    },
    /// A session.
    Session(SessionRecord),
    /// A subscription.
    Subscription {
        /// Whose.
        session: SessionNumber,
        /// The filter as the client wrote it, `$share` included.
        filter: Box<str>,
        /// Its options.
        options: SubscriptionOptions,
        /// Its identifier.
        subscription_id: Option<u32>,
    },
    /// A message that waits for sessions.
    Message {
        /// What.
        message: MessageRecord,
        /// For whom.
        receivers: Vec<Receipt>,
    },
    /// The large payload of a message that waits.
    Body {
        /// Whose.
        message_id: u64,
        /// The payload.
        payload: Box<[u8]>,
    },
    /// How far a session is with its queue.
    Progress {
        /// Whose.
        session: SessionNumber,
        /// All positions below are done.
        low: Position,
        /// All positions below may have been sent.
        sent_mark: Position,
        /// First and last of each run of done positions above `low`, rising, with gaps between.
        done: Vec<(Position, Position)>,
    },
    /// A QoS 2 exchange from a client: its packet id is taken.
    Received {
        /// Whose.
        session: SessionNumber,
        /// Which.
        packet_id: u16,
    },
    /// A QoS 2 exchange to a client.
    Outbound {
        /// Whose.
        session: SessionNumber,
        /// Its packet id.
        packet_id: u16,
        /// The place of its message in the queue.
        position: Position,
        /// The message's id.
        message_id: u64,
        /// How far it is.
        phase: Phase,
    },
    /// A Will.
    Will {
        /// Whose.
        session: SessionNumber,
        /// What.
        will: Box<Will>,
        /// When it is due, in milliseconds of the wall clock; `None` while its client is connected.
        due_at_ms: Option<u64>,
    },
    /// A retained message.
    Retained(MessageRecord),
    /// The large payload of a retained message.
    RetainedBody {
        /// Whose.
        topic: Box<str>,
        /// The payload.
        payload: Box<[u8]>,
    },
}

/// A message, as far as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its number, never used again.
    pub id: u64,
    /// The publisher's QoS.
    pub qos: Qos,
    /// The publisher's RETAIN flag.
    pub retain: bool,
    /// When it expires, in milliseconds of the wall clock; `None`: never.
    pub expires_at_ms: Option<u64>,
    /// Its topic.
    pub topic: Box<str>,
    /// The PUBLISH properties that travel with it, encoded, without their length.
    pub properties: Box<[u8]>,
    /// Its payload.
    pub payload: PayloadRecord,
}

/// A payload, as far as the row of its message has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadRecord {
    /// All of it.
    Here(Box<[u8]>),
    /// How many bytes it has, in a row of its own.
    Apart(usize),
}

impl Record {
    /// Reads a row.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if it is not what this version of the broker writes.
    pub fn read(table: Table, row: &Row) -> Result<Self, LedgerError> {
        let read = || {
            let record = read(table, &row.key, &row.value)?;
            let same = record.encode()?;
            (same.0 == table && same.1 == *row).then_some(record)
        };
        read().ok_or_else(|| LedgerError::corrupt(table, &row.key))
    }

    /// The row that says this, and its table; `None` if there is no such row: a number or a text is out of its bounds.
    #[must_use]
    pub fn write(&self) -> Option<(Table, Row)> {
        let (table, row) = self.encode()?;
        (read(table, &row.key, &row.value)? == *self).then_some((table, row))
    }

    fn encode(&self) -> Option<(Table, Row)> {
        let mut value = Vec::new();
        let (table, key): (Table, Box<[u8]>) = match self {
            Self::Meta { name, number } => {
                meta::write_number(&mut value, *number);
                (Table::Meta, name.as_bytes().into())
            }
            Self::Session(record) => {
                rows::write_session(&mut value, record);
                (Table::Session, record.client_id.as_bytes().into())
            }
            Self::Subscription { session, filter, options, subscription_id } => {
                rows::write_subscription(&mut value, *options, *subscription_id);
                (Table::Subscription, [&key::number(*session), filter.as_bytes()].concat().into())
            }
            Self::Message { message, receivers } => {
                message.header().write_waiting(&mut value, message.topic.as_bytes(), receivers);
                (Table::Message, key::number(message.id).into())
            }
            Self::Body { message_id, payload } => {
                value.extend_from_slice(payload);
                (Table::Body, key::number(*message_id).into())
            }
            Self::Progress { session, low, sent_mark, done } => {
                Progress::new(*low, *sent_mark, done.clone())?.write(&mut value);
                (Table::Progress, key::number(*session).into())
            }
            Self::Received { session, packet_id } => {
                rows::write_inbound(&mut value);
                (Table::Inflight, key::inflight(*session, Direction::Inbound, *packet_id).into())
            }
            Self::Outbound { session, packet_id, position, message_id, phase } => {
                rows::write_outbound(&mut value, *phase, *position, *message_id);
                (Table::Inflight, key::inflight(*session, Direction::Outbound, *packet_id).into())
            }
            Self::Will { session, will, due_at_ms } => {
                rows::write_will(&mut value, will, *due_at_ms);
                (Table::Will, key::number(*session).into())
            }
            Self::Retained(message) => {
                message.header().write_retained(&mut value, message.id);
                (Table::Retained, message.topic.as_bytes().into())
            }
            Self::RetainedBody { topic, payload } => {
                value.extend_from_slice(payload);
                (Table::RetainedBody, topic.as_bytes().into())
            }
        };
        Some((table, Row { key, value: value.into() }))
    }
}

impl MessageRecord {
    fn header(&self) -> Header<'_> {
        Header {
            qos: self.qos,
            retain: self.retain,
            expires_at_ms: self.expires_at_ms,
            properties: &self.properties,
            payload: match &self.payload {
                PayloadRecord::Here(payload) => Payload::Here(payload),
                PayloadRecord::Apart(len) => Payload::Elsewhere(*len),
            },
        }
    }

    fn new(id: u64, topic: &str, header: Header<'_>) -> Self {
        Self {
            id,
            qos: header.qos,
            retain: header.retain,
            expires_at_ms: header.expires_at_ms,
            topic: topic.into(),
            properties: header.properties.into(),
            payload: match header.payload {
                Payload::Here(payload) => PayloadRecord::Here(payload.into()),
                Payload::Elsewhere(len) => PayloadRecord::Apart(len),
            },
        }
    }
}

/// The format of a store that has these rows in [`Table::Meta`]; `None`: nothing has been written, or it was not this broker.
///
/// # Errors
/// [`LedgerError::Newer`], [`LedgerError::Unmigrated`], and [`LedgerError::Corrupt`] if the format cannot be read.
pub fn format_of(meta: &[Row]) -> Result<Option<u64>, LedgerError> {
    let Some(row) = meta.iter().find(|row| *row.key == *key::FORMAT) else { return Ok(None) };
    let found = meta::number(&row.value).ok_or_else(|| LedgerError::corrupt(Table::Meta, &row.key))?;
    let is_on_its_way = meta.iter().any(|row| *row.key == *key::MIGRATION);
    match found.cmp(&FORMAT) {
        Ordering::Greater => Err(LedgerError::Newer { found, known: FORMAT }),
        Ordering::Equal if !is_on_its_way => Ok(Some(found)),
        _ => Err(LedgerError::Unmigrated { known: FORMAT }),
    }
}

fn read(table: Table, key: &[u8], value: &[u8]) -> Option<Record> {
    Some(match table {
        Table::Meta => Record::Meta { name: std::str::from_utf8(key).ok()?.into(), number: meta::number(value)? },
        Table::Session => Record::Session(rows::read_session(key, value)?),
        Table::Subscription => {
            let (session, filter) = key::split_number(key)?;
            let (options, subscription_id) = rows::read_subscription(value)?;
            let filter = std::str::from_utf8(filter).ok()?.into();
            Record::Subscription { session, filter, options, subscription_id }
        }
        Table::Message => {
            let mut receivers = Vec::new();
            let (topic, header) = read_waiting(value, |receipt| receivers.push(receipt))?;
            Record::Message { message: MessageRecord::new(key::read_number(key)?, topic, header), receivers }
        }
        Table::Body => Record::Body { message_id: key::read_number(key)?, payload: value.into() },
        Table::Progress => {
            let progress = Progress::read(value)?;
            let (low, sent_mark, done) = (progress.low, progress.sent_mark, progress.runs().to_vec());
            Record::Progress { session: key::read_number(key)?, low, sent_mark, done }
        }
        Table::Inflight => {
            let (session, direction, packet_id) = key::read_inflight(key)?;
            match direction {
                Direction::Inbound => {
                    rows::read_inbound(value)?;
                    Record::Received { session, packet_id }
                }
                Direction::Outbound => {
                    let (phase, position, message_id) = rows::read_outbound(value)?;
                    Record::Outbound { session, packet_id, position, message_id, phase }
                }
            }
        }
        Table::Will => {
            let (will, due_at_ms) = rows::read_will(value)?;
            Record::Will { session: key::read_number(key)?, will: Box::new(will), due_at_ms }
        }
        Table::Retained => {
            let (id, topic, header) = read_retained(key, value)?;
            Record::Retained(MessageRecord::new(id, topic, header))
        }
        Table::RetainedBody => Record::RetainedBody { topic: read_topic(key)?.into(), payload: value.into() },
        _ => return None,
    })
}
