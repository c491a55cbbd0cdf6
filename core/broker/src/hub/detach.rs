//! How does a session lose its connection? It is parked, or it ends.

use std::collections::VecDeque;
use std::sync::Arc;

use hikyaku_traits::{Lost, Will, WillDecision};
use hikyaku_types::{Now, Qos};
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::publish::{Origin, RouteCache};
use super::{Hub, Registry, Sweep};
use crate::change::{Change, SessionNumber};
use crate::journal::Entry;
use crate::message::MessageParts;
use crate::seat::{Item, Seat, SeatState};
use crate::session::{PendingWill, Session, SessionState};
use crate::turn::{Run, Staged, Turn};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// DISCONNECT with reason code 0x00, or of 3.x: no Will [MQTT-3.1.2-10].
    Normal,
    /// Any other way.
    Lost(Lost),
    /// The broker stops: sessions stay as they are, and count as lost from the next start.
    Shutdown,
}

/// What a detached session leaves to wait for.
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    /// The batch that a clean goodbye waits for before its socket is closed; 0: nothing.
    pub ticket: u64,
}

impl Hub {
    /// Takes a session back from its task. `decision` is what will dispatch says of its Will; needed for
    /// [`Ending::Lost`] if [`Session::will`] gives one. `turn` must be empty and is finished here.
    pub fn detach(
        &self,
        session: Box<Session>,
        ending: Ending,
        decision: Option<WillDecision>,
        now: Now,
        turn: &mut Turn,
    ) -> Departure {
        let expiry_override = session.expiry_override();
        let (seat, mut state, leftovers) = session.unload();
        if let Some(secs) = expiry_override {
            state.record.expiry_secs = secs;
        }
        settle_will(&mut state, ending, decision, now, turn, seat.number);
        let mut registry = self.registry.lock();
        let ends = state.record.expiry_secs == 0 && ending != Ending::Shutdown;
        let takers = if ends {
            let mut mail = seat.mail.lock();
            mail.returned = leftovers;
            drop(mail);
            if registry.seats.get(&seat.client_id).is_some_and(|found| Arc::ptr_eq(found, &seat)) {
                registry.seats.remove(&seat.client_id);
            }
            self.end_session(&mut registry, &seat, state, turn, now)
        } else {
            self.park(&mut registry, &seat, state, leftovers, ending, turn, now)
        };
        // Before the registry is let go: a CONNECT that finds what this has left writes behind it.
        let ticket = self.finish(turn, None, now);
        if ends && ticket > 0 {
            self.note_drops(&mut registry, [seat.client_id.clone()], ticket);
        }
        drop(registry);
        takers.into_iter().for_each(std::task::Waker::wake);
        Departure { ticket }
    }

    #[allow(clippy::too_many_arguments)] // one step of detach, with all that detach knows
    fn park(
        &self,
        registry: &mut Registry,
        seat: &Arc<Seat>,
        mut state: SessionState,
        leftovers: VecDeque<Item>,
        ending: Ending,
        turn: &mut Turn,
        now: Now,
    ) -> ThinVec<std::task::Waker> {
        if let Some(last) = leftovers.iter().rev().find(|item| item.dup) {
            let position = last.position + 1;
            turn.entries.push(Entry::Change(Change::SentMark { session: seat.number, position }));
        }
        state.record.parked_since_ms = Some(now.wall_ms);
        state.set_expiry(now.wall_ms);
        if state.has_row && ending != Ending::Shutdown {
            turn.entries.push(Entry::Change(Change::Session(state.record.clone())));
        }
        if let (Some(deadline), true) = (state.deadline_ms(), ending != Ending::Shutdown) {
            registry.deadlines.insert((deadline, seat.number), seat.clone());
        }
        let mut mail = seat.mail.lock();
        mail.returned = leftovers;
        mail.qos0 = ThinVec::new();
        mail.qos0_bytes = 0;
        mail.slow_since_ms = None;
        seat.deafen();
        mail.state = SeatState::Parked(Box::new(state));
        mail.settle(self.watermark(), &self.limits);
        if !mail.settling && mail.needs_settling() {
            mail.settling = true;
            turn.settle.push(seat.clone());
        }
        std::mem::take(&mut mail.takeover)
    }

