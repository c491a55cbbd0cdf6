//! CONNECT and CONNACK.

use crate::VERSIONS;
use hikyaku_tests::raw::{Client, Connect, Kind, Publish, Version, disconnect, frame, prop, subscribe};
use hikyaku_tests::{Broker, Options};
use std::io::Read;
use std::time::{Duration, Instant};

/// The first packet must be a CONNECT [MQTT-3.1.0-1].
#[test]
fn anything_but_connect_first_closes() {
    let broker = Broker::memory();
    for first in
        [&[0xc0, 0][..], &Publish::new("a", "b", 0).encode(Version::V311), &[0xe0, 0], b"GET / HTTP/1.1\r\n\r\n"]
    {
        let mut client = Client::tcp(broker.addr(), Version::V311);
        client.send(first);
        assert_eq!(client.closed(), None, "{first:02x?} is answered by closing");
    }
}

/// A second CONNECT is a protocol error [MQTT-3.1.0-2].
#[test]
fn second_connect_is_a_protocol_error() {
    let broker = Broker::memory();
    for version in VERSIONS {
        let connect = Connect::new(version, "twice");
        let mut client = connect.ok(&broker);
        client.send(&connect.encode());
        match version {
            Version::V5 => client.disconnected(0x82),
            _ => assert_eq!(client.closed(), None),
        }
    }
}

/// A CONNECT that does not come in time is dropped, whole or in pieces, and harms nobody.
#[test]
fn connect_must_come_in_time() {
    let broker = Options::backend("memory").config("limits:\n  connect_timeout: 1s").start();
    let mut bystander = Connect::v311("bystander").ok(&broker);
    let begin = Instant::now();
    let mut silent = Client::tcp(broker.addr(), Version::V311);
    let mut partial = Client::tcp(broker.addr(), Version::V311);
    partial.send(&Connect::v311("partial").encode()[..5]);
    assert_eq!((silent.closed(), partial.closed()), (None, None));
    let took = begin.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(8), "dropped after {took:?} of 1 s");
    bystander.ping();
}

/// What is sent behind the CONNECT is served, in order, without waiting for the CONNACK.
#[test]
fn packets_behind_connect_are_served() {
    let broker = Broker::memory();
    for version in VERSIONS {
        let mut client = Client::tcp(broker.addr(), version);
        let mut all = Connect::new(version, "eager").encode();
        all.extend(subscribe(version, 1, &[("eager", 1)], &[]));
        all.extend(Publish::new("eager", "one", 1).id(2).encode(version));
        all.extend([0xc0, 0]);
        client.send(&all);
        assert_eq!(client.expect(Kind::Connack).code(), 0);
        assert_eq!(client.wait(Kind::Suback).code(), 1);
        assert_eq!(client.answer(Kind::Puback, 2), 0);
        assert_eq!(client.wait(Kind::Publish).text(), "one");
        client.wait(Kind::Pingresp);
    }
}

/// CONNECT, PUBLISH, DISCONNECT and close, all at once: what was published is published.
#[test]
fn publish_disconnect_and_close_at_once_still_publishes() {
    let broker = Broker::memory();
    let mut watcher = Connect::v311("watcher").ok(&broker);
    watcher.subscribe("hasty", 2);
    for version in VERSIONS {
        for qos in [1, 2] {
            for round in 0..20 {
                let text = format!("{version:?} {qos} {round}");
                let mut all = Connect::new(version, "hasty").encode();
                all.extend(Publish::new("hasty", &text, qos).id(1).encode(version));
                all.extend(disconnect(version, 0, &[]));
                let mut client = Client::tcp(broker.addr(), version);
                client.send(&all);
                drop(client);
                let message = watcher.message();
                assert_eq!((message.text(), message.qos()), (text, qos));
            }
        }
    }
}

/// A protocol level that does not exist is refused and closed [MQTT-3.1.2-2].
#[test]
fn unknown_protocol_levels_are_refused() {
    let broker = Broker::memory();
    for level in [0, 2, 6, 127] {
        let mut connect = Connect::v311("level").encode();
        connect[8] = level;
        let mut client = Client::tcp(broker.addr(), Version::V311);
        client.send(&connect);
        let mut answer = Vec::new();
        client.stream.read_to_end(&mut answer).expect("the broker closes");
        let refused = answer.first() == Some(&0x20) && answer.get(2) == Some(&0) && [1, 0x84].contains(&answer[3]);
        assert!(answer.is_empty() || refused, "level {level} is answered by {answer:02x?}");
    }
}

