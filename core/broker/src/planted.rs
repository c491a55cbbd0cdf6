//! Which bug is planted? None, but while the simulator shows that it finds them, one at a time.
//!
//! Without the feature `planted` the answer is a constant, and nothing of this is in the program.

/// A bug that the simulator plants into the core, to see whether its checkers find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An answer leaves before what it acknowledges is durable.
    AcknowledgeBeforeCommit,
    /// The packet id of a QoS 2 message is not written with it.
    ForgetReceivedId,
    /// What was in flight or about to be comes back in the wrong order when the session resumes.
    ResumeInWrongOrder,
    /// A message of two receivers is removed when the first of them is done.
    DropMessageEarly,
    /// A delayed Will is published although its client has come back in time.
    WillAfterReturn,
    /// Two messages in flight share a packet id.
    PacketIdInUse,
    /// What has expired is sent.
    SendExpired,
    /// The packet id of a QoS 2 message goes into the batch behind that of the message.
    SplitPublish,
    /// A repeat of a QoS 2 message is answered at once, whether the message is durable or not.
    RepeatDoesNotWait,
    /// A CONNECT does not wait for the batch that ended the session before.
    ConnectDoesNotWait,
    /// The session after a clean start has the number of the one that it ended.
    SessionNumberAgain,
    /// A receiver takes what its publisher has not yet appended.
    DrainUnappended,
    /// A retained message comes into the index after it was matched.
    RetainedMissed,
    /// A new subscriber gets what was retained behind what came live.
    RetainedTwice,
    /// The Maximum Packet Size of the client is not kept.
    PacketSizeIgnored,
    /// A queue takes one message more than its limit.
    QueueOneMore,
}

#[cfg(feature = "planted")]
thread_local! {
    static BUG: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// From now on this thread's calls of the core have this bug, and no other.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    BUG.set(bug);
}

#[cfg(feature = "planted")]
thread_local! {
    static PACKET_IDS: std::cell::Cell<u64> = const { std::cell::Cell::new(65_535) };
}

/// From now on this thread's calls of the core use so many packet ids for what they send, so that the simulator sees them
/// come round; 65,535 outside of it.
#[cfg(feature = "planted")]
pub fn use_packet_ids(count: u64) {
    PACKET_IDS.set(count);
}

/// How many packet ids there are for what is sent.
#[cfg(feature = "planted")]
pub(crate) fn packet_ids() -> u64 {
    PACKET_IDS.get()
}

/// How many packet ids there are for what is sent.
#[cfg(not(feature = "planted"))]
pub(crate) const fn packet_ids() -> u64 {
    65_535
}

/// Whether this bug is planted.
#[cfg(feature = "planted")]
pub(crate) fn has(bug: Bug) -> bool {
    BUG.get() == Some(bug)
}

/// No bug is planted.
#[cfg(not(feature = "planted"))]
pub(crate) const fn has(_: Bug) -> bool {
    false
}
