//! Subscriptions that come and go until the broker is killed.

use super::{check_session, next, try_connect};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Publish, Version, subscribe, unsubscribe};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

const PER_ROUND: u32 = 40;

/// Subscribes to one topic after the other and takes every third back again.
#[derive(Default)]
pub struct Member {
    known: bool,
    next: u32,
    /// What the broker acknowledged: subscribed or not. A topic in doubt is not here.
    acknowledged: BTreeMap<u32, bool>,
}

impl Member {
    /// Subscribes and unsubscribes until the broker is gone.
    pub fn run(&mut self, addr: SocketAddr) {
        let Some(mut client) = self.connect(addr) else {
            return;
        };
        for _ in 0..PER_ROUND {
            let number = self.next;
            self.next += 1;
            let filter = format!("member/{number}");
            if !answered(&mut client, &subscribe(Version::V5, 1, &[(&filter, 0)], &[])) {
                return;
            }
            self.acknowledged.insert(number, true);
            if number.is_multiple_of(3) {
                self.acknowledged.remove(&number);
                if !answered(&mut client, &unsubscribe(Version::V5, 2, &[&filter])) {
                    return;
                }
                self.acknowledged.insert(number, false);
            }
        }
        assert_eq!(next(&mut client, "member"), None, "nothing was to come until the end");
    }

    /// What was acknowledged is still so: a message to every topic shows it.
    pub fn judge(&mut self, broker: &Broker) {
        let mut client = self.connect(broker.addr()).expect("the broker is there");
        client.subscribe("member/end", 0);
        let mut probe = Connect::v311("probe").ok(broker);
        for number in self.acknowledged.keys() {
            probe.publish(Publish::new(&format!("member/{number}"), number.to_string(), 0));
        }
        probe.publish(Publish::new("member/end", "end", 0));
        let mut lost = self.acknowledged.clone();
        for text in client.texts_until("end") {
            let number = text.parse().unwrap();
            assert_eq!(lost.remove(&number), Some(true), "member/{number} was unsubscribed, or came twice");
        }
        lost.retain(|_, subscribed| *subscribed);
        assert!(lost.is_empty(), "acknowledged subscriptions are lost: {:?}", lost.keys());
        probe.leave();
        client.leave();
    }

    fn connect(&mut self, addr: SocketAddr) -> Option<Client> {
        let connect = Connect::v5("member").durable();
        let (client, connack) = try_connect(addr, &connect)?;
        check_session(&mut self.known, &connack, "member");
        Some(client)
    }
}

/// Sends a packet; false if the broker was gone before its answer came.
fn answered(client: &mut Client, packet: &[u8]) -> bool {
    client.send(packet);
    let answer = next(client, "member");
    assert!(answer.iter().all(|packet| packet.code() < 0x80), "{answer:?}");
    answer.is_some()
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} subscriptions", self.acknowledged.len())
    }
}