/// An empty client id: 5.0 assigns one [MQTT-3.2.2-16], 3.1.1 takes it for clean sessions only [MQTT-3.1.3-8].
#[test]
fn empty_client_ids() {
    let broker = Broker::memory();
    let assigned = [(); 2].map(|()| {
        let (client, connack) = Connect::v5("").open(&broker);
        (client, connack.prop(prop::ASSIGNED_CLIENT_ID).cloned().expect("an assigned client id"))
    });
    assert_ne!(assigned[0].1, assigned[1].1);
    let (_, named) = Connect::v5("named").open(&broker);
    assert_eq!(named.prop(prop::ASSIGNED_CLIENT_ID), None);
    Connect::v311("").ok(&broker).ping();
    let (mut refused, connack) = Connect::v311("").durable().open(&broker);
    assert_eq!((connack.code(), connack.flags), (2, 0));
    refused.closed();
    let (mut refused, connack) = Connect::v31("").open(&broker);
    assert_eq!(connack.code(), 2, "3.1 wants a client id of 1 to 23 characters");
    refused.closed();
}

/// A session under an assigned id can be resumed by that id.
#[test]
fn assigned_client_id_names_the_session() {
    use hikyaku_tests::raw::Value;
    let broker = Broker::memory();
    let (client, connack) = Connect::v5("").durable().open(&broker);
    let Some(Value::Bytes(id)) = connack.prop(prop::ASSIGNED_CLIENT_ID).cloned() else { panic!("{connack:?}") };
    client.leave();
    Connect::v5(&String::from_utf8(id).unwrap()).durable().resume(&broker);
}

/// The broker's longest keep alive is told to those who ask for more [MQTT-3.2.2-21].
#[test]
fn server_keep_alive_is_told() {
    let broker = Options::backend("memory").config("limits:\n  keep_alive_max: 20s").start();
    for (asked, told) in [(60, Some(20)), (10, None)] {
        let (_, connack) = Connect::v5("keep").keep_alive(asked).open(&broker);
        assert_eq!(connack.number(prop::SERVER_KEEP_ALIVE), told, "asked for {asked}");
    }
}

/// Response information is given only when asked for [MQTT-3.1.2-28].
#[test]
fn response_information_only_when_asked() {
    let broker = Broker::memory();
    let (_, connack) = Connect::v5("silent").prop(prop::REQUEST_RESPONSE_INFO, 0).open(&broker);
    assert_eq!(connack.prop(prop::RESPONSE_INFO), None);
    let (_, connack) = Connect::v5("curious").prop(prop::REQUEST_RESPONSE_INFO, 1).open(&broker);
    assert_eq!(connack.code(), 0);
}

/// Without problem information, no acknowledgement carries a reason string or user properties [MQTT-3.1.2-29].
#[test]
fn problem_information_only_when_wanted() {
    let broker = Broker::memory();
    let mut client = Connect::v5("terse").prop(prop::REQUEST_PROBLEM_INFO, 0).ok(&broker);
    let unsuback = client.unsubscribe("nothing");
    let id = client.send_publish(Publish::new("nobody", "reads", 1));
    let puback = client.wait(Kind::Puback);
    assert_eq!(puback.id, id);
    for answer in [unsuback, puback] {
        assert_eq!((answer.prop(prop::REASON_STRING), answer.prop(prop::USER)), (None, None));
    }
}

/// No method of enhanced authentication is known: 0x8C, closed [MQTT-4.12.0-1].
#[test]
fn authentication_methods_are_refused() {
    let broker = Broker::memory();
    let (mut client, connack) = Connect::v5("auth").prop(prop::AUTH_METHOD, "SCRAM-SHA-1").open(&broker);
    assert_eq!(connack.code(), 0x8c);
    assert_eq!(client.closed(), None);
    let mut client = Connect::v5("late").ok(&broker);
    client.send(&frame(0xf0, &[]));
    let last = client.closed().expect("a DISCONNECT");
    assert!(last.kind == Kind::Disconnect && [0x82, 0x8c].contains(&last.code()), "{last:?}");
}

/// CONNACK says nothing that is not so: all is available, so no property says otherwise.
#[test]
fn connack_limits_nothing() {
    let broker = Broker::memory();
    let (_, connack) = Connect::v5("plain").open(&broker);
    for property in [prop::MAXIMUM_QOS, prop::RETAIN_AVAILABLE, prop::SHARED_AVAILABLE] {
        assert!(connack.number(property).is_none_or(|value| value == 1), "{property:#x}: {connack:?}");
    }
    assert_eq!(connack.number(prop::MAXIMUM_QOS), None, "it may only be 0 or 1");
}
