//! Which answers wait, and for what? They leave in order, each once what it acknowledges is durable.

use hikyaku_protocol::{Ack, AckKind, encode_ack, encode_suback, encode_unsuback};
use hikyaku_types::ReasonCode;

use super::{PENDING, Session};
use crate::hub::Hub;
use crate::planted::{Bug, has};
use crate::turn::Turn;

/// An answer to a packet of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a QoS 1 PUBLISH.
    PubAck(u16, ReasonCode),
    /// To a QoS 2 PUBLISH.
    PubRec(u16, ReasonCode),
    /// To a PUBREC.
    PubRel(u16),
    /// To a PUBREC of an exchange that we do not know.
    PubRelUnknown(u16),
    /// To a PUBREL.
    PubComp(u16),
    /// To a SUBSCRIBE.
    SubAck(u16, Box<[ReasonCode]>),
    /// To an UNSUBSCRIBE.
    UnsubAck(u16, Box<[ReasonCode]>),
}

impl Session {
    /// The hub hands the turn's answers back, with the ticket of what they depend on.
    pub(crate) fn take_answers(&mut self, turn: &mut Turn, ticket: u64) {
        if turn.binds && ticket > 0 {
            self.state.newest_ticket = ticket;
        }
        let ticket = self.state.newest_ticket;
        // Those of this turn are the last; what waits for nothing may stand between them.
        let this_turn = |waits_for: &u64| *waits_for == PENDING || *waits_for == 0;
        for (waits_for, _) in self.gate.iter_mut().rev().take_while(|(waits_for, _)| this_turn(waits_for)) {
            if *waits_for == PENDING {
                *waits_for = ticket;
            }
        }
        // What a clean session has is nowhere but here: its SUBACK waits for nothing.
        let mut suback_done = self.cursors.is_empty() || !self.seat.stored;
        for (waits_for, _) in self.answers.iter_mut().filter(|(waits_for, _)| *waits_for == PENDING) {
            if suback_done {
                *waits_for = ticket;
            }
        }
        for answer in turn.answers.drain(..) {
            let is_suback = matches!(answer, Answer::SubAck(..));
            suback_done = !is_suback || self.cursors.is_empty() || !self.seat.stored;
            self.answers.push_back((if suback_done { ticket } else { PENDING }, answer));
        }
    }

    /// Sends what waits for nothing that is not durable: answers, and PUBLISH packets at the gate.
    pub fn on_durable(&mut self, hub: &Hub, now: hikyaku_types::Now, out: &mut Vec<u8>) {
        let watermark = if has(Bug::AcknowledgeBeforeCommit) { PENDING - 1 } else { hub.watermark() };
        while self.answers.front().is_some_and(|(ticket, _)| *ticket <= watermark) {
            if let Some((_, answer)) = self.answers.pop_front() {
                self.encode_answer(&answer, out);
            }
        }
        while self.gate.front().is_some_and(|(ticket, _)| *ticket <= watermark) {
            if let Some((_, position)) = self.gate.pop_front() {
                self.encode_from_window(hub, position, now, out);
            }
        }
        if self.answers.is_empty() && self.answers.capacity() > 256 {
            self.answers = std::collections::VecDeque::new();
        }
    }

    /// How many answers wait for the disk.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.answers.len()
    }

    fn encode_answer(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        let version = self.version;
        let mut ack = |kind, packet_id, reason| encode_ack(out, version, Ack { kind, packet_id, reason });
        match answer {
            Answer::PubAck(id, reason) => {
                ack(AckKind::PubAck, *id, *reason);
                self.inbound_in_flight = self.inbound_in_flight.saturating_sub(1);
            }
            Answer::PubRec(id, reason) => {
                ack(AckKind::PubRec, *id, *reason);
                if reason.is_error() {
                    self.inbound_in_flight = self.inbound_in_flight.saturating_sub(1);
                }
            }
            Answer::PubRel(id) => ack(AckKind::PubRel, *id, ReasonCode::SUCCESS),
            Answer::PubRelUnknown(id) => ack(AckKind::PubRel, *id, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND),
            Answer::PubComp(id) => {
                ack(AckKind::PubComp, *id, ReasonCode::SUCCESS);
                self.inbound_in_flight = self.inbound_in_flight.saturating_sub(1);
            }
            Answer::SubAck(id, reasons) => encode_suback(out, version, *id, reasons),
            Answer::UnsubAck(id, reasons) => encode_unsuback(out, version, *id, reasons),
        }
    }
}
