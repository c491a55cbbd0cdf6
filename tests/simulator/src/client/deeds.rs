//! What does a connected client do of its own accord?

use hikyaku_protocol::{Ack, AckKind, PublishOut, encode_ack};
use hikyaku_types::{Qos, ReasonCode, RetainHandling, SubscriptionOptions};

use crate::client::Client;
use crate::history::{self, History, Sent, Sub};
use crate::random::Random;
use crate::wire;

/// Topics that all publish to.
pub const TOPICS: [&str; 4] = ["t/0", "t/1", "t/2", "t/2/x"];
const FILTERS: [&str; 10] = ["t/#", "t/+", "t/0", "t/1", "t/2/x", "+/2", "r/#", "r/#", "r/+/0", "r/+/1"];
/// Few, so that they are used again.
const PACKET_IDS: u16 = 12;

impl Client {
    /// Does something. Nothing, if it is not the time for it.
    pub fn act(&mut self, history: &mut History, random: &mut Random) {
        if !self.profile.version.is_v5() && random.chance(self.profile.nervous) {
            return self.repeat(history, random);
        }
        match random.below(100) {
            0..38 => self.publish_any(history, random),
            38..82 => self.acknowledge(history, random),
            82..92 => self.subscribe_any(history, random),
            92..96 => self.unsubscribe_any(history, random),
            _ => self.out.extend_from_slice(&[0xC0, 0]),
        }
    }

    fn free_id(&self, random: &mut Random) -> Option<u16> {
        let first = random.below(usize::from(PACKET_IDS)) as u16;
        (0..PACKET_IDS).map(|step| 1 + (first + step) % PACKET_IDS).find(|id| {
            !self.outbound.iter().any(|out| out.id == *id)
                && !self.subscribing.contains_key(id)
                && !self.unsubscribing.contains_key(id)
        })
    }

