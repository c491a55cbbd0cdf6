//! Which changes go to disk together, and who waits for them?
//!
//! One batch is open and gathers, one is being written. `append` never fails and never waits; it gives the *ticket*, the
//! number of the open batch. The *watermark* is the newest batch that is durable.

use std::sync::Arc;

use crate::change::{Change, Position, SessionNumber};
use crate::message::Message;
use crate::seat::Seat;

/// The number of the first batch of a process. 1 stands for "durable since before".
pub const FIRST_BATCH: u64 = 2;

/// What is appended.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A change as it is.
    Change(Change),
    /// A receiver is done with a message whose publish may still be in the open batch: then neither is written.
    Done { session: SessionNumber, position: Position, message: Arc<Message>, low: Position },
}

/// The batch that gathers.
#[derive(Debug, Default)]
struct Open {
    changes: Vec<Change>,
    bytes: usize,
    waiters: Vec<Arc<Seat>>,
    settle: Vec<Arc<Seat>>,
}

/// A batch that is closed and goes to disk.
#[derive(Debug)]
pub struct Sealed {
    /// Its number: the watermark once it is durable.
    pub number: u64,
    /// What is in it; may be empty, then nothing needs to be written.
    pub changes: Vec<Change>,
    /// Sessions that are to be told.
    pub(crate) waiters: Vec<Arc<Seat>>,
    /// Sessions whose bodies may leave memory once it is durable.
    pub(crate) settle: Vec<Arc<Seat>>,
    /// Its weight against the journal's limit.
    pub bytes: usize,
}

/// The journal's logic. Stepped by the shell's journal task, or by the simulator.
#[derive(Debug)]
pub(crate) struct Journal {
    number: u64,
    open: Open,
    /// The change lists of earlier batches, used again.
    spare: Vec<Vec<Change>>,
}

impl Journal {
    pub fn new() -> Self {
        Self { number: FIRST_BATCH, open: Open::default(), spare: Vec::new() }
    }

    /// The weight of the open batch.
    pub fn bytes(&self) -> usize {
        self.open.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.open.changes.is_empty() && self.open.waiters.is_empty() && self.open.settle.is_empty()
    }

    /// Appends; gives the ticket. The list is emptied.
    pub fn append(&mut self, entries: &mut Vec<Entry>) -> u64 {
        for entry in entries.drain(..) {
            match entry {
                Entry::Change(change) => self.push(change),
                Entry::Done { session, position, message, low } => {
                    if !self.cancel(session, position, &message) {
                        self.push(Change::Done { session, position, message_id: message.id, low });
                    }
                }
            }
        }
        self.number
    }

    fn push(&mut self, change: Change) {
        self.open.bytes += weight(&change);
        match &change {
            Change::Publish { message, .. } => {
                message.appended(self.number, u32::try_from(self.open.changes.len()).unwrap_or(u32::MAX));
            }
            Change::Retain { message } => message.appended(self.number, u32::MAX),
            _ => {}
        }
        self.open.changes.push(change);
    }

    /// Takes a receiver out of a publish that has not been sealed.
    fn cancel(&mut self, session: SessionNumber, position: Position, message: &Message) -> bool {
        if message.batch() != self.number {
            return false;
        }
        let Some(Change::Publish { message: found, receivers }) = self.open.changes.get_mut(message.slot() as usize)
        else {
            return false;
        };
        if found.id != message.id {
            return false;
        }
        let before = receivers.len();
        receivers.retain(|receipt| receipt.session != session || receipt.position != position);
        before != receivers.len()
    }

    pub fn add_waiter(&mut self, seat: &Arc<Seat>) {
        if !self.open.waiters.last().is_some_and(|last| Arc::ptr_eq(last, seat)) {
            self.open.waiters.push(seat.clone());
        }
    }

    pub fn add_settle(&mut self, seat: Arc<Seat>) {
        self.open.settle.push(seat);
    }

    /// Closes the open batch; `None` if there is nothing in it.
    pub fn seal(&mut self) -> Option<Sealed> {
        if self.is_empty() {
            return None;
        }
        let open = std::mem::take(&mut self.open);
        self.open.changes = self.spare.pop().unwrap_or_default();
        let number = self.number;
        self.number += 1;
        Some(Sealed { number, changes: open.changes, waiters: open.waiters, settle: open.settle, bytes: open.bytes })
    }

    /// Gives an emptied list back for later batches.
    pub fn recycle(&mut self, changes: Vec<Change>) {
        if self.spare.len() < 2 && changes.capacity() <= 65_536 {
            self.spare.push(changes);
        }
    }
}

fn weight(change: &Change) -> usize {
    /// What a change costs beside its bytes: its place in the list, and its record on the way to the store.
    const SMALL: usize = 160;
    match change {
        Change::Publish { message, receivers } => message.size() + SMALL + receivers.len() * SMALL,
        Change::Retain { message } => message.size() + SMALL,
        Change::Subscribe { filter, .. } | Change::Unsubscribe { filter, .. } => filter.len() + SMALL,
        Change::WillSet { will, .. } => will.payload.len() + will.topic.len() + SMALL,
        _ => SMALL,
    }
}
