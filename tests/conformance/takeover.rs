//! A client id that connects again while it is connected [MQTT-3.1.4-3].

use crate::{VERSIONS, end, publisher};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Kind, Publish, Version, disconnect};

/// The old connection is told (5.0) and closed, the new one works.
#[test]
fn old_connection_is_told_and_closed() {
    let broker = Broker::memory();
    for old in VERSIONS {
        for new in VERSIONS {
            let mut first = Connect::new(old, "twin").ok(&broker);
            let mut second = Connect::new(new, "twin").ok(&broker);
            match old {
                Version::V5 => first.disconnected(0x8e),
                _ => assert_eq!(first.closed(), None),
            }
            second.subscribe("twin", 1);
            second.publish(Publish::new("twin", "mine", 1));
            assert_eq!(second.message().text(), "mine");
            second.leave();
        }
    }
}

/// The session goes over with all it has: subscriptions, what is in flight, what is queued.
#[test]
fn session_goes_over_with_what_is_in_flight() {
    let broker = Broker::memory();
    let connect = Connect::v5("moves").durable();
    let mut old = connect.ok(&broker);
    old.subscribe("moves", 2);
    let mut publisher = publisher(&broker);
    for (text, qos) in [("one", 1), ("two", 2), ("three", 1)] {
        publisher.publish(Publish::new("moves", text, qos));
    }
    let ids = [(); 3].map(|()| old.expect(Kind::Publish).id);
    let mut new = connect.resume(&broker);
    old.disconnected(0x8e);
    let again = [(); 3].map(|()| new.message());
    assert_eq!(again.each_ref().map(|message| message.text()), ["one", "two", "three"]);
    assert_eq!(again.each_ref().map(|message| message.id), ids, "packet ids are kept [MQTT-4.4.0-1]");
    assert!(again.iter().all(|message| message.dup()));
    end(&broker, "moves");
    assert_eq!(new.texts_until("end"), Vec::<String>::new());
}

/// What the old connection sent before it was taken over is handled.
#[test]
fn last_words_of_the_old_connection_are_heard() {
    let broker = Broker::memory();
    let mut watcher = Connect::v311("watcher").ok(&broker);
    watcher.subscribe("words", 1);
    let connect = Connect::v311("talker").durable().will(Publish::new("words", "will", 0));
    for round in 0..200 {
        let mut old = connect.ok(&broker);
        let mut new = Client::tcp(broker.addr(), Version::V311);
        let mut words = Publish::new("words", round.to_string(), 1).id(1).encode(Version::V311);
        words.extend(disconnect(Version::V311, 0, &[]));
        old.send(&words);
        new.send(&connect.encode());
        assert_eq!(new.expect(Kind::Connack).code(), 0);
        assert_eq!(watcher.message().text(), round.to_string());
        new.leave();
    }
    end(&broker, "words");
    assert_eq!(watcher.texts_until("end"), Vec::<String>::new(), "all had disconnected: no will");
}
