//! How much does the core take from a client? Each limit is reached, answered and counted.

use hikyaku_broker::{Limits, Step};
use hikyaku_protocol::{AckKind, Publish};
use hikyaku_types::{ProtocolVersion, ReasonCode};

use crate::world::*;

/// A client of 5.0 that has more unanswered than our Receive Maximum is closed; what has been answered counts no more.
#[test]
fn more_than_our_receive_maximum_closes() {
    let mut world = World::with(Limits { receive_maximum: 2, ..Limits::default() });
    let _receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2"]);
    assert_eq!(world.settle(&mut client), ["puback 101", "puback 102"]);
    world.send(&mut client, Q2, "a", &["3", "4"]);
    assert_eq!(world.settle(&mut client), ["pubrec 103", "pubrec 104"]);
    world.send(&mut client, Q0, "a", &["5"]);
    let close = world.publish(&mut client, publish(Q1, 9, "a", "6")).unwrap_err();
    assert_eq!(close.reason, ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
    world.ack(&mut client, AckKind::PubRel, 103);
    assert_eq!(world.hear(&mut client), ["pubcomp 103"]);
    assert_eq!(world.publish(&mut client, publish(Q1, 9, "a", "6")), Ok(Step::Next));
}

/// A refused message gives its place back with the answer that refuses it.
#[test]
fn a_refused_message_does_not_count_against_our_receive_maximum() {
    let mut world = World::with(Limits { receive_maximum: 1, ..Limits::default() });
    let mut client = world.connect(&clean("client"));
    for id in 1..4 {
        world.publish(&mut client, publish(Q2, id, "denied", "x")).unwrap();
        assert_eq!(world.hear(&mut client), [format!("pubrec {id} 87")]);
    }
}

/// A client of 3.1.1 knows no Receive Maximum and is not held to it.
#[test]
fn our_receive_maximum_does_not_hold_for_old_clients() {
    let mut world = World::with(Limits { receive_maximum: 1, ..Limits::default() });
    let _receiver = world.subscriber("receiver", "a", Q1);
    let mut client =
        world.connect(&hikyaku_broker::AttachRequest { version: ProtocolVersion::V311, ..clean("client") });
    world.send(&mut client, Q1, "a", &["1", "2", "3"]);
    assert_eq!(world.settle(&mut client), ["puback 101", "puback 102", "puback 103"]);
}

/// A topic alias above our maximum, or one that was never given a name, closes; one within it stands for its topic.
#[test]
fn topic_aliases_are_limited() {
    let mut world = World::with(Limits { topic_alias_maximum: 2, ..Limits::default() });
    let mut receiver = world.clean_subscriber("receiver", "#", Q0);
    let mut client = world.connect(&clean("client"));
    let aliased =
        |topic, alias| Publish { topic_alias: Some(alias), travels_verbatim: false, ..publish(Q0, 0, topic, "x") };
    world.publish(&mut client, aliased("one", 1)).unwrap();
    world.publish(&mut client, aliased("two", 2)).unwrap();
    world.publish(&mut client, aliased("", 1)).unwrap();
    world.publish(&mut client, aliased("other", 1)).unwrap();
    world.publish(&mut client, aliased("", 1)).unwrap();
    assert_eq!(world.hear(&mut receiver), ["one=x q0", "two=x q0", "one=x q0", "other=x q0", "other=x q0"]);
    for (topic, alias) in [("three", 3), ("", 3)] {
        let close = world.publish(&mut client, aliased(topic, alias)).unwrap_err();
        assert_eq!(close.reason, ReasonCode::TOPIC_ALIAS_INVALID);
    }
    let mut other = world.connect(&clean("other"));
    let close = world.publish(&mut other, aliased("", 1)).unwrap_err();
    assert_eq!(close.reason, ReasonCode::TOPIC_ALIAS_INVALID, "an alias belongs to one connection");
}

/// One subscription more than the limit is refused in SUBACK and counted; replacing one is not one more.
#[test]
fn subscriptions_are_limited() {
    let mut world = World::with(Limits { subscriptions_max: 2, ..Limits::default() });
    let mut client = world.connect(&persistent("client"));
    let three = [("a", options(Q0)), ("b", options(Q1)), ("c", options(Q1))];
    world.ask(&mut client, &subscribe_packet(7, &three, None)).unwrap();
    assert_eq!(world.settle(&mut client), ["suback 7 00 01 97"]);
    world.ask(&mut client, &subscribe_packet(8, &[("a", options(Q2))], None)).unwrap();
    assert_eq!(world.settle(&mut client), ["suback 8 02"]);
    assert_eq!(world.hub.counters.refused_subscriptions.get(), 1);
    assert_eq!(world.hub.subscriptions(), 2);
    world.ask(&mut client, &unsubscribe_packet(9, "a")).unwrap();
    world.ask(&mut client, &subscribe_packet(10, &[("c", options(Q1))], None)).unwrap();
    assert_eq!(world.settle(&mut client), ["unsuback 9 00", "suback 10 01"]);
}

/// A retained message beyond the limit of messages is refused and counted; one in the place of another, and one that
/// clears, are taken.
#[test]
fn retained_messages_are_limited_in_number() {
    let mut world = World::with(Limits { retained_messages_max: 2, ..Limits::default() });
    let mut client = world.connect(&clean("client"));
    let mut keep = |world: &mut World, topic, payload| {
        world.publish(&mut client, Publish { retain: true, ..publish(Q1, 5, topic, payload) }).unwrap();
        world.settle(&mut client).concat()
    };
    assert_eq!(keep(&mut world, "a", "1"), "puback 5");
    assert_eq!(keep(&mut world, "b", "1"), "puback 5");
    assert_eq!(keep(&mut world, "c", "1"), "puback 5 97");
    assert_eq!(keep(&mut world, "a", "2"), "puback 5");
    assert_eq!(keep(&mut world, "c", ""), "puback 5");
    assert_eq!(keep(&mut world, "b", ""), "puback 5");
    assert_eq!(keep(&mut world, "c", "1"), "puback 5");
    assert_eq!((world.hub.retained(), world.hub.counters.refused_retained_full.get()), (2, 1));
}

/// The bytes of retained messages are limited too; what a message replaces is not counted against it.
#[test]
fn retained_messages_are_limited_in_bytes() {
    let mut world = World::with(Limits { retained_bytes_max: 10, ..Limits::default() });
    let mut client = world.connect(&clean("client"));
    for (topic, payload, code) in
        [("a", "12345", ""), ("b", "1234", " 97"), ("a", "123456789", ""), ("a", "0123456789", " 97")]
    {
        world.publish(&mut client, Publish { retain: true, ..publish(Q2, 5, topic, payload) }).unwrap();
        assert_eq!(world.settle(&mut client), [format!("pubrec 5{code}")], "{topic}={payload}");
        world.ack(&mut client, AckKind::PubRel, 5);
        world.settle(&mut client);
    }
    assert_eq!((world.hub.retained(), world.hub.counters.refused_retained_full.get()), (1, 2));
}

/// More bytes in the journal than its limit: publishers are not read until they are on disk. A store that is down is
/// another matter, there everybody gets an answer.
#[test]
fn the_journal_is_limited_in_bytes() {
    let mut world = World::with(Limits { journal_bytes_max: 1000, ..Limits::default() });
    let _receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    let large = "x".repeat(600);
    world.send(&mut client, Q1, "a", &[&large]);
    assert!(!world.hub.is_congested());
    let first = world.hub.seal().unwrap();
    world.send(&mut client, Q1, "a", &[&large]);
    assert!(world.hub.is_congested(), "what is being written counts");
    world.hub.set_store_up(false);
    assert!(!world.hub.is_congested());
    world.hub.set_store_up(true);
    world.apply(first);
    assert!(!world.hub.is_congested());
    world.commit();
    world.send(&mut client, Q1, "a", &[&large]);
    assert!(!world.hub.is_congested(), "nothing is left over in the sum");
}

/// QoS 0 has no answer to be refused with: beyond the limit of retained messages it is delivered, and not kept.
#[test]
fn a_retained_message_of_qos_0_beyond_the_limit_is_delivered() {
    let mut world = World::with(Limits { retained_messages_max: 0, ..Limits::default() });
    let mut receiver = world.clean_subscriber("receiver", "a", Q0);
    let mut client = world.connect(&clean("client"));
    world.publish(&mut client, retained("a", "x")).unwrap();
    assert_eq!(world.hear(&mut receiver), ["a=x q0"]);
    assert_eq!((world.hub.retained(), world.hub.counters.refused_retained_full.get()), (0, 1));
}
