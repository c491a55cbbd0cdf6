//! How long a session lives.

use crate::{end, publisher};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Connect, Publish, Value, Version, disconnect, prop};

/// What the next CONNECT finds: whether a session is present.
fn present(broker: &Broker, connect: &Connect) -> bool {
    let (client, connack) = connect.open(broker);
    assert_eq!(connack.code(), 0);
    client.leave();
    connack.flags == 1
}

/// 3.x: clean session 0 keeps, 1 drops, at its begin and at its end.
#[test]
fn clean_session_begins_and_ends_without_state() {
    let broker = Broker::memory();
    for version in [Version::V31, Version::V311] {
        let (kept, clean) = (Connect::new(version, "s").durable(), Connect::new(version, "s"));
        assert!(!present(&broker, &kept));
        let (_, connack) = kept.open(&broker);
        let known = u8::from(version == Version::V311); // 3.1 has no such flag
        assert_eq!(connack.flags & known, known, "{version:?}: {connack:?}");
        assert!(!present(&broker, &clean));
        assert!(!present(&broker, &kept), "a clean session leaves nothing behind");
        assert!(!present(&broker, &clean));
    }
}

/// 5.0: clean start drops, the expiry interval keeps; they are independent.
#[test]
fn clean_start_and_expiry_are_independent() {
    let broker = Broker::memory();
    let fresh = Connect::v5("s").prop(prop::SESSION_EXPIRY, 3600);
    let resumed = fresh.clone().clean(false);
    assert!(!present(&broker, &fresh));
    assert!(present(&broker, &resumed));
    assert!(!present(&broker, &fresh), "clean start drops the session");
    assert!(present(&broker, &resumed), "the session that began clean is kept");
    assert!(present(&broker, &Connect::v5("s").clean(false)), "without an interval it ends with the connection");
    assert!(!present(&broker, &resumed));
}

/// Queued messages and subscriptions go with a session that is dropped.
#[test]
fn clean_start_drops_queue_and_subscriptions() {
    let broker = Broker::memory();
    let kept = Connect::v5("s").durable();
    let mut client = kept.ok(&broker);
    client.subscribe("s", 1);
    client.leave();
    publisher(&broker).publish(Publish::new("s", "queued", 1));
    let mut client = Connect::v5("s").ok(&broker);
    publisher(&broker).publish(Publish::new("s", "not subscribed", 1));
    client.subscribe("s", 1);
    end(&broker, "s");
    assert_eq!(client.texts_until("end"), Vec::<String>::new());
}

/// DISCONNECT may change the expiry interval, but not from zero [MQTT-3.14.2-2].
#[test]
fn disconnect_changes_the_expiry() {
    let broker = Broker::memory();
    let long = Connect::v5("s").durable();
    long.ok(&broker).leave_with(0, &[(prop::SESSION_EXPIRY, Value::Number(0))]);
    assert!(!present(&broker, &long.clone()), "the session ended with its connection");
    let mut none = Connect::v5("none").ok(&broker);
    none.send(&disconnect(Version::V5, 0, &[(prop::SESSION_EXPIRY, Value::Number(60))]));
    none.disconnected(0x82);
}

/// An expired session is gone; its delayed will, which cannot outlive it, says when that is.
#[test]
fn session_expires() {
    let broker = Broker::memory();
    let mut watcher = Connect::v311("watcher").ok(&broker);
    watcher.subscribe("will", 0);
    let session = Connect::v5("short").clean(false).prop(prop::SESSION_EXPIRY, 1);
    let will = Publish::new("will", "expired", 0).prop(prop::WILL_DELAY, 600);
    session.clone().will(will).ok(&broker).vanish();
    assert_eq!(watcher.message().text(), "expired");
    assert!(!present(&broker, &session));
}

/// Messages of both qualities wait for an absent session in the order in which they were published.
#[test]
fn queue_keeps_the_order() {
    let broker = Broker::memory();
    for version in [Version::V311, Version::V5] {
        let kept = Connect::new(version, "reader").durable();
        let mut reader = kept.ok(&broker);
        reader.subscribe("queue/#", 2);
        reader.leave();
        let mut publisher = publisher(&broker);
        let expected: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        for (number, text) in expected.iter().enumerate() {
            let qos = 1 + number as u8 % 2;
            publisher.publish(Publish::new(&format!("queue/{}", number % 7), text, qos));
        }
        publisher.publish(Publish::new("queue/zero", "not kept", 0));
        let mut reader = kept.resume(&broker);
        end(&broker, "queue/end");
        let seen = reader.texts_until("end");
        assert_eq!(seen.into_iter().filter(|text| text != "not kept").collect::<Vec<_>>(), expected);
        reader.leave_with(0, if version == Version::V5 { &[(prop::SESSION_EXPIRY, Value::Number(0))] } else { &[] });
        Connect::v311("reader").ok(&broker).leave();
    }
}
