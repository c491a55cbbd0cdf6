//! What may others touch of a session? Its seat: the mailbox, and the bell that wakes its task.
//!
//! ```text
//!            attach                      detach, expiry > 0
//!   (none) ─────────► Live ───────────────────────────────► Parked
//!                      │ ▲                                    │ │
//!                      │ └────────────── attach ──────────────┘ │ expiry, clean start
//!                      └──── detach, expiry 0 ───► Gone ◄───────┘
//! ```
//!
//! A mailbox has three lanes, and their order is the order of positions: `returned` (was in flight when the client left),
//! `stored` (durable, body on disk), `held` (body in memory). QoS 0 has a lane of its own and no position.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use hikyaku_types::Qos;
use parking_lot::Mutex;
use smallvec::SmallVec;
use thin_vec::ThinVec;

use crate::change::{Position, Receipt, SessionNumber};
use crate::counters::Counters;
use crate::item::item_of;
pub(crate) use crate::item::{Delivery, Item, Pushed, StoredEntry, is_durable};
use crate::limits::Limits;
use crate::message::NOT_APPENDED;
use crate::planted::{Bug, has};
use crate::session::SessionState;
use crate::tree::Subscriber;

/// Who has the session.
#[derive(Debug)]
pub(crate) enum SeatState {
    /// A connection's task.
    Live,
    /// Nobody: it lies here.
    Parked(Box<SessionState>),
    /// It has ended.
    Gone,
}

/// What waits for a session.
#[derive(Debug)]
pub(crate) struct Mail {
    pub state: SeatState,
    /// Those who wait for the session. Thin, as the next list is: most of the many sessions that are away have nothing in it.
    pub takeover: ThinVec<Waker>,
    pub qos0: ThinVec<Item>,
    /// `mailbox_bytes_max` is far below what this can count.
    pub qos0_bytes: u32,
    pub returned: VecDeque<Item>,
    pub stored: VecDeque<StoredEntry>,
    pub stored_bytes: u64,
    pub held: VecDeque<Item>,
    pub held_bytes: usize,
    pub next_position: Position,
    /// The seat stands in a batch's list of those whose bodies may go to disk.
    pub settling: bool,
    /// Since when the mailbox has been more than half full, in monotonic milliseconds and one more.
    pub slow_since_ms: Option<NonZeroU64>,
}

impl Mail {
    pub fn new(state: SeatState, next_position: Position) -> Self {
        Self {
            state,
            takeover: ThinVec::new(),
            qos0: ThinVec::new(),
            qos0_bytes: 0,
            returned: VecDeque::new(),
            stored: VecDeque::new(),
            stored_bytes: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            next_position,
            settling: false,
            slow_since_ms: None,
        }
    }

    /// Messages of QoS 1 and 2 that wait.
    pub fn queued(&self) -> usize {
        self.returned.len() + self.stored.len() + self.held.len()
    }

    /// Puts a message in; gives it its position.
    pub fn push(&mut self, seat: &Seat, delivery: &Delivery<'_>, limits: &Limits, counters: &Counters) -> Pushed {
        let live = match self.state {
            SeatState::Live => true,
            SeatState::Parked(_) => false,
            SeatState::Gone => return Pushed::Refused,
        };
        let size = delivery.message.size();
        if delivery.qos == Qos::AtMostOnce && !live {
            return Pushed::Refused; // QoS 0 is not queued for those who are away
        }
        if !self.has_room(seat.stored, delivery.qos, size, limits) {
            let stored = seat.stored && delivery.qos != Qos::AtMostOnce;
            (if stored { &counters.dropped_queue_full } else { &counters.dropped_mailbox_full }).add(1);
            return Pushed::Refused;
        }
        if delivery.qos == Qos::AtMostOnce {
            self.qos0_bytes = self.qos0_bytes.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
            self.qos0.push(item_of(delivery, 0, size));
            return Pushed::Held;
        }
        let position = self.next_position;
        self.next_position += 1;
        self.held_bytes += size;
        self.held.push_back(item_of(delivery, position, size));
        if !seat.stored {
            return Pushed::Held;
        }
        Pushed::Stored(Receipt {
            session: seat.number,
            position,
            qos: delivery.qos,
            retain: delivery.retain,
            subscription_ids: SmallVec::from_slice(delivery.subscription_ids),
        })
    }

