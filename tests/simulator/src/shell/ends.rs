//! How does a connection begin, and how does it end?

use std::sync::Arc;

use hikyaku_broker::{AttachRequest, Attached, Ending, Session};
use hikyaku_protocol::{ConnAck, decode_connect, encode_connack, encode_disconnect, frame};
use hikyaku_traits::{Lost, Will, WillDecision};
use hikyaku_types::{Now, ReasonCode};

use super::{Connection, End, Shell, Stage};

impl Connection {
    pub(super) fn greet(&mut self, shell: &mut Shell<'_>) -> Stage {
        let found = match frame(&self.received, None, shell.hub.limits.packet_size_max) {
            Ok(Some(found)) => found,
            Ok(None) if !self.eof => {
                self.awaits_input = true;
                return Stage::Greeting;
            }
            _ => return Stage::Closed,
        };
        let Ok(connect) = decode_connect(found, &self.received) else { return Stage::Closed };
        self.received.drain(..found.len);
        self.awaits_input = false;
        let will = connect.will.map(|will| {
            let (topic, payload, qos, retain) = (will.topic, will.payload, will.qos, will.retain);
            Arc::new(Will {
                topic,
                payload,
                qos,
                retain,
                delay_secs: will.delay_secs,
                expiry_secs: None,
                properties: Vec::new(),
            })
        });
        let request = AttachRequest {
            client_id: connect.client_id.as_str().into(),
            user_name: None,
            version: connect.version,
            clean_start: connect.clean_start,
            expiry_secs: connect.session_expiry_secs,
            will,
            receive_maximum: connect.receive_maximum,
            packet_size_max: connect.packet_size_max,
            topic_alias_maximum: connect.topic_alias_maximum,
        };
        self.attach(request, shell)
    }

    pub(super) fn attach(&mut self, request: AttachRequest, shell: &mut Shell<'_>) -> Stage {
        match shell.hub.attach(&request, shell.now, &self.waker, shell.turn) {
            Attached::Ready { session, present, ticket } => {
                shell.history.rejoined(self.client);
                self.open(session, present, ticket, shell)
            }
            Attached::Wait => Stage::Attaching(request),
            Attached::Refused(reason) => {
                encode_connack(&mut self.out, self.version, &ConnAck { reason, ..ConnAck::default() });
                self.write(shell, usize::MAX);
                Stage::Closed
            }
        }
    }

    pub(super) fn open(&mut self, session: Box<Session>, present: bool, ticket: u64, shell: &mut Shell<'_>) -> Stage {
        session.seat().listen(&self.waker);
        if session.seat().is_wanted() {
            return self.farewell(session, End::TakenOver, shell);
        }
        if shell.hub.watermark() < ticket {
            shell.hub.wake_at_commit(session.seat());
            return Stage::Opening(session, present, ticket);
        }
        encode_connack(&mut self.out, self.version, &ConnAck { session_present: present, ..ConnAck::default() });
        self.run(session, shell)
    }

    pub(super) fn farewell(&mut self, session: Box<Session>, end: End, shell: &mut Shell<'_>) -> Stage {
        let client = self.client;
        self.left = Some(shell.history.now);
        shell.history.note(|| format!("broker ends connection of c{client}: {end:?}"));
        let lost = match end {
            End::Goodbye if session.asked_for_will() => Some(Lost::Asked),
            End::Goodbye => None,
            End::Lost => Some(Lost::Connection),
            End::TakenOver => Some(Lost::Takeover),
            End::Closed(_) => Some(Lost::Protocol),
        };
        let decision = lost.and(session.will()).map(|will| standard(will, shell.now));
        let reason = match end {
            End::TakenOver => Some((ReasonCode::SESSION_TAKEN_OVER, None)),
            End::Closed(close) => Some((close.reason, Some(close.what))),
            End::Goodbye | End::Lost => None,
        };
        let departure =
            shell.hub.detach(session, lost.map_or(Ending::Normal, Ending::Lost), decision, shell.now, shell.turn);
        shell.history.parted(client);
        if let (Some((reason, what)), true) = (reason, self.version.is_v5()) {
            encode_disconnect(&mut self.out, reason, what);
        }
        if end != End::Lost {
            self.write(shell, usize::MAX);
        }
        self.bell.ring();
        if end == End::Goodbye { Stage::Leaving(departure.ticket) } else { Stage::Closed }
    }
}

/// What the standard says becomes of a Will.
pub fn standard(will: &Will, now: Now) -> WillDecision {
    WillDecision::PublishAt(now.wall_ms + u64::from(will.delay_secs) * 1000)
}
