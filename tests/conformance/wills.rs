//! When a will is published, and when not.

use crate::{VERSIONS, end};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Publish, Value, Version, prop};
use std::time::{Duration, Instant};

fn will(text: &str) -> Publish {
    Publish::new("will", text, 1)
}

fn delayed(text: &str, seconds: u32) -> Publish {
    will(text).prop(prop::WILL_DELAY, seconds)
}

fn watched() -> (Broker, Client) {
    let broker = Broker::memory();
    let mut watcher = Connect::v5("watcher").ok(&broker);
    watcher.subscribe("will", 2);
    (broker, watcher)
}

fn none(broker: &Broker, watcher: &mut Client) {
    end(broker, "will");
    assert_eq!(watcher.texts_until("end"), Vec::<String>::new());
}

/// A connection that is lost publishes it at once, with its QoS and its retain flag.
#[test]
fn lost_connection_publishes_the_will() {
    let (broker, mut watcher) = watched();
    for version in VERSIONS {
        for qos in 0..=2 {
            let text = format!("{version:?} {qos}");
            Connect::new(version, "lost").will(Publish::new("will", &text, qos).retained()).ok(&broker).vanish();
            let message = watcher.message();
            assert_eq!((message.text(), message.qos(), message.retain()), (text.clone(), qos, false));
            let mut late = Connect::v311("late").ok(&broker);
            late.subscribe("will", 0);
            let kept = late.message();
            assert_eq!((kept.text(), kept.retain()), (text, true));
            late.leave();
        }
    }
}

/// DISCONNECT takes it away [MQTT-3.14.4-3], and so it stays with the next connection of that name.
#[test]
fn disconnect_takes_the_will_away() {
    let (broker, mut watcher) = watched();
    for version in VERSIONS {
        Connect::new(version, "left").durable().will(will("left")).ok(&broker).leave();
        Connect::new(version, "left").durable().ok(&broker).vanish();
        Connect::new(version, "left").ok(&broker).leave();
    }
    none(&broker, &mut watcher);
}

/// DISCONNECT with 0x04 asks for it, and so does every other reason but 0x00.
#[test]
fn disconnect_with_will_publishes_it() {
    let (broker, mut watcher) = watched();
    for reason in [0x04, 0x80, 0x98] {
        let text = format!("{reason:#x}");
        Connect::v5("asks").will(will(&text)).ok(&broker).leave_with(reason, &[]);
        assert_eq!(watcher.message().text(), text);
    }
}

/// A protocol error closes the connection, and that is a loss.
#[test]
fn protocol_error_publishes_the_will() {
    let (broker, mut watcher) = watched();
    for version in VERSIONS {
        let text = format!("{version:?}");
        let mut client = Connect::new(version, "wrong").will(will(&text)).ok(&broker);
        client.send(&[0x30, 0]);
        client.closed();
        assert_eq!(watcher.message().text(), text);
    }
}

/// Keep alive that runs out is a loss.
#[test]
fn keep_alive_timeout_publishes_the_will() {
    let (broker, mut watcher) = watched();
    let begin = Instant::now();
    let _silent = Connect::v311("silent").keep_alive(1).will(will("silent")).ok(&broker);
    assert_eq!(watcher.message().text(), "silent");
    assert!(begin.elapsed() > Duration::from_millis(1_400), "after {:?}", begin.elapsed());
}

/// A takeover is a loss too; a delay spares the client whose session goes on [MQTT-3.1.3-9], not the one whose session ends.
#[test]
fn takeover_and_the_will() {
    let (broker, mut watcher) = watched();
    for version in VERSIONS {
        let text = format!("{version:?}");
        let _old = Connect::new(version, "twin").will(will(&text)).ok(&broker);
        Connect::new(version, "twin").ok(&broker).leave();
        assert_eq!(watcher.message().text(), text);
    }
    let twin = Connect::v5("twin").durable();
    let _old = twin.clone().will(delayed("spared", 600)).ok(&broker);
    twin.resume(&broker).leave();
    none(&broker, &mut watcher);
    let _old = twin.clone().will(delayed("session ended", 600)).ok(&broker);
    Connect::v5("twin").ok(&broker).leave();
    assert_eq!(watcher.message().text(), "session ended");
}

/// The will waits for its delay, and not at all if the client comes back.
#[test]
fn will_delay() {
    let (broker, mut watcher) = watched();
    let back = Connect::v5("back").durable();
    back.clone().will(delayed("came back", 1)).ok(&broker).vanish();
    let again = back.ok(&broker);
    let begin = Instant::now();
    Connect::v5("away").durable().will(delayed("away", 1)).ok(&broker).vanish();
    assert_eq!(watcher.message().text(), "away", "the first came back in time");
    assert!(begin.elapsed() > Duration::from_millis(900), "after {:?} of 1 s", begin.elapsed());
    again.leave();
    none(&broker, &mut watcher);
}

/// The end of the session comes first: the will goes with it. Clean start ends it, and so does an expiry of zero.
#[test]
fn will_goes_with_its_session() {
    let (broker, mut watcher) = watched();
    Connect::v5("short").will(delayed("no session left", 600)).ok(&broker).vanish();
    assert_eq!(watcher.message().text(), "no session left");
    Connect::v5("long").durable().will(delayed("clean start", 600)).ok(&broker).vanish();
    Connect::v5("long").ok(&broker).leave();
    assert_eq!(watcher.message().text(), "clean start");
}

/// Its properties are those of the message; the delay is not one of them.
#[test]
fn will_has_its_properties() {
    let (broker, mut watcher) = watched();
    let will = will("typed")
        .prop(prop::CONTENT_TYPE, "text")
        .prop(prop::RESPONSE_TOPIC, "reply")
        .prop(prop::CORRELATION_DATA, "17")
        .prop(prop::MESSAGE_EXPIRY, 1000)
        .prop(prop::USER, ("name", "value"));
    Connect::v5("typed").will(will.clone()).ok(&broker).vanish();
    let message = watcher.message();
    for (id, value) in will.props {
        match id {
            prop::MESSAGE_EXPIRY => assert!(message.number(id).is_some_and(|left| left > 900 && left <= 1000)),
            _ => assert_eq!(message.prop(id), Some(&value)),
        }
    }
    assert_eq!(message.prop(prop::WILL_DELAY), None::<&Value>);
}

/// A will that is not allowed to be one is refused with its CONNECT.
#[test]
fn invalid_wills_are_refused() {
    let broker = Broker::memory();
    for version in [Version::V311, Version::V5] {
        for wrong in [Publish::new("will/#", "x", 0), Publish::new("", "x", 0), Publish::new("will", "x", 3)] {
            let mut client = Client::tcp(broker.addr(), version);
            client.send(&Connect::new(version, "wrong").will(wrong.clone()).encode());
            let last = client.closed();
            assert!(last.as_ref().is_none_or(|packet| packet.code() != 0), "{wrong:?}: {last:?}");
        }
    }
}
