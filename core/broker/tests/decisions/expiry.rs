//! What does the clock end? Sessions, their queues, retained messages.

use hikyaku_broker::{AttachRequest, Attached, Limits};
use hikyaku_protocol::{Disconnect, Packet, Publish};
use hikyaku_traits::Table;
use hikyaku_types::ReasonCode;

use crate::world::*;

/// A session that expires leaves nothing behind, in memory or on disk: its queue is swept in pieces.
#[test]
fn a_session_that_expires_leaves_nothing_behind() {
    let mut world = World::new();
    let mut parked = world.subscriber("parked", "#", Q2);
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q2, "a", &["in flight"]);
    world.settle(&mut parked);
    world.leave(parked, LOST);
    world.send(&mut client, Q1, "a", &["1", "2", "3"]);
    world.send(&mut client, Q1, "a", &[&"x".repeat(5000)]);
    world.commit();
    assert_eq!((world.rows(Table::Message), world.rows(Table::Body)), (5, 1));
    world.pass(3_599_999);
    world.tick();
    assert_eq!(world.hub.sessions(), 2);
    world.pass(1);
    let mut rounds = 0;
    while world.hub.on_timeout(world.now, 2, &mut world.turn) == Some(0) {
        rounds += 1;
        assert!(rounds < 10);
    }
    assert!(rounds >= 3, "two pieces at a time");
    world.commit();
    assert_eq!((world.hub.sessions(), world.hub.subscriptions(), world.hub.next_deadline()), (1, 0, None));
    let left: Vec<_> = Table::ALL.into_iter().filter(|&table| table != Table::Meta && world.rows(table) > 0).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A message that others wait for goes only for the session that has ended.
#[test]
fn a_sweep_leaves_what_others_wait_for() {
    let mut world = World::new();
    for (name, expiry_secs) in [("short", 10), ("long", 3600)] {
        let mut client = world.connect(&AttachRequest { expiry_secs, ..persistent(name) });
        world.subscribe(&mut client, "a", options(Q1));
        world.leave(client, LOST);
    }
    let mut client = world.connect(&clean("client"));
    world.send(&mut client, Q1, "a", &["1", "2"]);
    world.commit();
    world.pass(10_000);
    world.tick();
    world.commit();
    assert_eq!((world.rows(Table::Message), world.rows(Table::Session)), (2, 1));
    let mut long = world.connect(&persistent("long"));
    assert_eq!(world.settle(&mut long), ["a=1 q1 #2", "a=2 q1 #3"]);
}

/// A session that never expires stays; one that comes back in time starts its time anew.
#[test]
fn the_time_of_a_session_starts_when_it_is_parked() {
    let mut world = World::new();
    let client = world.connect(&AttachRequest { expiry_secs: u32::MAX, ..persistent("forever") });
    world.leave(client, LOST);
    for _ in 0..3 {
        let (client, _) = world.connect_to(&AttachRequest { expiry_secs: 10, ..persistent("client") });
        world.pass(60_000);
        world.tick();
        world.leave(client, LOST);
        world.pass(9999);
        world.tick();
    }
    assert_eq!(world.hub.sessions(), 2);
    world.pass(1);
    world.tick();
    assert_eq!(world.hub.sessions(), 1);
    world.pass(u64::from(u32::MAX) * 1000);
    world.tick();
    assert_eq!(world.hub.sessions(), 1);
}

/// A session whose time has come is not resumed, though the clock has not been looked at.
#[test]
fn an_expired_session_is_not_resumed() {
    let mut world = World::new();
    let client = world.subscriber("client", "a", Q1);
    world.leave(client, LOST);
    world.pass(3_600_000);
    assert!(!world.connect_to(&persistent("client")).1);
    assert_eq!(world.hub.subscriptions(), 0);
}

/// DISCONNECT may change the expiry of a session that has one, and give none to a session that has not.
#[test]
fn a_goodbye_may_change_the_expiry() {
    let mut world = World::new();
    let client = world.connect(&persistent("client"));
    world.disconnect(client, ReasonCode::SUCCESS, Some(5));
    world.pass(5000);
    world.tick();
    assert_eq!(world.hub.sessions(), 0);
    let mut client = world.connect(&clean("client"));
    let packet = Packet::Disconnect(Disconnect { reason: ReasonCode::SUCCESS, session_expiry_secs: Some(5) });
    assert_eq!(world.ask(&mut client, &packet).unwrap_err().reason, ReasonCode::PROTOCOL_ERROR);
}

/// A resumed session that is connected with expiry 0 ends with its connection, and its row goes.
#[test]
fn a_resumed_session_may_become_a_clean_one() {
    let mut world = World::new();
    let client = world.subscriber("client", "a", Q1);
    world.leave(client, LOST);
    let (client, present) = world.connect_to(&AttachRequest { expiry_secs: 0, ..persistent("client") });
    assert!(present);
    world.leave(client, LOST);
    world.commit();
    assert_eq!((world.hub.sessions(), world.rows(Table::Session), world.rows(Table::Subscription)), (0, 0, 0));
}

/// A retained message that expires is gone from the index and from the disk.
#[test]
fn a_retained_message_expires() {
    let mut world = World::new();
    let mut client = world.connect(&clean("client"));
    world.publish(&mut client, Publish { message_expiry_secs: Some(10), ..retained("a", "x") }).unwrap();
    world.publish(&mut client, retained("b", "x")).unwrap();
    world.commit();
    assert_eq!((world.rows(Table::Retained), world.hub.next_deadline()), (2, Some(world.now.wall_ms + 10_000)));
    world.pass(10_000);
    let said = world.subscribe_as(&mut client, "#", options(Q0), None);
    assert_eq!(said, ["suback 1 00", "b=x q0 retain"], "it is not sent though the clock has not been looked at");
    world.tick();
    world.commit();
    assert_eq!((world.rows(Table::Retained), world.hub.retained(), world.hub.next_deadline()), (1, 1, None));
}

/// DISCONNECT cannot ask for a longer session than the limit allows.
#[test]
fn a_goodbye_is_held_to_the_longest_expiry() {
    let mut world = World::with(Limits { session_expiry_max_secs: Some(60), ..Limits::default() });
    let client = world.connect(&AttachRequest { expiry_secs: 60, ..persistent("client") });
    world.disconnect(client, ReasonCode::SUCCESS, Some(u32::MAX));
    world.pass(60_000);
    world.tick();
    assert_eq!(world.hub.sessions(), 0);
}

/// A client that comes after its session has expired, and wants none that is stored, hears so once the end is on disk: else
/// a crash would bring the old session back.
#[test]
fn a_connack_waits_for_the_end_of_a_session_that_has_expired() {
    let mut world = World::new();
    let client = world.connect(&persistent("client"));
    world.leave(client, LOST);
    world.commit();
    world.pass(3_600_000);
    world.tick();
    let Attached::Ready { present, ticket, .. } = world.attach(&clean("client")) else { panic!("not ready") };
    assert!(!present && ticket > world.hub.watermark());
}
