//! What does a client get that comes back? First what it had not finished, then what came since.

use std::task::Waker;

use hikyaku_broker::{AttachRequest, Turn};
use hikyaku_protocol::{AckKind, Packet};
use hikyaku_traits::Table;
use hikyaku_types::ReasonCode;

use crate::world::*;

/// What was sent comes again first, in order and with DUP, then what was queued behind it, without; after the PUBREL of
/// what was released.
#[test]
fn a_resume_begins_with_what_was_in_flight() {
    let mut world = World::new();
    let mut receiver = world.connect(&AttachRequest { receive_maximum: 4, ..persistent("receiver") });
    world.subscribe(&mut receiver, "a", options(Q2));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["1"]);
    world.send(&mut client, Q1, "a", &["2"]);
    world.send(&mut client, Q2, "a", &["3", "4"]);
    world.send(&mut client, Q1, "a", &["5", "6"]);
    assert_eq!(world.settle(&mut receiver), ["a=1 q2 #2", "a=2 q1 #3", "a=3 q2 #4", "a=4 q2 #5"]);
    world.ack(&mut receiver, AckKind::PubRec, 4);
    assert_eq!(world.settle(&mut receiver), ["pubrel 4"]);
    world.leave(receiver, LOST);
    world.send(&mut client, Q2, "a", &["7"]);
    world.commit();
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(
        world.settle(&mut receiver),
        ["pubrel 4", "a=1 q2 #2 dup", "a=2 q1 #3 dup", "a=4 q2 #5 dup", "a=5 q1 #6", "a=6 q1 #7", "a=7 q2 #8",]
    );
}

/// A client may come back with a smaller Receive Maximum: what is sent again counts against it, and ids are kept.
#[test]
fn what_is_sent_again_counts_against_the_new_receive_maximum() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2", "3"]);
    world.settle(&mut receiver);
    world.ack(&mut receiver, AckKind::PubAck, 3);
    world.leave(receiver, LOST);
    world.send(&mut client, Q1, "a", &["4"]);
    world.commit();
    let mut receiver = world.connect(&AttachRequest { receive_maximum: 1, ..persistent("receiver") });
    assert_eq!(world.settle(&mut receiver), ["a=1 q1 #2 dup"]);
    world.ack(&mut receiver, AckKind::PubAck, 4);
    assert!(world.settle(&mut receiver).is_empty(), "what has not been sent again cannot be acknowledged");
    world.ack(&mut receiver, AckKind::PubAck, 2);
    assert_eq!(world.settle(&mut receiver), ["a=3 q1 #4 dup"]);
    world.ack(&mut receiver, AckKind::PubAck, 4);
    assert_eq!(world.settle(&mut receiver), ["a=4 q1 #5"]);
}

/// A second loss changes nothing of the order, and what was never sent carries no DUP.
#[test]
fn a_client_may_be_lost_again_and_again() {
    let mut world = World::new();
    let receiver = world.subscriber("receiver", "a", Q2);
    world.leave(receiver, LOST);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2"]);
    world.send(&mut client, Q2, "a", &["3"]);
    world.commit();
    let few = || AttachRequest { receive_maximum: 1, ..persistent("receiver") };
    for expected in ["a=1 q1 #2", "a=1 q1 #2 dup", "a=1 q1 #2 dup"] {
        let mut receiver = world.connect(&few());
        assert_eq!(world.settle(&mut receiver), [expected]);
        world.leave(receiver, LOST);
        world.commit();
    }
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=1 q1 #2 dup", "a=2 q1 #3", "a=3 q2 #4"]);
}

/// Messages at the gate when the client is lost have not been sent: they carry no DUP, and are sent once.
#[test]
fn what_waited_at_the_gate_was_not_sent() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["1"]);
    world.send(&mut client, Q1, "a", &["2"]);
    assert!(world.hear(&mut receiver).is_empty());
    world.leave(receiver, LOST);
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=1 q2 #2", "a=2 q1 #3"]);
}

