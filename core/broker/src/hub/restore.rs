//! How does the hub come back after a restart? Sections 3.1.2.5 and 4.1 of the standard.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hikyaku_traits::{Will, WillDecision};
use hikyaku_types::{Now, Qos, topic};
use smallvec::SmallVec;

use super::Hub;
use crate::change::{Change, Phase};
use crate::journal::Entry;
use crate::ledger::{Recovered, RecoveredSession};
use crate::seat::{Item, Mail, Seat, SeatState, StoredEntry};
use crate::session::{PendingWill, SessionState};
use crate::turn::Turn;

/// A Will whose client was connected when the broker went away.
#[derive(Debug)]
pub struct LostWill {
    seat: Arc<Seat>,
    /// What.
    pub will: Arc<Will>,
}

impl LostWill {
    /// Whose.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.seat.client_id
    }
}

impl Hub {
    /// Fills an empty hub with what the store remembers. Every session that was connected counts as lost from now, and that
    /// is appended, so that a second crash restarts nothing. Gives the Wills that await a decision: pass each to
    /// [`Hub::decide_lost_will`]. `turn` must be empty and is finished here; wait for the ticket before anybody is let in.
    pub fn restore(&self, recovered: Recovered, now: Now, turn: &mut Turn) -> (Vec<LostWill>, u64) {
        self.next_message_id.store(recovered.next_message_id.max(1), Ordering::Relaxed);
        self.next_session_number.store(recovered.next_session_number.max(1), Ordering::Relaxed);
        let mut board = self.board.write();
        for message in recovered.retained {
            board.retained.set(message);
        }
        drop(board);
        let mut registry = self.registry.lock();
        registry.orphans = recovered.orphans;
        registry.seats.reserve(recovered.sessions.len()); // a table that grows leaves holes
        drop(registry);
        let mut lost = Vec::new();
        for session in recovered.sessions {
            lost.extend(self.restore_session(session, now, turn));
        }
        let ticket = self.finish(turn, None, now);
        (lost, ticket)
    }

    fn restore_session(&self, recovered: RecoveredSession, now: Now, turn: &mut Turn) -> Option<LostWill> {
        let mut record = recovered.record;
        let was_connected = record.parked_since_ms.is_none();
        if was_connected {
            record.parked_since_ms = Some(now.wall_ms);
            turn.entries.push(Entry::Change(Change::Session(record.clone())));
        }
        let (number, client_id) = (record.number, record.client_id.clone());
        let mut state = SessionState::new(record);
        state.has_row = true;
        state.low = recovered.low;
        state.received.extend(recovered.received);
        state.released =
            recovered.outbound.iter().filter(|out| out.phase == Phase::Released).map(|out| out.position).collect();
        state.released.sort_unstable();
        state.set_expiry(now.wall_ms);
        state.will = recovered.will.map(|(will, due_at_ms)| PendingWill { will, due_at_ms });
        let awaits = state.will.as_ref().filter(|will| will.due_at_ms.is_none()).map(|will| will.will.clone());
        let sent: Vec<_> =
            recovered.outbound.iter().filter(|out| out.phase == Phase::Sent).map(|out| out.position).collect();
        // What may have been sent to a session that was connected: its window. It is written down, for a session that another
        // restart finds was not connected just before.
        let window = if was_connected { self.limits.inflight_messages_max } else { 0 };
        let window_end = recovered.queue.iter().take(window).next_back().map_or(0, |last| last.position + 1);
        let sent_mark = recovered.sent_mark.max(window_end);
        if sent_mark > recovered.sent_mark {
            turn.entries.push(Entry::Change(Change::SentMark { session: number, position: sent_mark }));
        }
        let mut mail = Mail::new(SeatState::Gone, recovered.next_position);
        let sent_end =
            recovered.outbound.iter().map(|out| out.position + 1).max().unwrap_or(0).max(recovered.sent_mark);
        mail.stored.reserve_exact(recovered.queue.len());
        for entry in recovered.queue {
            let sent_durably = sent.contains(&entry.position);
            // What of QoS 2 was not noted as sent was not sent.
            let dup = sent_durably || entry.qos == Qos::AtLeastOnce && entry.position < sent_mark;
            if entry.position < sent_end {
                mail.returned.push_back(Item {
                    body: None,
                    message_id: entry.message_id,
                    position: entry.position,
                    size: entry.size,
                    qos: entry.qos,
                    retain: false,
                    dup,
                    sent_durably,
                    subscription_ids: SmallVec::new(),
                    share: None,
                });
            } else {
                let (position, message_id, size, qos) = (entry.position, entry.message_id, entry.size, entry.qos);
                mail.stored_bytes += u64::from(size);
                mail.stored.push_back(StoredEntry { position, message_id, size, qos, dup });
            }
        }
        self.seat_restored(state, mail, recovered.subscriptions, (number, client_id))
            .and_then(|seat| awaits.map(|will| LostWill { seat, will }))
    }

    fn seat_restored(
        &self,
        mut state: SessionState,
        mail: Mail,
        subscriptions: Vec<(Box<str>, hikyaku_types::SubscriptionOptions, Option<u32>)>,
        (number, client_id): (u64, Arc<str>),
    ) -> Option<Arc<Seat>> {
        let stored = state.record.expiry_secs > 0 || mail.queued() > 0; // what is queued has rows to sweep
        let seat = Arc::new(Seat::new(client_id.clone(), number, stored, mail));
        let mut board = self.board.write();
        for (filter, options, subscription_id) in subscriptions {
            if let Ok(shared) = topic::split_shared(&filter) {
                board.tree.insert(shared.filter, shared.group, seat.clone(), options, subscription_id);
            }
            state.subscriptions.insert(filter, &self.hasher);
        }
        drop(board);
        let mut registry = self.registry.lock();
        if let (Some(deadline), false) =
            (state.deadline_ms(), state.will.as_ref().is_some_and(|will| will.due_at_ms.is_none()))
        {
            registry.deadlines.insert((deadline, number), seat.clone());
        }
        seat.mail.lock().state = SeatState::Parked(Box::new(state));
        registry.seats.insert(client_id, seat.clone());
        Some(seat)
    }

    /// What will dispatch says of a Will that a restart has found. `turn` must be empty and is finished here.
    pub fn decide_lost_will(&self, lost: LostWill, decision: WillDecision, now: Now, turn: &mut Turn) {
        let seat = lost.seat;
        let mut registry = self.registry.lock();
        let mut mail = seat.mail.lock();
        let SeatState::Parked(state) = &mut mail.state else { return };
        let (will, due_at_ms) = match decision {
            WillDecision::PublishAt(at) => (lost.will, Some(at)),
            WillDecision::Instead(will, at) => (Arc::from(will), Some(at)),
            _ => (lost.will, None),
        };
        let session = seat.number;
        state.will = due_at_ms.is_some().then(|| PendingWill { will: will.clone(), due_at_ms });
        turn.entries.push(Entry::Change(if due_at_ms.is_some() {
            Change::WillSet { session, will, due_at_ms }
        } else {
            Change::WillClear { session }
        }));
        if let Some(deadline) = state.deadline_ms() {
            registry.deadlines.insert((deadline, session), seat.clone());
        }
        drop(mail);
        drop(registry);
        self.finish(turn, None, now);
    }
}