    /// Whether a message of that size fits: into the queue of a stored session, or into memory. An empty one takes any.
    pub fn has_room(&self, stored_seat: bool, qos: Qos, size: usize, limits: &Limits) -> bool {
        let (count, bytes) = match qos {
            Qos::AtMostOnce => (self.qos0.len(), self.qos0_bytes as usize),
            _ if stored_seat => {
                let bytes = self.stored_bytes + self.held_bytes as u64 + size as u64;
                let count = self.queued();
                let max = limits.queue_messages_max + usize::from(has(Bug::QueueOneMore));
                return count < max && (bytes <= limits.queue_bytes_max || count == 0);
            }
            _ => (self.held.len(), self.held_bytes),
        };
        count < limits.mailbox_messages_max && (bytes + size <= limits.mailbox_bytes_max || count == 0)
    }

    /// Lets bodies go that are on disk: all of a parked session, what is beyond the mailbox's limits of a live one.
    pub fn settle(&mut self, watermark: u64, limits: &Limits) {
        let live = matches!(self.state, SeatState::Live);
        if !live {
            for item in &mut self.returned {
                if item.body.as_ref().is_some_and(|message| is_durable(message, watermark)) {
                    item.body = None;
                }
            }
        }
        let (count, bytes) =
            if live { (limits.mailbox_messages_max / 2, limits.mailbox_bytes_max / 2) } else { (0, 0) };
        while self.held.len() > count || self.held_bytes > bytes {
            let Some(front) = self.held.front() else { break };
            if !front.body.as_ref().is_some_and(|message| is_durable(message, watermark)) {
                break;
            }
            let Some(item) = self.held.pop_front() else { break };
            self.held_bytes -= item.size as usize;
            self.stored_bytes += u64::from(item.size);
            self.stored.push_back(StoredEntry {
                position: item.position,
                message_id: item.message_id,
                size: item.size,
                qos: item.qos,
                dup: item.dup,
            });
        }
        if !live {
            self.pack();
        }
    }

    /// Gives back the room of empty lanes: a session that is away should cost what waits for it and little else.
    fn pack(&mut self) {
        for lane in [&mut self.returned, &mut self.held] {
            if lane.is_empty() {
                *lane = VecDeque::new();
            }
        }
        if self.stored.is_empty() {
            self.stored = VecDeque::new();
        }
    }

    /// Whether bodies are here that should go to disk with a later batch.
    pub fn needs_settling(&self) -> bool {
        !matches!(self.state, SeatState::Live)
            && (!self.held.is_empty() || self.returned.iter().any(|item| item.body.is_some()))
    }

    /// Takes what may be sent next, at most `room` messages of QoS 1 and 2, into `ready`; those whose bodies are on disk
    /// into `page`, which then comes behind `ready`.
    pub fn take(
        &mut self,
        room: usize,
        page_bytes: usize,
        stored_seat: bool,
        ready: &mut VecDeque<Item>,
        page: &mut Vec<Item>,
    ) {
        let mut bytes = 0;
        while ready.len() + page.len() < room && bytes < page_bytes {
            let Some(item) = self.returned.front() else { break };
            if item.body.is_some() && !page.is_empty() {
                return;
            }
            bytes += item.size as usize;
            let Some(item) = self.returned.pop_front() else { break };
            if item.body.is_some() { ready.push_back(item) } else { page.push(item) }
        }
        while self.returned.is_empty() && ready.len() + page.len() < room && bytes < page_bytes {
            let Some(entry) = self.stored.pop_front() else { break };
            bytes += entry.size as usize;
            self.stored_bytes -= u64::from(entry.size);
            page.push(entry.into_item());
        }
        if !page.is_empty() || !self.returned.is_empty() || !self.stored.is_empty() {
            return;
        }
        while ready.len() < room {
            let Some(front) = self.held.front() else { break };
            let waits = stored_seat && !has(Bug::DrainUnappended);
            if waits && front.body.as_ref().is_some_and(|message| message.batch() == NOT_APPENDED) {
                break; // its publisher will wake us once it is appended
            }
            let Some(item) = self.held.pop_front() else { break };
            self.held_bytes -= item.size as usize;
            ready.push_back(item);
        }
        if self.stored.is_empty() && self.stored.capacity() > 1024 {
            self.stored = VecDeque::new();
        }
    }

