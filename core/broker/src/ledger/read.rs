//! What does the row of a message say?
//!
//! Rows of waiting and of retained messages share their [`Header`]; a waiting one has its receivers behind it.

use std::sync::Arc;

use hikyaku_traits::{Keys, Row, Table};
use hikyaku_types::Qos;
use smallvec::SmallVec;

use super::codec::{Reader, Write};
use super::error::LedgerError;
use super::rows::{flag, optional, qos};
use super::{BODY_APART_BYTES, key};
use crate::change::{Receipt, SessionNumber};
use crate::message::{Message, MessageParts};

/// The version of the values here.
const VERSION: u8 = 1;

/// The batch of what is read from a store: the journal's own numbers start above it, so that it always counts as durable.
const DURABLE_BATCH: u64 = 1;

/// A stored message, as one session sees it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its id.
    pub message_id: u64,
    /// The session's parts in it: none, one, or more if it came by several subscriptions.
    pub receipts: Vec<Receipt>,
    /// The message, or what of it the row has.
    pub body: Body,
}

/// A message, as far as its row has it.
#[derive(Clone, Debug)]
pub enum Body {
    /// All of it.
    Whole(Arc<Message>),
    /// Its payload is large and lies in [`Table::Body`], see [`body_keys`].
    Elsewhere(PartialMessage),
}

/// A message that lacks its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialMessage {
    id: u64,
    qos: Qos,
    retain: bool,
    expires_at_ms: Option<u64>,
    topic: Box<str>,
    properties: Box<[u8]>,
    payload_len: usize,
}

impl PartialMessage {
    /// The message's id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// How long its payload is; a body row of another length is not its own.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        self.payload_len
    }

    /// The message with its payload: the value of its row in [`Table::Body`].
    #[must_use]
    pub fn complete(self, body_row_value: &[u8]) -> Arc<Message> {
        let parts = MessageParts {
            topic: &self.topic,
            properties: &self.properties,
            payload: body_row_value,
            qos: self.qos,
            retain: self.retain,
            expires_at_ms: self.expires_at_ms,
        };
        durable(self.id, &parts)
    }
}

/// The keys of messages in [`Table::Message`].
#[must_use]
pub fn message_keys(ids: &[u64]) -> Keys {
    ids.iter().map(|id| key::number(*id).into()).collect()
}

/// The keys of large payloads in [`Table::Body`].
#[must_use]
pub fn body_keys(ids: &[u64]) -> Keys {
    message_keys(ids)
}

/// Reads a row of [`Table::Message`] for one of its receivers.
///
/// # Errors
/// [`LedgerError::Corrupt`] if it is not what was written.
pub fn read_message(row: &Row, for_session: SessionNumber) -> Result<Stored, LedgerError> {
    let read = || {
        let message_id = key::read_number(&row.key)?;
        let mut receipts = Vec::new();
        let (topic, header) = read_waiting(&row.value, |receiver| {
            if receiver.session == for_session {
                receipts.push(receiver);
            }
        })?;
        Some(Stored { message_id, receipts, body: header.body(message_id, topic) })
    };
    read().ok_or_else(|| LedgerError::corrupt(Table::Message, &row.key))
}

/// Writes the value of a row of [`Table::Message`].
pub(super) fn write_waiting(value: &mut Vec<u8>, message: &Message, receivers: &[Receipt]) {
    Header::of(message).write_waiting(value, message.topic_bytes(), receivers);
}

/// Writes the value of a row of [`Table::Retained`]; the topic is the key.
pub(super) fn write_retained(value: &mut Vec<u8>, message: &Message) {
    Header::of(message).write_retained(value, message.id);
}

fn write_receipt(value: &mut Vec<u8>, receipt: &Receipt) {
    value.number(receipt.session);
    value.number(receipt.position);
    value.push(
        receipt.qos.bits()
            | flag::when(flag::RETAIN, receipt.retain)
            | flag::when(flag::IDENTIFIERS, !receipt.subscription_ids.is_empty()),
    );
    if !receipt.subscription_ids.is_empty() {
        value.number(receipt.subscription_ids.len() as u64);
        receipt.subscription_ids.iter().for_each(|id| value.number(u64::from(*id)));
    }
}

/// Whether the payload has a row of its own.
pub(super) fn is_body_apart(message: &Message) -> bool {
    message.payload().len() >= BODY_APART_BYTES
}

/// What rows of waiting and of retained messages share, not copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub qos: Qos,
    pub retain: bool,
    pub expires_at_ms: Option<u64>,
    pub properties: &'a [u8],
    pub payload: Payload<'a>,
}

/// The payload, as far as a row has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    Here(&'a [u8]),
    /// How long it is, in a row of its own.
    Elsewhere(usize),
}

/// Reads the value of a row of [`Table::Message`] and shows its receivers one after the other: the topic, and the rest.
pub(super) fn read_waiting(value: &[u8], mut receiver: impl FnMut(Receipt)) -> Option<(&str, Header<'_>)> {
    let (mut reader, flags, mut header) = read_header(value)?;
    let topic = reader.sized().and_then(read_topic)?;
    for _ in 0..reader.number()? {
        receiver(read_receipt(&mut reader)?);
    }
    header.payload = read_payload(reader, flags)?;
    Some((topic, header))
}

