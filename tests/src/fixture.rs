//! A store with everything in it that a store can hold, and the clients who see whether it is all there.
//!
//! [`fill`] made the files in `tests/trouble/fixtures` when their format was today's; [`check`] must pass on them for good. What
//! is to be there for good never expires; what is to be gone was short-lived.

use crate::Broker;
use crate::raw::{Client, Connect, Event, Kind, Packet, Publish, Version, WAIT, ack, prop};
use std::time::{Duration, Instant};

/// Seconds that are no limit: a session that never expires.
const NEVER: u32 = u32::MAX;
/// More than a hundred years.
const LONG: u32 = 4_000_000_000;
/// The time after which what is to be gone is gone.
const SHORT: u32 = 5;
const NO_LOCAL_RETAIN_AS_PUBLISHED: u8 = 4 | 8;

fn durable(name: &str) -> Connect {
    Connect::v5(name).clean(false).prop(prop::SESSION_EXPIRY, NEVER)
}

fn large(text: &str) -> String {
    format!("{text} {}", "0123456789".repeat(500))
}

fn subscribed(broker: &Broker, connect: &Connect, filter: &str, options: u8) {
    let mut client = connect.ok(broker);
    client.subscribe(filter, options);
    client.leave();
}

/// Fills the store of a broker and lets `end` end it. Whoever is still connected then counts as lost.
///
/// # Panics
/// When the broker does not do what it should.
pub fn fill(broker: &mut Broker, end: fn(&mut Broker)) {
    let mut publisher = Connect::v5("publisher").ok(broker);
    fill_queues(broker, &mut publisher);
    fill_retained(&mut publisher);
    let in_publisher = fill_inbound(broker);
    let out = fill_outbound(broker, &mut publisher);
    let willed = fill_wills(broker);
    end(broker);
    drop((publisher, in_publisher, out, willed));
}

fn fill_queues(broker: &Broker, publisher: &mut Client) {
    subscribed(broker, &durable("queue"), "fix/queue", 2);
    publisher.publish(Publish::new("fix/queue", "first", 1));
    publisher
        .publish(Publish::new("fix/queue", "second", 2).prop(prop::CONTENT_TYPE, "text").prop(prop::USER, ("a", "b")));
    publisher.publish(Publish::new("fix/queue", large("third"), 1).prop(prop::MESSAGE_EXPIRY, LONG));
    publisher.publish(Publish::new("fix/queue", "expired", 1).prop(prop::MESSAGE_EXPIRY, SHORT));
    for name in ["fan-1", "fan-2", "fan-3"] {
        subscribed(broker, &durable(name), "fix/fan", 1);
    }
    for number in 1..=3 {
        publisher.publish(Publish::new("fix/fan", large(&number.to_string()), 1));
    }
    for (name, messages) in [("fan-1", 2), ("fan-3", 3)] {
        let mut client = durable(name).prop(prop::RECEIVE_MAXIMUM, 1_u32).resume(broker);
        for _ in 0..messages {
            client.message();
        }
        client.leave();
    }
    for name in ["shared-1", "shared-2"] {
        subscribed(broker, &durable(name), "$share/group/fix/shared", 1);
    }
    for number in 1..=4 {
        publisher.publish(Publish::new("fix/shared", number.to_string(), 1));
    }
    let old = Connect::v31("old").durable();
    subscribed(broker, &old, "fix/old", 1);
    publisher.publish(Publish::new("fix/old", "of 3.1", 2));
    let mut options = durable("options").ok(broker);
    options.subscribe_many(
        &[("fix/options", 1 | NO_LOCAL_RETAIN_AS_PUBLISHED)],
        &[(prop::SUBSCRIPTION_ID, 300_u32.into())],
    );
    options.leave();
}

fn fill_retained(publisher: &mut Client) {
    publisher.publish(Publish::new("fix/retained/small", "small", 1).retained().prop(prop::CONTENT_TYPE, "text"));
    publisher.publish(Publish::new("fix/retained/large", large("large"), 2).retained());
    publisher.publish(Publish::new("fix/retained/gone", "gone", 1).retained());
    publisher.publish(Publish::new("fix/retained/gone", "", 1).retained());
}

/// A publisher stops in the middle of QoS 2.
fn fill_inbound(broker: &Broker) -> Client {
    subscribed(broker, &durable("in-receiver"), "fix/in", 2);
    let mut client = Connect::v311("in-publisher").durable().ok(broker);
    client.send_publish(Publish::new("fix/in", "once", 2).id(7));
    client.answer(Kind::Pubrec, 7);
    client
}

/// A receiver stops in the middle of QoS 2: one message is released, one is sent.
fn fill_outbound(broker: &Broker, publisher: &mut Client) -> Client {
    let mut client = durable("out").ok(broker);
    client.subscribe("fix/out", 2);
    publisher.publish(Publish::new("fix/out", "released", 2));
    publisher.publish(Publish::new("fix/out", "sent", 2));
    let released = client.expect(Kind::Publish);
    client.expect(Kind::Publish);
    client.send(&ack(Kind::Pubrec, released.id));
    client.answer(Kind::Pubrel, released.id);
    client
}

/// One whose client is connected, one that waits for good, one that falls due soon; and a session that expires before.
fn fill_wills(broker: &Broker) -> Client {
    subscribed(broker, &durable("watcher"), "fix/will", 1);
    Connect::v5("expires").clean(false).prop(prop::SESSION_EXPIRY, SHORT - 2).ok(broker).leave();
    for (text, delay) in [("never", LONG), ("later", SHORT)] {
        let will = Publish::new("fix/will", text, 1).prop(prop::WILL_DELAY, delay);
        durable(text).will(will).ok(broker).vanish();
    }
    durable("willed").will(Publish::new("fix/will", "at the start", 1)).ok(broker)
}

