//! PUBLISH: what goes through unchanged, what expires, how packet ids are used.

use crate::{VERSIONS, end, publisher};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Connect, Kind, Publish, Value, Version, ack, prop};
use std::time::Duration;

/// Every combination of version and QoS; payloads are bytes and go through as they are.
#[test]
fn every_version_and_quality_reaches_every_version() {
    let broker = Broker::memory();
    let bytes: Vec<u8> = (0..=255).collect();
    let mut readers = VERSIONS.map(|version| {
        let mut reader = Connect::new(version, &format!("reader {version:?}")).ok(&broker);
        reader.subscribe("é/bytes", 2);
        reader
    });
    for version in VERSIONS {
        let mut writer = Connect::new(version, "writer").ok(&broker);
        for qos in 0..=2 {
            writer.publish(Publish::new("é/bytes", &bytes, qos));
            for reader in &mut readers {
                let message = reader.message();
                assert_eq!((message.qos(), message.dup(), message.retain()), (qos, false, false));
                assert_eq!((message.topic.as_str(), &message.payload), ("é/bytes", &bytes));
            }
        }
    }
}

/// Properties reach 5.0 subscribers unaltered and in order [MQTT-3.3.2-4, -15, -16, -17, -18, -20].
#[test]
fn properties_go_through_unaltered() {
    let broker = Broker::memory();
    let (mut new, mut old) = (Connect::v5("new").ok(&broker), Connect::v311("old").ok(&broker));
    new.subscribe("request", 1);
    old.subscribe("request", 1);
    let request = Publish::new("request", "body", 1)
        .prop(prop::PAYLOAD_FORMAT, 1)
        .prop(prop::CONTENT_TYPE, "text/plain")
        .prop(prop::RESPONSE_TOPIC, "reply/here")
        .prop(prop::CORRELATION_DATA, "\u{0}\u{1}c")
        .prop(prop::USER, ("b", "1"))
        .prop(prop::USER, ("a", "2"))
        .prop(prop::USER, ("b", "1"));
    publisher(&broker).publish(request.clone());
    let message = new.message();
    for id in [prop::PAYLOAD_FORMAT, prop::CONTENT_TYPE, prop::RESPONSE_TOPIC, prop::CORRELATION_DATA, prop::USER] {
        let of = |props: &[(u8, Value)]| props.iter().filter(|(found, _)| *found == id).cloned().collect::<Vec<_>>();
        assert_eq!(of(&message.props), of(&request.props));
    }
    assert_eq!(old.message().text(), "body");
}

/// What has expired is not sent; what has not says how long it still has [MQTT-3.3.2-5, -6].
#[test]
fn message_expiry_counts_down() {
    let broker = Broker::memory();
    let connect = Connect::v5("sleeper").durable();
    let mut sleeper = connect.ok(&broker);
    sleeper.subscribe("expiry/#", 1);
    sleeper.leave();
    let mut publisher = publisher(&broker);
    let message = |topic, seconds: u32| Publish::new(topic, topic, 1).prop(prop::MESSAGE_EXPIRY, seconds);
    publisher.publish(message("expiry/short", 1));
    publisher.publish(message("expiry/long", 100));
    publisher.publish(message("kept/short", 1).retained());
    publisher.publish(message("kept/long", 100).retained());
    std::thread::sleep(Duration::from_millis(2_200)); // time is what is tested
    let mut sleeper = connect.resume(&broker);
    sleeper.subscribe("kept/#", 1);
    end(&broker, "kept/end");
    let messages = sleeper.messages_until("end");
    assert_eq!(messages.iter().map(|message| message.text()).collect::<Vec<_>>(), ["expiry/long", "kept/long"]);
    for message in messages {
        let left = message.number(prop::MESSAGE_EXPIRY).expect("what is left");
        assert!((60..=98).contains(&left), "100 s, more than 2 s ago: {left} are left");
    }
}

/// A client that publishes what it subscribes to uses its packet ids and the broker its own.
#[test]
fn same_packet_id_in_both_directions() {
    let broker = Broker::memory();
    for version in VERSIONS {
        let mut client = Connect::new(version, "both").ok(&broker);
        client.subscribe("both", 2);
        let mut other = publisher(&broker);
        other.publish(Publish::new("both", "first", 2));
        let incoming = client.expect(Kind::Publish);
        client.send_publish(Publish::new("both", "second", 2).id(incoming.id));
        client.answer(Kind::Pubrec, incoming.id);
        client.send(&ack(Kind::Pubrec, incoming.id));
        client.answer(Kind::Pubrel, incoming.id);
        client.send(&ack(Kind::Pubrel, incoming.id));
        client.answer(Kind::Pubcomp, incoming.id);
        client.send(&ack(Kind::Pubcomp, incoming.id));
        assert_eq!(client.message().text(), "second");
        end(&broker, "both");
        assert_eq!(client.texts_until("end"), Vec::<String>::new());
        client.leave();
    }
}

/// Packet ids wrap, and none is used again while its message is in flight [MQTT-2.2.1-3].
#[test]
fn packet_ids_wrap_around_what_is_in_flight() {
    const MESSAGES: u32 = 66_000;
    let broker = Broker::memory();
    let mut reader = Connect::v5("reader").ok(&broker).untraced();
    let mut writer = publisher(&broker).untraced();
    reader.subscribe("wrap", 1);
    let (mut held, mut expected) = (None, 0);
    while expected < MESSAGES {
        let burst = (expected..MESSAGES.min(expected + 100)).map(|number| {
            let id = writer.id();
            Publish::new("wrap", number.to_string(), 1).id(id).encode(Version::V5)
        });
        let burst: Vec<Vec<u8>> = burst.collect();
        writer.send(&burst.concat());
        let mut acks = Vec::new();
        for _ in &burst {
            writer.expect(Kind::Puback);
            let message = reader.expect(Kind::Publish);
            assert_eq!(message.text(), expected.to_string());
            assert_ne!(Some(message.id), held, "message {expected} has the id of one that is in flight");
            match expected {
                0 => held = Some(message.id),
                _ => acks.extend(ack(Kind::Puback, message.id)),
            }
            expected += 1;
        }
        if expected == 65_000 {
            acks.extend(ack(Kind::Puback, held.take().expect("the first is held")));
        }
        reader.send(&acks);
    }
    assert_eq!(expected, MESSAGES);
}

/// Messages of one publisher and one quality come in the order in which they were sent [MQTT-4.6.0-6].
#[test]
fn order_is_kept_for_many_publishers() {
    let broker = Broker::memory();
    let mut reader = Connect::v311("reader").ok(&broker);
    reader.subscribe("order/#", 2);
    let mut writers: Vec<_> = (0..5).map(|number| Connect::v311(&format!("writer {number}")).ok(&broker)).collect();
    for number in 0..40_u32 {
        for (from, writer) in writers.iter_mut().enumerate() {
            let qos = 1 + (from % 2) as u8;
            writer.send_publish(Publish::new(&format!("order/{from}"), number.to_string(), qos));
        }
    }
    for (from, writer) in writers.iter_mut().enumerate() {
        for id in (1..=40).filter(|_| from % 2 == 1) {
            writer.answer(Kind::Pubrec, id);
            writer.send(&ack(Kind::Pubrel, id));
        }
    }
    let mut next = [0_u32; 5];
    for _ in 0..200 {
        let message = reader.message();
        let from: usize = message.topic["order/".len()..].parse().unwrap();
        assert_eq!(message.text(), next[from].to_string(), "from writer {from}");
        next[from] += 1;
    }
}
