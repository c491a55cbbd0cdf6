//! What is a message while the broker has it in its hands?

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use hikyaku_types::Qos;

/// The batch number of a message that has not been appended to the journal.
pub const NOT_APPENDED: u64 = 0;

/// What a message is made of, before it has its id.
#[derive(Clone, Copy, Debug)]
pub struct MessageParts<'a> {
    /// Its topic name, resolved from an alias.
    pub topic: &'a str,
    /// The PUBLISH properties that travel with it, encoded, without their length, and without Topic Alias, Message Expiry
    /// Interval and Subscription Identifier.
    pub properties: &'a [u8],
    /// Its payload.
    pub payload: &'a [u8],
    /// The QoS that its publisher gave it.
    pub qos: Qos,
    /// The RETAIN flag that its publisher gave it.
    pub retain: bool,
    /// When it expires, in milliseconds of the wall clock since 1970; `None`: never.
    pub expires_at_ms: Option<u64>,
}

/// A message, shared by all its receivers. Everything is copied into one allocation of its own, so that it pins no
/// receive buffer.
pub struct Message {
    /// Node-local number, rising, never used again. 0 for one that is not stored.
    pub id: u64,
    /// The publisher's QoS.
    pub qos: Qos,
    /// The publisher's RETAIN flag.
    pub retain: bool,
    /// When it expires, in milliseconds of the wall clock; `u64::MAX`: never.
    pub expires_at_ms: u64,
    batch: AtomicU64,
    slot: AtomicU32,
    superseded: AtomicBool,
    topic_len: u16,
    properties_len: u32,
    data: Box<[u8]>,
}

impl Message {
    /// Copies the parts.
    #[must_use]
    pub fn new(id: u64, parts: &MessageParts<'_>) -> Self {
        let mut data = Vec::with_capacity(parts.topic.len() + parts.properties.len() + parts.payload.len());
        data.extend_from_slice(parts.topic.as_bytes());
        data.extend_from_slice(parts.properties);
        data.extend_from_slice(parts.payload);
        Self {
            id,
            qos: parts.qos,
            retain: parts.retain,
            expires_at_ms: parts.expires_at_ms.unwrap_or(u64::MAX),
            batch: AtomicU64::new(NOT_APPENDED),
            slot: AtomicU32::new(0),
            superseded: AtomicBool::new(false),
            topic_len: u16::try_from(parts.topic.len()).unwrap_or(u16::MAX),
            properties_len: u32::try_from(parts.properties.len()).unwrap_or(u32::MAX),
            data: data.into_boxed_slice(),
        }
    }

    /// The same message under another id, as one that has not been appended.
    #[must_use]
    pub(crate) fn copy(&self, id: u64) -> Self {
        let parts = MessageParts {
            topic: self.topic(),
            properties: self.properties(),
            payload: self.payload(),
            qos: self.qos,
            retain: self.retain,
            expires_at_ms: self.expires_at(),
        };
        Self::new(id, &parts)
    }

    /// Its topic name.
    #[must_use]
    pub fn topic(&self) -> &str {
        std::str::from_utf8(self.topic_bytes()).unwrap_or_default()
    }

    /// Its topic name as bytes; valid UTF-8.
    #[must_use]
    pub fn topic_bytes(&self) -> &[u8] {
        &self.data[..usize::from(self.topic_len)]
    }

    /// Its travelling properties, see [`MessageParts::properties`].
    #[must_use]
    pub fn properties(&self) -> &[u8] {
        &self.data[usize::from(self.topic_len)..self.payload_start()]
    }

    /// Its payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.data[self.payload_start()..]
    }

    fn payload_start(&self) -> usize {
        usize::from(self.topic_len) + self.properties_len as usize
    }

    /// Bytes of topic, properties and payload together: what limits count.
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// When it expires, `None`: never.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        (self.expires_at_ms != u64::MAX).then_some(self.expires_at_ms)
    }

    /// Whether it has expired at that time of the wall clock [MQTT-3.3.2-5].
    #[must_use]
    pub fn is_expired(&self, wall_ms: u64) -> bool {
        self.expires_at_ms <= wall_ms
    }

    /// The batch of the journal that it was appended to; [`NOT_APPENDED`] before.
    #[must_use]
    pub fn batch(&self) -> u64 {
        self.batch.load(Ordering::Acquire)
    }

    /// The journal notes where it put the message.
    pub(crate) fn appended(&self, batch: u64, slot: u32) {
        self.slot.store(slot, Ordering::Relaxed);
        self.batch.store(batch, Ordering::Release);
    }

    /// The index of its publish among the changes of its batch.
    pub(crate) fn slot(&self) -> u32 {
        self.slot.load(Ordering::Relaxed)
    }

    /// Another retained message has taken the place of this one in the index.
    pub fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    /// Whether [`Message::supersede`] was called.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({} {:?} {} bytes, {:?})", self.id, self.topic(), self.payload().len(), self.qos)
    }
}
