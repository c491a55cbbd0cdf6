//! What goes to disk, and what need not? The receivers of a message that are done before the seal are left out.

use hikyaku_broker::{AttachRequest, Change, Sealed};
use hikyaku_protocol::{AckKind, Publish};
use hikyaku_traits::Table;

use crate::world::*;

/// Receivers of each message, and the kinds of the other changes.
fn shown(sealed: &Sealed) -> Vec<String> {
    let kind = |change: &Change| match change {
        Change::Publish { message, receivers } => format!("{} for {}", message.topic(), receivers.len()),
        other => format!("{other:?}").split([' ', '(']).next().unwrap().to_owned(),
    };
    sealed.changes.iter().map(kind).collect()
}

/// A receiver that is done before the seal is left out of the write; the others are not.
#[test]
fn a_receiver_that_is_done_before_the_seal_is_left_out() {
    let mut world = World::new();
    let mut fast = world.subscriber("fast", "a", Q1);
    let _slow = world.subscriber("slow", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.hear(&mut fast);
    world.ack(&mut fast, AckKind::PubAck, 2);
    let sealed = world.hub.seal().unwrap();
    assert_eq!(shown(&sealed), ["a for 1"]);
    world.apply(sealed);
    assert_eq!(world.hear(&mut client), ["puback 101"]);
    assert_eq!(world.rows(Table::Message), 1);
    assert_eq!((world.hub.counters.messages_stored.get(), world.hub.counters.writes_spared.get()), (1, 0));
}

/// With all receivers done nothing is written; the watermark still moves, and with it the acknowledgement.
#[test]
fn a_message_without_receivers_left_is_not_written() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.hear(&mut receiver);
    world.ack(&mut receiver, AckKind::PubAck, 2);
    assert!(world.hear(&mut client).is_empty(), "PUBACK follows the watermark");
    let before = world.hub.watermark();
    assert_eq!(world.commit(), 0);
    assert_eq!(world.hub.watermark(), before + 1);
    assert_eq!((world.hub.counters.messages_stored.get(), world.hub.counters.writes_spared.get()), (0, 1));
    assert_eq!(world.hear(&mut client), ["puback 101"]);
}

/// Once sealed a message is written, and a receiver that is done is a change of its own.
#[test]
fn a_receiver_that_is_done_after_the_seal_is_written() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.hear(&mut receiver);
    let first = world.hub.seal().unwrap();
    world.ack(&mut receiver, AckKind::PubAck, 2);
    world.apply(first);
    assert_eq!(world.rows(Table::Message), 1);
    let second = world.hub.seal().unwrap();
    assert_eq!(shown(&second), ["Done"]);
    world.apply(second);
    assert_eq!(world.rows(Table::Message), 0);
}

/// Two messages, acknowledged in the other order: each finds its own publish.
#[test]
fn each_receiver_finds_its_own_message() {
    let mut world = World::new();
    let mut one = world.subscriber("one", "+", Q1);
    let mut two = world.subscriber("two", "b", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.send(&mut client, Q1, "b", &["2"]);
    world.hear(&mut one);
    world.hear(&mut two);
    world.ack(&mut one, AckKind::PubAck, 3);
    world.ack(&mut two, AckKind::PubAck, 2);
    let sealed = world.hub.seal().unwrap();
    assert_eq!(shown(&sealed), ["a for 1", "b for 0"]);
    world.apply(sealed);
    assert_eq!(world.rows(Table::Message), 1);
}

/// A session that is there twice for one message is left out once for each.
#[test]
fn a_receiver_that_is_there_twice_is_left_out_once_for_each() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q1);
    world.subscribe(&mut receiver, "$share/g/a", options(Q1));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    assert_eq!(world.hear(&mut receiver), ["a=1 q1 #2", "a=1 q1 #3"]);
    world.ack(&mut receiver, AckKind::PubAck, 3);
    let sealed = world.hub.seal().unwrap();
    assert_eq!(shown(&sealed), ["a for 1"]);
    world.apply(sealed);
    world.ack(&mut receiver, AckKind::PubAck, 2);
    world.commit();
    assert_eq!(world.rows(Table::Message), 0);
}

/// That an id is taken, and a retained value, are written whatever becomes of the receivers.
#[test]
fn received_and_retain_are_never_left_out() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&persistent("client"));
    world.publish(&mut client, Publish { retain: true, ..publish(Q2, 1, "a", "x") }).unwrap();
    assert_eq!(world.hear(&mut receiver), ["a=x q1 #2"]);
    world.ack(&mut receiver, AckKind::PubAck, 2);
    let sealed = world.hub.seal().unwrap();
    assert_eq!(shown(&sealed), ["Retain", "Received", "a for 0"]);
    world.apply(sealed);
    assert_eq!((world.rows(Table::Message), world.rows(Table::Retained), world.rows(Table::Inflight)), (0, 1, 1));
}

/// What was sent of QoS 2 is in the same batch as that it was: neither is left out.
#[test]
fn qos_2_is_written_in_full() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["1"]);
    world.hear(&mut receiver);
    let sealed = world.hub.seal().unwrap();
    assert_eq!(shown(&sealed), ["a for 1", "Outbound"]);
    world.apply(sealed);
    assert_eq!(world.hear(&mut receiver), ["a=1 q2 #2"]);
    world.ack(&mut receiver, AckKind::PubRec, 2);
    let sealed = world.hub.seal().unwrap();
    assert_eq!(shown(&sealed), ["Done", "Outbound"]);
    world.apply(sealed);
    assert_eq!((world.rows(Table::Message), world.rows(Table::Inflight)), (0, 1));
    world.hear(&mut receiver);
    world.ack(&mut receiver, AckKind::PubComp, 2);
    world.commit();
    assert_eq!(world.rows(Table::Inflight), 0);
}

/// A publish, the id it takes, its retained value and all receivers are one append; a Will is one with its clearing.
#[test]
fn one_publish_is_one_append() {
    let mut world = World::new();
    let _receivers = ["1", "2", "3"].map(|name| world.subscriber(name, "#", Q1));
    let mut client = world.connect(&AttachRequest { will: will("gone", 0), ..persistent("client") });
    world.publish(&mut client, Publish { retain: true, ..publish(Q2, 1, "a", "x") }).unwrap();
    assert_eq!(shown(&world.hub.seal().unwrap()), ["Retain", "Received", "a for 3"]);
    assert!(world.hub.seal().is_none());
    world.leave(client, LOST);
    world.tick();
    let sealed = world.hub.seal().unwrap();
    assert_eq!(shown(&sealed), ["WillSet", "Session", "WillClear", "will for 3"]);
}

/// A batch that only somebody waits for moves the watermark too.
#[test]
fn an_empty_batch_moves_the_watermark() {
    let mut world = World::new();
    let client = world.connect(&clean("client"));
    assert!(world.hub.seal().is_none());
    world.hub.wake_at_commit(client.session.seat());
    client.session.seat().listen(std::task::Waker::noop());
    let sealed = world.hub.seal().unwrap();
    assert!(sealed.changes.is_empty());
    let number = sealed.number;
    world.apply(sealed);
    assert_eq!(world.hub.watermark(), number);
    assert!(client.session.seat().listen(std::task::Waker::noop()), "it was told");
}
