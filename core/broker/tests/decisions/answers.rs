//! When may an answer leave? Not before what it acknowledges is on disk, in order, and no later.

use hikyaku_broker::{AttachRequest, Attached, Step};
use hikyaku_protocol::{AckKind, Packet, Publish};
use hikyaku_types::{ProtocolVersion, ReasonCode};

use crate::world::*;

/// PUBACK and PUBREC wait for the commit of the publish, not for its seal.
#[test]
fn puback_and_pubrec_wait_for_the_commit() {
    let mut world = World::new();
    let _receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.send(&mut client, Q2, "a", &["2"]);
    assert!(world.hear(&mut client).is_empty());
    assert_eq!(client.session.waiting(), 2);
    let sealed = world.hub.seal().unwrap();
    assert!(world.hear(&mut client).is_empty());
    world.apply(sealed);
    assert_eq!(world.hear(&mut client), ["puback 101", "pubrec 102"]);
}

/// PUBCOMP waits until the packet id is forgotten on disk.
#[test]
fn pubcomp_waits_for_the_commit() {
    let mut world = World::new();
    let mut client = world.connect(&persistent("client"));
    world.send(&mut client, Q2, "nobody", &["1"]);
    assert!(world.hear(&mut client).is_empty(), "the id is taken durably, even if nobody gets the message");
    assert_eq!(world.settle(&mut client), ["pubrec 101"]);
    world.ack(&mut client, AckKind::PubRel, 101);
    assert!(world.hear(&mut client).is_empty());
    assert_eq!(world.settle(&mut client), ["pubcomp 101"]);
}

/// SUBACK and UNSUBACK of a stored session wait for the commit of the change.
#[test]
fn suback_and_unsuback_wait_for_the_commit() {
    let mut world = World::new();
    let mut client = world.connect(&persistent("client"));
    world.ask(&mut client, &subscribe_packet(1, &[("a", options(Q1))], None)).unwrap();
    assert!(world.hear(&mut client).is_empty());
    assert_eq!(world.settle(&mut client), ["suback 1 01"]);
    world.ask(&mut client, &unsubscribe_packet(2, "a")).unwrap();
    assert!(world.hear(&mut client).is_empty());
    assert_eq!(world.settle(&mut client), ["unsuback 2 00"]);
    world.ask(&mut client, &unsubscribe_packet(3, "a")).unwrap();
    assert_eq!(world.hear(&mut client), ["unsuback 3 11"], "nothing has changed");
}

/// CONNACK waits for what was written down: that the session is connected, that another was dropped, a Will.
#[test]
fn connack_waits_for_the_commit() {
    let mut world = World::new();
    let ticket_of = |world: &mut World, request: &AttachRequest| {
        let Attached::Ready { session, ticket, .. } = world.attach(request) else { panic!("not ready") };
        let waits = ticket > world.hub.watermark();
        world.commit();
        assert!(ticket <= world.hub.watermark());
        world.leave(Client::of(session), LOST);
        world.commit();
        waits
    };
    assert!(!ticket_of(&mut world, &clean("c")), "a clean session is nowhere but here");
    assert!(ticket_of(&mut world, &persistent("c")), "it opens");
    assert!(ticket_of(&mut world, &persistent("c")), "its expiry must stop");
    assert!(ticket_of(&mut world, &clean("c")), "the old one is dropped");
    assert!(!ticket_of(&mut world, &clean("c")), "and was dropped durably");
    assert!(ticket_of(&mut world, &AttachRequest { will: will("x", 0), ..clean("c") }), "a Will");
}

/// A clean session that meets a drop under way waits for it too: else a crash could bring the old session back.
#[test]
fn connack_waits_for_a_drop_that_is_under_way() {
    let mut world = World::new();
    let client = world.connect(&persistent("c"));
    world.disconnect(client, ReasonCode::SUCCESS, Some(0));
    let Attached::Ready { ticket, present, .. } = world.attach(&clean("c")) else { panic!("not ready") };
    assert!(!present && ticket > world.hub.watermark());
    world.commit();
    assert!(ticket <= world.hub.watermark());
}

/// What waits for nothing waits behind what does: answers leave in the order of their packets.
#[test]
fn answers_leave_in_order() {
    let mut world = World::new();
    let _receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.send(&mut client, Q1, "nobody", &["2"]);
    world.publish(&mut client, publish(Q2, 9, "denied", "3")).unwrap();
    world.ask(&mut client, &unsubscribe_packet(10, "x")).unwrap();
    world.ack(&mut client, AckKind::PubRel, 55);
    let first = world.hub.seal().unwrap();
    world.send(&mut client, Q1, "a", &["4"]);
    assert!(world.hear(&mut client).is_empty());
    world.apply(first);
    assert_eq!(world.hear(&mut client), ["puback 101", "puback 102", "pubrec 9 87", "unsuback 10 11", "pubcomp 55"]);
    assert_eq!(world.settle(&mut client), ["puback 103"]);
}

