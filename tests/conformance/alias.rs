//! Topic aliases, both ways.

use crate::publisher;
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Connect, Kind, Publish, Value, prop};
use std::collections::HashMap;

/// An alias stands for its topic until it is given to another, on this connection only.
#[test]
fn aliases_of_a_publisher() {
    let broker = Broker::memory();
    let mut watcher = Connect::v311("watcher").ok(&broker);
    watcher.subscribe("#", 0);
    let (mut client, connack) = Connect::v5("alias").open(&broker);
    let maximum = connack.number(prop::TOPIC_ALIAS_MAXIMUM).expect("the broker takes aliases");
    let topics = [("first", 1), ("", 1), ("other", maximum), ("", 1), ("second", 1), ("", 1), ("", maximum)];
    for (number, (topic, alias)) in topics.into_iter().enumerate() {
        let qos = number as u8 % 3;
        assert!(client.publish(Publish::new(topic, "x", qos).prop(prop::TOPIC_ALIAS, alias)) < 0x80);
    }
    let seen = topics.map(|_| watcher.message().topic);
    assert_eq!(seen, ["first", "first", "other", "first", "second", "second", "other"]);
    client.leave();
    let mut again = Connect::v5("alias").ok(&broker);
    again.send_publish(Publish::new("", "x", 0).prop(prop::TOPIC_ALIAS, 1));
    let last = again.closed().expect("a DISCONNECT");
    assert!(last.kind == Kind::Disconnect && [0x82, 0x94].contains(&last.code()), "{last:?}");
}

/// Zero and what is above the maximum are invalid [MQTT-3.3.2-8, -9].
#[test]
fn invalid_aliases() {
    let broker = Broker::memory();
    let (_, connack) = Connect::v5("alias").open(&broker);
    let maximum = connack.number(prop::TOPIC_ALIAS_MAXIMUM).unwrap_or(0);
    for (topic, alias, reason) in [("a", 0, 0x94), ("a", maximum + 1, 0x94)] {
        let mut client = Connect::v5("alias").ok(&broker);
        client.send_publish(Publish::new(topic, "x", 0).prop(prop::TOPIC_ALIAS, alias));
        client.disconnected(reason);
    }
}

/// The broker uses aliases only as far as the subscriber allows, and what it says can be resolved.
#[test]
fn aliases_of_the_broker() {
    let broker = Broker::memory();
    let mut publisher = publisher(&broker);
    for maximum in [0, 2] {
        let mut client = Connect::v5("reader").prop(prop::TOPIC_ALIAS_MAXIMUM, maximum).ok(&broker);
        client.subscribe("alias/#", 1);
        let topics: Vec<String> = (0..20).map(|number| format!("alias/{}", number % 3)).collect();
        for topic in &topics {
            publisher.publish(Publish::new(topic, topic, 1));
        }
        let mut known: HashMap<u32, String> = HashMap::new();
        for topic in topics {
            let message = client.message();
            let resolved = match message.prop(prop::TOPIC_ALIAS) {
                Some(Value::Number(alias)) => {
                    assert!((1..=maximum).contains(alias), "{message:?}");
                    let known = known.entry(*alias).or_default();
                    if !message.topic.is_empty() {
                        known.clone_from(&message.topic);
                    }
                    known.clone()
                }
                _ => message.topic.clone(),
            };
            assert_eq!((&resolved, &message.text()), (&topic, &topic));
        }
        client.leave();
    }
}
