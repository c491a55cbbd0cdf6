//! How does a client come to its session? Section 3.1.4 of the standard.

use std::sync::Arc;
use std::task::Waker;

use hikyaku_traits::Will;
use hikyaku_types::{Now, ProtocolVersion, ReasonCode};

use super::{Hub, Registry};
use crate::change::{Change, SessionNumber, SessionRecord};
use crate::journal::Entry;
use crate::planted::{Bug, has};
use crate::seat::{Mail, Seat, SeatState};
use crate::session::{PendingWill, Session, SessionState};
use crate::turn::Turn;

/// What a CONNECT asks of the hub.
#[derive(Debug)]
pub struct AttachRequest {
    /// Who.
    pub client_id: Arc<str>,
    /// The user name, for questions of permission.
    pub user_name: Option<String>,
    /// The dialect.
    pub version: ProtocolVersion,
    /// Clean Start, or Clean Session of 3.x.
    pub clean_start: bool,
    /// Session Expiry Interval in seconds; `u32::MAX`: never.
    pub expiry_secs: u32,
    /// Its Will.
    pub will: Option<Arc<Will>>,
    /// Receive Maximum of the client.
    pub receive_maximum: u16,
    /// Maximum Packet Size of the client.
    pub packet_size_max: u32,
    /// Topic Alias Maximum of the client.
    pub topic_alias_maximum: u16,
}

/// The answer.
#[derive(Debug)]
pub enum Attached {
    /// The session is yours; CONNACK may leave once the watermark has reached the ticket.
    Ready {
        /// The session.
        session: Box<Session>,
        /// Session Present [MQTT-3.2.2-2].
        present: bool,
        /// The batch that CONNACK waits for.
        ticket: u64,
    },
    /// Another connection has it and has been asked to hand it over; the waker is woken when it has. Ask again.
    Wait,
    /// Not now; the code goes into CONNACK.
    Refused(ReasonCode),
}

impl Hub {
    /// Finds or makes the session of a client. A session that lives elsewhere is asked for, and the answer is
    /// [`Attached::Wait`]. `turn` must be empty and is finished here.
    pub fn attach(&self, request: &AttachRequest, now: Now, waker: &Waker, turn: &mut Turn) -> Attached {
        let durable = request.expiry_secs > 0 || request.will.is_some();
        if durable && !self.is_store_up() {
            self.counters.refused_store_down.add(1);
            return Attached::Refused(ReasonCode::SERVER_UNAVAILABLE);
        }
        let mut registry = self.registry.lock();
        let (mut resumed, mut again) = (None, None);
        if let Some(seat) = registry.seats.get(&request.client_id).cloned() {
            let mut mail = seat.mail.lock();
            match std::mem::replace(&mut mail.state, SeatState::Live) {
                SeatState::Live => {
                    if !mail.takeover.iter().any(|other| other.will_wake(waker)) {
                        mail.takeover.push(waker.clone()); // [MQTT-3.1.4-3]
                    }
                    drop(mail);
                    seat.wake();
                    return Attached::Wait;
                }
                SeatState::Gone => mail.state = SeatState::Gone,
                SeatState::Parked(mut state) => {
                    forget_deadline(&mut registry, &state);
                    if request.clean_start || state.expires_at_ms.is_some_and(|at| at <= now.wall_ms) {
                        drop(mail);
                        self.end_session(&mut registry, &seat, *state, turn, now); // [MQTT-3.1.2-4]
                        again = Some(seat.number).filter(|_| has(Bug::SessionNumberAgain));
                    } else {
                        let will = state.will.take();
                        drop(mail);
                        match will {
                            // Its time had come before the client did.
                            Some(will)
                                if will.due_at_ms.is_some_and(|at| at <= now.wall_ms) || has(Bug::WillAfterReturn) =>
                            {
                                self.publish_will(&will.will, seat.number, turn, now);
                            }
                            Some(_) => {
                                let session = seat.number; // [MQTT-3.1.3-9]
                                turn.entries.push(Entry::Change(Change::WillClear { session }));
                            }
                            None => {}
                        }
                        resumed = Some((seat, *state)); // [MQTT-3.1.2-5]
                    }
                }
            }
        }
        let present = resumed.is_some();
        let (seat, state) = resumed.unwrap_or_else(|| self.new_session(&mut registry, request, again));
        let earlier_drop =
            registry.drops.get(&request.client_id).copied().filter(|_| !has(Bug::ConnectDoesNotWait)).unwrap_or(0);
        drop(registry);
        let (session, ticket) = self.open(request, seat, state, turn, now);
        Attached::Ready { session: Box::new(session), present, ticket: ticket.max(earlier_drop) }
    }

    fn new_session(
        &self,
        registry: &mut Registry,
        request: &AttachRequest,
        again: Option<SessionNumber>,
    ) -> (Arc<Seat>, SessionState) {
        let number = again.unwrap_or_else(|| self.take_session_number());
        let stored = request.expiry_secs > 0;
        let seat = Arc::new(Seat::new(request.client_id.clone(), number, stored, Mail::new(SeatState::Live, 1)));
        registry.seats.insert(request.client_id.clone(), seat.clone());
        let record = SessionRecord {
            number,
            client_id: request.client_id.clone(),
            epoch: 0,
            protocol: request.version,
            expiry_secs: request.expiry_secs,
            parked_since_ms: None,
        };
        (seat, SessionState::new(record))
    }

    /// Writes down that the session is connected, and hands it to its task.
    fn open(
        &self,
        request: &AttachRequest,
        seat: Arc<Seat>,
        mut state: SessionState,
        turn: &mut Turn,
        now: Now,
    ) -> (Session, u64) {
        state.expires_at_ms = None;
        state.record.epoch += 1;
        state.record.protocol = request.version;
        state.record.expiry_secs = request.expiry_secs;
        state.record.parked_since_ms = None;
        state.has_row |= seat.stored || request.will.is_some();
        if state.has_row {
            turn.entries.push(Entry::Change(Change::Session(state.record.clone()))); // its expiry must stop
        }
        if let Some(will) = &request.will {
            let change = Change::WillSet { session: seat.number, will: will.clone(), due_at_ms: None };
            turn.entries.push(Entry::Change(change));
            state.will = Some(PendingWill { will: will.clone(), due_at_ms: None });
        }
        let (dropped, newest) = (seat.client_id.clone(), state.newest_ticket);
        let ends_another = turn.entries.iter().any(|entry| matches!(entry, Entry::Change(Change::SessionDrop { .. })));
        turn.binds = !turn.entries.is_empty();
        let mut session = Session::resume(self, request, seat, state);
        self.finish(turn, Some(&mut session), now);
        let ticket = session.newest_ticket().max(newest);
        if ends_another {
            self.note_drops(&mut self.registry.lock(), [dropped], ticket);
        }
        (session, ticket)
    }

    /// Remembers that a CONNECT of these clients must wait for the batch that drops their old sessions.
    pub(crate) fn note_drops(
        &self,
        registry: &mut Registry,
        client_ids: impl IntoIterator<Item = Arc<str>>,
        ticket: u64,
    ) {
        let watermark = self.watermark();
        registry.drops.retain(|_, batch| *batch > watermark);
        if ticket > watermark {
            registry.drops.extend(client_ids.into_iter().map(|client_id| (client_id, ticket)));
        }
    }
}

pub(crate) fn forget_deadline(registry: &mut Registry, state: &SessionState) {
    if let Some(deadline) = state.deadline_ms() {
        registry.deadlines.remove(&(deadline, state.record.number));
    }
}
