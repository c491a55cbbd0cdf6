//! What does a client make of what the broker says?

use hikyaku_protocol::AckKind;
use hikyaku_types::Qos;

use super::{Client, Known, Phase, shown};
use crate::history::{Delivery, Fate, History, Testament, What, what};
use crate::wire::{self, Said};

impl Client {
    /// Bytes have come.
    pub fn receive(&mut self, bytes: &[u8], history: &mut History) {
        self.inbox.extend_from_slice(bytes);
        loop {
            let before = self.inbox.len();
            let said = match wire::take(&mut self.inbox, self.profile.version) {
                Ok(Some(said)) => said,
                Ok(None) => return,
                Err(error) => return history.problem(error),
            };
            history.tick();
            history.note(|| format!("c{} gets {}", self.number, shown(&said)));
            let size = before - self.inbox.len();
            if let Some(max) = self.profile.packet_size_max.filter(|max| size > *max as usize) {
                history.problem(format!("c{}: {size} bytes, and Maximum Packet Size is {max}", self.number)); // [MQTT-3.1.2-24]
            }
            if let Err(problem) = self.on_packet(said, history) {
                history.problem(format!("c{}: {problem}", self.number));
            }
        }
    }

    fn on_packet(&mut self, said: Said, history: &mut History) -> Result<(), String> {
        match said {
            Said::ConnAck(present, 0) => self.on_connack(present, history),
            Said::ConnAck(..) => {
                self.told_to_go = true;
                Ok(())
            }
            Said::Publish { dup, qos, retain, id, topic, alias, payload } => {
                let topic = match alias {
                    Some(alias) if topic.is_empty() => {
                        self.aliases.get(&alias).cloned().ok_or("an alias that was not said")?
                    }
                    Some(alias) => {
                        self.aliases.insert(alias, topic.clone());
                        topic
                    }
                    None => topic,
                };
                self.on_publish((dup, qos, retain, id), &topic, payload, history)
            }
            Said::Ack(kind, id, reason) => self.on_ack(kind, id, reason),
            Said::SubAck(id, reason) => {
                let sub = self.subscribing.remove(&id).ok_or("SUBACK for nothing")?;
                history.subs[sub].from = (reason < 0x80).then(|| history.tick());
                Ok(())
            }
            Said::UnsubAck(id, reason) => {
                let (filter, asked_at) = self.unsubscribing.remove(&id).ok_or("UNSUBACK for nothing")?;
                let at = history.tick();
                for sub in history
                    .subs_of(self.number, self.instance, &filter)
                    .filter(|sub| sub.asked_at < asked_at && reason < 0x80)
                {
                    sub.ended.get_or_insert(at);
                }
                Ok(())
            }
            Said::Disconnect(_) => {
                self.told_to_go = true;
                Ok(())
            }
            Said::Pong => Ok(()),
        }
    }

    fn on_connack(&mut self, present: bool, history: &mut History) -> Result<(), String> {
        if self.phase != Phase::Connecting {
            return Err("CONNACK for nothing".into());
        }
        let lives = self.known == Known::Yes && self.lives(history);
        self.tried = false;
        if present && (self.clean || self.known == Known::No) {
            return Err("Session Present, but there is none".into());
        }
        if !present && !self.clean && lives {
            return Err("the session was lost".into());
        }
        if !present {
            if !self.clean {
                self.forget();
            }
            self.stored = self.expiry_now > 0;
        }
        let now = history.now;
        let returning = |will: &&mut Testament| will.client == self.number && will.fate == Fate::Returning;
        for will in history.wills.iter_mut().filter(returning) {
            let in_time = will.lost.is_some_and(|lost| now.at_most_since(lost) < u64::from(will.delay_secs) * 1000);
            will.fate = if present && in_time { Fate::Cleared } else { Fate::Open }; // [MQTT-3.1.3-9]
        }
        (self.phase, self.known, self.must_clean) = (Phase::Connected, Known::Yes, false);
        self.resend(history);
        Ok(())
    }

