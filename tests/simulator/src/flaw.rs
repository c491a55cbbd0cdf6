//! Which bugs must the simulator find?

use hikyaku_broker::Bug;

use crate::disk::Fault;

/// A bug that is planted for one life of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// None: the broker is to pass.
    None,
    /// One of the core.
    Core(Bug),
    /// One of the task that writes the journal.
    Journal(Fault),
}

/// Every bug that can be planted, by its name.
pub const FLAWS: [(&str, Flaw); 20] = [
    ("acknowledge-before-commit", Flaw::Core(Bug::AcknowledgeBeforeCommit)),
    ("forget-received-id", Flaw::Core(Bug::ForgetReceivedId)),
    ("resume-in-wrong-order", Flaw::Core(Bug::ResumeInWrongOrder)),
    ("drop-message-early", Flaw::Core(Bug::DropMessageEarly)),
    ("will-after-return", Flaw::Core(Bug::WillAfterReturn)),
    ("packet-id-in-use", Flaw::Core(Bug::PacketIdInUse)),
    ("send-expired", Flaw::Core(Bug::SendExpired)),
    ("split-publish", Flaw::Core(Bug::SplitPublish)),
    ("repeat-does-not-wait", Flaw::Core(Bug::RepeatDoesNotWait)),
    ("connect-does-not-wait", Flaw::Core(Bug::ConnectDoesNotWait)),
    ("session-number-again", Flaw::Core(Bug::SessionNumberAgain)),
    ("drain-unappended", Flaw::Core(Bug::DrainUnappended)),
    ("retained-missed", Flaw::Core(Bug::RetainedMissed)),
    ("retained-twice", Flaw::Core(Bug::RetainedTwice)),
    ("packet-size-ignored", Flaw::Core(Bug::PacketSizeIgnored)),
    ("queue-one-more", Flaw::Core(Bug::QueueOneMore)),
    ("sessions-before-retained", Flaw::Journal(Fault::SessionsFirst)),
    ("commit-before-apply", Flaw::Journal(Fault::CommitFirst)),
    ("batch-not-written", Flaw::Journal(Fault::DropBatch)),
    ("no-sync", Flaw::Journal(Fault::NoSync)),
];
