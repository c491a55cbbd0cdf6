//! What happens in one turn of a connection? Packets in, each receiver's mailbox, the journal, wake-ups, packets out. Each
//! of these is a step of its own, and the scheduler may put others between.

use hikyaku_broker::{Close, Session, Step};
use hikyaku_protocol::{AckKind, DecodeLimits, decode, encode_pingresp, frame};

use super::{Connection, End, Shell, Stage};
use crate::history::HEAT;
use crate::wire::{self, Said};

/// A turn that has begun.
#[derive(Debug)]
pub(super) struct Midway {
    next: Next,
    /// The bell had rung, and somebody else wants the session.
    wanted: bool,
    /// There was input.
    got: bool,
    /// The out-buffer was full.
    was_full: bool,
}

/// What a turn does next.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// One more mailbox for what the input has staged; then the journal.
    HandOn,
    Wake,
    /// The same for what goes out.
    Drain,
    HandOnDrained,
    WakeDrained,
    Write,
}

impl Connection {
    /// A turn, or a part of it: after any step it may be left for others to have theirs.
    pub(super) fn run(&mut self, mut session: Box<Session>, shell: &mut Shell<'_>) -> Stage {
        let Some(mut midway) = self.midway.take().or_else(|| self.begin(&mut session, shell)) else {
            return Stage::Running(session);
        };
        while !matches!(midway.next, Next::Write) {
            if shell.random.chance(shell.pauses) {
                self.nap = if shell.random.chance(20) { shell.random.below(30) } else { 0 };
                self.midway = Some(midway);
                return Stage::Running(session);
            }
            midway.next = self.proceed(&mut midway, &mut session, shell);
        }
        let room = if shell.random.chance(10) { shell.random.below(40) } else { usize::MAX };
        self.write(shell, room);
        if let Some(end) = self.ended.or(midway.wanted.then_some(End::TakenOver)) {
            return self.farewell(session, end, shell);
        }
        // While the out-buffer is full nothing is read, drained or fetched: make up for it.
        let idle =
            self.out.is_empty() && (midway.was_full || session.can_send(shell.hub) || session.is_pumping(shell.hub));
        if midway.got || idle {
            self.bell.ring();
        }
        Stage::Running(session)
    }

    /// Takes the input in; `None`: it lets others fill the mailbox first.
    fn begin(&mut self, session: &mut Session, shell: &mut Shell<'_>) -> Option<Midway> {
        let told = session.seat().listen(&self.waker);
        let wanted = told && session.seat().is_wanted();
        let got = self.input(session, shell);
        let quiet = told && !got && !self.deferred && !wanted && self.ended.is_none() && self.out.is_empty();
        self.deferred = quiet && shell.random.chance(50);
        if self.deferred {
            self.bell.ring();
            return None;
        }
        let was_full = self.out.len() >= shell.hub.limits.output_buffer_bytes_max;
        Some(Midway { next: Next::HandOn, wanted, got, was_full })
    }

    /// The next step; gives the one after it.
    fn proceed(&mut self, midway: &mut Midway, session: &mut Session, shell: &mut Shell<'_>) -> Next {
        let (hub, now) = (shell.hub, shell.now);
        match midway.next {
            Next::HandOn | Next::HandOnDrained if hub.hand_on(&mut self.turn, now) => midway.next,
            Next::HandOn => {
                hub.append(&mut self.turn, Some(session));
                Next::Wake
            }
            Next::Wake => {
                hub.wake(&mut self.turn);
                Next::Drain
            }
            Next::Drain => {
                self.turn.pressed = false;
                let has_room = self.drain(session, shell);
                midway.was_full |= !has_room;
                if has_room { Next::HandOnDrained } else { Next::Write }
            }
            Next::HandOnDrained => {
                hub.append(&mut self.turn, Some(session));
                Next::WakeDrained
            }
            Next::WakeDrained => {
                hub.wake(&mut self.turn);
                session.on_durable(hub, now, &mut self.out);
                let ids = session.fetch();
                if !ids.is_empty() {
                    self.fetch = Some(ids);
                    self.bell.ring();
                }
                Next::Write
            }
            Next::Write => Next::Write,
        }
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
        match session.on_packet(shell.hub, &packet, shell.now, &mut self.turn).map_err(End::Closed)? {
            Step::Pong => encode_pingresp(&mut self.out),
            Step::Goodbye => return Err(End::Goodbye),
            Step::Next | Step::Ask(_) => {}
        }
        Ok(Some(found.len))
    }

    /// Fills the out-buffer with what may leave. Gives whether it had room.
    fn drain(&mut self, session: &mut Session, shell: &mut Shell<'_>) -> bool {
        let (hub, now) = (shell.hub, shell.now);
        session.on_durable(hub, now, &mut self.out);
        if self.out.len() >= hub.limits.output_buffer_bytes_max {
            return false;
        }
        if let Some(ids) = self.fetch.take() {
            self.page(ids, session, shell);
        }
        if session.is_pumping(hub) {
            session.pump(hub, &mut self.turn, now);
        }
        session.deliver(hub, now, &mut self.turn, &mut self.out);
        true
    }

    /// The store answers, or takes its time, or cannot.
    fn page(&mut self, ids: Vec<u64>, session: &mut Session, shell: &mut Shell<'_>) {
        if shell.random.chance(30) {
            self.fetch = Some(ids);
            return self.bell.ring();
        }
        if !shell.hub.is_store_up() {
            session.on_page(shell.hub, None, &mut self.turn);
            self.fetch = Some(session.fetch()).filter(|ids| !ids.is_empty());
            return self.bell.ring();
        }
        match shell.disk.read(session.seat().number(), &ids) {
            Ok(page) => session.on_page(shell.hub, Some(page), &mut self.turn),
            Err(error) => shell.history.problem(error),
        }
    }

    /// The socket takes some of what was encoded.
    pub(super) fn write(&mut self, shell: &mut Shell<'_>, room: usize) {
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
        if matches!(said, Said::ConnAck(_, 0) | Said::SubAck(..) | Said::UnsubAck(..)) {
            shell.history.heat = HEAT;
        }
        if let Said::Ack(AckKind::PubAck | AckKind::PubRec, id, reason) = said
            && let Some(&(message, at)) = self.sent.get(id)
        {
            match reason {
                0 => shell.history.acked(message, at),
                0x80.. => shell.history.messages[message].refused = true,
                _ => {}
            }
        }
    }
}