/// A publish that nobody stores is answered at once.
#[test]
fn a_publish_without_stored_receivers_does_not_wait() {
    let mut world = World::new();
    let mut receiver = world.clean_subscriber("receiver", "a", Q2);
    let _reader = world.subscriber("reader", "a", Q0);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    world.send(&mut client, Q2, "a", &["2"]);
    world.send(&mut client, Q1, "nobody", &["3"]);
    assert_eq!(world.hear(&mut client), ["puback 101", "pubrec 102", "puback 103"]);
    assert_eq!(world.hear(&mut receiver), ["a=1 q1 #2", "a=2 q2 #3"]);
    assert!(world.hub.seal().is_none());
}

/// A clean session waits for nothing of its own, on no step of either direction.
#[test]
fn a_clean_session_waits_for_nothing_of_its_own() {
    let mut world = World::new();
    let mut client = world.clean_subscriber("client", "a", Q2);
    world.send(&mut client, Q2, "a", &["1"]);
    assert_eq!(world.hear(&mut client), ["pubrec 101", "a=1 q2 #2"]);
    world.ack(&mut client, AckKind::PubRel, 101);
    world.ack(&mut client, AckKind::PubRec, 2);
    assert_eq!(world.hear(&mut client), ["pubcomp 101", "pubrel 2"]);
    world.ack(&mut client, AckKind::PubComp, 2);
    world.ask(&mut client, &unsubscribe_packet(3, "a")).unwrap();
    assert_eq!(world.hear(&mut client), ["unsuback 3 00"]);
    assert_eq!(world.leave(client, LOST).ticket, 0);
    assert!(world.hub.seal().is_none(), "nothing of all that has gone to the journal");
}

/// A retained publish waits for its commit, whoever publishes it.
#[test]
fn a_retained_publish_waits_for_the_commit() {
    let mut world = World::new();
    let mut client = world.connect(&clean("client"));
    world.publish(&mut client, Publish { retain: true, ..publish(Q1, 1, "a", "x") }).unwrap();
    assert!(world.hear(&mut client).is_empty());
    assert_eq!(world.settle(&mut client), ["puback 1"]);
}

/// A QoS 2 PUBLISH again is answered, not delivered again, and waits for the ticket of the first.
#[test]
fn a_repeated_publish_waits_for_the_first() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&persistent("client"));
    world.publish(&mut client, publish(Q2, 1, "a", "x")).unwrap();
    world.publish(&mut client, Publish { dup: true, ..publish(Q2, 1, "a", "x") }).unwrap();
    assert!(world.hear(&mut client).is_empty());
    world.leave(client, LOST);
    let Attached::Ready { session, .. } = world.attach(&persistent("client")) else { panic!("not ready") };
    let mut client = Client::of(session);
    world.publish(&mut client, Publish { dup: true, ..publish(Q2, 1, "a", "x") }).unwrap();
    assert!(world.hear(&mut client).is_empty(), "over another connection too");
    assert_eq!(world.settle(&mut client), ["pubrec 1"]);
    assert_eq!(world.settle(&mut receiver), ["a=x q2 #2"]);
}

/// A PUBREL again is answered again, and waits for the ticket of the first; the id is free for another message.
#[test]
fn a_repeated_pubrel_waits_for_the_first() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&persistent("client"));
    world.publish(&mut client, publish(Q2, 1, "a", "x")).unwrap();
    assert_eq!(world.settle(&mut client), ["pubrec 1"]);
    world.ack(&mut client, AckKind::PubRel, 1);
    world.ack(&mut client, AckKind::PubRel, 1);
    assert!(world.hear(&mut client).is_empty());
    assert_eq!(world.settle(&mut client), ["pubcomp 1", "pubcomp 1"]);
    world.ack(&mut client, AckKind::PubRel, 1);
    assert_eq!(world.hear(&mut client), ["pubcomp 1"]);
    world.publish(&mut client, publish(Q2, 1, "a", "y")).unwrap();
    world.commit();
    assert_eq!(world.settle(&mut receiver), ["a=x q2 #2", "a=y q2 #3"]);
}

/// QoS 1 goes to a stored subscriber at once, QoS 2 when it is on disk that it was sent.
#[test]
fn qos_2_to_a_stored_session_waits_at_the_gate() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    assert_eq!(world.hear(&mut receiver), ["a=1 q1 #2"]);
    world.send(&mut client, Q2, "a", &["2"]);
    let publish_only = world.hub.seal().unwrap();
    assert!(world.hear(&mut receiver).is_empty());
    world.apply(publish_only);
    assert!(world.hear(&mut receiver).is_empty(), "the message is on disk, but not that it was sent");
    assert_eq!(world.settle(&mut receiver), ["a=2 q2 #3"]);
    world.ack(&mut receiver, AckKind::PubRec, 3);
    assert!(world.hear(&mut receiver).is_empty(), "PUBREL waits as well");
    assert_eq!(world.settle(&mut receiver), ["pubrel 3"]);
}

