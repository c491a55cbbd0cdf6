//! Receive Maximum and Maximum Packet Size, both ways.

use crate::{end, publisher};
use hikyaku_tests::raw::{Client, Connect, Event, Kind, Publish, Version, ack, prop};
use hikyaku_tests::{Broker, Options};
use std::time::Duration;

/// A subscriber of `flow` with this Receive Maximum, for which messages of this QoS are waiting.
fn subscriber(receive_maximum: u32, qos: u8, messages: usize) -> (Broker, Client, Client) {
    let broker = Broker::memory();
    let mut client = Connect::v5("reader").prop(prop::RECEIVE_MAXIMUM, receive_maximum).ok(&broker);
    client.subscribe("flow", 2);
    let mut publisher = publisher(&broker);
    for number in 0..messages {
        publisher.publish(Publish::new("flow", number.to_string(), qos));
    }
    (broker, client, publisher)
}

/// What has come, and nothing more: the pings give the broker every chance to send it.
fn no_more(client: &mut Client) {
    for _ in 0..3 {
        client.send(&[0xc0, 0]);
        client.expect(Kind::Pingresp);
    }
    assert_eq!(client.poll(Duration::ZERO), Event::Silence);
}

/// No more unacknowledged messages than the subscriber can take [MQTT-3.3.4-9]; QoS 0 is not counted.
#[test]
fn receive_maximum_of_a_subscriber() {
    let (_broker, mut client, mut publisher) = subscriber(2, 1, 5);
    let first = [client.expect(Kind::Publish), client.expect(Kind::Publish)];
    no_more(&mut client);
    client.acknowledge(&first[1]);
    assert_eq!(client.expect(Kind::Publish).text(), "2");
    no_more(&mut client);
    client.acknowledge(&first[0]);
    assert_eq!(client.expect(Kind::Publish).text(), "3");
    publisher.publish(Publish::new("flow", "zero", 0));
    publisher.ping();
    no_more_but_zero(&mut client);
}

/// QoS 0 may overtake the window or wait in line behind it; no QoS 1 message may come.
fn no_more_but_zero(client: &mut Client) {
    client.send(&[0xc0, 0]);
    let answer = client.packet();
    assert!(answer.kind == Kind::Pingresp || answer.text() == "zero", "{answer:?}");
}

/// A QoS 2 message gives its place back with PUBCOMP, or with a PUBREC that refuses it [MQTT-4.4.0-2].
#[test]
fn receive_maximum_with_qos_2() {
    let (_broker, mut client, _publisher) = subscriber(1, 2, 4);
    let first = client.expect(Kind::Publish);
    client.send(&ack(Kind::Pubrec, first.id));
    client.expect(Kind::Pubrel);
    no_more(&mut client);
    client.send(&ack(Kind::Pubcomp, first.id));
    let second = client.expect(Kind::Publish);
    assert_eq!(second.text(), "1");
    let [high, low] = second.id.to_be_bytes();
    client.send(&[0x50, 3, high, low, 0x83]);
    assert_eq!(client.message().text(), "2");
    assert_eq!(client.message().text(), "3");
}

/// A smaller Receive Maximum counts for what is in flight from before.
#[test]
fn receive_maximum_that_shrinks_on_resume() {
    let broker = Broker::memory();
    let wide = Connect::v5("reader").durable();
    let mut client = wide.ok(&broker);
    client.subscribe("flow", 1);
    let mut publisher = publisher(&broker);
    let texts: Vec<String> = (0..6).map(|number| number.to_string()).collect();
    for text in &texts {
        publisher.publish(Publish::new("flow", text, 1));
    }
    for _ in 0..4 {
        client.expect(Kind::Publish);
    }
    client.vanish();
    let mut client = wide.prop(prop::RECEIVE_MAXIMUM, 2).resume(&broker);
    let mut seen = Vec::new();
    let mut window = vec![client.expect(Kind::Publish), client.expect(Kind::Publish)];
    no_more(&mut client);
    while !window.is_empty() {
        let packet = window.remove(0);
        client.acknowledge(&packet);
        seen.push(packet.text());
        if seen.len() + window.len() < texts.len() {
            window.push(client.expect(Kind::Publish));
        }
    }
    assert_eq!(seen, texts);
}

