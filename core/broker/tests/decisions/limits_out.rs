//! How much does the core hold for a client, and send to it at once? Each limit is reached and counted.

use hikyaku_broker::{AttachRequest, Limits};
use hikyaku_protocol::{AckKind, Publish};

use crate::world::*;

/// A client gets as many messages at once as its Receive Maximum says, and the next with each acknowledgement.
#[test]
fn the_receive_maximum_of_a_client_is_kept() {
    let mut world = World::new();
    let mut receiver = world.connect(&AttachRequest { receive_maximum: 2, ..persistent("receiver") });
    world.subscribe(&mut receiver, "a", options(Q2));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.send(&mut client, Q2, "a", &["2"]);
    world.send(&mut client, Q1, "a", &["3"]);
    world.send(&mut client, Q0, "a", &["0"]);
    assert_eq!(world.settle(&mut receiver), ["a=0 q0", "a=1 q1 #2", "a=2 q2 #3"]);
    world.ack(&mut receiver, AckKind::PubRec, 3);
    assert_eq!(world.settle(&mut receiver), ["pubrel 3"], "it is in flight until PUBCOMP");
    world.ack(&mut receiver, AckKind::PubComp, 3);
    assert_eq!(world.settle(&mut receiver), ["a=3 q1 #4"]);
    world.send(&mut client, Q1, "a", &["4"]);
    assert!(world.settle(&mut receiver).is_empty());
    world.ack(&mut receiver, AckKind::PubAck, 2);
    assert_eq!(world.settle(&mut receiver), ["a=4 q1 #5"]);
}

/// Our own limit of messages in flight holds, however large the client's Receive Maximum.
#[test]
fn messages_in_flight_are_limited() {
    let mut world = World::with(Limits { inflight_messages_max: 1, ..Limits::default() });
    let mut receiver = world.clean_subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2"]);
    assert_eq!(world.hear(&mut receiver), ["a=1 q1 #2"]);
    world.ack(&mut receiver, AckKind::PubAck, 2);
    assert_eq!(world.hear(&mut receiver), ["a=2 q1 #3"]);
}

/// The bytes in flight are limited; one message always passes.
#[test]
fn bytes_in_flight_are_limited() {
    let mut world = World::with(Limits { inflight_bytes_max: 100, ..Limits::default() });
    let mut receiver = world.clean_subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    let (half, large) = ("x".repeat(60), "x".repeat(1000));
    world.send(&mut client, Q2, "a", &[&large, &half, &half, &half]);
    assert_eq!(world.hear(&mut receiver), ["a=1000 bytes q2 #2"]);
    world.ack(&mut receiver, AckKind::PubRec, 2);
    assert_eq!(
        world.hear(&mut receiver),
        ["pubrel 2", "a=60 bytes q2 #3", "a=60 bytes q2 #4"],
        "with PUBREC its bytes are out of the way"
    );
}

/// The newest message that does not fit into a parked session's queue is dropped and counted; the older ones stay.
#[test]
fn messages_in_a_queue_are_limited() {
    let mut world = World::with(Limits { queue_messages_max: 2, ..Limits::default() });
    let receiver = world.subscriber("receiver", "a", Q1);
    world.leave(receiver, LOST);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2", "3"]);
    assert_eq!(world.settle(&mut client), ["puback 101", "puback 102", "puback 103"]);
    assert_eq!(world.hub.counters.dropped_queue_full.get(), 1);
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=1 q1 #2", "a=2 q1 #3"]);
}

/// The bytes of a queue are limited, on disk and in memory alike; one message always fits.
#[test]
fn bytes_in_a_queue_are_limited() {
    let mut world = World::with(Limits { queue_bytes_max: 100, ..Limits::default() });
    let receiver = world.subscriber("receiver", "a", Q1);
    world.leave(receiver, LOST);
    let mut client = world.connect(&clean("client"));
    let (half, large) = ("x".repeat(60), "x".repeat(1000));
    world.send(&mut client, Q1, "a", &[&large, "1"]);
    world.commit();
    world.send(&mut client, Q1, "a", &["2"]);
    assert_eq!(world.hub.counters.dropped_queue_full.get(), 2);
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=1000 bytes q1 #2"]);
    world.ack(&mut receiver, AckKind::PubAck, 2);
    world.leave(receiver, LOST);
    world.send(&mut client, Q1, "a", &[&half]);
    world.commit();
    world.send(&mut client, Q1, "a", &[&half, "3"]);
    assert_eq!(world.hub.counters.dropped_queue_full.get(), 3);
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=60 bytes q1 #3", "a=3 q1 #4"]);
}

