//! When is a Will published? And who gets a session that two connections want?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use hikyaku_broker::{AttachRequest, Attached, Ending};
use hikyaku_traits::{Table, WillDecision};
use hikyaku_types::ReasonCode;

use crate::world::*;

/// A world, somebody who hears Wills, and the CONNECT of somebody who has one.
fn world_of_wills(delay_secs: u32) -> (World, Client, AttachRequest) {
    let mut world = World::new();
    let watcher = world.clean_subscriber("watcher", "will", Q1);
    (world, watcher, AttachRequest { will: will("gone", delay_secs), ..persistent("client") })
}

const GONE: [&str; 1] = ["will=gone q1 #2"];

/// The Will of a client that is lost is published once, and is no longer stored then.
#[test]
fn a_lost_client_has_its_will_published() {
    for expiry_secs in [0, 3600] {
        let (mut world, mut watcher, request) = world_of_wills(0);
        let client = world.connect(&AttachRequest { expiry_secs, ..request });
        assert_eq!(world.rows(Table::Will), 1);
        world.leave(client, LOST);
        world.tick();
        assert_eq!(world.settle(&mut watcher), GONE);
        assert_eq!(world.rows(Table::Will), 0);
        world.pass(10_000_000);
        world.tick();
        assert!(world.settle(&mut watcher).is_empty());
    }
}

/// DISCONNECT with 0x00 clears the Will, and the socket waits until that is on disk.
#[test]
fn a_goodbye_clears_the_will() {
    let (mut world, mut watcher, request) = world_of_wills(0);
    let client = world.connect(&request);
    let departure = world.disconnect(client, ReasonCode::SUCCESS, None);
    assert!(departure.ticket > world.hub.watermark());
    world.commit();
    assert_eq!(world.rows(Table::Will), 0);
    world.tick();
    assert!(world.settle(&mut watcher).is_empty());
}

/// DISCONNECT with 0x04 asks for the Will.
#[test]
fn a_goodbye_with_will_publishes_it() {
    let (mut world, mut watcher, request) = world_of_wills(0);
    let client = world.connect(&request);
    world.disconnect(client, ReasonCode::DISCONNECT_WITH_WILL, None);
    world.tick();
    assert_eq!(world.settle(&mut watcher), GONE);
}

/// A delayed Will waits for its delay, with its time on disk.
#[test]
fn a_delayed_will_waits() {
    let (mut world, mut watcher, request) = world_of_wills(10);
    let client = world.connect(&request);
    world.leave(client, LOST);
    assert_eq!(world.hub.next_deadline(), Some(world.now.wall_ms + 10_000));
    world.pass(9999);
    world.tick();
    assert!(world.settle(&mut watcher).is_empty());
    assert_eq!(world.rows(Table::Will), 1);
    world.pass(1);
    world.tick();
    assert_eq!(world.settle(&mut watcher), GONE);
    assert!(world.connect_to(&persistent("client")).1, "the session goes on");
}

/// A session that ends before the delay of its Will has passed takes the Will along.
#[test]
fn a_will_is_due_when_its_session_expires() {
    let (mut world, mut watcher, request) = world_of_wills(1000);
    let client = world.connect(&AttachRequest { expiry_secs: 5, ..request });
    world.leave(client, LOST);
    world.pass(4999);
    world.tick();
    assert!(world.settle(&mut watcher).is_empty());
    world.pass(1);
    world.tick();
    assert_eq!(world.settle(&mut watcher), GONE);
    assert_eq!((world.rows(Table::Session), world.rows(Table::Will)), (0, 0));
}

/// A DISCONNECT with 0x04 and expiry 0 ends the session, so the delay does not count.
#[test]
fn a_will_is_due_when_its_session_ends() {
    let (mut world, mut watcher, request) = world_of_wills(1000);
    let client = world.connect(&request);
    world.disconnect(client, ReasonCode::DISCONNECT_WITH_WILL, Some(0));
    assert_eq!(world.settle(&mut watcher), GONE);
    assert_eq!((world.rows(Table::Session), world.rows(Table::Will)), (0, 0));
}

/// A client that comes back in time cancels its delayed Will.
#[test]
fn a_client_that_continues_cancels_its_delayed_will() {
    let (mut world, mut watcher, request) = world_of_wills(10);
    let client = world.connect(&request);
    world.leave(client, LOST);
    world.pass(5000);
    let (_client, present) = world.connect_to(&persistent("client"));
    assert!(present);
    assert_eq!(world.rows(Table::Will), 0);
    world.pass(60_000);
    world.tick();
    assert!(world.settle(&mut watcher).is_empty());
}

/// A client that comes back too late, though before the clock was looked at, cancels nothing.
#[test]
fn a_will_whose_time_has_come_is_not_cancelled() {
    for (delay_secs, pass_ms) in [(0, 0), (10, 10_000)] {
        let (mut world, mut watcher, request) = world_of_wills(delay_secs);
        let client = world.connect(&request);
        world.leave(client, LOST);
        world.pass(pass_ms);
        assert!(world.connect_to(&persistent("client")).1);
        assert_eq!(world.settle(&mut watcher), GONE);
        assert_eq!(world.rows(Table::Will), 0);
    }
}

