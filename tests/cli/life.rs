//! Clients that leave something of everything in a store, and what they must find there later.

use hikyaku_tests::raw::{Client, Connect, Kind, Publish, Version, ack, prop};
use hikyaku_tests::{Broker, Options, tool};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes that have a row of their own.
const LARGE: usize = 5000;

/// A directory that goes with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hikyaku-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn ended(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `hikyaku store ...`, which must succeed; what it said on stdout.
pub fn store(arguments: &[&str]) -> String {
    let said = ended(&mut tool(&[&["store"], arguments].concat()));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{arguments:?}: {said:?}");
    said.out
}

/// `hikyaku store ...`, which must be refused with code 1; why.
pub fn refused(arguments: &[&str]) -> String {
    let said = ended(&mut tool(&[&["store"], arguments].concat()));
    assert_eq!(said.code, Some(1), "{arguments:?}: {said:?}");
    said.err
}

pub fn address(engine: &str, directory: &Path) -> String {
    format!("{engine}:{}", directory.display())
}

pub fn data(broker: &Broker) -> PathBuf {
    broker.dir().join("data")
}

/// A broker that was killed once it was ready: its store is there and has no records.
pub fn fresh_broker(options: Options) -> Broker {
    let mut broker = options.start();
    Connect::v311("ready").ok(&broker).leave();
    broker.kill9();
    broker
}

fn lost() -> Connect {
    Connect::v5("lost").durable().will(Publish::new("will", "of lost", 1).prop(prop::WILL_DELAY, 3600))
}

fn connected() -> Connect {
    Connect::v311("connected").will(Publish::new("will", [0xFF, 0], 2))
}

/// The three who have queues, and what they subscribe to.
fn queues() -> [(Connect, &'static [(&'static str, u8)]); 3] {
    [
        (Connect::v5("five").durable(), &[("a/#", 2), ("$share/group/s/+", 1), ("will", 1)]),
        (Connect::v311("three").durable(), &[("a/#", 1)]),
        (Connect::v31("oldest").durable(), &[("a/#", 2)]),
    ]
}

/// A broker that was killed with a store that has records of every kind.
pub fn killed_broker(backend: &str) -> Broker {
    let mut broker = Options::backend(backend).start();
    let mut publisher = Connect::v5("publisher").ok(&broker);
    for (connect, filters) in queues() {
        let mut client = connect.ok(&broker);
        let identifier = if connect.client_id == "five" { vec![(prop::SUBSCRIPTION_ID, 300.into())] } else { vec![] };
        client.subscribe_many(filters, &identifier);
        client.leave();
    }
    for message in messages() {
        assert!(publisher.publish(message) < 0x80);
    }
    // One of them takes the first message, which the others still have: its progress is written down.
    let mut three = queues()[1].0.resume(&broker);
    assert_eq!(three.message().text(), "typed");
    three.ping();
    three.vanish();
    half_sent(&broker, &mut publisher);
    half_received(&broker);
    lost().ok(&broker).vanish();
    for (topic, payload) in retained() {
        publisher.publish(Publish::new(topic, payload, 1).retained());
    }
    let _connected = connected().ok(&broker);
    broker.kill9();
    broker
}

fn messages() -> Vec<Publish> {
    let typed = Publish::new("a/typed", "typed", 1)
        .prop(prop::MESSAGE_EXPIRY, 3600)
        .prop(prop::USER, ("k", "v"))
        .prop(prop::CONTENT_TYPE, "text/plain")
        .prop(prop::CORRELATION_DATA, "\u{1}\u{2}")
        .prop(prop::USER, ("k", "w"));
    vec![
        typed,
        Publish::new("a//", "twice \"quoted\"", 2),
        Publish::new("a/bytes", [0, 0xFF, b'\n'], 2),
        Publish::new("a/large", vec![b'l'; LARGE], 1),
        Publish::new("a/large/bytes", vec![0xFE; LARGE], 2),
        Publish::new("s/1", "shared", 1),
        Publish::new("a/007", "", 1),
    ]
}

/// Small and large, text and bytes, and topics with empty levels.
fn retained() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("r/small", b"21.5 \xC2\xB0C".to_vec()),
        ("r/large", vec![b'x'; LARGE]),
        ("r/bytes", vec![0xFF, 0, 1]),
        ("r//", b"empty levels".to_vec()),
        ("r/007", b"7".to_vec()),
    ]
}

