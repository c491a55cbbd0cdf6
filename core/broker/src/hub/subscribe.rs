//! How does a subscription come and go, and which retained messages does it bring? Sections 3.8.4, 3.3.1.3.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hikyaku_types::topic::Shared;
use hikyaku_types::{Now, SubscriptionOptions, topic};
use smallvec::smallvec;

use super::Hub;
use crate::change::Change;
use crate::journal::Entry;
use crate::message::Message;
use crate::planted::{Bug, has};
use crate::seat::{Delivery, Mail, Pushed, Seat};
use crate::session::SessionState;
use crate::turn::Turn;

/// How far the retained messages of a subscription have been queued.
#[derive(Debug)]
pub(crate) struct RetainedCursor {
    filter: Box<str>,
    options: SubscriptionOptions,
    subscription_id: Option<u32>,
    /// What is numbered above came live.
    stamp: u64,
    after: Option<Box<str>>,
    /// The subscription itself, of a stored session: it is written with the last page, so that after a crash between two pages
    /// it is new to the client that repeats its SUBSCRIBE.
    pub(crate) change: Option<Change>,
}

impl RetainedCursor {
    pub(crate) fn into_filter(self) -> Box<str> {
        self.filter
    }

    /// Whether it belongs to that filter.
    pub(crate) fn is_for(&self, filter: &str) -> bool {
        *self.filter == *filter
    }
}

/// What one page may bring.
const PAGE: usize = 256;

impl Hub {
    /// Adds or replaces a subscription [MQTT-3.8.4-3]. Gives whether it is new, and a cursor for what is retained.
    pub(crate) fn subscribe(
        &self,
        seat: &Arc<Seat>,
        shared: Shared<'_>,
        options: SubscriptionOptions,
        subscription_id: Option<u32>,
    ) -> (bool, RetainedCursor) {
        let mut board = self.board.write();
        let is_new = board.tree.insert(shared.filter, shared.group, seat.clone(), options, subscription_id);
        let stamp = self.next_message_id.load(Ordering::Relaxed) - 1;
        let stamp = if has(Bug::RetainedTwice) { u64::MAX } else { stamp };
        drop(board);
        (
            is_new,
            RetainedCursor { filter: shared.filter.into(), options, subscription_id, stamp, after: None, change: None },
        )
    }

    /// Takes a subscription away [MQTT-3.10.4-1].
    pub(crate) fn unsubscribe(&self, seat: &Seat, filter: &str) {
        if let Ok(shared) = topic::split_shared(filter) {
            self.board.write().tree.remove(shared.filter, shared.group, seat.number);
        }
    }

    pub(crate) fn forget_subscriptions(&self, seat: &Seat, state: &SessionState) {
        if state.subscriptions.is_empty() {
            return;
        }
        let mut board = self.board.write();
        for filter in state.subscriptions.iter() {
            if let Ok(shared) = topic::split_shared(filter) {
                board.tree.remove(shared.filter, shared.group, seat.number);
            }
        }
    }

    /// Queues one page of retained messages for a new subscription. Gives whether that was the last. The board's lock is
    /// held over the mailbox's, so that no newer value of a topic comes before an older one.
    pub(crate) fn pump_retained(
        &self,
        seat: &Arc<Seat>,
        cursor: &mut RetainedCursor,
        turn: &mut Turn,
        now: Now,
    ) -> bool {
        let mut page = Vec::new();
        let board = self.board.read();
        // What is numbered above the stamp came live.
        let mut after = board.retained.matching(&cursor.filter, cursor.after.as_deref(), PAGE, cursor.stamp, &mut page);
        let mut mail = seat.mail.lock();
        let mut last: Option<Arc<Message>> = None;
        for message in page {
            if !mail.may_be_pumped(seat.stored, &self.limits) {
                after = last.map(|last| last.topic().into()).or(cursor.after.take());
                break;
            }
            last = Some(message.clone());
            if !message.is_expired(now.wall_ms) {
                self.queue_retained(seat, &mut mail, message, cursor, turn);
            }
        }
        cursor.after = after;
        drop(mail);
        drop(board);
        turn.wakes.push(seat.clone());
        let is_last = cursor.after.is_none();
        if let Some(change) = cursor.change.take_if(|_| is_last) {
            turn.entries.push(Entry::Change(change));
            turn.binds = true;
        }
        is_last
    }

    fn queue_retained(
        &self,
        seat: &Seat,
        mail: &mut Mail,
        message: Arc<Message>,
        cursor: &RetainedCursor,
        turn: &mut Turn,
    ) {
        let qos = cursor.options.qos.min(message.qos);
        let stored = seat.stored && qos != hikyaku_types::Qos::AtMostOnce;
        // The retained one may be replaced while this waits.
        let message = if stored { Arc::new(message.copy(self.take_message_id())) } else { message };
        let subscription_ids = cursor.subscription_id.as_slice();
        let delivery = Delivery { message: &message, qos, retain: true, subscription_ids, share: None };
        if let Pushed::Stored(receipt) = mail.push(seat, &delivery, &self.limits, &self.counters) {
            turn.entries.push(Entry::Change(Change::Publish { message, receivers: smallvec![receipt] }));
            turn.binds = true;
        }
    }
}
