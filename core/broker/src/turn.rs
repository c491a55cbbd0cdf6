//! What has one turn of a task brought about, and not yet handed on?
//!
//! A turn handles a bounded number of packets, stages what they cause, and is finished by [`crate::Hub::finish`]: one lock
//! per touched mailbox, one of the journal, one wake-up per receiver. The caller brings the turn and uses it again.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::change::{Receipt, SessionNumber};
use crate::journal::Entry;
use crate::message::Message;
use crate::seat::Seat;
use crate::session::Answer;
use crate::tree::Route;

/// A message that waits for the end of the turn.
#[derive(Debug)]
pub(crate) struct Staged {
    pub message: Arc<Message>,
    pub receipts: SmallVec<[Receipt; 1]>,
}

/// Messages in a row that go to the same receivers.
#[derive(Debug)]
pub(crate) struct Run {
    pub route: Arc<Route<Arc<Seat>>>,
    pub messages: Range<usize>,
    /// Whose messages they are, for No Local.
    pub publisher: SessionNumber,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Turn {
    pub(crate) entries: Vec<Entry>,
    pub(crate) staged: Vec<Staged>,
    pub(crate) runs: Vec<Run>,
    /// The run that is being handed on, and the receiver of it that comes next.
    pub(crate) run_at: usize,
    pub(crate) receiver_at: usize,
    pub(crate) answers: Vec<Answer>,
    pub(crate) wakes: Vec<Arc<Seat>>,
    pub(crate) settle: Vec<Arc<Seat>>,
    /// The answers depend on what is appended.
    pub(crate) binds: bool,
    /// For properties that are put together.
    pub(crate) scratch: Vec<u8>,
    /// A receiver could not follow: read this publisher more slowly.
    pub pressed: bool,
}

impl Turn {
    /// An empty turn.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to hand on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.runs.is_empty() && self.answers.is_empty() && self.settle.is_empty()
    }
}
