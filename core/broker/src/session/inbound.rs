//! What does a packet of the client bring about? Chapter 3 of the standard, packet by packet.

use std::sync::Arc;

use hikyaku_protocol::{Ack, AckKind, Packet, Publish};
use hikyaku_traits::{Access, Action, Authorization};
use hikyaku_types::{Now, Qos, ReasonCode};

use super::{Answer, Close, Session};
use crate::change::{Change, Phase};
use crate::hub::Hub;
use crate::hub::Origin;
use crate::journal::Entry;
use crate::message::MessageParts;
use crate::planted::{Bug, has};
use crate::turn::Turn;
use crate::window::Slot;

/// How it goes on after a packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// With the next packet.
    Next,
    /// With PINGRESP, at once.
    Pong,
    /// Not before this question has been answered by [`Session::on_verdict`]; then the same packet again.
    Ask(Question),
    /// With the end of the connection: the client has said goodbye.
    Goodbye,
}

/// A question of permission that takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the client wants.
    pub action: Action,
    /// Topic name or filter.
    pub topic: String,
}

/// What the auth chain says of one thing.
pub(super) enum Verdict {
    Allow,
    Deny,
    Ask(Question),
}

impl Session {
    /// Handles a packet. Its answers leave with [`Session::on_durable`] once the turn has been finished. Call it again with
    /// the same packet after [`Step::Ask`] has been answered.
    ///
    /// # Errors
    /// Why the connection has to end.
    pub fn on_packet(&mut self, hub: &Hub, packet: &Packet<'_>, now: Now, turn: &mut Turn) -> Result<Step, Close> {
        let step = match packet {
            Packet::Publish(publish) => self.on_publish(hub, publish, now, turn)?,
            Packet::Ack(ack) => {
                self.on_ack(ack, turn);
                Step::Next
            }
            Packet::Subscribe(subscribe) => self.on_subscribe(hub, subscribe, turn, now)?,
            Packet::Unsubscribe(unsubscribe) => self.on_unsubscribe(hub, unsubscribe, turn)?,
            Packet::PingReq => Step::Pong, // [MQTT-3.12.4-1]
            Packet::Disconnect(disconnect) => {
                self.on_disconnect(hub, disconnect.reason, disconnect.session_expiry_secs)?
            }
            Packet::Auth(_) => {
                return Err(Close {
                    reason: ReasonCode::PROTOCOL_ERROR,
                    what: "AUTH without an authentication method in CONNECT",
                }); // [MQTT-4.12.0-6]
            }
        };
        if !matches!(step, Step::Ask(_)) {
            self.verdicts.clear();
        }
        Ok(step)
    }

    /// The answer to [`Step::Ask`].
    pub fn on_verdict(&mut self, allowed: bool) {
        self.verdicts.push(allowed);
    }

    pub(super) fn judge(&self, hub: &Hub, action: Action, topic: &str, asked: &mut usize) -> Verdict {
        let access = Access::new(&self.seat.client_id, self.user_name.as_deref(), action, topic);
        match hub.auth.authorize(&access) {
            Authorization::Allow => Verdict::Allow,
            Authorization::Later => {
                let verdict = self.verdicts.get(*asked).copied();
                *asked += 1;
                match verdict {
                    Some(true) => Verdict::Allow,
                    Some(false) => Verdict::Deny,
                    None => Verdict::Ask(Question { action, topic: topic.to_owned() }),
                }
            }
            _ => Verdict::Deny, // the end of the chain is deny
        }
    }

    fn on_publish(&mut self, hub: &Hub, publish: &Publish<'_>, now: Now, turn: &mut Turn) -> Result<Step, Close> {
        let alias;
        let topic = match publish.topic_alias {
            None => publish.topic,
            Some(number) => {
                alias = self.resolve_alias(hub, number, publish.topic)?;
                &*alias
            }
        };
        let id = publish.packet_id;
        if publish.qos == Qos::ExactlyOnce && self.state.received.contains(&id) {
            let answer = Answer::PubRec(id, ReasonCode::SUCCESS); // a repeat: nothing new [MQTT-4.3.3-10]
            if has(Bug::RepeatDoesNotWait) {
                self.answers.push_front((0, answer));
            } else {
                turn.answers.push(answer);
            }
            return Ok(Step::Next);
        }
        let action = Action::Publish { qos: publish.qos, retain: publish.retain };
        let allowed = match self.judge(hub, action, topic, &mut 0) {
            Verdict::Ask(question) => return Ok(Step::Ask(question)),
            Verdict::Allow => true,
            Verdict::Deny => false,
        };
        self.count_inbound(hub, publish.qos)?;
        hub.counters.messages_received.add(1);
        let outcome =
            if allowed { self.stage(hub, publish, topic, now, turn) } else { Err(ReasonCode::NOT_AUTHORIZED) };
        self.answer_publish(publish, outcome, turn)
    }