/// The Will of the new connection is not taken for that of the old.
#[test]
fn a_client_that_comes_back_brings_a_new_will() {
    for (delay_secs, expected) in [(0, 1), (10, 0)] {
        let (mut world, mut watcher, request) = world_of_wills(delay_secs);
        let client = world.connect(&request);
        world.leave(client, LOST);
        let client = world.connect(&AttachRequest { will: will("new", 0), ..persistent("client") });
        assert_eq!(world.settle(&mut watcher).len(), expected);
        assert_eq!(world.rows(Table::Will), 1);
        world.leave(client, LOST);
        world.tick();
        let said = world.settle(&mut watcher);
        assert!(said.len() == 1 && said[0].starts_with("will=new"), "{said:?}");
    }
}

/// A clean start ends the session, so its delayed Will is due.
#[test]
fn a_clean_start_makes_a_delayed_will_due() {
    let (mut world, mut watcher, request) = world_of_wills(10);
    let client = world.connect(&request);
    world.leave(client, LOST);
    let (_client, present) = world.connect_to(&AttachRequest { clean_start: true, ..persistent("client") });
    assert!(!present);
    assert_eq!(world.settle(&mut watcher), GONE);
}

/// What will dispatch decides is done: nothing, or another Will at another time.
#[test]
fn a_decision_about_a_will_is_kept() {
    let (mut world, mut watcher, request) = world_of_wills(0);
    let client = world.connect(&request);
    world.hub.detach(client.session, LOST, Some(WillDecision::Drop), world.now, &mut world.turn);
    world.commit();
    assert_eq!(world.rows(Table::Will), 0);
    let client = world.connect(&request);
    let other = Box::new((*will("other", 0).unwrap()).clone());
    let decision = WillDecision::Instead(other, world.now.wall_ms + 1000);
    world.hub.detach(client.session, LOST, Some(decision), world.now, &mut world.turn);
    world.tick();
    assert!(world.settle(&mut watcher).is_empty());
    world.pass(1000);
    world.tick();
    assert_eq!(world.settle(&mut watcher), ["will=other q1 #2"]);
}

/// A broker that stops publishes no Will.
#[test]
fn a_shutdown_publishes_no_will() {
    let (mut world, mut watcher, request) = world_of_wills(0);
    let client = world.connect(&request);
    world.leave(client, Ending::Shutdown);
    world.pass(60_000);
    world.tick();
    assert!(world.settle(&mut watcher).is_empty());
    assert_eq!(world.rows(Table::Will), 1);
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A session that another connection has is asked for; once it is handed over the next attempt gets it, as it was.
#[test]
fn a_session_is_handed_over() {
    let mut world = World::new();
    let mut first = world.subscriber("client", "a", Q1);
    let mut publisher = world.connect(&clean("publisher"));
    world.send(&mut publisher, Q1, "a", &["1"]);
    assert_eq!(world.hear(&mut first), ["a=1 q1 #2"]);
    let bell = Arc::new(Bell::default());
    let (waker, now) = (Waker::from(bell.clone()), world.now);
    first.session.seat().listen(Waker::noop());
    let wait = world.hub.attach(&persistent("client"), now, &waker, &mut world.turn);
    assert!(matches!(wait, Attached::Wait));
    assert!(first.session.seat().is_wanted() && first.session.seat().listen(Waker::noop()), "its task is told");
    assert_eq!(bell.0.load(Ordering::Relaxed), 0);
    world.leave(first, LOST);
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    let (mut second, present) = world.connect_to(&persistent("client"));
    assert!(present && !second.session.seat().is_wanted());
    assert_eq!(world.settle(&mut second), ["a=1 q1 #2 dup"]);
}

/// A clean session cannot be handed over: it ends, and the next attempt gets a new one.
#[test]
fn a_clean_session_ends_at_a_takeover() {
    let mut world = World::new();
    let first = world.clean_subscriber("client", "a", Q1);
    assert!(matches!(world.attach(&clean("client")), Attached::Wait));
    world.leave(first, LOST);
    assert_eq!(world.hub.subscriptions(), 0);
    assert!(!world.connect_to(&clean("client")).1);
    assert_eq!(world.hub.sessions(), 1);
}

/// Two wait for a session: both are told, the first to ask gets it, and the other asks that one for it.
#[test]
fn two_can_wait_for_a_session() {
    let mut world = World::new();
    let first = world.connect(&persistent("client"));
    assert!(matches!(world.attach(&persistent("client")), Attached::Wait));
    assert!(matches!(world.attach(&persistent("client")), Attached::Wait));
    world.leave(first, LOST);
    let second = world.connect(&persistent("client"));
    assert!(!second.session.seat().is_wanted());
    assert!(matches!(world.attach(&persistent("client")), Attached::Wait));
    assert!(second.session.seat().is_wanted());
}
