//! What falls due? Wills and sessions that expire, retained messages, queues of sessions that have ended.

use std::sync::Arc;

use hikyaku_types::Now;

use super::attach::forget_deadline;
use super::{Hub, Registry};
use crate::change::Change;
use crate::journal::Entry;
use crate::message::{Message, MessageParts};
use crate::seat::SeatState;
use crate::turn::Turn;

impl Hub {
    /// Does what is due, at most `budget` pieces of it. Gives the time of the wall clock, in milliseconds, at which it wants
    /// to be called again; a time that has passed means at once. `turn` must be empty and is finished here.
    pub fn on_timeout(&self, now: Now, budget: usize, turn: &mut Turn) -> Option<u64> {
        let mut left = budget;
        let mut registry = self.registry.lock();
        let mut ended = Vec::new();
        while left > 0 && self.one_deadline(&mut registry, &mut ended, now, turn) {
            left -= 1;
        }
        if left < budget {
            let ticket = self.finish(turn, None, now); // a CONNECT that comes to one of these sessions writes behind it
            self.note_drops(&mut registry, ended, ticket);
        }
        drop(registry);
        left = left.saturating_sub(self.expire_retained(now, left, turn));
        self.sweep(left, turn);
        self.finish(turn, None, now);
        self.next_deadline()
    }

    /// When the next thing falls due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let registry = self.registry.lock();
        if !registry.sweeps.is_empty() || !registry.orphans.is_empty() {
            return Some(0);
        }
        let session = registry.deadlines.first_key_value().map(|(key, _)| key.0);
        drop(registry);
        let retained = self.board.read().retained.next_expiry_ms();
        [session, retained].into_iter().flatten().min()
    }

    fn one_deadline(&self, registry: &mut Registry, ended: &mut Vec<Arc<str>>, now: Now, turn: &mut Turn) -> bool {
        let Some(first) = registry.deadlines.first_entry() else { return false };
        if first.key().0 > now.wall_ms {
            return false;
        }
        let seat = first.remove();
        let mut mail = seat.mail.lock();
        if !matches!(mail.state, SeatState::Parked(_)) {
            return true;
        }
        let SeatState::Parked(mut state) = std::mem::replace(&mut mail.state, SeatState::Gone) else { return true };
        if state.expires_at_ms.is_some_and(|at| at <= now.wall_ms) {
            drop(mail);
            if registry.seats.get(&seat.client_id).is_some_and(|found| std::sync::Arc::ptr_eq(found, &seat)) {
                registry.seats.remove(&seat.client_id);
            }
            ended.push(seat.client_id.clone());
            self.end_session(registry, &seat, *state, turn, now); // [MQTT-3.1.2-23] [MQTT-4.1.0-2]
            return true;
        }
        let due = state.will.take_if(|will| will.due_at_ms.is_some_and(|at| at <= now.wall_ms));
        forget_deadline(registry, &state);
        if let Some(deadline) = state.deadline_ms() {
            registry.deadlines.insert((deadline, seat.number), seat.clone());
        }
        mail.state = SeatState::Parked(state);
        drop(mail);
        if let Some(pending) = due {
            self.publish_will(&pending.will, seat.number, turn, now);
        }
        true
    }

    fn expire_retained(&self, now: Now, budget: usize, turn: &mut Turn) -> usize {
        if self.board.read().retained.next_expiry_ms().is_none_or(|at| at > now.wall_ms) {
            return 0;
        }
        let mut board = self.board.write();
        let expired = board.retained.expire(now.wall_ms, budget);
        for message in &expired {
            let message = tombstone(message);
            board.retained.set(message.clone()); // so that a newer value is written behind it, never before
            turn.entries.push(Entry::Change(Change::Retain { message }));
        }
        expired.len()
    }

    /// Does away with the queue of a session that has ended, a piece at a time.
    fn sweep(&self, budget: usize, turn: &mut Turn) {
        let mut registry = self.registry.lock();
        for _ in 0..budget {
            if let Some(message_id) = registry.orphans.pop() {
                turn.entries.push(Entry::Change(Change::Done { session: 0, position: 0, message_id, low: 0 }));
                continue;
            }
            let Some(sweep) = registry.sweeps.front_mut() else { return };
            let session = sweep.number;
            if let Some(item) = sweep.items.front() {
                match &item.body {
                    // Its publisher has pushed and not yet appended: look again at the next turn.
                    Some(message) if message.batch() == crate::message::NOT_APPENDED => {
                        registry.sweeps.rotate_left(1);
                        return;
                    }
                    Some(message) => turn.entries.push(Entry::Done {
                        session,
                        position: item.position,
                        message: message.clone(),
                        low: 0,
                    }),
                    None => {
                        let (position, message_id) = (item.position, item.message_id);
                        turn.entries.push(Entry::Change(Change::Done { session, position, message_id, low: 0 }));
                    }
                }
                sweep.items.pop_front();
            } else if let Some(entry) = sweep.stored.pop_front() {
                let (position, message_id) = (entry.position, entry.message_id);
                turn.entries.push(Entry::Change(Change::Done { session, position, message_id, low: 0 }));
            } else {
                registry.sweeps.pop_front();
            }
        }
    }
}

/// The empty message that clears the topic of another.
fn tombstone(message: &Message) -> std::sync::Arc<Message> {
    let parts = MessageParts {
        topic: message.topic(),
        properties: &[],
        payload: &[],
        qos: message.qos,
        retain: true,
        expires_at_ms: None,
    };
    std::sync::Arc::new(Message::new(message.id, &parts))
}
