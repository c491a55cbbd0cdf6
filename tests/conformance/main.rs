//! What the standard says, over real sockets, with a client that shares no code with the broker.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod alias;
mod connect;
mod keep_alive;
mod limits;
mod malformed;
mod publish;
mod qos_two;
mod retained;
mod session;
mod shared;
mod subscribe;
mod takeover;
mod wills;

use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Publish, Version};

/// All versions, where one test holds for each.
const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// A publisher that is only there to publish.
fn publisher(broker: &Broker) -> Client {
    Connect::v5("publisher").ok(broker)
}

/// Publishes the message that marks an end on this topic; what came before it is already on its way.
fn end(broker: &Broker, topic: &str) {
    Connect::v311("end").ok(broker).publish(Publish::new(topic, "end", 1));
}