/// A QoS 1 message behind one of QoS 2 waits at the gate with it; QoS 0 has no place in that order.
#[test]
fn order_is_kept_at_the_gate() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["1"]);
    world.send(&mut client, Q1, "a", &["2"]);
    assert!(world.hear(&mut receiver).is_empty());
    world.send(&mut client, Q1, "a", &["3"]);
    world.send(&mut client, Q0, "a", &["0"]);
    assert_eq!(world.hear(&mut receiver), ["a=0 q0"]);
    let first = world.hub.seal().unwrap();
    world.send(&mut client, Q2, "a", &["4"]);
    world.send(&mut client, Q1, "a", &["5"]);
    assert!(world.hear(&mut receiver).is_empty());
    world.apply(first);
    assert_eq!(
        world.hear(&mut receiver),
        ["a=1 q2 #2", "a=2 q1 #3", "a=3 q1 #4"],
        "what is behind an open gate does not hold it shut"
    );
    assert_eq!(world.settle(&mut receiver), ["a=4 q2 #5", "a=5 q1 #6"]);
    world.send(&mut client, Q1, "a", &["6"]);
    assert_eq!(world.hear(&mut receiver), ["a=6 q1 #7"], "the gate is open");
}

/// What is denied is told to a client of 5.0 and hidden from one of 3.1.1, and goes nowhere.
#[test]
fn what_is_denied_goes_nowhere() {
    let mut world = World::new();
    let mut receiver = world.clean_subscriber("receiver", "#", Q2);
    for (version, code, failure) in [(ProtocolVersion::V5, " 87", "87"), (ProtocolVersion::V311, "", "80")] {
        let mut client = world.connect(&AttachRequest { version, ..clean("client") });
        world.publish(&mut client, publish(Q1, 1, "denied", "x")).unwrap();
        world.publish(&mut client, publish(Q2, 2, "denied", "x")).unwrap();
        world.publish(&mut client, publish(Q0, 0, "denied", "x")).unwrap();
        world.ask(&mut client, &subscribe_packet(3, &[("denied", options(Q1)), ("a", options(Q1))], None)).unwrap();
        let expected = [format!("puback 1{code}"), format!("pubrec 2{code}"), format!("suback 3 {failure} 01")];
        assert_eq!(world.hear(&mut client), expected);
        world.leave(client, LOST);
    }
    assert!(world.hear(&mut receiver).is_empty());
}

/// A question that takes time holds back its packet and nothing else of the turn; the verdict is used once.
#[test]
fn a_verdict_is_for_one_packet() {
    let mut world = World::new();
    let mut receiver = world.clean_subscriber("receiver", "#", Q0);
    let mut client = world.connect(&clean("client"));
    let packet = Packet::Publish(publish(Q1, 1, "later", "x"));
    let Ok(Step::Ask(question)) = world.ask(&mut client, &packet) else { panic!("it asks") };
    assert_eq!(question.topic, "later");
    assert!(world.hear(&mut client).is_empty());
    client.session.on_verdict(true);
    assert_eq!(world.ask(&mut client, &packet), Ok(Step::Next));
    assert_eq!(world.hear(&mut client), ["puback 1"]);
    assert!(matches!(world.ask(&mut client, &packet), Ok(Step::Ask(_))), "the next is asked anew");
    client.session.on_verdict(false);
    assert_eq!(world.ask(&mut client, &packet), Ok(Step::Next));
    assert_eq!(world.hear(&mut client), ["puback 1 87"]);
    assert_eq!(world.hear(&mut receiver), ["later=x q0"]);
}

/// Each filter of a SUBSCRIBE has its own question and its own verdict.
#[test]
fn each_filter_has_its_verdict() {
    let mut world = World::new();
    let mut client = world.connect(&clean("client"));
    let filters = [("later", options(Q0)), ("a", options(Q1)), ("denied", options(Q1)), ("later", options(Q2))];
    let packet = subscribe_packet(1, &filters, None);
    for verdict in [false, true] {
        assert!(matches!(world.ask(&mut client, &packet), Ok(Step::Ask(_))));
        assert_eq!(world.hub.subscriptions(), 0, "nothing is done by halves");
        client.session.on_verdict(verdict);
    }
    assert_eq!(world.ask(&mut client, &packet), Ok(Step::Next));
    assert_eq!(world.hear(&mut client), ["suback 1 87 01 87 02"]);
}