/// Acknowledgements may come in any order, and each frees its own message.
#[test]
fn acknowledgements_come_in_any_order() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    for (qos, payload) in [(Q1, "1"), (Q2, "2"), (Q1, "3"), (Q2, "4")] {
        world.send(&mut client, qos, "a", &[payload]);
    }
    world.settle(&mut receiver);
    world.ack(&mut receiver, AckKind::PubRec, 5);
    world.ack(&mut receiver, AckKind::PubAck, 4);
    world.ack(&mut receiver, AckKind::PubRec, 3);
    assert_eq!(world.settle(&mut receiver), ["pubrel 5", "pubrel 3"], "in the order of the PUBRECs");
    world.ack(&mut receiver, AckKind::PubComp, 3);
    world.ack(&mut receiver, AckKind::PubComp, 5);
    world.settle(&mut receiver);
    assert_eq!((world.rows(Table::Message), world.rows(Table::Inflight)), (1, 0));
    world.leave(receiver, LOST);
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=1 q1 #2 dup"]);
}

/// A PUBREC with an error ends the exchange: its place is free, and no PUBREL follows.
#[test]
fn a_pubrec_with_an_error_ends_the_exchange() {
    let mut world = World::new();
    let mut receiver = world.connect(&AttachRequest { receive_maximum: 1, ..persistent("receiver") });
    world.subscribe(&mut receiver, "a", options(Q2));
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["1", "2"]);
    assert_eq!(world.settle(&mut receiver), ["a=1 q2 #2"]);
    world.ack_with(&mut receiver, AckKind::PubRec, 2, ReasonCode::UNSPECIFIED_ERROR);
    assert_eq!(world.settle(&mut receiver), ["a=2 q2 #3"]);
    assert_eq!((world.rows(Table::Message), world.rows(Table::Inflight)), (1, 1));
}

/// An acknowledgement of the wrong kind, or of nothing, changes nothing; a PUBREC of nothing is answered with 0x92.
#[test]
fn an_acknowledgement_of_nothing_changes_nothing() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.send(&mut client, Q2, "a", &["2"]);
    world.settle(&mut receiver);
    for (kind, id) in [(AckKind::PubComp, 2), (AckKind::PubAck, 3), (AckKind::PubComp, 3), (AckKind::PubAck, 9)] {
        world.ack(&mut receiver, kind, id);
    }
    assert!(world.settle(&mut receiver).is_empty());
    world.ack(&mut receiver, AckKind::PubRec, 9);
    assert_eq!(world.hear(&mut receiver), ["pubrel 9 92"]);
    world.ack(&mut receiver, AckKind::PubRec, 3);
    world.ack(&mut receiver, AckKind::PubRec, 3);
    assert_eq!(world.settle(&mut receiver), ["pubrel 3", "pubrel 3"]);
    assert_eq!(world.rows(Table::Message), 1);
}

/// Packet ids follow the positions round the corner; where an old message still has the id, sending waits for it.
#[test]
fn no_packet_id_is_used_twice() {
    let mut world = World::new();
    let mut receiver = world.clean_subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["old"]);
    assert_eq!(world.hear(&mut receiver), ["a=old q1 #2"]);
    for position in 2..=65_535_u64 {
        client.out.clear();
        world.publish(&mut client, publish(Q1, 1, "a", "x")).unwrap();
        world.hear(&mut client);
        let id = u16::try_from(position % 65_535 + 1).unwrap();
        assert_eq!(world.hear(&mut receiver), [format!("a=x q1 #{id}")]);
        world.ack(&mut receiver, AckKind::PubAck, id);
    }
    world.publish(&mut client, publish(Q1, 1, "a", "new")).unwrap();
    assert!(world.hear(&mut receiver).is_empty(), "65,535 positions behind the one in flight");
    assert!(!receiver.session.can_send(&world.hub));
    world.ack(&mut receiver, AckKind::PubAck, 2);
    assert_eq!(world.hear(&mut receiver), ["a=new q1 #2"]);
}

/// A queue larger than a page comes page by page and in order.
#[test]
fn a_long_queue_comes_in_pages() {
    let mut world = World::new();
    let receiver = world.subscriber("receiver", "a", Q1);
    world.leave(receiver, LOST);
    let mut client = world.connect(&clean("client"));
    for number in 0..900 {
        world.publish(&mut client, publish(Q1, 1, "a", &number.to_string())).unwrap();
        assert_eq!(world.settle(&mut client), ["puback 1"]);
    }
    let mut receiver = world.connect(&persistent("receiver"));
    let expected: Vec<_> = (0..900).map(|number| format!("a={number} q1 #{}", number + 2)).collect();
    assert_eq!(world.settle(&mut receiver), expected);
}