/// QoS 0 for a client that does not read is dropped beyond the mailbox's limits, and counted.
#[test]
fn a_mailbox_is_limited_for_qos_0() {
    let mut world = World::with(Limits { mailbox_messages_max: 3, mailbox_bytes_max: 100, ..Limits::default() });
    let mut receiver = world.subscriber("receiver", "a", Q0);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q0, "a", &["1", "2", "3", "4"]);
    assert_eq!(world.hub.counters.dropped_mailbox_full.get(), 1);
    assert_eq!(world.hear(&mut receiver), ["a=1 q0", "a=2 q0", "a=3 q0"]);
    let large = "x".repeat(1000);
    world.send(&mut client, Q0, "a", &[&large, "5"]);
    assert_eq!(world.hub.counters.dropped_mailbox_full.get(), 2);
    assert_eq!(world.hear(&mut receiver), ["a=1000 bytes q0"], "one message always fits");
    world.send(&mut client, Q0, "a", &["6"]);
    assert_eq!(world.hear(&mut receiver), ["a=6 q0"]);
}

/// QoS 1 for a clean session that does not acknowledge is dropped beyond the mailbox's limits, and counted.
#[test]
fn a_mailbox_is_limited_for_qos_1_of_a_clean_session() {
    let mut world = World::with(Limits { mailbox_messages_max: 2, mailbox_bytes_max: 100, ..Limits::default() });
    let mut receiver = world.connect(&AttachRequest { receive_maximum: 1, ..clean("receiver") });
    world.subscribe(&mut receiver, "a", options(Q1));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    assert_eq!(world.hear(&mut receiver), ["a=1 q1 #2"]);
    world.send(&mut client, Q1, "a", &["2", "3", "4"]);
    assert_eq!(world.hub.counters.dropped_mailbox_full.get(), 1);
    world.ack(&mut receiver, AckKind::PubAck, 2);
    assert_eq!(world.hear(&mut receiver), ["a=2 q1 #3"]);
    let large = "x".repeat(1000);
    world.send(&mut client, Q1, "a", &[&large]);
    assert_eq!(world.hub.counters.dropped_mailbox_full.get(), 2);
    world.ack(&mut receiver, AckKind::PubAck, 3);
    assert_eq!(world.hear(&mut receiver), ["a=3 q1 #4"]);
    world.send(&mut client, Q1, "a", &[&large]);
    world.ack(&mut receiver, AckKind::PubAck, 4);
    assert_eq!(world.hear(&mut receiver), ["a=1000 bytes q1 #5"], "one message always fits");
}

/// A stored session's messages beyond the mailbox are not dropped: their bodies leave memory and come back, in order.
#[test]
fn a_mailbox_overflows_to_the_disk_for_a_stored_session() {
    let mut world = World::with(Limits { mailbox_messages_max: 2, ..Limits::default() });
    let mut receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    for payload in ["1", "2", "3", "4", "5"] {
        world.send(&mut client, Q1, "a", &[payload]);
        world.commit();
    }
    let held = format!("{:?}", receiver.session.seat());
    assert_eq!(held.matches("StoredEntry").count(), 4, "{held}");
    let expected = ["a=1 q1 #2", "a=2 q1 #3", "a=3 q1 #4", "a=4 q1 #5", "a=5 q1 #6"];
    assert_eq!(world.settle(&mut receiver), expected);
    assert_eq!(world.hub.counters.dropped_mailbox_full.get(), 0);
}

/// A drain stops when the out-buffer is full, and goes on where it stopped.
#[test]
fn the_out_buffer_is_limited() {
    let mut world = World::with(Limits { output_buffer_bytes_max: 100, ..Limits::default() });
    let mut receiver = world.clean_subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    let half = "x".repeat(60);
    world.send(&mut client, Q1, "a", &[&half, &half, &half]);
    let World { hub, turn, now, .. } = &mut world;
    let (session, out) = (&mut receiver.session, &mut receiver.out);
    session.deliver(hub, *now, turn, out);
    assert_eq!(out.len(), 2 * 68);
    assert!(session.can_send(hub), "there is more");
    session.deliver(hub, *now, turn, out);
    assert_eq!(out.len(), 2 * 68);
    out.clear();
    session.deliver(hub, *now, turn, out);
    assert_eq!(out.len(), 68);
    assert!(!session.can_send(hub));
}

/// What is larger than the client's Maximum Packet Size is dropped and counted, and counts as done.
#[test]
fn a_message_that_is_too_large_for_its_client_is_dropped() {
    let mut world = World::new();
    let mut receiver = world.connect(&AttachRequest { packet_size_max: 20, ..persistent("receiver") });
    world.subscribe(&mut receiver, "a", options(Q2));
    let mut client = world.connect(&clean("client"));
    let (fits, large) = ("x".repeat(12), "x".repeat(13)); // 2 + 3 + 2 + 1 before the payload
    for qos in [Q1, Q2] {
        world.send(&mut client, qos, "a", &[&large, &fits]);
    }
    world.send(&mut client, Q0, "a", &["0 and fourteen more"]);
    assert_eq!(world.settle(&mut receiver), ["a=xxxxxxxxxxxx q1 #3", "a=xxxxxxxxxxxx q2 #5",]);
    assert_eq!(world.hub.counters.dropped_too_large.get(), 3);
    world.ack(&mut receiver, AckKind::PubAck, 3);
    world.ack_with(&mut receiver, AckKind::PubRec, 5, hikyaku_types::ReasonCode::UNSPECIFIED_ERROR);
    world.settle(&mut receiver);
    assert_eq!(world.rows(hikyaku_traits::Table::Message), 0);
}

