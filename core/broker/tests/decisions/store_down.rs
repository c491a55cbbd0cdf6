//! What goes on while the store does not work? What needs it is refused with a reason, the rest goes on.

use hikyaku_broker::{AttachRequest, Attached};
use hikyaku_protocol::{AckKind, Publish};
use hikyaku_types::{ProtocolVersion, ReasonCode};

use crate::world::*;

fn old(request: AttachRequest) -> AttachRequest {
    AttachRequest { version: ProtocolVersion::V311, ..request }
}

/// A client of 5.0 is refused with 0x97 or 0x83 what would have to be stored, and when the store is back it is taken.
#[test]
fn what_needs_the_store_is_refused_with_a_reason() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&persistent("client"));
    let deeds = |world: &mut World, client: &mut Client| {
        world.publish(client, publish(Q1, 1, "a", "1")).unwrap();
        world.publish(client, publish(Q2, 2, "a", "2")).unwrap();
        world.publish(client, Publish { retain: true, ..publish(Q1, 3, "kept", "3") }).unwrap();
        world.publish(client, publish(Q2, 4, "nobody", "4")).unwrap();
        world.ask(client, &subscribe_packet(5, &[("b", options(Q1)), ("c", options(Q0))], None)).unwrap();
        world.ask(client, &unsubscribe_packet(6, "b")).unwrap();
        world.settle(client)
    };
    world.hub.set_store_up(false);
    let refused = ["puback 1 97", "pubrec 2 97", "puback 3 97", "pubrec 4 97", "suback 5 97 97", "unsuback 6 83"];
    assert_eq!(deeds(&mut world, &mut client), refused);
    assert_eq!(world.hub.counters.refused_store_down.get(), 6);
    assert_eq!((world.hub.subscriptions(), world.hub.retained()), (1, 0));
    assert!(world.hear(&mut receiver).is_empty());
    world.hub.set_store_up(true);
    let taken = ["puback 1", "pubrec 2", "puback 3", "pubrec 4", "suback 5 01 00", "unsuback 6 00"];
    assert_eq!(deeds(&mut world, &mut client), taken);
    assert_eq!(world.settle(&mut receiver), ["a=1 q1 #2", "a=2 q1 #3"]);
}

/// A client of 3.1.1 has no word for "not now": its connection is closed, and nothing is acknowledged.
#[test]
fn an_old_client_is_closed() {
    let mut world = World::new();
    let _receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&old(persistent("client")));
    world.hub.set_store_up(false);
    for packet in [
        hikyaku_protocol::Packet::Publish(publish(Q1, 1, "a", "1")),
        hikyaku_protocol::Packet::Publish(publish(Q2, 2, "a", "2")),
        subscribe_packet(5, &[("b", options(Q1))], None),
        unsubscribe_packet(6, "b"),
    ] {
        assert_eq!(world.ask(&mut client, &packet).unwrap_err().reason, ReasonCode::QUOTA_EXCEEDED);
    }
    assert!(world.settle(&mut client).is_empty());
    world.publish(&mut client, Publish { retain: true, ..publish(Q0, 0, "a", "0") }).unwrap();
}

/// QoS 0 and what goes between clean sessions needs no store.
#[test]
fn qos_0_and_clean_sessions_go_on() {
    let mut world = World::new();
    let mut stored = world.subscriber("stored", "a", Q0);
    let mut receiver = world.clean_subscriber("receiver", "#", Q2);
    let mut client = world.connect(&clean("client"));
    world.hub.set_store_up(false);
    world.send(&mut client, Q2, "a", &["1"]);
    world.publish(&mut client, retained("a", "2")).unwrap();
    world.ask(&mut client, &subscribe_packet(3, &[("x", options(Q1))], None)).unwrap();
    assert_eq!(world.hear(&mut client), ["pubrec 101", "suback 3 01"]);
    assert_eq!(world.hear(&mut stored), ["a=1 q0", "a=2 q0"]);
    assert_eq!(world.hear(&mut receiver), ["a=2 q0", "a=1 q2 #2"]);
    assert_eq!(world.hub.retained(), 0, "but it is not kept");
    let other = world.connect(&clean("other"));
    world.leave(other, LOST);
    assert!(world.hub.seal().is_none());
}

/// A CONNECT that would have to be stored is refused with 0x88.
#[test]
fn a_stored_session_is_not_opened() {
    let mut world = World::new();
    let parked = world.subscriber("parked", "a", Q1);
    world.leave(parked, LOST);
    world.commit();
    world.hub.set_store_up(false);
    for request in [persistent("new"), persistent("parked"), AttachRequest { will: will("x", 0), ..clean("new") }] {
        let Attached::Refused(reason) = world.attach(&request) else { panic!("it is refused") };
        assert_eq!(reason, ReasonCode::SERVER_UNAVAILABLE);
    }
    world.hub.set_store_up(true);
    assert!(world.connect_to(&persistent("parked")).1, "and is still there");
}

/// What ends something is taken and held: PUBCOMP, a subscriber's acknowledgements, a goodbye.
#[test]
fn what_ends_something_is_held() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "a", Q2);
    let mut client = world.connect(&persistent("client"));
    world.send(&mut client, Q2, "a", &["1"]);
    world.settle(&mut client);
    assert_eq!(world.settle(&mut receiver), ["a=1 q2 #2"]);
    world.hub.set_store_up(false);
    world.ack(&mut client, AckKind::PubRel, 101);
    world.ack(&mut receiver, AckKind::PubRec, 2);
    assert!(world.hear(&mut client).is_empty());
    assert!(world.hear(&mut receiver).is_empty());
    world.hub.set_store_up(true);
    assert_eq!(world.settle(&mut client), ["pubcomp 101"]);
    assert_eq!(world.settle(&mut receiver), ["pubrel 2"]);
}

/// What was appended before has no answer until it is on disk, and then has it.
#[test]
fn what_was_appended_is_answered_when_the_store_is_back() {
    let mut world = World::new();
    let _receiver = world.subscriber("receiver", "a", Q1);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1"]);
    let sealed = world.hub.seal().unwrap();
    world.hub.set_store_up(false);
    world.send(&mut client, Q1, "a", &["2"]);
    assert!(world.hear(&mut client).is_empty(), "a refusal does not overtake it");
    world.hub.set_store_up(true);
    world.apply(sealed);
    assert_eq!(world.hear(&mut client), ["puback 101", "puback 102 97"]);
}

/// A Will is published all the same: it ends something.
#[test]
fn a_will_is_not_refused() {
    let mut world = World::new();
    let mut receiver = world.subscriber("receiver", "will", Q1);
    let client = world.connect(&AttachRequest { will: will("gone", 0), ..clean("client") });
    world.hub.set_store_up(false);
    world.leave(client, LOST);
    world.tick();
    assert_eq!(world.hear(&mut receiver), ["will=gone q1 #2"]);
}

/// What a member gets at QoS 0 is never stored, so a store that is down is no reason to refuse it.
#[test]
fn a_member_at_qos_0_of_a_group_goes_on_without_the_store() {
    let mut world = World::new();
    let mut live = world.subscriber("live", "$share/g/a", Q0);
    let mut client = world.connect(&clean("client"));
    world.hub.set_store_up(false);
    world.publish(&mut client, publish(Q1, 1, "a", "x")).unwrap();
    assert_eq!(world.hear(&mut live), ["a=x q0"]);
}
