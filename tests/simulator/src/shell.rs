//! How does a connection drive its session? As the server's does, but a turn at a time and when the scheduler says so.

mod ends;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use hikyaku_broker::{AttachRequest, Close, Hub, Session, Step, Turn};
use hikyaku_protocol::{AckKind, DecodeLimits, decode, encode_pingresp, frame};
use hikyaku_types::{Now, ProtocolVersion};

pub use ends::standard;

use crate::disk::{Bell, Disk};
use crate::history::History;
use crate::random::Random;
use crate::wire::{self, Said};

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
    /// Lent to the turn.
    pub turn: &'a mut Turn,
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
        }
    }

    /// Whether its task has been woken.
    pub fn is_runnable(&self) -> bool {
        self.bell.rings() || !self.out.is_empty()
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
        self.bell.hush();
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

    fn run(&mut self, mut session: Box<Session>, shell: &mut Shell<'_>) -> Stage {
        let told = session.seat().listen(&self.waker);
        let wanted = told && session.seat().is_wanted();
        let got = self.input(&mut session, shell);
        if told
            && !got
            && !self.deferred
            && !wanted
            && self.ended.is_none()
            && self.out.is_empty()
            && shell.random.chance(50)
        {
            self.deferred = true;
            self.bell.ring();
            return Stage::Running(session);
        }
        self.deferred = false;
        let mut was_full = self.out.len() >= shell.hub.limits.output_buffer_bytes_max;
        shell.hub.finish(shell.turn, Some(&mut session), shell.now);
        shell.turn.pressed = false;
        was_full |= !self.output(&mut session, shell);
        let room = if shell.random.chance(10) { shell.random.below(40) } else { usize::MAX };
        self.write(shell, room);
        if let Some(end) = self.ended.or(wanted.then_some(End::TakenOver)) {
            return self.farewell(session, end, shell);
        }
        // While the out-buffer is full nothing is read, drained or fetched: make up for it.
        if got || self.out.is_empty() && (was_full || session.can_send(shell.hub) || session.is_pumping(shell.hub)) {
            self.bell.ring();
        }
        Stage::Running(session)
    }

    /// Reads once and handles some whole packets. Gives whether there were any.
    fn input(&mut self, session: &mut Session, shell: &mut Shell<'_>) -> bool {
        self.awaits_input = false;
        if shell.hub.is_congested() {
            shell.hub.wake_at_commit(session.seat());
            return false;
        }
        if self.ended.is_some() || self.out.len() >= shell.hub.limits.output_buffer_bytes_max {
            return false;
        }
        let (mut at, mut count) = (0, 0);
        let most = 1 + shell.random.below(6);
        while count < most && self.ended.is_none() {
            match self.packet(at, session, shell) {
                Ok(Some(len)) => at += len,
                Ok(None) => break,
                Err(end) => self.ended = Some(end),
            }
            count += 1;
        }
        self.received.drain(..at);
        if count == 0 {
            self.awaits_input = true;
            if self.eof {
                self.ended = Some(End::Lost);
            }
        }
        count > 0 && self.ended.is_none()
    }

    fn packet(&mut self, at: usize, session: &mut Session, shell: &mut Shell<'_>) -> Result<Option<usize>, End> {
        let bytes = &self.received[at..];
        let error =
            |error: hikyaku_protocol::ProtocolError| End::Closed(Close { reason: error.reason, what: error.what });
        let Some(found) = frame(bytes, Some(self.version), shell.hub.limits.packet_size_max).map_err(error)? else {
            return Ok(None);
        };
        let packet = decode(found, bytes, self.version, &DecodeLimits::default()).map_err(error)?;
        match session.on_packet(shell.hub, &packet, shell.now, shell.turn).map_err(End::Closed)? {
            Step::Pong => encode_pingresp(&mut self.out),
            Step::Goodbye => return Err(End::Goodbye),
            Step::Next | Step::Ask(_) => {}
        }
        Ok(Some(found.len))
    }

    /// Fills the out-buffer with what may leave. Gives whether it had room.
    fn output(&mut self, session: &mut Session, shell: &mut Shell<'_>) -> bool {
        let (hub, now) = (shell.hub, shell.now);
        session.on_durable(hub, now, &mut self.out);
        if self.out.len() >= hub.limits.output_buffer_bytes_max {
            return false;
        }
        if let Some(ids) = self.fetch.take() {
            self.page(ids, session, shell);
        }
        if session.is_pumping(shell.hub) {
            session.pump(hub, shell.turn, now);
        }
        session.deliver(hub, now, shell.turn, &mut self.out);
        hub.finish(shell.turn, Some(session), now);
        session.on_durable(hub, now, &mut self.out);
        let ids = session.fetch();
        if !ids.is_empty() {
            self.fetch = Some(ids);
            self.bell.ring();
        }
        true
    }

    /// The store answers, or takes its time, or cannot.
    fn page(&mut self, ids: Vec<u64>, session: &mut Session, shell: &mut Shell<'_>) {
        if shell.random.chance(30) {
            self.fetch = Some(ids);
            return self.bell.ring();
        }
        if !shell.hub.is_store_up() {
            session.on_page(shell.hub, None, shell.turn);
            self.fetch = Some(session.fetch()).filter(|ids| !ids.is_empty());
            return self.bell.ring();
        }
        match shell.disk.read(session.seat().number(), &ids) {
            Ok(page) => session.on_page(shell.hub, Some(page), shell.turn),
            Err(error) => shell.history.problem(error),
        }
    }

    /// The socket takes some of what was encoded.
    fn write(&mut self, shell: &mut Shell<'_>, room: usize) {
        let count = room.min(self.out.len());
        let bytes: Vec<u8> = self.out.drain(..count).collect();
        self.tap.extend_from_slice(&bytes);
        if !self.client_gone && !self.abandoned {
            self.to_client.extend(bytes);
        }
        loop {
            match wire::take(&mut self.tap, self.version) {
                Ok(Some(said)) => self.overheard(&said, shell),
                Ok(None) => return,
                Err(error) => {
                    shell.history.problem(error);
                    return self.tap.clear();
                }
            }
        }
    }

    /// What is on the wire cannot be taken back.
    fn overheard(&self, said: &Said, shell: &mut Shell<'_>) {
        let client = self.client;
        shell.history.note(|| format!("broker to c{client}: {}", crate::client::shown(said)));
        if let Said::Ack(AckKind::PubAck | AckKind::PubRec, id, 0) = said
            && let Some(&(message, at)) = self.sent.get(id)
        {
            shell.history.acked(message, at);
        }
    }
}
