//! Exactly once.

use crate::{VERSIONS, end, publisher};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Kind, Publish, Version, ack, prop};
use std::time::Duration;

fn watched(version: Version) -> (Broker, Client, Client) {
    let broker = Broker::memory();
    let mut watcher = Connect::v5("watcher").ok(&broker);
    watcher.subscribe("once", 2);
    let client = Connect::new(version, "client").durable().ok(&broker);
    (broker, watcher, client)
}

/// A repeat before PUBREL is no second message; after PUBCOMP the id belongs to a new one.
#[test]
fn repeated_publish_is_one_message() {
    for version in VERSIONS {
        let (broker, mut watcher, mut client) = watched(version);
        let message = Publish::new("once", "one", 2).id(5);
        client.send_publish(message.clone());
        client.answer(Kind::Pubrec, 5);
        client.send_publish(message.clone().again());
        client.answer(Kind::Pubrec, 5);
        client.send(&ack(Kind::Pubrel, 5));
        client.answer(Kind::Pubcomp, 5);
        assert_eq!(client.publish(Publish::new("once", "two", 2).id(5)), 0);
        end(&broker, "once");
        assert_eq!(watcher.texts_until("end"), ["one", "two"]);
    }
}

/// PUBREL again is answered again; 5.0 may say that it knows no such id.
#[test]
fn repeated_pubrel_is_answered() {
    for version in VERSIONS {
        let (_broker, _watcher, mut client) = watched(version);
        client.publish(Publish::new("once", "one", 2).id(5));
        client.send(&ack(Kind::Pubrel, 5));
        let code = client.answer(Kind::Pubcomp, 5);
        assert!(code == 0 || (version == Version::V5 && code == 0x92), "{code:#x}");
        client.ping();
    }
}

/// The handshake survives the connection: what the client repeats after its resume is known.
#[test]
fn handshake_of_a_publisher_survives_its_connection() {
    for version in VERSIONS {
        let (broker, mut watcher, mut client) = watched(version);
        let message = Publish::new("once", "one", 2).id(5);
        client.send_publish(message.clone());
        client.answer(Kind::Pubrec, 5);
        client.vanish();
        let mut client = Connect::new(version, "client").durable().ok(&broker);
        assert_eq!(client.publish(message.again()), 0);
        end(&broker, "once");
        assert_eq!(watcher.texts_until("end"), ["one"]);
    }
}

/// To a subscriber: PUBREL before what is repeated, ids kept, in the order of the messages [MQTT-4.6.0-1].
#[test]
fn handshake_of_a_subscriber_survives_its_connection() {
    for version in [Version::V311, Version::V5] {
        let broker = Broker::memory();
        let connect = Connect::new(version, "reader").durable();
        let mut reader = connect.ok(&broker);
        reader.subscribe("once", 2);
        let mut publisher = publisher(&broker);
        for text in ["released", "received", "sent"] {
            publisher.publish(Publish::new("once", text, 2));
        }
        let ids = [(); 3].map(|()| reader.expect(Kind::Publish).id);
        reader.send(&ack(Kind::Pubrec, ids[0]));
        reader.answer(Kind::Pubrel, ids[0]);
        reader.vanish();
        let mut reader = connect.resume(&broker);
        assert_eq!(reader.expect(Kind::Pubrel).id, ids[0]);
        reader.send(&ack(Kind::Pubcomp, ids[0]));
        for (text, id) in [("received", ids[1]), ("sent", ids[2])] {
            let message = reader.message();
            assert_eq!((message.text().as_str(), message.id, message.dup()), (text, id, true));
        }
        end(&broker, "once");
        assert_eq!(reader.texts_until("end"), Vec::<String>::new());
    }
}

/// A message that expires while it is in flight is brought to its end all the same: its delivery had begun [MQTT-3.3.2-5].
#[test]
fn expired_message_in_flight_is_brought_to_its_end() {
    let broker = Broker::memory();
    let connect = Connect::v5("reader").durable();
    let mut reader = connect.ok(&broker);
    reader.subscribe("once", 2);
    publisher(&broker).publish(Publish::new("once", "short", 2).prop(prop::MESSAGE_EXPIRY, 1));
    let first = reader.expect(Kind::Publish);
    reader.vanish();
    std::thread::sleep(Duration::from_millis(2_100)); // time is what is tested
    let mut reader = connect.resume(&broker);
    let again = reader.message();
    assert_eq!((again.id, again.dup(), again.text()), (first.id, true, first.text()));
    end(&broker, "once");
    assert_eq!(reader.texts_until("end"), Vec::<String>::new());
}

/// A message is repeated on a new connection and never on the same one [MQTT-4.4.0-1].
#[test]
fn nothing_is_repeated_while_connected() {
    let broker = Broker::memory();
    let mut reader = Connect::v5("reader").ok(&broker);
    reader.subscribe("once", 2);
    let mut publisher = publisher(&broker);
    publisher.publish(Publish::new("once", "one", 2));
    let first = reader.expect(Kind::Publish);
    publisher.publish(Publish::new("once", "two", 1));
    assert_eq!(reader.message().text(), "two");
    reader.ping();
    reader.acknowledge(&first);
    end(&broker, "once");
    assert_eq!(reader.texts_until("end"), Vec::<String>::new());
}
