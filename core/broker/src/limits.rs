//! How much may a client make the broker hold?

/// The limits of the core. Each has its key of the same name under `limits` in the configuration, and a counter that tells
/// how often it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// QoS 1 and 2 messages that a client may have unanswered with us; our Receive Maximum in CONNACK.
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages that we have unanswered with a client, however large its Receive Maximum.
    pub inflight_messages_max: usize,
    /// Their bytes; one message always passes.
    pub inflight_bytes_max: usize,
    /// Messages that wait for one persistent session. Beyond it the newest is dropped.
    pub queue_messages_max: usize,
    /// Their bytes.
    pub queue_bytes_max: u64,
    /// Messages that wait in memory for one connected client.
    pub mailbox_messages_max: usize,
    /// Their bytes.
    pub mailbox_bytes_max: usize,
    /// Bytes that are encoded for a client and not yet written.
    pub output_buffer_bytes_max: usize,
    /// Topic aliases, each way.
    pub topic_alias_maximum: u16,
    /// Subscriptions of one client.
    pub subscriptions_max: usize,
    /// Retained messages in all.
    pub retained_messages_max: usize,
    /// Their bytes.
    pub retained_bytes_max: usize,
    /// Bytes that are appended to the journal and not yet on disk. Beyond it publishers wait.
    pub journal_bytes_max: usize,
    /// The longest keep alive that a client of 5.0 may have; `None`: as it likes.
    pub keep_alive_max_secs: Option<u16>,
    /// The longest session expiry; `None`: as it likes.
    pub session_expiry_max_secs: Option<u32>,
    /// The largest packet that we take.
    pub packet_size_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            receive_maximum: 1000,
            inflight_messages_max: 1000,
            inflight_bytes_max: 16 << 20,
            queue_messages_max: 10_000_000,
            queue_bytes_max: 4 << 30,
            mailbox_messages_max: 10_000,
            mailbox_bytes_max: 16 << 20,
            output_buffer_bytes_max: 1 << 20,
            topic_alias_maximum: 16,
            subscriptions_max: 10_000,
            retained_messages_max: 10_000_000,
            retained_bytes_max: 1 << 30,
            journal_bytes_max: 32 << 20,
            keep_alive_max_secs: None,
            session_expiry_max_secs: None,
            packet_size_max: 1 << 20,
        }
    }
}
