//! Retained values that change until the broker is killed.

use super::{next, try_connect};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Connect, Kind, Publish, Version};
use std::fmt;
use std::net::SocketAddr;

const TOPICS: usize = 8;

/// Sets retained values one after the other, topic by topic, each larger than the last.
#[derive(Default)]
pub struct Keeper {
    sent: [u64; TOPICS],
    acknowledged: [u64; TOPICS],
    count: u64,
}

impl Keeper {
    /// Publishes until the broker is gone.
    pub fn run(&mut self, addr: SocketAddr) {
        let Some((mut client, _)) = try_connect(addr, &Connect::v5("keeper")) else {
            return;
        };
        loop {
            self.count += 1;
            let topic = self.count as usize % TOPICS;
            self.sent[topic] = self.count;
            let message = Publish::new(&format!("kept/{topic}"), self.count.to_string(), 1).retained().id(1);
            client.send(&message.encode(Version::V5));
            let Some(puback) = next(&mut client, "keeper") else { return };
            assert_eq!((puback.kind, puback.code() & 0x80), (Kind::Puback, 0), "{puback:?}");
            self.acknowledged[topic] = self.count;
        }
    }

    /// Each value is the one acknowledged last, or one that was sent after it.
    pub fn judge(&mut self, broker: &Broker) {
        let mut reader = Connect::v311("reader").ok(broker);
        reader.subscribe("kept/+", 1);
        reader.publish(Publish::new("kept/end", "end", 1));
        let mut found = [0; TOPICS];
        for message in reader.messages_until("end") {
            assert!(message.retain(), "{message:?}");
            found[message.topic["kept/".len()..].parse::<usize>().unwrap()] = message.text().parse().unwrap();
        }
        for (topic, value) in found.into_iter().enumerate() {
            let allowed = self.acknowledged[topic]..=self.sent[topic];
            assert!(allowed.contains(&value), "kept/{topic} is {value}, acknowledged and sent are {allowed:?}");
        }
        self.acknowledged = found; // what was seen once may not go back
        reader.leave();
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} retained values", self.count)
    }
}
