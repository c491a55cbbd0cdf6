//! Retained messages and the options of 5.0 about them.

use crate::{end, publisher};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Publish};

const AS_PUBLISHED: u8 = 0x08;
const IF_NEW: u8 = 0x10;
const NEVER: u8 = 0x20;

/// A broker that keeps `on` for the topic `state`, and a 5.0 client.
fn kept() -> (Broker, Client) {
    let broker = Broker::memory();
    publisher(&broker).publish(Publish::new("state", "on", 1).retained());
    let client = Connect::v5("reader").ok(&broker);
    (broker, client)
}

/// How many retained messages a subscription with these options brings.
fn brings(broker: &Broker, client: &mut Client, options: u8) -> usize {
    client.subscribe("state", options);
    end(broker, "state");
    client.messages_until("end").len()
}

/// Retain handling 0: with every SUBSCRIBE; 1: with a new one only; 2: never [MQTT-3.3.1-9, -10, -11].
#[test]
fn retain_handling() {
    let (broker, mut client) = kept();
    assert_eq!([1, 1].map(|options| brings(&broker, &mut client, options)), [1, 1]);
    assert_eq!(brings(&broker, &mut client, 1 | IF_NEW), 0, "the subscription was there");
    client.unsubscribe("state");
    assert_eq!(brings(&broker, &mut client, 1 | IF_NEW), 1, "it is new");
    client.unsubscribe("state");
    assert_eq!(brings(&broker, &mut client, 1 | NEVER), 0);
}

/// What is published while one is subscribed comes without the flag, unless one asks for it as published.
#[test]
fn retain_as_published() {
    let (broker, mut plain) = kept();
    let mut exact = Connect::v5("exact").ok(&broker);
    plain.subscribe("live", 1);
    exact.subscribe("live", 1 | AS_PUBLISHED);
    let mut publisher = publisher(&broker);
    publisher.publish(Publish::new("live", "kept", 1).retained());
    publisher.publish(Publish::new("live", "passing", 1));
    assert_eq!([(); 2].map(|()| plain.message().retain()), [false, false]);
    assert_eq!([(); 2].map(|()| exact.message().retain()), [true, false]);
}

/// The lower QoS arrives here too, the value carries the flag, and wildcards find it.
#[test]
fn retained_message_has_flag_and_lower_qos() {
    let broker = Broker::memory();
    let mut publisher = publisher(&broker);
    for (topic, qos) in [("keep/0", 0), ("keep/1", 1), ("keep/2", 2)] {
        publisher.publish(Publish::new(topic, topic, qos).retained());
    }
    for granted in 0..=2 {
        let mut client = Connect::v311("reader").ok(&broker);
        client.subscribe("keep/#", granted);
        end(&broker, "keep");
        let mut seen: Vec<_> =
            client.messages_until("end").iter().map(|m| (m.topic.clone(), m.qos(), m.retain())).collect();
        seen.sort();
        let expected: Vec<_> = (0..=2).map(|qos: u8| (format!("keep/{qos}"), qos.min(granted), true)).collect();
        assert_eq!(seen, expected);
        client.leave();
    }
}

/// A later value replaces, an empty one clears, and a message without the flag does neither.
#[test]
fn only_the_last_retained_value_counts() {
    let (broker, mut client) = kept();
    let mut publisher = publisher(&broker);
    publisher.publish(Publish::new("state", "passing", 1));
    publisher.publish(Publish::new("state", "", 1));
    publisher.publish(Publish::new("state", "off", 0).retained());
    publisher.ping();
    client.subscribe("state", 1);
    assert_eq!(client.message().text(), "off");
    client.unsubscribe("state");
    publisher.publish(Publish::new("state", "", 1).retained());
    assert_eq!(brings(&broker, &mut client, 1), 0);
}
