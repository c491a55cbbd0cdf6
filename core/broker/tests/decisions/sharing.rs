//! Who gets a message of a shared subscription, and what of a client's several subscriptions?

use hikyaku_broker::AttachRequest;
use hikyaku_protocol::{AckKind, Publish};
use hikyaku_traits::Table;
use hikyaku_types::{ProtocolVersion, SubscriptionOptions};

use crate::world::*;

/// Messages go round among the members, and each group has its own round.
#[test]
fn members_take_turns() {
    let mut world = World::new();
    let mut one = world.clean_subscriber("one", "$share/g/a", Q0);
    let mut two = world.clean_subscriber("two", "$share/g/a", Q0);
    let mut alone = world.clean_subscriber("alone", "$share/h/a", Q0);
    let mut plain = world.clean_subscriber("plain", "a", Q0);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q0, "a", &["1", "2", "3", "4"]);
    assert_eq!(world.hear(&mut one), ["a=1 q0", "a=3 q0"]);
    assert_eq!(world.hear(&mut two), ["a=2 q0", "a=4 q0"]);
    assert_eq!(world.hear(&mut alone).len(), 4);
    assert_eq!(world.hear(&mut plain).len(), 4);
}

/// Messages of one turn go round as well.
#[test]
fn members_take_turns_within_a_turn() {
    let mut world = World::new();
    let mut one = world.clean_subscriber("one", "$share/g/a", Q1);
    let mut two = world.clean_subscriber("two", "$share/g/a", Q1);
    let mut client = world.connect(&clean("client"));
    for payload in ["1", "2"] {
        let packet = hikyaku_protocol::Packet::Publish(publish(Q1, 1, "a", payload));
        client.session.on_packet(&world.hub, &packet, world.now, &mut world.turn).unwrap();
    }
    world.hub.finish(&mut world.turn, Some(&mut client.session), world.now);
    assert_eq!((world.hear(&mut one).len(), world.hear(&mut two).len()), (1, 1));
}

/// A connected member comes before one that is parked; if all are parked, one of them gets it.
#[test]
fn a_connected_member_comes_first() {
    let mut world = World::new();
    let parked = world.subscriber("parked", "$share/g/a", Q1);
    world.leave(parked, LOST);
    let mut live = world.subscriber("live", "$share/g/a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2"]);
    assert_eq!(world.settle(&mut live), ["a=1 q1 #2", "a=2 q1 #3"]);
    world.hub.detach(live.session, hikyaku_broker::Ending::Normal, None, world.now, &mut world.turn);
    world.send(&mut client, Q1, "a", &["3", "4"]);
    world.commit();
    let mut said = Vec::new();
    for name in ["parked", "live"] {
        let mut member = world.connect(&persistent(name));
        said.extend(world.settle(&mut member).into_iter().filter(|line| !line.contains("dup")));
    }
    assert_eq!(said.len(), 2, "{said:?}");
}

/// A member without room is passed over.
#[test]
fn a_member_without_room_is_passed_over() {
    let mut world = World::with(hikyaku_broker::Limits { mailbox_messages_max: 1, ..Default::default() });
    let mut full = world.clean_subscriber("full", "$share/g/a", Q1);
    let mut other = world.clean_subscriber("other", "$share/g/a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    for payload in ["2", "3", "4"] {
        world.send(&mut client, Q1, "a", &[payload]);
        assert_eq!(world.hear(&mut other).len(), 1);
    }
    assert_eq!(world.hear(&mut full), ["a=1 q1 #2"]);
}

/// QoS 0 is not kept for a member that is parked.
#[test]
fn qos_0_does_not_go_to_a_parked_member() {
    let mut world = World::new();
    let parked = world.subscriber("parked", "$share/g/a", Q1);
    world.leave(parked, LOST);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q0, "a", &["1"]);
    let mut parked = world.connect(&persistent("parked"));
    assert!(world.settle(&mut parked).is_empty());
}

/// A shared subscription brings no retained messages.
#[test]
fn a_shared_subscription_brings_nothing_retained() {
    let mut world = World::new();
    let mut client = world.connect(&clean("client"));
    world.publish(&mut client, retained("a", "x")).unwrap();
    let mut member = world.connect(&clean("member"));
    assert_eq!(world.subscribe_as(&mut member, "$share/g/a", options(Q1), None), ["suback 1 01"]);
}