/// Whether all of it is there. The broker has just been started on the store.
///
/// # Panics
/// When something is missing, there twice, or not gone.
pub fn check(broker: &Broker) {
    let mut publisher = Connect::v5("publisher").ok(broker);
    check_wills(broker, &mut publisher);
    check_queues(broker, &mut publisher);
    check_options(broker, &mut publisher);
    check_retained(broker);
    check_inbound(broker, &mut publisher);
    check_outbound(broker, &mut publisher);
}

/// First of all: when the later Will has come, what is to be gone is gone.
fn check_wills(broker: &Broker, publisher: &mut Client) {
    let mut watcher = durable("watcher").resume(broker);
    let mut wills = [watcher.message().text(), watcher.message().text()];
    wills.sort();
    assert_eq!(wills, ["at the start", "later"]);
    durable("never").resume(broker).leave();
    publisher.publish(Publish::new("fix/will", "end", 1));
    assert_eq!(watcher.texts_until("end"), Vec::<String>::new(), "the Will of who came back in time is none");
    let (client, connack) = Connect::v5("expires").clean(false).open(broker);
    assert_eq!(connack.flags, 0, "the session has expired");
    client.leave();
}

fn rest(broker: &Broker, publisher: &mut Client, connect: &Connect, topic: &str) -> Vec<Packet> {
    // CONNACK of 3.1 does not say whether the session is there.
    let mut client = if connect.version == Version::V31 { connect.ok(broker) } else { connect.resume(broker) };
    publisher.publish(Publish::new(topic, "end", 1));
    client.messages_until("end")
}

fn check_queues(broker: &Broker, publisher: &mut Client) {
    let queue = rest(broker, publisher, &durable("queue"), "fix/queue");
    let seen: Vec<_> = queue.iter().map(|packet| (packet.text(), packet.qos())).collect();
    assert_eq!(seen, [("first".into(), 1), ("second".into(), 2), (large("third"), 1)]);
    assert_eq!(queue[1].prop(prop::CONTENT_TYPE), Some(&"text".into()));
    assert_eq!(queue[1].prop(prop::USER), Some(&("a", "b").into()));
    let left = queue[2].number(prop::MESSAGE_EXPIRY).expect("what is left of its expiry");
    assert!(left < LONG, "{left}");
    for (name, from) in [("fan-1", 3), ("fan-2", 1), ("fan-3", 4)] {
        let mut client = durable(name).resume(broker);
        for number in from..=3 {
            assert_eq!(client.message().text(), large(&number.to_string()), "{name}");
        }
        client.ping();
        assert_eq!(client.poll(Duration::ZERO), Event::Silence, "{name}");
    }
    let mut members = ["shared-1", "shared-2"].map(|name| durable(name).resume(broker));
    let (mut shared, deadline) = (Vec::new(), Instant::now() + WAIT);
    while shared.len() < 4 && Instant::now() < deadline {
        for client in &mut members {
            if let Event::Packet(packet) = client.poll(Duration::from_millis(10)) {
                client.acknowledge(&packet);
                shared.push(packet.text());
            }
        }
    }
    shared.sort();
    assert_eq!(shared, ["1", "2", "3", "4"], "each to one of the group");
    let old = rest(broker, publisher, &Connect::v31("old").durable(), "fix/old");
    assert_eq!(old.iter().map(Packet::text).collect::<Vec<_>>(), ["of 3.1"]);
}

fn check_options(broker: &Broker, publisher: &mut Client) {
    let mut options = durable("options").resume(broker);
    options.publish(Publish::new("fix/options", "of its own", 1));
    publisher.publish(Publish::new("fix/options", "of another", 1).retained());
    let seen = options.message();
    assert_eq!(
        (seen.text(), seen.retain(), seen.number(prop::SUBSCRIPTION_ID)),
        ("of another".into(), true, Some(300))
    );
}

fn check_retained(broker: &Broker) {
    let mut reader = Connect::v5("reader").ok(broker);
    reader.subscribe("fix/retained/#", 2);
    let mut seen = [reader.message(), reader.message()];
    seen.sort_by_key(Packet::text);
    assert_eq!(seen.iter().map(Packet::text).collect::<Vec<_>>(), [large("large"), "small".into()]);
    assert!(seen.iter().all(Packet::retain));
    assert_eq!((seen[0].qos(), seen[1].qos(), seen[1].prop(prop::CONTENT_TYPE)), (2, 1, Some(&"text".into())));
    reader.ping();
    assert_eq!(reader.poll(Duration::ZERO), Event::Silence, "what was cleared does not come back");
}

fn check_inbound(broker: &Broker, publisher: &mut Client) {
    let mut client = Connect::v311("in-publisher").durable().resume(broker);
    client.publish(Publish::new("fix/in", "once", 2).id(7).again());
    let seen = rest(broker, publisher, &durable("in-receiver"), "fix/in");
    assert_eq!(seen.iter().map(Packet::text).collect::<Vec<_>>(), ["once"]);
}

fn check_outbound(broker: &Broker, publisher: &mut Client) {
    let mut client = durable("out").resume(broker);
    let pubrel = client.expect(Kind::Pubrel);
    client.send(&ack(Kind::Pubcomp, pubrel.id));
    let sent = client.message();
    assert_eq!((sent.text().as_str(), sent.dup()), ("sent", true));
    publisher.publish(Publish::new("fix/out", "end", 1));
    assert_eq!(client.texts_until("end"), Vec::<String>::new());
}
