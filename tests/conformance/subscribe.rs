//! SUBSCRIBE and UNSUBSCRIBE.

use crate::{VERSIONS, end, publisher};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Packet, Publish, Value, Version, prop};

const NO_LOCAL: u8 = 4;

fn identifiers(message: &Packet) -> Vec<u32> {
    let ids = message.props.iter().filter(|(id, _)| *id == prop::SUBSCRIPTION_ID);
    ids.map(|(_, value)| if let Value::Number(number) = value { *number } else { 0 }).collect()
}

fn subscribe_as(client: &mut Client, filter: &str, identifier: u32) {
    let suback = client.subscribe_many(&[(filter, 1)], &[(prop::SUBSCRIPTION_ID, Value::Number(identifier))]);
    assert_eq!(suback.codes, [1]);
}

/// Which filters match which topics; leading wildcards leave `$` alone [MQTT-4.7.2-1].
#[test]
fn filters_match_topics() {
    let broker = Broker::memory();
    let mut writer = publisher(&broker);
    for (filter, matching, other) in [
        ("a/b", &["a/b"][..], &["a", "a/b/c", "A/b", "/a/b", "a/b/"][..]),
        ("a/+", &["a/b", "a/"], &["a", "a/b/c"]),
        ("a/#", &["a", "a/", "a/b", "a/b/c"], &["b", "ab"]),
        ("+", &["a", "é"], &["a/b", "/a", "$a"]),
        ("+/+", &["a/b", "/a", "/"], &["a", "$a/b"]),
        ("#", &["a", "/", "a/b/c"], &["$a", "$x/y"]),
        ("/#", &["/", "/a"], &["a"]),
        ("+/b/#", &["a/b", "a/b/c/d"], &["b", "a/c/b", "$a/b"]),
        ("$a/#", &["$a", "$a/b"], &["a"]),
        ("$a/+", &["$a/b"], &["$a", "$a/b/c"]),
    ] {
        let mut reader = Connect::v311("reader").ok(&broker);
        reader.subscribe(filter, 0);
        reader.subscribe("the/end", 0);
        for topic in matching.iter().chain(other) {
            writer.publish(Publish::new(topic, topic, 1));
        }
        end(&broker, "the/end");
        let mut seen = reader.texts_until("end");
        seen.dedup();
        assert_eq!(seen, matching, "filter {filter}");
        reader.leave();
    }
}

/// One SUBACK with a code for each filter, in order; the lower of asked and possible is all of it.
#[test]
fn suback_answers_each_filter() {
    let broker = Broker::memory();
    for version in VERSIONS {
        let mut client = Connect::new(version, "many").ok(&broker);
        assert_eq!(client.subscribe_many(&[("a", 0), ("b/+", 2), ("#", 1), ("a", 2)], &[]).codes, [0, 2, 1, 2]);
        let many: Vec<String> = (0..500).map(|number| format!("many/{number}")).collect();
        let filters: Vec<_> = many.iter().map(|filter| (filter.as_str(), 1)).collect();
        assert_eq!(client.subscribe_many(&filters, &[]).codes, [1; 500]);
        client.leave();
    }
}

/// UNSUBACK says in 5.0 whether there was anything to end; after it nothing comes.
#[test]
fn unsubscribe_ends_a_subscription() {
    let broker = Broker::memory();
    for version in VERSIONS {
        let mut client = Connect::new(version, "client").ok(&broker);
        client.subscribe("here", 1);
        client.subscribe("end", 1);
        let codes = [client.unsubscribe("here").codes, client.unsubscribe("here").codes];
        match version {
            Version::V5 => assert_eq!(codes, [[0], [0x11]]),
            _ => assert_eq!(codes, [[], []] as [[u8; 0]; 2]),
        }
        publisher(&broker).publish(Publish::new("here", "too late", 1));
        end(&broker, "end");
        assert_eq!(client.texts_until("end"), Vec::<String>::new());
        client.leave();
    }
}

/// A subscription with the same filter replaces the one before [MQTT-3.8.4-3].
#[test]
fn same_filter_replaces_the_subscription() {
    let broker = Broker::memory();
    let mut client = Connect::v5("client").ok(&broker);
    client.subscribe("again", 2);
    client.subscribe("again", 0);
    publisher(&broker).publish(Publish::new("again", "once", 2));
    end(&broker, "again");
    let seen = client.messages_until("end");
    assert_eq!(seen.iter().map(Packet::qos).collect::<Vec<_>>(), [0]);
}

/// Overlapping subscriptions: the highest QoS arrives, in one message or one for each [MQTT-3.3.4-2].
#[test]
fn overlapping_subscriptions_bring_the_highest_quality() {
    let broker = Broker::memory();
    for version in VERSIONS {
        let mut client = Connect::new(version, "overlap").ok(&broker);
        for (filter, qos) in [("a/#", 0), ("a/b", 2), ("+/b", 1)] {
            client.subscribe(filter, qos);
        }
        publisher(&broker).publish(Publish::new("a/b", "x", 2));
        end(&broker, "a/b");
        let mut qualities = Vec::new();
        loop {
            let message = client.message();
            match message.text().as_str() {
                "x" => qualities.push(message.qos()),
                _ => break,
            }
        }
        qualities.sort_unstable();
        assert!(qualities == [2] || qualities == [0, 1, 2], "{version:?}: {qualities:?}");
        client.leave();
    }
}

/// Subscription identifiers come with what they brought; overlapping ones all come [MQTT-3.3.4-3, -4].
#[test]
fn subscription_identifiers() {
    let broker = Broker::memory();
    let mut client = Connect::v5("ids").ok(&broker);
    subscribe_as(&mut client, "id/one", 1);
    subscribe_as(&mut client, "id/+", 268_435_455);
    client.subscribe("plain", 1);
    let mut writer = publisher(&broker);
    writer.publish(Publish::new("id/one", "both", 1));
    writer.publish(Publish::new("id/two", "one", 1));
    writer.publish(Publish::new("plain", "none", 1));
    end(&broker, "plain");
    let seen = client.messages_until("end");
    let of = |text: &str| {
        let mut ids: Vec<u32> = seen.iter().filter(|message| message.text() == text).flat_map(identifiers).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!((of("both"), of("one"), of("none")), (vec![1, 268_435_455], vec![268_435_455], vec![]));
    subscribe_as(&mut client, "id/one", 7);
    client.unsubscribe("id/+");
    writer.publish(Publish::new("id/one", "replaced", 1));
    assert_eq!(identifiers(&client.message()), [7]);
    client.subscribe("id/one", 1);
    writer.publish(Publish::new("id/one", "taken away", 1));
    assert_eq!(identifiers(&client.message()), Vec::<u32>::new());
}

/// Identifiers belong to the session: they come with what was queued too.
#[test]
fn subscription_identifiers_of_queued_messages() {
    let broker = Broker::memory();
    let connect = Connect::v5("ids").durable();
    let mut client = connect.ok(&broker);
    subscribe_as(&mut client, "id", 9);
    client.leave();
    publisher(&broker).publish(Publish::new("id", "queued", 1));
    assert_eq!(identifiers(&connect.resume(&broker).message()), [9]);
}

/// With "no local" one's own messages do not come back, others' do [MQTT-3.8.3-3].
#[test]
fn no_local() {
    let broker = Broker::memory();
    let mut client = Connect::v5("local").ok(&broker);
    client.subscribe("room", 1 | NO_LOCAL);
    client.publish(Publish::new("room", "mine", 1));
    publisher(&broker).publish(Publish::new("room", "yours", 1));
    end(&broker, "room");
    assert_eq!(client.texts_until("end"), ["yours"]);
}