/// Reads a row of [`Table::Retained`]: the message's id, the topic, and the rest.
pub(super) fn read_retained<'a>(key: &'a [u8], value: &'a [u8]) -> Option<(u64, &'a str, Header<'a>)> {
    let (mut reader, flags, mut header) = read_header(value)?;
    let id = reader.number()?;
    header.payload = read_payload(reader, flags)?;
    Some((id, read_topic(key)?, header))
}

fn read_header(value: &[u8]) -> Option<(Reader<'_>, u8, Header<'_>)> {
    let mut reader = Reader::of_version(value, VERSION)?;
    let flags = reader.byte()?;
    let header = Header {
        qos: qos(flags)?,
        retain: flags & flag::RETAIN != 0,
        expires_at_ms: optional(&mut reader, flags & flag::EXPIRES != 0)?,
        properties: reader.sized()?,
        payload: Payload::Here(&[]),
    };
    Some((reader, flags, header))
}

/// A topic, if the bytes are one.
pub(super) fn read_topic(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|topic| u16::try_from(topic.len()).is_ok())
}

fn read_receipt(reader: &mut Reader<'_>) -> Option<Receipt> {
    let (session, position, flags) = (reader.number()?, reader.number()?, reader.byte()?);
    let mut subscription_ids = SmallVec::new();
    if flags & flag::IDENTIFIERS != 0 {
        for _ in 0..reader.number()? {
            subscription_ids.push(reader.small()?);
        }
    }
    Some(Receipt { session, position, qos: qos(flags)?, retain: flags & flag::RETAIN != 0, subscription_ids })
}

fn read_payload(mut reader: Reader<'_>, flags: u8) -> Option<Payload<'_>> {
    if flags & flag::BODY_APART == 0 {
        return Some(Payload::Here(reader.rest()));
    }
    let len = reader.small::<u32>()? as usize;
    reader.end(Payload::Elsewhere(len))
}

impl<'a> Header<'a> {
    fn of(message: &'a Message) -> Self {
        let payload = message.payload();
        Self {
            qos: message.qos,
            retain: message.retain,
            expires_at_ms: message.expires_at(),
            properties: message.properties(),
            payload: if is_body_apart(message) { Payload::Elsewhere(payload.len()) } else { Payload::Here(payload) },
        }
    }

    /// Writes the value of a row of [`Table::Message`].
    pub fn write_waiting(&self, value: &mut Vec<u8>, topic: &[u8], receivers: &[Receipt]) {
        self.write_front(value);
        value.sized(topic);
        value.number(receivers.len() as u64);
        receivers.iter().for_each(|receipt| write_receipt(value, receipt));
        self.write_payload(value);
    }

    /// Writes the value of a row of [`Table::Retained`].
    pub fn write_retained(&self, value: &mut Vec<u8>, id: u64) {
        self.write_front(value);
        value.number(id);
        self.write_payload(value);
    }

    fn write_front(&self, value: &mut Vec<u8>) {
        value.push(VERSION);
        value.push(
            self.qos.bits()
                | flag::when(flag::RETAIN, self.retain)
                | flag::when(flag::EXPIRES, self.expires_at_ms.is_some())
                | flag::when(flag::BODY_APART, self.is_body_apart()),
        );
        if let Some(expires_at) = self.expires_at_ms {
            value.number(expires_at);
        }
        value.sized(self.properties);
    }

    fn write_payload(&self, value: &mut Vec<u8>) {
        match self.payload {
            Payload::Here(payload) => value.extend_from_slice(payload),
            Payload::Elsewhere(len) => value.number(len as u64),
        }
    }

    /// [`Message::size`] of the message of that topic.
    pub fn size(&self, topic: &str) -> usize {
        let payload = match self.payload {
            Payload::Here(payload) => payload.len(),
            Payload::Elsewhere(len) => len,
        };
        topic.len() + self.properties.len() + payload
    }

    /// Whether the payload has a row of its own.
    pub const fn is_body_apart(&self) -> bool {
        matches!(self.payload, Payload::Elsewhere(_))
    }

    /// The message, as far as it is here.
    pub fn body(&self, id: u64, topic: &str) -> Body {
        let Self { qos, retain, expires_at_ms, properties, payload } = *self;
        match payload {
            Payload::Here(payload) => {
                Body::Whole(durable(id, &MessageParts { topic, properties, payload, qos, retain, expires_at_ms }))
            }
            Payload::Elsewhere(payload_len) => Body::Elsewhere(PartialMessage {
                id,
                qos,
                retain,
                expires_at_ms,
                topic: topic.into(),
                properties: properties.into(),
                payload_len,
            }),
        }
    }
}

fn durable(id: u64, parts: &MessageParts<'_>) -> Arc<Message> {
    let message = Message::new(id, parts);
    message.appended(DURABLE_BATCH, u32::MAX);
    Arc::new(message)
}