/// A store that cannot answer now is asked again, and nothing is lost; what it does not have is counted and skipped.
#[test]
fn a_page_may_be_asked_for_again() {
    let mut world = World::new();
    let receiver = world.subscriber("receiver", "a", Q1);
    world.leave(receiver, LOST);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2"]);
    world.commit();
    let mut receiver = world.connect(&persistent("receiver"));
    let World { hub, turn, now, .. } = &mut world;
    let session = &mut receiver.session;
    session.deliver(hub, *now, turn, &mut receiver.out);
    assert_eq!(session.fetch().len(), 2);
    assert!(session.fetch().is_empty(), "one question at a time");
    session.on_page(hub, None, turn);
    assert_eq!(session.fetch().len(), 2);
    session.on_page(hub, Some(Vec::new()), turn);
    hub.finish(turn, Some(session), *now);
    assert_eq!(hub.counters.bodies_missing.get(), 2);
    assert!(world.settle(&mut receiver).is_empty());
    assert_eq!(world.rows(Table::Message), 0);
}

/// A PUBREL that is sent again costs nothing of the new Receive Maximum, and its PUBCOMP gives nothing back.
#[test]
fn a_pubrel_that_is_sent_again_costs_no_quota() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["1"]);
    world.settle(&mut receiver);
    world.ack(&mut receiver, AckKind::PubRec, 2);
    world.settle(&mut receiver);
    world.leave(receiver, LOST);
    world.send(&mut client, Q1, "a", &["2", "3"]);
    world.commit();
    let few = || AttachRequest { receive_maximum: 1, ..persistent("receiver") };
    let receiver = world.connect(&few());
    world.leave(receiver, LOST);
    let mut receiver = world.connect(&few());
    assert_eq!(world.settle(&mut receiver), ["pubrel 2", "a=2 q1 #3"], "owed as long as there is no PUBCOMP");
    world.ack(&mut receiver, AckKind::PubComp, 2);
    assert!(world.settle(&mut receiver).is_empty());
    world.ack(&mut receiver, AckKind::PubAck, 3);
    assert_eq!(world.settle(&mut receiver), ["a=3 q1 #4"]);
    assert_eq!(world.rows(Table::Inflight), 0);
}

/// A message is put into the queue of somebody who is away, and before it is appended that client comes back: its publisher
/// wakes nobody, so whoever comes looks for itself.
#[test]
fn what_was_on_its_way_when_a_client_came_back_is_not_forgotten() {
    let mut world = World::new();
    let receiver = world.subscriber("receiver", "a", Q1);
    world.leave(receiver, LOST);
    let mut client = world.connect(&clean("client"));
    let (packet, mut turn) = (Packet::Publish(publish(Q1, 1, "a", "1")), Turn::new());
    client.session.on_packet(&world.hub, &packet, world.now, &mut turn).unwrap();
    assert!(world.hub.hand_on(&mut turn, world.now));
    let mut receiver = world.connect(&persistent("receiver"));
    assert!(world.hear(&mut receiver).is_empty(), "nothing is sent that is not appended");
    receiver.session.seat().listen(Waker::noop());
    assert!(!world.hub.hand_on(&mut turn, world.now));
    world.hub.append(&mut turn, Some(&mut client.session));
    world.hub.wake(&mut turn);
    world.commit();
    assert!(receiver.session.seat().listen(Waker::noop()), "it is woken");
    assert_eq!(world.settle(&mut receiver), ["a=1 q1 #2"]);
}

/// What may have been sent before the broker died carries DUP, also if it dies again before the client is back.
#[test]
fn a_second_restart_remembers_what_may_have_been_sent() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.commit();
    assert_eq!(world.hear(&mut receiver), ["a=1 q1 #2"]);
    world.send(&mut client, Q2, "a", &["2"]);
    world.commit();
    for _ in 0..2 {
        world.restart();
        world.commit();
    }
    let mut receiver = world.connect(&persistent("receiver"));
    assert_eq!(world.settle(&mut receiver), ["a=1 q1 #2 dup", "a=2 q2 #3"], "QoS 2 is noted when it is sent");
}