    fn publish_any(&mut self, history: &mut History, random: &mut Random) {
        let qos =
            random.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::ExactlyOnce]);
        let retain = random.chance(30);
        let topic =
            if retain { format!("r/{}/{}", self.number, random.below(2)) } else { random.pick(&TOPICS).to_owned() };
        let large = if random.chance(5) { 3100 } else { 0 };
        let retain = retain.then(|| random.chance(15));
        self.publish(&topic, qos, retain, (large, 10), history, random);
    }

    /// Publishes. `retain`: with RETAIN, and whether it clears the topic; then its size, and how often it expires, of a hundred.
    pub fn publish(
        &mut self,
        topic: &str,
        qos: Qos,
        retain: Option<bool>,
        (large, expiring): (usize, usize),
        history: &mut History,
        random: &mut Random,
    ) {
        let Some(id) = self.free_id(random) else { return };
        let (message, at) = (history.messages.len(), history.tick());
        history.messages.push(Sent {
            publisher: self.number,
            topic: topic.to_owned(),
            qos,
            retain: retain.is_some(),
            clears: retain == Some(true),
            at,
            transmissions: Vec::new(),
            acked_at: None,
            handled: None,
            refused: false,
            received_by: None,
            expiry_secs: (self.profile.version.is_v5() && retain.is_none() && random.chance(expiring))
                .then(|| 1 + random.below(3) as u32),
            large,
        });
        if qos != Qos::AtMostOnce {
            self.outbound.push(crate::client::Outbound { id, message, released: false });
        }
        self.transmit(id, message, false, history);
    }

    fn transmit(&mut self, id: u16, message: usize, dup: bool, history: &mut History) {
        let at = history.tick();
        let sent = &mut history.messages[message];
        sent.transmissions.push(at);
        let payload = if sent.clears { String::new() } else { history::payload(message, sent.large) };
        let packet = PublishOut {
            version: self.profile.version,
            qos: sent.qos,
            dup,
            retain: sent.retain,
            packet_id: id,
            topic: sent.topic.as_bytes(),
            topic_alias: None,
            message_expiry_secs: sent.expiry_secs,
            subscription_ids: &[],
            properties: &[],
            payload: payload.as_bytes(),
        };
        packet.encode(&mut self.out);
        if sent.qos != Qos::AtMostOnce {
            self.sent.push((id, message, at));
        }
        let line = format!(
            "c{} publishes m{message} {} {:?} id {id} dup {dup} retain {} clears {}",
            self.number, sent.topic, sent.qos, sent.retain, sent.clears
        );
        history.note(|| line);
    }

    /// Loses patience, as clients of 3.x may: sends a QoS 2 message again that was not answered.
    fn repeat(&mut self, history: &mut History, random: &mut Random) {
        let Some(&out) = self.outbound.get(random.below(self.outbound.len())) else { return };
        if !out.released && history.messages[out.message].qos == Qos::ExactlyOnce {
            self.transmit(out.id, out.message, true, history);
        }
    }

    /// Sends again what was not acknowledged [MQTT-4.4.0-1].
    pub fn resend(&mut self, history: &mut History) {
        for out in self.outbound.clone() {
            if out.released {
                self.answer(AckKind::PubRel, out.id);
            } else {
                self.transmit(out.id, out.message, true, history);
            }
        }
    }

    /// Sends the oldest acknowledgement of some kind that is due: between the kinds there is no order [MQTT-4.6.0-2]
    /// [MQTT-4.6.0-3].
    pub fn acknowledge(&mut self, history: &mut History, random: &mut Random) {
        let Some(&(kind, _)) = self.acks.get(random.below(self.acks.len())) else { return };
        let oldest = self.acks.iter().position(|ack| ack.0 == kind);
        let Some((_, id)) = oldest.and_then(|at| self.acks.remove(at)) else { return };
        if matches!(kind, AckKind::PubAck | AckKind::PubComp) {
            self.in_flight.remove(&id);
        }
        history.tick();
        history.note(|| format!("c{} sends {kind:?} {id}", self.number));
        self.answer(kind, id);
    }

    /// Writes an acknowledgement.
    pub fn answer(&mut self, kind: AckKind, packet_id: u16) {
        encode_ack(&mut self.out, self.profile.version, Ack { kind, packet_id, reason: ReasonCode::SUCCESS });
    }

    fn subscribe_any(&mut self, history: &mut History, random: &mut Random) {
        let qos = random.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::ExactlyOnce]);
        let mut options = SubscriptionOptions::qos(qos);
        if self.profile.version.is_v5() {
            options.no_local = random.chance(10);
            options.retain_handling =
                random.pick(&[RetainHandling::Always, RetainHandling::IfNew, RetainHandling::Never]);
        }
        self.subscribe(random.pick(&FILTERS), options, history, random);
    }

    /// Subscribes.
    pub fn subscribe(
        &mut self,
        filter: &str,
        options: SubscriptionOptions,
        history: &mut History,
        random: &mut Random,
    ) {
        let Some(id) = self.free_id(random) else { return };
        let at = self.give_up(filter, history);
        self.subscribing.insert(id, history.subs.len());
        history.subs.push(Sub {
            client: self.number,
            instance: self.instance,
            filter: filter.to_owned(),
            qos: options.qos,
            no_local: options.no_local,
            retained: options.retain_handling == RetainHandling::Always,
            asked_at: at,
            from: None,
            until: None,
            ended: None,
        });
        history.note(|| format!("c{} subscribes {filter} {options:?}", self.number));
        wire::subscribe(&mut self.out, self.profile.version, id, filter, options);
    }

    fn unsubscribe_any(&mut self, history: &mut History, random: &mut Random) {
        let filter = random.pick(&FILTERS);
        let Some(id) = self.free_id(random) else { return };
        let at = self.give_up(filter, history);
        self.unsubscribing.insert(id, (filter.to_owned(), at));
        history.note(|| format!("c{} unsubscribes {filter}", self.number));
        wire::unsubscribe(&mut self.out, self.profile.version, id, filter);
    }

    /// From now on nothing is sure of what it had with this filter.
    fn give_up(&self, filter: &str, history: &mut History) -> u64 {
        let at = history.tick();
        for sub in history.subs_of(self.number, self.instance, filter) {
            sub.until.get_or_insert(at);
        }
        at
    }
}
