//! A durable publisher that repeats what was not acknowledged.

use super::{Chance, check_session, next, try_connect};
use hikyaku_tests::raw::{Client, Connect, Kind, Packet, Publish, Version, ack};
use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;

const WINDOW: usize = 6;

/// One message that is under way.
struct Underway {
    id: u16,
    number: u64,
    released: bool,
}

/// Publishes numbered messages, odd numbers at QoS 1 and even ones at QoS 2, and others at QoS 0 between them.
pub struct Publisher {
    name: String,
    version: Version,
    known: bool,
    next: u64,
    next_id: u16,
    zeros: u64,
    underway: VecDeque<Underway>,
    /// The numbers for which the broker took the responsibility.
    pub accepted: HashSet<u64>,
}

impl Publisher {
    /// Packet ids begin anywhere, also right before they wrap.
    pub fn new(number: u64, chance: &mut Chance) -> Self {
        Self {
            name: number.to_string(),
            version: if number.is_multiple_of(2) { Version::V311 } else { Version::V5 },
            known: false,
            next: 1,
            next_id: 65_535 - chance.below(600) as u16,
            zeros: 0,
            underway: VecDeque::new(),
            accepted: HashSet::new(),
        }
    }

    /// Publishes until the broker is gone.
    pub fn run(&mut self, addr: SocketAddr) {
        self.go(addr, |_| true);
    }

    /// Brings what is under way to its end and leaves.
    pub fn finish(&mut self, addr: SocketAddr) {
        if let Some(client) = self.go(addr, |_| false) {
            client.leave();
        }
        assert!(self.underway.is_empty(), "the broker ended while it was not killed");
    }

    fn go(&mut self, addr: SocketAddr, more: fn(&Self) -> bool) -> Option<Client> {
        let connect = Connect::new(self.version, &format!("publisher-{}", self.name)).durable();
        let (mut client, connack) = try_connect(addr, &connect)?;
        check_session(&mut self.known, &connack, &connect.client_id);
        for underway in &self.underway {
            client.send(&match underway.released {
                true => ack(Kind::Pubrel, underway.id),
                false => self.message(underway).again().encode(self.version),
            });
        }
        loop {
            while more(self) && self.underway.len() < WINDOW {
                let underway = Underway { id: self.next_id, number: self.next, released: false };
                client.send(&self.message(&underway).encode(self.version));
                client.send(&self.zero().encode(self.version));
                self.underway.push_back(underway);
                self.next += 1;
                self.next_id = self.next_id % 65_535 + 1;
            }
            if self.underway.is_empty() {
                return Some(client);
            }
            let packet = next(&mut client, &self.name)?;
            self.on(&mut client, &packet);
        }
    }

    fn on(&mut self, client: &mut Client, packet: &Packet) {
        let at = self.underway.iter().position(|underway| underway.id == packet.id);
        let at = at.unwrap_or_else(|| panic!("publisher {}: an answer to nothing: {packet:?}", self.name));
        // PUBREL again for what the broker has finished: it no longer knows the id, and may say so.
        let finished = packet.kind == Kind::Pubcomp && packet.code() == 0x92;
        assert!(packet.code() < 0x80 || finished, "publisher {}: refused: {packet:?}", self.name);
        self.accepted.insert(self.underway[at].number);
        if packet.kind == Kind::Pubrec {
            self.underway[at].released = true;
            client.send(&ack(Kind::Pubrel, packet.id));
        } else {
            self.underway.remove(at);
        }
    }

    /// A message of QoS 0, of which nobody promises anything but that it does not come twice.
    fn zero(&mut self) -> Publish {
        self.zeros += 1;
        Publish::new(&format!("load/{}/zero", self.name), format!("zero {} {}", self.name, self.zeros), 0)
    }

    fn message(&self, underway: &Underway) -> Publish {
        let qos = if underway.number.is_multiple_of(2) { 2 } else { 1 };
        let text = format!("{} {}", self.name, underway.number);
        Publish::new(&format!("load/{}", self.name), text, qos).id(underway.id)
    }
}