/// A client that sends more than the broker said it takes is told so [MQTT-3.3.4-7].
#[test]
fn receive_maximum_of_the_broker() {
    let broker = Options::backend("memory").config("limits:\n  receive_maximum: 3").start();
    let (mut client, connack) = Connect::v5("eager").open(&broker);
    assert_eq!(connack.number(prop::RECEIVE_MAXIMUM), Some(3));
    for id in 1..=3 {
        client.send_publish(Publish::new("flow", "x", 2).id(id));
    }
    for id in 1..=3 {
        client.answer(Kind::Pubrec, id);
    }
    client.ping();
    client.send_publish(Publish::new("flow", "x", 2).id(4));
    client.disconnected(0x93);
}

/// A message that is too large for one subscriber is dropped for that one, and acts as if it were delivered [MQTT-3.1.2-25].
#[test]
fn maximum_packet_size_of_a_subscriber() {
    let broker = Broker::memory();
    let mut small = Connect::v5("small").prop(prop::MAXIMUM_PACKET_SIZE, 60).ok(&broker);
    let mut large = Connect::v5("large").ok(&broker);
    for client in [&mut small, &mut large] {
        client.subscribe("size", 2);
    }
    let mut publisher = publisher(&broker);
    for qos in 0..=2 {
        publisher.publish(Publish::new("size", "x".repeat(100), qos));
        publisher.publish(Publish::new("size", "fits", qos));
    }
    end(&broker, "size");
    assert_eq!(small.texts_until("end"), ["fits"; 3]);
    assert_eq!(large.texts_until("end").len(), 6);
}

/// The last word of the broker does without its Reason String where that would be too large [MQTT-3.14.2-3].
#[test]
fn maximum_packet_size_of_a_last_word() {
    let broker = Broker::memory();
    for (size, has_text) in [(40, false), (1_000, true)] {
        let mut client = Connect::v5("small").prop(prop::MAXIMUM_PACKET_SIZE, size).ok(&broker);
        client.send(&[0xf3, 0]); // AUTH has no flags
        let last = client.closed().expect("a DISCONNECT");
        assert_eq!((last.kind, last.prop(prop::REASON_STRING).is_some()), (Kind::Disconnect, has_text));
    }
}

/// A packet larger than the broker takes is refused by its size alone, before its body has come.
#[test]
fn maximum_packet_size_of_the_broker() {
    let broker = Options::backend("memory").config("limits:\n  packet_size_max: 1KiB").start();
    let (mut client, connack) = Connect::v5("large").open(&broker);
    assert_eq!(connack.number(prop::MAXIMUM_PACKET_SIZE), Some(1024));
    assert!(client.publish(Publish::new("size", "x".repeat(1000), 1)) < 0x80);
    client.send(&Publish::new("size", "x".repeat(2000), 1).id(9).encode(Version::V5)[..100]);
    client.disconnected(0x95);
    let mut old = Connect::v311("large").ok(&broker);
    old.send(&Publish::new("size", "x".repeat(2000), 1).id(9).encode(Version::V311)[..100]);
    assert_eq!(old.closed(), None);
}

/// Packets that are larger than one read, in one burst, reach a reader; one who does not read at all holds nobody up.
#[test]
fn large_packets_pass_a_subscriber_that_does_not_read() {
    let broker = Broker::memory();
    let mut stuck = Connect::v311("stuck").ok(&broker).untraced();
    let mut reader = Connect::v311("reader").ok(&broker).untraced();
    stuck.subscribe("flow", 1);
    reader.subscribe("flow", 1);
    let mut publisher = Connect::v311("publisher").ok(&broker).untraced();
    for burst in 0..40_u16 {
        let mut bytes = Vec::new();
        for number in 0..5 {
            let payload = vec![b'z'; 65_000];
            bytes.extend(Publish::new("flow", payload, 1).id(burst * 5 + number + 1).encode(Version::V311));
        }
        publisher.send(&bytes);
        for _ in 0..5 {
            assert_eq!(reader.message().payload.len(), 65_000);
            publisher.expect(Kind::Puback);
        }
    }
    drop(stuck);
}
