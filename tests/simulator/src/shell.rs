//! How does a connection drive its session? As the server's does, but a turn at a time and when the scheduler says so.

mod ends;
mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use hikyaku_broker::{AttachRequest, Close, Hub, Session, Turn};
use hikyaku_types::{Now, ProtocolVersion};

pub use ends::standard;

use crate::disk::{Bell, Disk};
use crate::history::{History, Moment};
use crate::random::Random;

/// What a turn may use.
pub struct Shell<'a> {
    /// The broker.
    pub hub: &'a Hub,
    /// Its store.
    pub disk: &'a Disk,
    /// The time.
    pub now: Now,
    /// Chance.
    pub random: &'a mut Random,
    /// What is on the wire is noted here.
    pub history: &'a mut History,
    /// Lent to what is one step: the beginning and the end of a connection.
    pub turn: &'a mut Turn,
    /// How often a turn is left between two steps, of a hundred.
    pub pauses: usize,
}

/// How far a connection is.
enum Stage {
    Greeting,
    Attaching(AttachRequest),
    /// CONNACK waits for the disk.
    Opening(Box<Session>, bool, u64),
    Running(Box<Session>),
    /// The socket is closed once this ticket is durable.
    Leaving(u64),
    Closed,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Goodbye,
    Lost,
    TakenOver,
    Closed(Close),
}

/// A connection: a queue of bytes each way, and the broker's end of it.
pub struct Connection {
    /// The model client that opened it.
    pub client: usize,
    /// On their way to the broker.
    pub to_server: VecDeque<u8>,
    /// On their way to the client.
    pub to_client: VecDeque<u8>,
    /// The client does not look at it any more.
    pub abandoned: bool,
    /// The client has closed it: behind `to_server` is the end.
    pub client_gone: bool,
    /// When the broker took the session back.
    pub left: Option<Moment>,
    /// The broker has closed it: behind `to_client` is the end.
    pub server_gone: bool,
    /// Messages sent over it, by packet id, and when.
    pub sent: BTreeMap<u16, (usize, u64)>,
    version: ProtocolVersion,
    bell: Arc<Bell>,
    waker: Waker,
    stage: Stage,
    received: Vec<u8>,
    eof: bool,
    /// The last look at the socket found nothing: what comes wakes the task.
    awaits_input: bool,
    out: Vec<u8>,
    tap: Vec<u8>,
    fetch: Option<Vec<u64>>,
    deferred: bool,
    ended: Option<End>,
    turn: Turn,
    /// A turn that was left for others to have theirs.
    midway: Option<turn::Midway>,
    /// How often it is passed over before it goes on with it.
    nap: usize,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(client: usize, version: ProtocolVersion) -> Self {
        let (bell, waker) = Bell::new();
        bell.ring();
        Self {
            client,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            abandoned: false,
            client_gone: false,
            left: None,
            server_gone: false,
            sent: BTreeMap::new(),
            version,
            bell,
            waker,
            stage: Stage::Greeting,
            received: Vec::new(),
            eof: false,
            awaits_input: false,
            out: Vec::new(),
            tap: Vec::new(),
            fetch: None,
            deferred: false,
            ended: None,
            turn: Turn::new(),
            midway: None,
            nap: 0,
        }
    }

    /// Whether its task has been woken.
    pub fn is_runnable(&self) -> bool {
        self.bell.rings() || !self.out.is_empty() || self.midway.is_some()
    }

    /// What it is about, in a few words.
    pub fn shown(&self) -> String {
        let stage = match &self.stage {
            Stage::Greeting => "greeting".to_owned(),
            Stage::Attaching(_) => "attaching".to_owned(),
            Stage::Opening(_, _, ticket) => format!("opening once {ticket} is durable"),
            Stage::Running(session) => format!("running {session:?}"),
            Stage::Leaving(ticket) => format!("leaving once {ticket} is durable"),
            Stage::Closed => "closed".to_owned(),
        };
        format!(
            "c{} {stage}, {} bytes received, {} to send, fetches {:?}",
            self.client,
            self.received.len(),
            self.out.len(),
            self.fetch
        )
    }

    /// Whether the broker has not looked at it yet.
    pub fn is_unheard(&self) -> bool {
        matches!(self.stage, Stage::Greeting)
    }

    /// Whether it waits for a session, and if so, whether it wants that session to go on.
    pub fn waits(&self) -> Option<bool> {
        match &self.stage {
            Stage::Attaching(request) => Some(!request.clean_start && request.expiry_secs > 0),
            _ => None,
        }
    }

    /// Whether nothing will come of it any more.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Closed) && (self.client_gone || self.abandoned)
    }

    /// Whether bytes, or the end, are on their way to the broker.
    pub fn has_input(&self) -> bool {
        !self.to_server.is_empty() || self.client_gone && !self.eof
    }

    /// So many bytes arrive at the broker; behind the last the end, if the client is gone.
    pub fn arrive(&mut self, count: usize) {
        let count = count.min(self.to_server.len());
        self.received.extend(self.to_server.drain(..count));
        self.eof |= self.client_gone && self.to_server.is_empty();
        if self.awaits_input {
            self.bell.ring();
        }
    }

    /// A turn of its task.
    pub fn step(&mut self, shell: &mut Shell<'_>) {
        if self.nap > 0 {
            self.nap -= 1;
            return;
        }
        if self.midway.is_none() {
            self.bell.hush(); // what rings during a turn is for the next one
        }
        self.stage = match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Greeting => self.greet(shell),
            Stage::Attaching(request) => self.attach(request, shell),
            Stage::Opening(session, present, ticket) => self.open(session, present, ticket, shell),
            Stage::Running(session) => self.run(session, shell),
            Stage::Leaving(ticket) if shell.hub.watermark() < ticket => {
                self.bell.ring();
                Stage::Leaving(ticket)
            }
            Stage::Leaving(_) | Stage::Closed => {
                self.server_gone = true;
                Stage::Closed
            }
        };
        if matches!(self.stage, Stage::Closed) {
            self.server_gone = true;
            self.out.clear();
        }
    }
}