    /// Our Receive Maximum holds for 5.0 clients [MQTT-3.3.4-8]; 3.x clients have no more than 65,535 packet ids.
    fn count_inbound(&mut self, hub: &Hub, qos: Qos) -> Result<(), Close> {
        if qos == Qos::AtMostOnce {
            return Ok(());
        }
        if self.version.is_v5() && self.inbound_in_flight >= usize::from(hub.limits.receive_maximum) {
            return Err(Close {
                reason: ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
                what: "more QoS 1 and 2 messages than our Receive Maximum",
            });
        }
        self.inbound_in_flight += 1;
        Ok(())
    }

    fn resolve_alias(&mut self, hub: &Hub, number: u16, topic: &str) -> Result<Arc<str>, Close> {
        let invalid = Close {
            reason: ReasonCode::TOPIC_ALIAS_INVALID,
            what: "topic alias that is above our maximum, or unknown",
        };
        if number == 0 || number > hub.limits.topic_alias_maximum {
            return Err(invalid); // [MQTT-3.3.2-9]
        }
        let index = usize::from(number) - 1;
        if topic.is_empty() {
            return self.aliases.get(index).cloned().flatten().ok_or(invalid); // [MQTT-3.3.2-7]
        }
        if self.aliases.len() <= index {
            self.aliases.resize(index + 1, None);
        }
        let name: Arc<str> = topic.into();
        self.aliases[index] = Some(name.clone()); // [MQTT-3.3.2-12]
        Ok(name)
    }

