//! A long queue for one offline session: filled, killed, drained.

use crate::raw::{Client, Connect, Event, Kind, Publish, Version, WAIT, ack};
use crate::{Broker, Options};
use std::time::{Duration, Instant};

/// What was measured; loss, disorder and damage have failed the run before.
#[derive(Debug)]
pub struct Seen {
    /// The largest memory of the process while it took the messages.
    pub filling_bytes: u64,
    /// The largest memory while it gave them out again, after the restart.
    pub draining_bytes: u64,
    /// From the start after `kill -9` to the first CONNACK.
    pub ready: Duration,
    /// From the first PUBLISH to the last PUBACK.
    pub filled: Duration,
    /// From the CONNECT of the session to its last message.
    pub drained: Duration,
}

/// Queues so many messages of so many bytes, kills the broker, and drains them.
///
/// # Panics
/// When a message is lost, damaged or out of order.
#[must_use]
pub fn fill_kill_drain(backend: &str, messages: usize, bytes: usize) -> Seen {
    let mut broker = Options::backend(backend).start();
    let begin = Instant::now();
    let (subscriber, filling_bytes) = fill_one(&broker, "sleeper", messages, bytes);
    let filled = begin.elapsed();
    broker.kill9();
    let ready = broker.restart();
    let begin = Instant::now();
    let draining_bytes = drain(&broker, subscriber.resume(&broker).untraced(), messages, bytes);
    Seen { filling_bytes, draining_bytes, ready, filled, drained: begin.elapsed() }
}

/// Queues so many messages of so many bytes for a session that is away; returns how it connects, and the largest memory seen.
pub fn fill_one(broker: &Broker, client_id: &str, messages: usize, bytes: usize) -> (Connect, u64) {
    let subscriber = Connect::v311(client_id).durable();
    let mut sleeper = subscriber.ok(broker);
    sleeper.subscribe("queue", 1);
    sleeper.leave();
    let memory = fill(broker, messages, bytes);
    (subscriber, memory)
}

/// Publishes with a window of 500 and returns the largest memory seen.
pub fn fill(broker: &Broker, messages: usize, bytes: usize) -> u64 {
    const WINDOW: usize = 500;
    let mut publisher = Connect::v311("filler").ok(broker).untraced();
    let (mut sent, mut acknowledged, mut memory) = (0, 0, 0);
    while acknowledged < messages {
        let mut burst = Vec::new();
        while sent < messages && sent - acknowledged < WINDOW {
            burst.extend(
                Publish::new("queue", payload(sent, bytes), 1).id((sent % 65_535 + 1) as u16).encode(Version::V311),
            );
            sent += 1;
        }
        publisher.send(&burst);
        let puback = publisher.expect(Kind::Puback);
        assert_eq!(usize::from(puback.id), acknowledged % 65_535 + 1, "PUBACKs come in order [MQTT-4.6.0-2]");
        acknowledged += 1;
        if acknowledged % 1_000 == 0 {
            memory = memory.max(broker.rss_bytes());
        }
    }
    publisher.leave();
    memory.max(broker.rss_bytes())
}

/// Takes all messages, in order, and returns the largest memory seen.
pub fn drain(broker: &Broker, mut client: Client, messages: usize, bytes: usize) -> u64 {
    let (mut acks, mut memory) = (Vec::new(), 0);
    for number in 0..messages {
        let packet = match client.poll(Duration::from_millis(1)) {
            Event::Silence => {
                client.send(&std::mem::take(&mut acks));
                client.poll(WAIT)
            }
            event => event,
        };
        let Event::Packet(packet) = packet else { panic!("message {number} of {messages} was to come: {packet:?}") };
        assert!(
            packet.payload == payload(number, bytes),
            "message {number} of {messages} is not what came: {packet:?}"
        );
        acks.extend(ack(Kind::Puback, packet.id));
        if acks.len() >= 400 {
            client.send(&std::mem::take(&mut acks));
        }
        if number % 1_000 == 0 {
            memory = memory.max(broker.rss_bytes());
        }
    }
    client.send(&acks);
    client.ping();
    assert_eq!(client.poll(Duration::ZERO), Event::Silence, "nothing comes behind the last message");
    memory
}

/// So many bytes that say which message this is.
fn payload(number: usize, bytes: usize) -> Vec<u8> {
    let mut payload = format!("{number:010} ").into_bytes();
    payload.resize(bytes, b'a' + (number % 26) as u8);
    payload
}