    /// Ends a session: subscriptions, row, Will; its queue is swept later. The registry's entry is the caller's. Gives back
    /// those who wait for the session.
    pub(crate) fn end_session(
        &self,
        registry: &mut Registry,
        seat: &Arc<Seat>,
        mut state: SessionState,
        turn: &mut Turn,
        now: Now,
    ) -> ThinVec<std::task::Waker> {
        self.forget_subscriptions(seat, &state);
        if let Some(pending) = state.will.take() {
            self.publish_will(&pending.will, seat.number, turn, now); // the session ends: it is due [MQTT-3.1.2-8]
        }
        if state.has_row {
            let change = Change::SessionDrop { number: seat.number, client_id: seat.client_id.clone() };
            turn.entries.push(Entry::Change(change));
        }
        let mut mail = seat.mail.lock();
        mail.state = SeatState::Gone;
        mail.qos0 = ThinVec::new();
        let mut items = std::mem::take(&mut mail.returned);
        items.append(&mut mail.held);
        let stored = std::mem::take(&mut mail.stored);
        let takers = std::mem::take(&mut mail.takeover);
        drop(mail);
        items.iter().for_each(|item| self.give_to_another(item, turn));
        if seat.stored && !(items.is_empty() && stored.is_empty()) {
            registry.sweeps.push_back(Sweep { number: seat.number, items, stored });
        }
        takers
    }

    /// A message that a member of a shared subscription has not finished when it leaves for good goes to another member: of
    /// QoS 1 in any case, of QoS 2 unless its delivery has begun (section 4.8.2) [MQTT-4.8.2-5].
    fn give_to_another(&self, item: &Item, turn: &mut Turn) {
        let (Some(share), Some(message)) = (&item.share, &item.body) else { return };
        if item.qos == Qos::ExactlyOnce && (item.dup || item.sent_durably) {
            return;
        }
        let mut route = self.board.read().tree.matches(message.topic());
        route.receivers.clear();
        route.groups.retain(|group| group.name() == share.name());
        route.groups.truncate(1);
        let at = turn.staged.len();
        let message = Arc::new(message.copy(self.take_message_id()));
        turn.staged.push(Staged { message, receipts: SmallVec::new() });
        turn.runs.push(Run { route: Arc::new(route), messages: at..at + 1, publisher: 0 });
    }

    /// Publishes a Will and clears it, in one append.
    pub(crate) fn publish_will(&self, will: &Will, session: SessionNumber, turn: &mut Turn, now: Now) {
        let parts = MessageParts {
            topic: &will.topic,
            properties: &will.properties,
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            expires_at_ms: will.expiry_secs.map(|secs| now.wall_ms.saturating_add(u64::from(secs) * 1000)),
        };
        let staged = self.stage(turn, &mut RouteCache::default(), Origin { publisher: session, forced: true }, &parts);
        debug_assert!(staged.is_ok(), "what is forced is not refused");
        turn.entries.push(Entry::Change(Change::WillClear { session }));
    }
}

/// What becomes of the Will at the end of the connection.
fn settle_will(
    state: &mut SessionState,
    ending: Ending,
    decision: Option<WillDecision>,
    now: Now,
    turn: &mut Turn,
    session: SessionNumber,
) {
    let Some(pending) = state.will.take() else { return };
    let (will, due_at_ms) = match (ending, decision) {
        (Ending::Shutdown, _) => {
            state.will = Some(pending);
            return;
        }
        (Ending::Normal, _) | (_, Some(WillDecision::Drop)) => {
            turn.entries.push(Entry::Change(Change::WillClear { session })); // [MQTT-3.14.4-3]
            return;
        }
        (_, Some(WillDecision::PublishAt(at))) => (pending.will, at),
        (_, Some(WillDecision::Instead(will, at))) => (Arc::from(will), at),
        (_, Some(_) | None) => (pending.will, now.wall_ms),
    };
    if state.record.expiry_secs > 0 {
        let change = Change::WillSet { session, will: will.clone(), due_at_ms: Some(due_at_ms) };
        turn.entries.push(Entry::Change(change));
    }
    state.will = Some(PendingWill { will, due_at_ms: Some(due_at_ms) });
}