    /// Whether what comes next is of below that position and not yet appended.
    pub fn waits_for_append(&self, end: Position) -> bool {
        self.held.front().is_some_and(|front| {
            front.position < end && front.body.as_ref().is_some_and(|message| message.batch() == NOT_APPENDED)
        })
    }

    /// Whether [`Mail::take`] would find something.
    pub fn has_next(&self, stored_seat: bool) -> bool {
        if !self.returned.is_empty() || !self.stored.is_empty() {
            return true;
        }
        let appended = |item: &Item| item.body.as_ref().is_some_and(|message| message.batch() != NOT_APPENDED);
        self.held.front().is_some_and(|front| !stored_seat || appended(front))
    }

    /// Whether more than half of what a connected client may have in memory is taken.
    pub fn is_half_full(&self, limits: &Limits) -> bool {
        self.is_half_full_of_qos0(limits)
            || self.held.len() * 2 > limits.mailbox_messages_max
            || self.held_bytes * 2 > limits.mailbox_bytes_max
    }

    fn is_half_full_of_qos0(&self, limits: &Limits) -> bool {
        self.qos0.len() * 2 > limits.mailbox_messages_max || self.qos0_bytes as usize * 2 > limits.mailbox_bytes_max
    }

    /// Whether more retained messages may be queued at once: what the store takes is no burden for the memory.
    pub fn may_be_pumped(&self, stored_seat: bool, limits: &Limits) -> bool {
        !(if stored_seat { self.is_half_full_of_qos0(limits) } else { self.is_half_full(limits) })
    }

    /// Whether a publisher should be read more slowly for the sake of this receiver, for two seconds at most until it has
    /// caught up.
    pub fn pressed(&mut self, now_ms: u64, limits: &Limits) -> bool {
        if !self.is_half_full(limits) {
            return false;
        }
        let since_ms = self.slow_since_ms.get_or_insert(NonZeroU64::MIN.saturating_add(now_ms)).get() - 1;
        now_ms.saturating_sub(since_ms) < 2_000
    }
}

/// The part of a session that others may touch.
#[derive(Debug)]
pub struct Seat {
    pub(crate) client_id: Arc<str>,
    pub(crate) number: SessionNumber,
    /// Whether its queue is in the store.
    pub(crate) stored: bool,
    pub(crate) mail: Mutex<Mail>,
    told: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Seat {
    pub(crate) fn new(client_id: Arc<str>, number: SessionNumber, stored: bool, mail: Mail) -> Self {
        Self {
            client_id,
            number,
            stored,
            mail: Mutex::new(mail),
            told: AtomicBool::new(false),
            waker: Mutex::new(None),
        }
    }

    /// Whose seat it is.
    #[must_use]
    pub fn client_id(&self) -> &Arc<str> {
        &self.client_id
    }

    /// Rings the bell; a bell that has rung and was not answered rings no more.
    pub fn wake(&self) {
        if !self.told.swap(true, Ordering::AcqRel)
            && let Some(waker) = &*self.waker.lock()
        {
            waker.wake_by_ref();
        }
    }

    /// The number of its session.
    #[must_use]
    pub fn number(&self) -> SessionNumber {
        self.number
    }

    /// The task says that it is coming to look, and who it is. Gives whether the bell has rung since the last time.
    pub fn listen(&self, waker: &Waker) -> bool {
        let mut slot = self.waker.lock();
        if !slot.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
        drop(slot);
        self.told.swap(false, Ordering::AcqRel)
    }

    /// The task is gone: a bell that nobody hears would keep its memory.
    pub(crate) fn deafen(&self) {
        *self.waker.lock() = None;
    }

    /// Whether somebody else wants this session.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.mail.lock().takeover.is_empty()
    }
}

impl Subscriber for Arc<Seat> {
    fn key(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
#[path = "seat_tests.rs"]
mod tests;
