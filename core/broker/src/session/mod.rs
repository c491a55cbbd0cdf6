//! What does one client's session decide? Owned by its connection's task; its verbs are on_packet, deliver, on_durable,
//! on_answer (a page of bodies, a verdict), and what the hub does with it: attach, detach, finish.
//!
//! ```text
//!   packet ──► on_packet ──► turn ──► Hub::finish ──► answers, with their ticket
//!                                                        │ watermark ≥ ticket
//!   mailbox ──► deliver ──► window ──► out-buffer ◄──────┘ on_durable
//!                  │  ▲
//!                  ▼  │ on_page
//!                 fetch (bodies on disk)
//! ```
//!
//! Nothing is sent that depends on a batch that is not durable: answers leave in the order of their tickets, and a QoS 2
//! PUBLISH waits at the gate until the store knows that it was sent.

mod answers;
mod filters;
mod inbound;
mod outbound;
mod sparse;
mod state;
mod subscriptions;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use hikyaku_traits::Will;
use hikyaku_types::{ProtocolVersion, ReasonCode};

pub use answers::Answer;
pub use inbound::{Question, Step};
pub use outbound::PageItem;
pub(crate) use state::{PendingWill, SessionState};

use crate::change::Position;
use crate::hub::{AttachRequest, Hub};
use crate::hub::{RetainedCursor, RouteCache};
use crate::planted::{Bug, has};
use crate::seat::{Item, Seat};
use crate::window::Window;

/// Why the broker ends a connection, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code for DISCONNECT in 5.0; 3.x clients see the end of the connection only.
    pub reason: ReasonCode,
    /// For the log, and for the reason string.
    pub what: &'static str,
}

/// The ticket of an answer whose batch is not known yet.
const PENDING: u64 = u64::MAX;

/// One client's session while it is connected.
#[derive(Debug)]
pub struct Session {
    seat: Arc<Seat>,
    state: SessionState,
    version: ProtocolVersion,
    user_name: Option<Box<str>>,
    receive_maximum: usize,
    packet_size_max: usize,
    /// Inbound aliases, by number - 1.
    aliases: Vec<Option<Arc<str>>>,
    /// Outbound aliases.
    aliases_out: HashMap<Box<str>, u16, ahash::RandomState>,
    aliases_out_max: u16,
    window: Window,
    /// Taken from the mailbox, not yet sent.
    ready: VecDeque<Item>,
    /// What stands below this position was put in while nobody was here: its publisher wakes nobody when it appends it.
    pushed_unseen: Position,
    /// Behind `ready`: their bodies are being read from the store.
    page: Vec<Item>,
    fetching: bool,
    /// Sent as far as the window knows, held back until their ticket is durable.
    gate: VecDeque<(u64, Position)>,
    answers: VecDeque<(u64, Answer)>,
    /// QoS 1 and 2 messages of the client that we have not answered in full.
    inbound_in_flight: usize,
    routes: RouteCache,
    /// Subscriptions whose retained messages are still being queued; the SUBACK waits behind the last.
    cursors: VecDeque<RetainedCursor>,
    /// Answers to questions of permission for the packet at hand.
    verdicts: Vec<bool>,
    expiry_override: Option<u32>,
    asked_for_will: bool,
}

impl Session {
    pub(crate) fn resume(hub: &Hub, request: &AttachRequest, seat: Arc<Seat>, mut state: SessionState) -> Self {
        let mut window = Window::default();
        let mail = seat.mail.lock();
        window.restore(state.low, mail.returned.iter().map(|item| item.position), &state.released);
        let pushed_unseen = mail.next_position;
        drop(mail);
        let released = std::mem::take(&mut state.released);
        let mut session = Self {
            seat,
            version: request.version,
            user_name: request.user_name.as_deref().map(Into::into),
            receive_maximum: usize::from(request.receive_maximum).min(hub.limits.inflight_messages_max),
            packet_size_max: if has(Bug::PacketSizeIgnored) { usize::MAX } else { request.packet_size_max as usize },
            aliases: Vec::new(),
            aliases_out: HashMap::with_hasher(hub.hasher.clone()),
            aliases_out_max: request.topic_alias_maximum.min(hub.limits.topic_alias_maximum),
            window,
            ready: VecDeque::new(),
            pushed_unseen,
            page: Vec::new(),
            fetching: false,
            gate: VecDeque::new(),
            answers: VecDeque::new(),
            inbound_in_flight: 0,
            routes: RouteCache::default(),
            cursors: VecDeque::new(),
            verdicts: Vec::new(),
            expiry_override: None,
            asked_for_will: false,
            state,
        };
        for position in released {
            // First of all what was released [MQTT-4.4.0-1]; it is durable, or its batch is the newest of the session.
            session
                .answers
                .push_back((session.state.newest_ticket, Answer::PubRel(crate::window::packet_id(position))));
        }
        session
    }

    /// Its seat.
    #[must_use]
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// The dialect of its client.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The largest packet that its client takes, in bytes [MQTT-3.1.2-24].
    #[must_use]
    pub fn packet_size_max(&self) -> usize {
        self.packet_size_max
    }

    /// Its Will, if the end of the connection makes one due.
    #[must_use]
    pub fn will(&self) -> Option<&Arc<Will>> {
        self.state.will.as_ref().map(|pending| &pending.will)
    }

    /// Whether its client sent DISCONNECT with reason code 0x04.
    #[must_use]
    pub fn asked_for_will(&self) -> bool {
        self.asked_for_will
    }

    /// The session expiry that DISCONNECT brought, section 3.14.2.2.2.
    pub(crate) fn expiry_override(&self) -> Option<u32> {
        self.expiry_override
    }

    pub(crate) fn newest_ticket(&self) -> u64 {
        self.state.newest_ticket
    }

    /// Takes it apart at the end of the connection. What was in flight or about to be goes back into the queue, in order.
    pub(crate) fn unload(mut self: Box<Self>) -> (Arc<Seat>, SessionState, VecDeque<Item>) {
        self.state.low = self.window.low().max(self.state.low);
        self.state.unfinished.extend(self.cursors.drain(..).map(RetainedCursor::into_filter));
        let (sent, released) = self.window.unload();
        self.state.released = released;
        let mut leftovers: VecDeque<Item> = sent.into();
        leftovers.extend(std::mem::take(&mut self.ready));
        if has(Bug::ResumeInWrongOrder) {
            leftovers.make_contiguous().reverse();
        }
        leftovers.extend(std::mem::take(&mut self.page));
        let mut mail = self.seat.mail.lock();
        leftovers.append(&mut mail.returned);
        drop(mail);
        (self.seat, self.state, leftovers)
    }
}