    fn stage(
        &mut self,
        hub: &Hub,
        publish: &Publish<'_>,
        topic: &str,
        now: Now,
        turn: &mut Turn,
    ) -> Result<(), ReasonCode> {
        let stored = self.seat.stored && publish.qos == Qos::ExactlyOnce;
        if stored && !hub.is_store_up() {
            hub.counters.refused_store_down.add(1);
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        let mut scratch = std::mem::take(&mut turn.scratch);
        scratch.clear();
        let properties = if publish.travels_verbatim {
            publish.properties
        } else {
            publish.travelling_properties(&mut scratch);
            &scratch
        };
        let parts = MessageParts {
            topic,
            properties,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            expires_at_ms: publish.message_expiry_secs.map(|secs| now.wall_ms.saturating_add(u64::from(secs) * 1000)),
        };
        let origin = Origin { publisher: self.seat.number, forced: false };
        let outcome = hub.stage(turn, &mut self.routes, origin, &parts);
        turn.scratch = scratch;
        outcome?;
        if publish.qos == Qos::ExactlyOnce {
            self.state.received.insert(publish.packet_id);
            if stored && !has(Bug::ForgetReceivedId) {
                let (session, packet_id) = (self.seat.number, publish.packet_id);
                turn.entries.push(Entry::Change(Change::Received { session, packet_id })); // the same append as the publish
                turn.binds = true;
            }
        }
        Ok(())
    }

    fn answer_publish(
        &mut self,
        publish: &Publish<'_>,
        outcome: Result<(), ReasonCode>,
        turn: &mut Turn,
    ) -> Result<Step, Close> {
        let reason = match outcome {
            Ok(()) => ReasonCode::SUCCESS,
            Err(reason) if self.version.is_v5() => reason,
            // 3.x has no word for no: what is denied is acknowledged and dropped [MQTT-3.3.5-2] of 3.1.1, ...
            Err(ReasonCode::NOT_AUTHORIZED) => ReasonCode::SUCCESS,
            Err(_) if publish.qos == Qos::AtMostOnce => ReasonCode::SUCCESS,
            // ... what we cannot store is not acknowledged.
            Err(reason) => return Err(Close { reason, what: "a message that cannot be stored at the moment" }),
        };
        match publish.qos {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => turn.answers.push(Answer::PubAck(publish.packet_id, reason)), // [MQTT-4.3.2-4]
            Qos::ExactlyOnce => turn.answers.push(Answer::PubRec(publish.packet_id, reason)), // [MQTT-4.3.3-8]
        }
        Ok(Step::Next)
    }

    fn on_ack(&mut self, ack: &Ack, turn: &mut Turn) {
        match ack.kind {
            AckKind::PubAck => self.on_done(ack.packet_id, Qos::AtLeastOnce, turn),
            AckKind::PubRec if ack.reason.is_error() => self.on_done(ack.packet_id, Qos::ExactlyOnce, turn),
            AckKind::PubRec => self.on_pubrec(ack.packet_id, turn),
            AckKind::PubRel => self.on_pubrel(ack.packet_id, turn),
            AckKind::PubComp => self.on_pubcomp(ack.packet_id, turn),
        }
    }

    /// PUBACK, or a PUBREC that refuses: the receiver is done with the message.
    fn on_done(&mut self, packet_id: u16, qos: Qos, turn: &mut Turn) {
        let Some((position, Slot::Sent(item))) = self.window.get(packet_id) else { return };
        if item.qos != qos {
            return;
        }
        let sent_durably = item.sent_durably;
        let Some(item) = self.window.finish(packet_id) else { return };
        self.done(&item, turn);
        self.gate.retain(|(_, gated)| *gated != position);
        if sent_durably && self.seat.stored {
            let session = self.seat.number;
            turn.entries.push(Entry::Change(Change::Completed { session, packet_id }));
        }
    }

    /// Tells the store that the receiver is done with a message.
    pub(super) fn done(&self, item: &crate::seat::Item, turn: &mut Turn) {
        if !self.seat.stored {
            return;
        }
        let (session, position, low) = (self.seat.number, item.position, self.window.low());
        turn.entries.push(match &item.body {
            Some(message) if message.id == item.message_id && !item.sent_durably => {
                Entry::Done { session, position, message: message.clone(), low }
            }
            _ => Entry::Change(Change::Done { session, position, message_id: item.message_id, low }),
        });
    }

    fn on_pubrec(&mut self, packet_id: u16, turn: &mut Turn) {
        match self.window.get(packet_id) {
            Some((position, Slot::Sent(item))) if item.qos == Qos::ExactlyOnce => {
                if self.gate.iter().any(|(_, gated)| *gated == position) {
                    return; // the client answers what it has not been sent
                }
                let Some(item) = self.window.release(packet_id) else { return };
                if self.seat.stored {
                    self.done(&item, turn);
                    let (session, message_id) = (self.seat.number, item.message_id);
                    let phase = Phase::Released;
                    turn.entries.push(Entry::Change(Change::Outbound {
                        session,
                        packet_id,
                        position,
                        message_id,
                        phase,
                    }));
                    turn.binds = true;
                }
                turn.answers.push(Answer::PubRel(packet_id)); // [MQTT-4.3.3-4]
            }
            Some((_, Slot::Released | Slot::Owed)) => turn.answers.push(Answer::PubRel(packet_id)),
            Some((_, Slot::Waiting)) => {}
            _ => turn.answers.push(Answer::PubRelUnknown(packet_id)),
        }
    }

    fn on_pubrel(&mut self, packet_id: u16, turn: &mut Turn) {
        if self.state.received.remove(&packet_id) && self.seat.stored {
            let session = self.seat.number;
            turn.entries.push(Entry::Change(Change::Forgotten { session, packet_id }));
            turn.binds = true;
        }
        turn.answers.push(Answer::PubComp(packet_id)); // also to a repeat [MQTT-4.3.3-11]
    }

    fn on_pubcomp(&mut self, packet_id: u16, turn: &mut Turn) {
        if !matches!(self.window.get(packet_id), Some((_, Slot::Released | Slot::Owed))) {
            return;
        }
        self.window.finish(packet_id);
        if self.seat.stored {
            let session = self.seat.number;
            turn.entries.push(Entry::Change(Change::Completed { session, packet_id }));
        }
    }

    fn on_disconnect(&mut self, hub: &Hub, reason: ReasonCode, expiry_secs: Option<u32>) -> Result<Step, Close> {
        if let Some(secs) = expiry_secs {
            if self.state.record.expiry_secs == 0 && secs != 0 {
                // section 3.14.2.2.2
                return Err(Close {
                    reason: ReasonCode::PROTOCOL_ERROR,
                    what: "DISCONNECT gives a session expiry to a session that had none",
                });
            }
            self.expiry_override = Some(secs.min(hub.limits.session_expiry_max_secs.unwrap_or(u32::MAX)));
        }
        self.asked_for_will = reason != ReasonCode::SUCCESS; // only 0x00 deletes the Will [MQTT-3.1.2-10]
        Ok(Step::Goodbye)
    }
}
