//! What does a restart find?

use std::sync::Arc;

use hikyaku_traits::Will;
use hikyaku_types::{Qos, SubscriptionOptions};

use crate::change::{Phase, Position, SessionRecord};
use crate::message::Message;

/// All that the records tell.
#[derive(Debug)]
pub struct Recovered {
    /// The sessions, in the order of their numbers.
    pub sessions: Vec<RecoveredSession>,
    /// The retained messages, whole. Their batch counts as durable.
    pub retained: Vec<Arc<Message>>,
    /// The number for the next new session: above any that a row names.
    pub next_session_number: u64,
    /// The id for the next message: above any that a row names or has named.
    pub next_message_id: u64,
    /// The wall clock was at least here.
    pub clock_ms: u64,
    /// Messages whose receivers are all gone: to be swept with a [`crate::Change::Done`] each, of any session and position.
    pub orphans: Vec<u64>,
}

/// A session as its records tell it.
#[derive(Debug)]
pub struct RecoveredSession {
    /// Its row.
    pub record: SessionRecord,
    /// Filters, as the client wrote them, with options and identifier.
    pub subscriptions: Vec<(Box<str>, SubscriptionOptions, Option<u32>)>,
    /// The messages that wait for it, by position: those that are not done.
    pub queue: Vec<QueuedRef>,
    /// Inbound QoS 2 packet ids that are taken, rising.
    pub received: Vec<u16>,
    /// Outbound QoS 2 exchanges under way, by packet id. A released one has left the queue.
    pub outbound: Vec<OutboundRef>,
    /// Its Will, and when that is due.
    pub will: Option<(Arc<Will>, Option<u64>)>,
    /// Where the next message goes: above any position that a row names.
    pub next_position: Position,
    /// All positions below are done.
    pub low: Position,
    /// All positions below may have been sent.
    pub sent_mark: Position,
}

/// A message in a session's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedRef {
    /// Its place.
    pub position: Position,
    /// Which.
    pub message_id: u64,
    /// [`Message::size`].
    pub size: u32,
    /// The effective QoS.
    pub qos: Qos,
}

/// An outbound QoS 2 exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboundRef {
    /// Its packet id.
    pub packet_id: u16,
    /// The place of its message in the queue.
    pub position: Position,
    /// The message's id.
    pub message_id: u64,
    /// How far it is.
    pub phase: Phase,
}
