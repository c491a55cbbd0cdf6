//! What happened, as far as a restart must know of it? The hub and the sessions say it in these values; the ledger turns
//! them into records, and nobody else does.

use std::sync::Arc;

use hikyaku_traits::Will;
use hikyaku_types::{ProtocolVersion, Qos, SubscriptionOptions};
use smallvec::SmallVec;

use crate::message::Message;

/// The number of a stored session: durable, rising, never used again.
pub type SessionNumber = u64;

/// A message's place in one session's queue: the only order there is. Starts at 1.
pub type Position = u64;

/// A session's part in a stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose.
    pub session: SessionNumber,
    /// Its place in that session's queue.
    pub position: Position,
    /// The effective QoS: 1 or 2.
    pub qos: Qos,
    /// The RETAIN flag that the receiver will see.
    pub retain: bool,
    /// The Subscription Identifiers that the receiver will see.
    pub subscription_ids: SmallVec<[u32; 1]>,
}

/// The state of a session row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its number.
    pub number: SessionNumber,
    /// Whose it is.
    pub client_id: Arc<str>,
    /// Counts the CONNECTs of the session.
    pub epoch: u64,
    /// The dialect of the last CONNECT.
    pub protocol: ProtocolVersion,
    /// Session Expiry Interval in seconds; `u32::MAX`: never.
    pub expiry_secs: u32,
    /// Since when it has been without a connection, in milliseconds of the wall clock; `None`: connected.
    pub parked_since_ms: Option<u64>,
}

/// The phase of an outbound QoS 2 exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// PUBLISH was sent, or is about to be.
    Sent = 1,
    /// PUBREC came; PUBREL was sent, or is about to be.
    Released = 2,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Change {
    /// A session begins, resumes, is parked, or changes its expiry: its row is written.
    Session(SessionRecord),
    /// A session ends: row, subscriptions, will, inflight and progress rows go. Its queued messages are done one by one later.
    SessionDrop {
        /// Which.
        number: SessionNumber,
        /// Whose; the row goes only if it is still of this number.
        client_id: Arc<str>,
    },
    /// A subscription is made or replaced.
    Subscribe {
        /// Whose.
        session: SessionNumber,
        /// The filter as the client wrote it, `$share` included.
        filter: Box<str>,
        /// Its options.
        options: SubscriptionOptions,
        /// Its identifier.
        subscription_id: Option<u32>,
    },
    /// A subscription ends.
    Unsubscribe {
        /// Whose.
        session: SessionNumber,
        /// The filter as the client wrote it.
        filter: Box<str>,
    },
    /// A message waits for persistent receivers. One that has lost all of them before the seal is not written.
    Publish {
        /// What.
        message: Arc<Message>,
        /// For whom.
        receivers: SmallVec<[Receipt; 1]>,
    },
    /// A receiver is done with a message.
    Done {
        /// Who.
        session: SessionNumber,
        /// Where it stood in the queue.
        position: Position,
        /// The message's id.
        message_id: u64,
        /// All positions of the session below this one are done.
        low: Position,
    },
    /// An inbound QoS 2 packet id is taken: PUBREC answers.
    Received {
        /// Whose.
        session: SessionNumber,
        /// Which.
        packet_id: u16,
    },
    /// An inbound QoS 2 packet id is free again: PUBCOMP answers.
    Forgotten {
        /// Whose.
        session: SessionNumber,
        /// Which.
        packet_id: u16,
    },
    /// An outbound QoS 2 exchange is in this phase. A `Released` one has a `Done` of its message in the same append.
    Outbound {
        /// Whose.
        session: SessionNumber,
        /// Its packet id.
        packet_id: u16,
        /// Its place in the queue.
        position: Position,
        /// The message's id.
        message_id: u64,
        /// How far it is.
        phase: Phase,
    },
    /// An outbound QoS 2 exchange is over.
    Completed {
        /// Whose.
        session: SessionNumber,
        /// Its packet id.
        packet_id: u16,
    },
    /// All positions of the session below this one may have been sent: they carry DUP when they are sent again.
    SentMark {
        /// Whose.
        session: SessionNumber,
        /// The position behind the last that may have been sent.
        position: Position,
    },
    /// A Will is stored, or its time is set.
    WillSet {
        /// Whose.
        session: SessionNumber,
        /// What.
        will: Arc<Will>,
        /// When it is due, in milliseconds of the wall clock; `None` while its client is connected.
        due_at_ms: Option<u64>,
    },
    /// A Will is no more.
    WillClear {
        /// Whose.
        session: SessionNumber,
    },
    /// A retained message takes the place of the one of its topic; one with an empty payload clears it. Not
    /// written if a newer one of the topic is in the same batch or an earlier one.
    Retain {
        /// What.
        message: Arc<Message>,
    },
}
