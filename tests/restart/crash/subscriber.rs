//! A durable subscriber that keeps the receiver's half of QoS 2.

use super::publisher::Publisher;
use super::{Chance, check_session, next, try_connect};
use hikyaku_tests::raw::{Client, Connect, Kind, Packet, Version, ack, prop, subscribe};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

/// How a subscriber behaves in a round.
#[derive(Clone, Copy)]
pub enum Presence {
    /// It is not there.
    Away,
    /// It is there.
    There,
    /// It vanishes after so many messages and comes back, again and again.
    Flapping(u64),
}

/// Takes what matches its filter and notes what is delivered.
pub struct Subscriber {
    name: String,
    filter: &'static str,
    version: Version,
    qos: u8,
    presence: Presence,
    receive_maximum: u32,
    known: bool,
    open: HashSet<u16>,
    delivered: Vec<(String, u8)>,
}

impl Subscriber {
    /// The first two of each filter ask for QoS 1, the others for QoS 2.
    pub fn new(filter: &'static str, number: usize) -> Self {
        let what = filter.trim_start_matches("$share/").split('/').next().unwrap_or_default();
        Self {
            name: format!("{what}-{number}"),
            filter,
            version: if number.is_multiple_of(2) { Version::V5 } else { Version::V311 },
            qos: if number < 2 { 1 } else { 2 },
            presence: Presence::There,
            receive_maximum: 20,
            known: false,
            open: HashSet::new(),
            delivered: Vec::new(),
        }
    }

    /// Subscribes, before the first message.
    pub fn join(&mut self, addr: SocketAddr) {
        let mut client = self.connect(addr).expect("the broker is there");
        client.send(&subscribe(self.version, 1, &[(self.filter, self.qos), ("end", self.qos)], &[]));
        assert_eq!(client.wait(Kind::Suback).codes, [self.qos; 2]);
        client.leave();
    }

    /// How it behaves in the next round.
    pub fn choose(&mut self, chance: &mut Chance) {
        self.receive_maximum = 1 + chance.below(30) as u32;
        self.presence = match chance.below(4) {
            0 => Presence::Away,
            1 => Presence::Flapping(1 + chance.below(60)),
            _ => Presence::There,
        };
    }

    /// Takes messages until the broker is gone or its presence ends.
    pub fn run(&mut self, addr: SocketAddr) {
        while !matches!(self.presence, Presence::Away) {
            let presence = self.presence;
            let is_over = |_: &Self, taken| matches!(presence, Presence::Flapping(limit) if taken >= limit);
            let Some(client) = self.take(addr, is_over) else { return };
            client.vanish();
        }
    }

    /// Takes messages until this is so.
    pub fn run_until(&mut self, addr: SocketAddr, is_over: impl Fn(&Self) -> bool) {
        if is_over(self) {
            return;
        }
        let client = self.take(addr, |this, _| this.open.is_empty() && is_over(this));
        client.expect("the broker is there").leave();
    }

    /// Takes messages until this is so of it and of how many it has taken; `None` if the broker was gone before.
    fn take(&mut self, addr: SocketAddr, is_over: impl Fn(&Self, u64) -> bool) -> Option<Client> {
        let mut client = self.connect(addr)?;
        let mut taken = 0;
        loop {
            let packet = next(&mut client, &self.name)?;
            taken += self.on(&mut client, &packet);
            if is_over(self, taken) {
                return Some(client);
            }
        }
    }

    /// How often this text came.
    pub fn count(&self, text: &str) -> usize {
        self.delivered.iter().filter(|(found, _)| found == text).count()
    }

    /// Everything accepted is there, QoS 2 once, and each publisher's messages in order.
    pub fn judge(&self, publishers: &[Publisher]) {
        judge_together(std::slice::from_ref(self), publishers);
    }

    fn connect(&mut self, addr: SocketAddr) -> Option<Client> {
        let mut connect = Connect::new(self.version, &self.name).durable();
        if self.version == Version::V5 {
            connect = connect.prop(prop::RECEIVE_MAXIMUM, self.receive_maximum);
        }
        let (client, connack) = try_connect(addr, &connect)?;
        check_session(&mut self.known, &connack, &self.name);
        Some(client)
    }

    /// Answers a packet; 1 if it delivered a message.
    fn on(&mut self, client: &mut Client, packet: &Packet) -> u64 {
        match (packet.kind, packet.qos()) {
            (Kind::Publish, 2) => {
                client.send(&ack(Kind::Pubrec, packet.id));
                if !self.open.insert(packet.id) {
                    return 0;
                }
            }
            (Kind::Publish, 0) => {}
            (Kind::Publish, 1) => client.send(&ack(Kind::Puback, packet.id)),
            (Kind::Pubrel, _) => {
                self.open.remove(&packet.id);
                client.send(&ack(Kind::Pubcomp, packet.id));
                return 0;
            }
            _ => panic!("{}: {packet:?} was not to come", self.name),
        }
        self.delivered.push((packet.text(), packet.qos()));
        1
    }

    /// The end came.
    pub fn has_ended(&self) -> bool {
        self.delivered.iter().rev().take(50).any(|(text, _)| text == "end")
    }
}

/// Everything accepted came to one of them, QoS 2 once and QoS 0 no more than once, and to each of them in order.
pub fn judge_together(subscribers: &[Subscriber], publishers: &[Publisher]) {
    let mut seen: HashMap<(&str, u64), HashSet<u64>> = HashMap::new();
    for Subscriber { name, delivered, .. } in subscribers {
        let mut own: HashSet<(&str, u64, u64)> = HashSet::new();
        let mut last: HashMap<(&str, u64, u64), u64> = HashMap::new();
        for (text, qos) in delivered.iter().filter(|(text, _)| text != "end") {
            let (kind, rest) = text.strip_prefix("zero ").map_or(("", &**text), |rest| ("zero", rest));
            let (from, number) = rest.split_once(' ').expect("from whom, and the number");
            let (from, number): (u64, u64) = (from.parse().unwrap(), number.parse().unwrap());
            let is_new = seen.entry((kind, from)).or_default().insert(number);
            assert!(is_new || *qos == 1, "{name}: message {text} of QoS {qos} came twice");
            if own.insert((kind, from, number)) {
                // What was sent at one quality of service comes in the order of sending [MQTT-4.6.0-6]. A repeat of QoS 1 may
                // go to another member than the first try, behind what that one has.
                let before = last.insert((kind, from, number % 2), number).unwrap_or(0);
                let is_ordered = kind.is_empty() && (*qos == 2 || subscribers.len() == 1);
                assert!(!is_ordered || before < number, "{name}: {from} {number} came after {from} {before}");
            }
        }
    }
    for (from, publisher) in publishers.iter().enumerate() {
        let none = HashSet::new();
        let seen = seen.get(&("", from as u64)).unwrap_or(&none);
        let mut lost: Vec<_> = publisher.accepted.difference(seen).collect();
        lost.sort();
        let (count, all, name) = (lost.len(), publisher.accepted.len(), &subscribers[0].name);
        lost.truncate(10);
        assert!(count == 0, "{name}: {count} of {all} acknowledged messages of {from} are lost: {lost:?}");
    }
}
