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
    /// It is there until the message that marks the end.
    UntilEnd,
}

/// Takes all of `load/#` and notes what is delivered.
pub struct Subscriber {
    name: String,
    version: Version,
    qos: u8,
    presence: Presence,
    receive_maximum: u32,
    known: bool,
    open: HashSet<u16>,
    delivered: Vec<(String, u8)>,
}

impl Subscriber {
    /// Two of them ask for QoS 1, the others for QoS 2.
    pub fn new(number: usize) -> Self {
        Self {
            name: format!("subscriber-{number}"),
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
        client.send(&subscribe(self.version, 1, &[("load/#", self.qos)], &[]));
        assert_eq!(client.wait(Kind::Suback).code(), self.qos);
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

    /// How it behaves from now on.
    pub fn set(&mut self, presence: Presence) {
        self.presence = presence;
    }

    /// Takes messages until the broker is gone or its presence ends.
    pub fn run(&mut self, addr: SocketAddr) {
        while !matches!(self.presence, Presence::Away) {
            let Some(mut client) = self.connect(addr) else {
                return;
            };
            let mut taken = 0;
            loop {
                let Some(packet) = next(&mut client, &self.name) else { return };
                taken += self.on(&mut client, &packet);
                match self.presence {
                    Presence::Flapping(limit) if taken >= limit => break,
                    Presence::UntilEnd if self.ended() => return client.leave(),
                    _ => {}
                }
            }
            client.vanish();
        }
    }

    /// Everything accepted is there, QoS 2 once, and each publisher's messages in order.
    pub fn judge(&self, publishers: &[Publisher]) {
        let mut seen: HashMap<u64, HashSet<u64>> = HashMap::new();
        let mut last: HashMap<(u64, u64), u64> = HashMap::new();
        for (text, qos) in &self.delivered {
            let Some((from, number)) = text.split_once(' ') else {
                continue;
            };
            let (from, number): (u64, u64) = (from.parse().unwrap(), number.parse().unwrap());
            if seen.entry(from).or_default().insert(number) {
                let before = last.insert((from, number % 2), number).unwrap_or(0);
                assert!(before < number, "{}: {from} {number} came after {from} {before}", self.name);
            } else {
                assert!(*qos < 2, "{}: QoS 2 message {text} came twice", self.name);
            }
        }
        for (from, publisher) in publishers.iter().enumerate() {
            let none = HashSet::new();
            let mut lost: Vec<_> = publisher.accepted.difference(seen.get(&(from as u64)).unwrap_or(&none)).collect();
            lost.sort();
            let (count, all) = (lost.len(), publisher.accepted.len());
            lost.truncate(10);
            assert!(count == 0, "{}: {count} of {all} acknowledged messages of {from} are lost: {lost:?}", self.name);
        }
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

    /// The end came, and no handshake is open.
    fn ended(&self) -> bool {
        self.open.is_empty() && self.delivered.iter().rev().take(50).any(|(text, _)| text == "end")
    }
}