/// A clean member that leaves hands on what it had not acknowledged.
#[test]
fn a_member_that_leaves_hands_on_its_messages() {
    let mut world = World::new();
    let mut one = world.clean_subscriber("one", "$share/g/a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["sent"]);
    assert_eq!(world.hear(&mut one), ["a=sent q1 #2"]);
    world.send(&mut client, Q1, "a", &["waits"]);
    let mut two = world.clean_subscriber("two", "$share/g/a", Q1);
    world.leave(one, LOST);
    assert_eq!(world.settle(&mut two), ["a=sent q1 #2", "a=waits q1 #3"]);
}

/// A message goes to none of the publisher's own subscriptions with No Local, and to the others.
#[test]
fn no_local_spares_the_publisher() {
    let mut world = World::new();
    let mut client = world.connect(&clean("client"));
    let no_local = SubscriptionOptions { no_local: true, ..options(Q1) };
    world.subscribe_as(&mut client, "a/+", no_local, Some(1));
    world.send(&mut client, Q1, "a/b", &["1"]);
    assert_eq!(world.hear(&mut client), ["puback 101"]);
    world.subscribe_as(&mut client, "a/#", options(Q0), Some(2));
    world.send(&mut client, Q1, "a/b", &["2"]);
    assert_eq!(world.hear(&mut client), ["puback 102", "a/b=2 q0 sub 2"]);
    let mut other = world.connect(&clean("other"));
    world.send(&mut other, Q1, "a/b", &["3"]);
    assert_eq!(world.hear(&mut client), ["a/b=3 q1 #2 sub 1 sub 2"]);
}

/// Overlapping subscriptions bring one message, with the highest QoS and all identifiers.
#[test]
fn overlapping_subscriptions_bring_one_message() {
    let mut world = World::new();
    for request in [clean("receiver"), persistent("receiver")] {
        let mut receiver = world.connect(&request);
        world.subscribe_as(&mut receiver, "a/b", options(Q0), Some(300));
        world.subscribe_as(&mut receiver, "a/+", options(Q2), Some(2));
        world.subscribe_as(&mut receiver, "#", options(Q1), None);
        let mut client = world.connect(&clean("client"));
        world.send(&mut client, Q1, "a/b", &["x"]);
        assert_eq!(world.settle(&mut receiver), ["a/b=x q1 #2 sub 2 sub 300"]);
        world.leave(receiver, LOST);
        world.leave(client, LOST);
    }
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a/b=x q1 #2 dup sub 2 sub 300"]);
}

/// A subscription that is made again takes the place of the old one, identifier and QoS included.
#[test]
fn a_subscription_is_replaced() {
    let mut world = World::new();
    let mut receiver = world.connect(&clean("receiver"));
    world.subscribe_as(&mut receiver, "a", options(Q2), Some(1));
    world.subscribe_as(&mut receiver, "a", options(Q1), None);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["x"]);
    assert_eq!(world.hear(&mut receiver), ["a=x q1 #2"]);
    assert_eq!(world.hub.subscriptions(), 1);
}

/// Identifiers and flags of queued messages are on disk, not only in memory; 3.1.1 sees no identifiers.
#[test]
fn a_queued_message_keeps_its_identifiers() {
    for (version, ids) in [(ProtocolVersion::V5, " sub 5 sub 6"), (ProtocolVersion::V311, "")] {
        let mut world = World::new();
        let mut receiver = world.connect(&persistent("receiver"));
        let keeps = SubscriptionOptions { retain_as_published: true, ..options(Q1) };
        world.subscribe_as(&mut receiver, "a", keeps, Some(5));
        world.subscribe_as(&mut receiver, "#", options(Q1), Some(6));
        world.leave(receiver, LOST);
        let mut client = world.connect(&clean("client"));
        world.publish(&mut client, Publish { retain: true, ..publish(Q1, 1, "a", "x") }).unwrap();
        world.commit();
        let mut receiver = world.connect(&AttachRequest { version, ..persistent("receiver") });
        assert_eq!(world.settle(&mut receiver), [format!("a=x q1 #2 retain{ids}")]);
    }
}

/// Aliases to a client stand for topics within its maximum, and each stands for one topic.
#[test]
fn aliases_to_a_client_are_limited() {
    let mut world = World::new();
    let mut receiver = world.connect(&AttachRequest { topic_alias_maximum: 1, ..clean("receiver") });
    world.subscribe(&mut receiver, "#", options(Q0));
    let mut client = world.connect(&clean("client"));
    for topic in ["long/one", "long/two", "long/one"] {
        world.send(&mut client, Q0, topic, &["x"]);
    }
    assert_eq!(world.hear(&mut receiver), ["long/one=x q0 alias 1", "long/two=x q0", "=x q0 alias 1"]);
}

/// A session that gets a message by a plain and by a shared subscription gets it twice, each as that subscription says,
/// and finishes each on its own.
#[test]
fn a_plain_and_a_shared_subscription_bring_two_messages() {
    let mut world = World::new();
    let mut receiver = world.connect(&persistent("receiver"));
    world.subscribe_as(&mut receiver, "a", options(Q1), Some(1));
    world.subscribe_as(&mut receiver, "$share/g/a", options(Q2), Some(2));
    world.leave(receiver, LOST);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["x"]);
    world.commit();
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=x q1 #2 sub 1", "a=x q2 #3 sub 2"]);
    world.ack(&mut receiver, AckKind::PubAck, 2);
    world.settle(&mut receiver);
    assert_eq!(world.rows(Table::Message), 1);
    world.ack(&mut receiver, AckKind::PubRec, 3);
    world.settle(&mut receiver);
    assert_eq!(world.rows(Table::Message), 0);
}

/// A message that no member has room for is counted once, and one that another member takes is not counted.
#[test]
fn what_a_group_drops_is_counted_once() {
    let mut world = World::with(hikyaku_broker::Limits { mailbox_messages_max: 1, ..Default::default() });
    let _members = ["1", "2", "3"].map(|name| world.clean_subscriber(name, "$share/g/a", Q1));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2", "3", "4", "5"]);
    let counters = &world.hub.counters;
    assert_eq!((counters.dropped_group_full.get(), counters.dropped_mailbox_full.get()), (2, 0));
}