/// An expired message is dropped and counted, whatever its QoS; one that lives on says how long.
#[test]
fn an_expired_message_is_dropped() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    for (qos, id, secs) in [(Q0, 0, 1), (Q1, 1, 1), (Q2, 2, 1), (Q0, 0, 9), (Q1, 3, 9), (Q2, 4, 9)] {
        let expiring = Publish { message_expiry_secs: Some(secs), ..publish(qos, id, "a", "x") };
        world.publish(&mut client, expiring).unwrap();
    }
    world.pass(1500);
    assert_eq!(
        world.settle(&mut receiver),
        ["a=x q0 expires 8", "a=x q1 #4 expires 8", "a=x q2 #5 expires 8"],
        "begun seconds are left"
    );
    assert_eq!(world.hub.counters.dropped_expired.get(), 3);
}

/// A message that was sent before it expired is sent again to a client that comes back: its delivery had begun.
#[test]
fn a_message_that_was_sent_does_not_expire() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.publish(&mut client, Publish { message_expiry_secs: Some(1), ..publish(Q1, 1, "a", "x") }).unwrap();
    assert_eq!(world.settle(&mut receiver), ["a=x q1 #2 expires 1"]);
    world.leave(receiver, LOST);
    world.pass(5000);
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=x q1 #2 dup expires 0"]);
}

/// A publisher is slowed while a mailbox is more than half full, for two seconds at most.
#[test]
fn a_publisher_is_pressed_for_two_seconds_at_most() {
    let mut world = World::with(Limits { mailbox_messages_max: 4, ..Limits::default() });
    let mut receiver = world.clean_subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    let mut pressed = |world: &mut World| {
        world.send(&mut client, Q1, "a", &["x"]);
        world.turn.pressed
    };
    assert!(!pressed(&mut world) && !pressed(&mut world), "half full is not more than half full");
    assert!(pressed(&mut world));
    world.pass(1999);
    assert!(pressed(&mut world));
    world.pass(1);
    assert!(!pressed(&mut world));
    assert_eq!(world.hear(&mut receiver).len(), 4);
    assert!(!pressed(&mut world) && !pressed(&mut world) && pressed(&mut world), "and anew once it has been drained");
}

/// A receiver that reads and does not acknowledge presses no longer than one that does not read.
#[test]
fn a_receiver_that_does_not_acknowledge_presses_for_two_seconds_at_most() {
    let mut world = World::with(Limits { mailbox_messages_max: 4, ..Limits::default() });
    let mut receiver = world.connect(&AttachRequest { receive_maximum: 1, ..clean("receiver") });
    world.subscribe(&mut receiver, "a", options(Q1));
    let mut client = world.connect(&clean("client"));
    let mut pressed = 0;
    for _ in 0..50 {
        world.send(&mut client, Q1, "a", &["x"]);
        pressed += usize::from(world.turn.pressed);
        world.hear(&mut client);
        world.hear(&mut receiver);
        world.pass(100);
    }
    assert_eq!(pressed, 20);
}

/// A topic alias never makes a packet larger than its client takes.
#[test]
fn an_alias_does_not_make_a_packet_too_large() {
    let mut world = World::new();
    let request = AttachRequest { packet_size_max: 24, topic_alias_maximum: 5, ..clean("receiver") };
    let mut receiver = world.connect(&request);
    world.subscribe(&mut receiver, "abc", options(Q0));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q0, "abc", &["0123456789abcdef", "x", "0123456789abcdef"]); // 2 + 5 + 1 + 16
    assert_eq!(
        world.hear(&mut receiver),
        ["abc=0123456789abcdef q0", "abc=x q0 alias 1", "=0123456789abcdef q0 alias 1"]
    );
}

/// A known alias of three bytes and a longer property length would pass the client's Maximum Packet Size by one byte.
#[test]
fn an_alias_that_is_longer_than_its_topic_is_left_out_where_there_is_no_room() {
    let mut world = World::new();
    let request = hikyaku_broker::AttachRequest { packet_size_max: 150, topic_alias_maximum: 5, ..clean("receiver") };
    let mut receiver = world.connect(&request);
    world.subscribe(&mut receiver, "abc", options(Q0));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q0, "abc", &["x"]);
    world.hear(&mut receiver);
    let mut properties = vec![0x08, 0, 123]; // response topic: 126 bytes in all
    properties.extend([b'r'; 123]);
    let payload = "x".repeat(150 - 3 - 5 - 1 - 126);
    world.publish(&mut client, Publish { properties: &properties, ..publish(Q0, 0, "abc", &payload) }).unwrap();
    let World { hub, turn, now, .. } = &mut world;
    receiver.session.deliver(hub, *now, turn, &mut receiver.out);
    assert!(!receiver.out.is_empty() && receiver.out.len() <= 150, "{} bytes", receiver.out.len());
}
