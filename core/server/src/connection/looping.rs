//! What happens in one turn of a connection? One read, all whole packets, one hand-over to the hub, one drain, one write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use hikyaku_broker::{Close, Question, Step, Turn};
use hikyaku_protocol::{decode, encode_pingresp, frame};
use hikyaku_traits::{Access, Authorization, Decision};
use hikyaku_types::{Now, ReasonCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::scratch::{self, Scratch};
use super::{Connection, End};
use crate::shared::PLUGIN_DEADLINE;
use crate::trace;

/// Packets that one turn handles before it yields.
const PACKETS_PER_TURN: usize = 1024;
/// Answers of one client that may wait for the disk: beyond it nothing more is read until some have left.
const ANSWERS_MAX: usize = 65_536;
/// Reads that one turn makes before it yields.
const READS_PER_TURN: usize = 2;
/// How long a publisher is not read when its receivers cannot follow.
const SLOWED: Duration = Duration::from_millis(5);
/// How long a session waits with a question that the store could not answer.
const STORE_RETRY: Duration = Duration::from_millis(250);

/// The end of a connection in which the broker itself has failed.
const FAULT: End = End::Closed(Close {
    reason: ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    what: "a fault of the broker: see the log",
});

/// The end of a connection whose queue is damaged: its messages stay in the store, and other clients go on.
const DAMAGED: End = End::Closed(Close {
    reason: ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    what: "a message in its queue is damaged: see the log",
});

/// What came of the input.
enum Input {
    /// Something was handled; there may be more.
    Some,
    /// Nothing to handle now.
    None,
    /// The end.
    End(End),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Runs until something has to be waited for; ready when the connection has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut out = std::mem::take(&mut self.out);
        let outcome = scratch::with(&mut out, |scratch, out| {
            // A fault of ours ends this connection, in order: its session must not stay with a task that is gone.
            catch_unwind(AssertUnwindSafe(|| self.turn(cx, scratch, out))).unwrap_or(Poll::Ready(FAULT))
        });
        self.out = out;
        outcome
    }

    fn turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) -> Poll<End> {
        let shared = self.shared.clone();
        let now = shared.clock.now();
        if !scratch.turn.is_empty() {
            scratch.turn = Turn::new(); // another connection's turn has panicked: what it left is not ours
        }
        scratch.turn.pressed = false;
        let told = self.session.seat().listen(cx.waker());
        let newly_wanted = told && !self.wanted && self.session.seat().is_wanted();
        self.wanted |= newly_wanted;
        self.blocked = false;
        let (mut got_some, mut more) = (false, true);
        // The second read mostly finds nothing, without a system call, and with that registers for the next input.
        for _ in 0..READS_PER_TURN {
            match self.input(cx, scratch, out, now) {
                Input::Some => got_some = true,
                Input::None => more = false,
                Input::End(end) => {
                    self.ended.get_or_insert(end);
                    more = false;
                }
            }
            if !more {
                break;
            }
        }
        if newly_wanted && self.ended.is_none() {
            // What the client has sent may be in its socket while the runtime does not know it yet: the last words of the old
            // connection are heard before it is handed over. A yield comes back once the runtime has looked.
            let mut look = std::pin::pin!(tokio::task::yield_now());
            if look.as_mut().poll(cx).is_pending() {
                shared.hub.finish(&mut scratch.turn, Some(&mut self.session), now);
                return Poll::Pending;
            }
        }
        if told && !got_some && !self.deferred && !self.wanted && self.ended.is_none() && out.is_empty() {
            self.deferred = true; // let others fill the mailbox first: one drain for many publishers
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.deferred = false;
        let Scratch { turn, .. } = scratch;
        shared.hub.finish(turn, Some(&mut self.session), now);
        self.slow_down(turn);
        self.output(cx, turn, out, now);
        let written = self.write(cx, out);
        if let Some(end) = self.over(cx, now) {
            return Poll::Ready(end);
        }
        if written.is_err() {
            return Poll::Ready(End::Lost);
        }
        // What was held back by a full buffer that is not full any more has nothing else to wake it.
        let freed = self.blocked && !self.is_full(out);
        let idle = out.is_empty() && (self.session.can_send(&shared.hub) || self.session.is_pumping(&shared.hub));
        let more = more || freed || idle;
        if more {
            cx.waker().wake_by_ref(); // a turn is bounded: let others have theirs
        }
        Poll::Pending
    }

    /// Whether the connection has come to its end. What its socket held has been handled.
    fn over(&mut self, cx: &mut Context<'_>, now: Now) -> Option<End> {
        if let Some(end) = self.ended {
            return Some(end);
        }
        if self.wanted {
            return Some(End::TakenOver);
        }
        if self.shared.stopping.load(Ordering::Relaxed) {
            return Some(End::Shutdown);
        }
        if self.silence_max_ms == 0 {
            return None;
        }
        let deadline_ms = self.heard_at_ms + self.silence_max_ms;
        let clock = self.shared.clock;
        let alarm =
            self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(clock.instant(deadline_ms).into())));
        while alarm.as_mut().poll(cx).is_ready() {
            if now.mono_ms >= deadline_ms {
                return Some(End::KeepAlive); // [MQTT-3.1.2-22]
            }
            alarm.as_mut().reset(clock.instant(deadline_ms).into());
        }
        None
    }

    /// Reads once and handles the whole packets.
    fn input(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, out: &mut Vec<u8>, now: Now) -> Input {
        if self.ended.is_some() || !self.may_read(cx, out) {
            return Input::None;
        }
        if self.tail.len() > self.tail_at && self.has_whole_packet() {
            let tail = std::mem::take(&mut self.tail);
            let (outcome, used) = self.packets(&tail[self.tail_at..], &mut scratch.turn, out, now);
            self.tail = tail;
            self.keep_tail(self.tail_at + used);
            return outcome;
        }
        let Scratch { read, turn, .. } = scratch;
        let mut buffer = ReadBuf::new(read);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => return Input::None,
            Poll::Ready(Err(_)) => return Input::End(End::Lost),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Input::End(End::Lost),
            Poll::Ready(Ok(())) => {}
        }
        self.heard_at_ms = now.mono_ms;
        if self.tail.len() == self.tail_at {
            let (outcome, used) = self.packets(buffer.filled(), turn, out, now);
            self.tail.clear();
            self.tail_at = 0;
            self.tail.extend_from_slice(&buffer.filled()[used..]);
            return outcome.after_read();
        }
        let mut tail = std::mem::take(&mut self.tail);
        tail.extend_from_slice(buffer.filled());
        let (outcome, used) = self.packets(&tail[self.tail_at..], turn, out, now);
        self.tail = tail;
        self.keep_tail(self.tail_at + used);
        outcome.after_read()
    }

    fn keep_tail(&mut self, at: usize) {
        self.tail_at = at;
        if self.tail_at >= self.tail.len() {
            self.tail = Vec::new();
            self.tail_at = 0;
        } else if self.tail_at > scratch::READ_BYTES {
            self.tail.drain(..self.tail_at);
            self.tail_at = 0;
        }
    }

    fn has_whole_packet(&self) -> bool {
        let size_max = self.shared.hub.limits.packet_size_max;
        !matches!(frame(&self.tail[self.tail_at..], Some(self.session.version()), size_max), Ok(None))
    }

    /// Whether input is taken now: not while an answer is awaited, the client does not read, the disk or a receiver is behind.
    fn may_read(&mut self, cx: &mut Context<'_>, out: &[u8]) -> bool {
        if let Some(ask) = &mut self.ask {
            let Poll::Ready(allowed) = ask.as_mut().poll(cx) else { return false };
            self.session.on_verdict(allowed);
            self.ask = None;
        }
        if let Some(slowed) = &mut self.slowed {
            if slowed.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.slowed = None;
        }
        let hub = &self.shared.hub;
        if hub.is_congested() {
            hub.wake_at_commit(self.session.seat());
            return false;
        }
        self.blocked |= self.is_full(out);
        !self.blocked
    }

    /// Whether the client must first read, or the disk write, before anything more is done for it.
    fn is_full(&self, out: &[u8]) -> bool {
        let unwritten = out.len() - self.out_at;
        unwritten >= self.shared.hub.limits.output_buffer_bytes_max || self.session.waiting() >= ANSWERS_MAX
    }

    /// Handles the whole packets in `bytes`, a bounded number of them. Gives how many bytes were used.
    fn packets(&mut self, bytes: &[u8], turn: &mut Turn, out: &mut Vec<u8>, now: Now) -> (Input, usize) {
        let shared = self.shared.clone();
        let (hub, version) = (&shared.hub, self.session.version());
        let (mut at, mut count) = (0, 0);
        while count < PACKETS_PER_TURN {
            let found = match frame(&bytes[at..], Some(version), hub.limits.packet_size_max) {
                Ok(Some(found)) => found,
                Ok(None) => return (Input::None.unless(count > 0), at),
                Err(error) => return (Input::End(End::Closed(Close { reason: error.reason, what: error.what })), at),
            };
            let packet = match decode(found, &bytes[at..], version, &shared.decode_limits) {
                Ok(packet) => packet,
                Err(error) => return (Input::End(End::Closed(Close { reason: error.reason, what: error.what })), at),
            };
            if shared.verbose {
                trace::received(self.session.seat().client_id(), &packet);
            }
            match self.session.on_packet(hub, &packet, now, turn) {
                Ok(Step::Next) => {}
                Ok(Step::Pong) => encode_pingresp(out),
                Ok(Step::Goodbye) => return (Input::End(End::Goodbye), bytes.len()), // [MQTT-3.14.4-1]
                Ok(Step::Ask(question)) => {
                    self.start_asking(question);
                    return (Input::Some, at);
                }
                Err(close) => return (Input::End(End::Closed(close)), at),
            }
            at += found.len;
            count += 1;
        }
        (Input::Some, at)
    }

    fn start_asking(&mut self, question: Question) {
        let auth = self.shared.auth.clone();
        let (client_id, user_name) = (self.session.seat().client_id().clone(), self.user_name.clone());
        self.ask = Some(Box::pin(async move {
            let access = Access::new(&client_id, user_name.as_deref(), question.action, &question.topic);
            let verdict = tokio::time::timeout(PLUGIN_DEADLINE, auth.authorize_later(&access)).await;
            matches!(verdict, Ok(Authorization::Allow)) // abstain, an error and a timeout are deny
        }));
    }

    fn slow_down(&mut self, turn: &mut Turn) {
        if std::mem::take(&mut turn.pressed) {
            self.shared.hub.counters.publishers_slowed.add(1);
            self.slowed = Some(Box::pin(tokio::time::sleep(SLOWED)));
        }
    }

    /// Fills the out-buffer with what may leave.
    fn output(&mut self, cx: &mut Context<'_>, turn: &mut Turn, out: &mut Vec<u8>, now: Now) {
        let hub = self.shared.hub.clone();
        self.session.on_durable(&hub, now, out);
        if out.len() - self.out_at >= hub.limits.output_buffer_bytes_max {
            self.blocked = true;
            return;
        }
        self.poll_fetch(cx, turn);
        self.session.pump(&hub, turn, now);
        self.session.deliver(&hub, now, turn, out);
        hub.finish(turn, Some(&mut self.session), now);
        self.session.on_durable(&hub, now, out);
        let ids = self.session.fetch();
        if !ids.is_empty() {
            let (stores, number) = (self.shared.stores.clone(), self.session.seat().number());
            self.fetch = Some(Box::pin(crate::pages::read(stores, number, ids)));
            cx.waker().wake_by_ref();
        }
    }

    fn poll_fetch(&mut self, cx: &mut Context<'_>, turn: &mut Turn) {
        let Some(fetch) = &mut self.fetch else { return };
        let Poll::Ready(page) = fetch.as_mut().poll(cx) else { return };
        self.fetch = None;
        match page {
            Ok(page) => self.session.on_page(&self.shared.hub, Some(page), turn),
            Err(error) if error.decision == Decision::Corrupt => {
                tracing::error!(client = %self.session.seat().client_id(), "{error}");
                self.session.on_page(&self.shared.hub, None, turn);
                self.ended = Some(DAMAGED);
            }
            Err(error) => {
                tracing::warn!(client = %self.session.seat().client_id(), "queued messages cannot be read: {error}; trying again");
                let (stores, number) = (self.shared.stores.clone(), self.session.seat().number());
                self.session.on_page(&self.shared.hub, None, turn);
                let ids = self.session.fetch();
                self.fetch = Some(Box::pin(async move {
                    tokio::time::sleep(STORE_RETRY).await;
                    crate::pages::read(stores, number, ids).await
                }));
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Writes as much as the socket takes.
    fn write(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), ()> {
        if self.shared.verbose && self.out_at == 0 {
            trace::sending(self.session.seat().client_id(), out);
        }
        while self.out_at < out.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &out[self.out_at..]) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(count)) if count > 0 => self.out_at += count,
                Poll::Ready(_) => return Err(()),
            }
        }
        out.clear();
        self.out_at = 0;
        Ok(())
    }
}

impl Input {
    /// A read that brought no whole packet was not in vain: there may be more to read.
    fn after_read(self) -> Self {
        if matches!(self, Self::None) { Self::Some } else { self }
    }

    /// This, unless something was handled.
    fn unless(self, handled: bool) -> Self {
        if handled { Self::Some } else { self }
    }
}