    fn on_publish(
        &mut self,
        (dup, qos, retain, id): (bool, Qos, bool, u16),
        topic: &str,
        payload: String,
        history: &mut History,
    ) -> Result<(), String> {
        if qos != Qos::AtMostOnce {
            if let Some(old) = self.in_flight.insert(id, qos) {
                return Err(format!("packet id {id} is in use for {old:?}"));
            }
            let (theirs, ours) = (usize::from(self.profile.receive_maximum), history.inflight_messages_max);
            if self.in_flight.len() > theirs.min(ours) {
                return Err(format!("more in flight than Receive Maximum {theirs} or the broker's limit {ours}"));
            }
            self.acks.push_back((if qos == Qos::AtLeastOnce { AckKind::PubAck } else { AckKind::PubRec }, id));
        }
        match self.taken.get(&id).filter(|_| qos != Qos::AtMostOnce) {
            Some(old) if *old != payload || qos == Qos::AtLeastOnce => {
                return Err(format!("packet id {id} is still in use"));
            }
            Some(_) if !dup => return Err(format!("packet id {id} comes again without DUP")),
            Some(_) => return Ok(()),
            None if qos == Qos::ExactlyOnce => drop(self.taken.insert(id, payload.clone())),
            None => {}
        }
        if payload.is_empty() {
            return Ok(()); // clears a retained topic
        }
        let what = what(&payload).ok_or("a payload that nobody has sent")?;
        let right_topic = match what {
            What::Message(number) => history.messages.get(number).is_some_and(|sent| sent.topic == topic),
            What::Will(number) => history.wills.get(number).is_some_and(|will| topic == format!("w/{}", will.client)),
        };
        if !right_topic {
            return Err(format!("{what:?} comes with topic {topic}"));
        }
        self.in_time(what, dup, qos, history)?;
        let (client, instance, stored, at, epoch) =
            (self.number, self.instance, self.stored, history.tick(), history.epoch);
        history.deliveries.push(Delivery { client, instance, stored, what, qos, retain, dup, at, epoch });
        Ok(())
    }

    /// Nothing comes that had expired before the client came, and no Will before its delay is over.
    fn in_time(&self, what: What, dup: bool, qos: Qos, history: &History) -> Result<(), String> {
        match what {
            What::Message(number) => {
                let sent = &history.messages[number];
                let (Some(secs), Some(by), 1) = (sent.expiry_secs, sent.received_by, sent.transmissions.len()) else {
                    return Ok(());
                };
                // Of QoS 2 it may be on its way since before, and so may what carries DUP.
                let new = !dup && qos != Qos::ExactlyOnce;
                if new && self.connected.wall_ms >= by.wall_ms + u64::from(secs) * 1000 {
                    return Err(format!("m{number} had expired: {sent:?}"));
                }
            }
            What::Will(number) => {
                let will = &history.wills[number];
                let Some(lost) = will.lost.filter(|_| !will.may_end) else { return Ok(()) };
                if history.now.at_most_since(lost) < u64::from(will.delay_secs) * 1000 {
                    return Err(format!("w{number} comes too early: {will:?}"));
                }
            }
        }
        Ok(())
    }

    fn on_ack(&mut self, kind: AckKind, id: u16, reason: u8) -> Result<(), String> {
        if kind == AckKind::PubRel {
            self.taken.remove(&id);
            self.acks.push_back((AckKind::PubComp, id));
            return if reason == 0 { Ok(()) } else { Err("the broker does not know its own exchange".into()) };
        }
        let at =
            self.outbound.iter().position(|out| out.id == id).ok_or_else(|| format!("{kind:?} {id} for nothing"))?;
        if kind == AckKind::PubRec && reason < 0x80 {
            if !std::mem::replace(&mut self.outbound[at].released, true) {
                self.answer(AckKind::PubRel, id);
            }
        } else {
            self.outbound.remove(at);
        }
        Ok(())
    }
}
