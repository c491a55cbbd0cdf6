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
    /// What was in flight comes behind what was about to be sent.
    ResumeInWrongOrder,
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