/// Two QoS 2 messages are on their way to a client: the first is released, the second sent.
fn half_sent(broker: &Broker, publisher: &mut Client) {
    let mut out = Connect::v5("out").durable().ok(broker);
    out.subscribe("out", 2);
    publisher.publish(Publish::new("out", "released", 2));
    publisher.publish(Publish::new("out", "sent", 2));
    let released = out.expect(Kind::Publish);
    out.expect(Kind::Publish);
    out.send(&ack(Kind::Pubrec, released.id));
    out.answer(Kind::Pubrel, released.id);
    out.vanish();
}

/// A QoS 2 message of a client is accepted, and not released yet.
fn half_received(broker: &Broker) {
    let mut publisher = Connect::v311("in").durable().ok(broker);
    publisher.send_publish(Publish::new("a/in", "once", 2).id(7));
    publisher.answer(Kind::Pubrec, 7);
    publisher.vanish();
}

/// The broker remembers all that the clients of [`killed_broker`] have left.
pub fn all_is_there(broker: &Broker) {
    released_and_sent(broker);
    received_once(broker);
    let mut publisher = Connect::v5("publisher").ok(broker);
    // A client that begins anew ends the session, and with it the delay of its will.
    Connect::v5("lost").ok(broker).leave();
    for topic in ["a/end", "will"] {
        publisher.publish(Publish::new(topic, "end", 1));
    }
    for (connect, filters) in queues() {
        // 3.1 has no word for a session that is there.
        let mut client = if connect.version == Version::V31 { connect.ok(broker) } else { connect.resume(broker) };
        queue_is_there(&mut client, &connect.client_id, filters);
    }
    let mut reader = Connect::v311("reader").ok(broker);
    reader.subscribe("r/#", 1);
    let seen: BTreeSet<_> =
        retained().iter().map(|_| reader.message()).map(|seen| (seen.topic, seen.payload)).collect();
    assert_eq!(seen, retained().into_iter().map(|(topic, payload)| (topic.to_owned(), payload)).collect());
}

fn released_and_sent(broker: &Broker) {
    let mut out = Connect::v5("out").durable().resume(broker);
    let pubrel = out.expect(Kind::Pubrel);
    out.send(&ack(Kind::Pubcomp, pubrel.id));
    let again = out.message();
    assert_eq!((again.text().as_str(), again.dup()), ("sent", true));
    out.leave();
}

fn received_once(broker: &Broker) {
    let mut publisher = Connect::v311("in").durable().resume(broker);
    publisher.publish(Publish::new("a/in", "once", 2).id(7).again());
    publisher.leave();
}

fn queue_is_there(client: &mut Client, name: &str, filters: &[(&str, u8)]) {
    let is_five = name == "five";
    let expected = messages().into_iter().chain([Publish::new("a/in", "once", 2)]);
    let expected = expected.filter(|message| is_five || !message.topic.starts_with('s'));
    let expected = expected.skip(usize::from(name == "three"));
    let qos_max = filters[0].1;
    let mut wills = BTreeSet::new();
    let mut seen = Vec::new();
    loop {
        let message = client.message();
        match (message.topic.as_str(), message.text().as_str()) {
            ("a/end", _) if !is_five => break,
            ("a/end", _) => {}
            ("will", "end") => break,
            ("will", _) => drop(wills.insert(message.payload)),
            _ => {
                if is_five {
                    assert_eq!(message.number(prop::SUBSCRIPTION_ID), Some(300));
                }
                if is_five && message.topic == "a/typed" {
                    assert_eq!(message.prop(prop::CONTENT_TYPE), Some(&"text/plain".into()));
                    assert_eq!(message.prop(prop::USER), Some(&("k", "v").into()));
                    assert!(message.number(prop::MESSAGE_EXPIRY).is_some_and(|left| left <= 3600 && left > 3000));
                }
                let qos = message.qos();
                seen.push((message.topic, message.payload, qos));
            }
        }
    }
    let qos = |message: &Publish| if message.topic.starts_with('s') { 1 } else { message.qos.min(qos_max) };
    let expected: Vec<_> =
        expected.map(|message| (message.topic.clone(), message.payload.clone(), qos(&message))).collect();
    assert_eq!(seen, expected, "the queue of {name}");
    if is_five {
        assert_eq!(wills, BTreeSet::from([b"of lost".to_vec(), vec![0xFF, 0]]), "the wills of the lost");
    }
}
