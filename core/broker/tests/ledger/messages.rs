//! Messages that wait for sessions.

use hikyaku_broker::ledger::{BODY_APART_BYTES, Body, Stored, body_keys, message_keys, read_message};
use hikyaku_broker::{Change, Receipt, SessionRecord};
use hikyaku_traits::{Row, Table};
use hikyaku_types::Qos;
use smallvec::smallvec;

use crate::world::*;

fn read(world: &World, id: u64, session: u64) -> Stored {
    let key = message_keys(&[id]).remove(0);
    let value = world.store.get(Table::Message, &key).unwrap().into();
    read_message(&Row { key, value }, session).unwrap()
}

#[test]
fn a_message_comes_back_whole_with_each_receipt() {
    let mut world = World::with_sessions(&[1, 300]);
    let original = message(7, "007//é/", b"payload");
    let first = Receipt {
        session: 1,
        position: 9,
        qos: Qos::ExactlyOnce,
        retain: true,
        subscription_ids: smallvec![1, 268_435_455],
    };
    let second = receipt(300, 1 << 40);
    world.commit(&[Change::Publish { message: original.clone(), receivers: smallvec![first.clone(), second.clone()] }]);
    for (session, expected) in [(1, Some(first)), (300, Some(second)), (2, None)] {
        let stored = read(&world, 7, session);
        let Body::Whole(message) = stored.body else { panic!("small") };
        assert_eq!((stored.message_id, stored.receipts.into_iter().next()), (7, expected));
        assert_eq!(content(&message), content(&original));
        assert_eq!(message.batch(), 1, "it counts as durable");
    }
    let queue = &world.reopen().sessions[0].queue;
    assert_eq!(queue.len(), 1);
    assert_eq!((queue[0].position, queue[0].message_id, queue[0].qos), (9, 7, Qos::ExactlyOnce));
    assert_eq!(queue[0].size as usize, original.size());
    assert!(size_of_val(&queue[0]) <= 24);
}

#[test]
fn payloads_around_the_limit_come_back() {
    let mut world = World::with_sessions(&[1]);
    for (id, len) in [(1, 0), (2, BODY_APART_BYTES - 1), (3, BODY_APART_BYTES), (4, 100_000)] {
        let original = message(id, "", &vec![id as u8; len]);
        world.commit(&[publish_of(original.clone(), &[(1, id)])]);
        let message = match read(&world, id, 1).body {
            Body::Whole(message) => message,
            Body::Elsewhere(partial) => {
                assert_eq!((partial.id(), partial.payload_len()), (id, len));
                partial.complete(world.store.get(Table::Body, &body_keys(&[id])[0]).unwrap())
            }
        };
        assert_eq!(content(&message), content(&original));
        assert_eq!(message.batch(), 1);
        assert_eq!(world.reopen_one().queue.last().unwrap().size as usize, original.size());
    }
    assert_eq!((world.store.count(Table::Message), world.store.count(Table::Body)), (4, 2));
}

#[test]
fn one_body_serves_many_sessions_and_goes_with_the_last() {
    for restarts in [false, true] {
        let numbers: Vec<_> = (1..=20).collect();
        let mut world = World::with_sessions(&numbers);
        let receivers: Vec<_> = numbers.iter().map(|number| (*number, 5)).collect();
        world.commit(&[publish_of(message(1, "t", &[7; 5000]), &receivers)]);
        for number in numbers {
            assert_eq!((world.store.count(Table::Message), world.store.count(Table::Body)), (1, 1));
            world.commit(&[done(number, 5, 1, 6)]);
            if restarts {
                assert_eq!(
                    world.reopen().sessions.iter().filter(|session| !session.queue.is_empty()).count() as u64,
                    20 - number
                );
            }
        }
        assert_eq!((world.store.count(Table::Message), world.store.count(Table::Body)), (0, 0));
    }
}

#[test]
fn a_message_of_one_receiver_writes_no_progress() {
    let mut world = World::with_sessions(&[1]);
    world.commit(&[publish(1, &[(1, 1)]), publish(2, &[(1, 2)]), publish(3, &[(1, 3)])]);
    let encoded = world.commit(&[done(1, 1, 1, 2), done(1, 3, 3, 2)]);
    assert_eq!(encoded.ops, 2, "a small message is removed by one operation");
    assert_eq!(world.store.count(Table::Progress), 0);
    let session = world.reopen_one();
    assert_eq!(places(&session.queue), [(2, 2)]);
    assert_eq!(
        (session.low, session.next_position),
        (2, 3),
        "position 3 has left nothing that could be mistaken for it"
    );
}

#[test]
fn progress_is_kept_while_others_wait() {
    let mut world = World::with_sessions(&[1, 2]);
    let changes: Vec<_> = (1..=9).map(|id| publish(id, &[(1, id), (2, id)])).collect();
    world.commit(&changes);
    let encoded =
        world.commit(&[done(1, 9, 9, 1), done(1, 4, 4, 1), done(1, 5, 5, 1), done(1, 1, 1, 2), done(2, 9, 9, 1)]);
    assert_eq!(encoded.ops, 2, "one row of progress, and the message that nobody waits for");
    for _ in 0..2 {
        let recovered = world.reopen();
        assert_eq!(places(&recovered.sessions[0].queue), [(2, 2), (3, 3), (6, 6), (7, 7), (8, 8)]);
        assert_eq!((recovered.sessions[0].low, recovered.sessions[0].next_position), (2, 10));
        assert_eq!(recovered.sessions[1].queue.len(), 8);
        assert_eq!(recovered.orphans, [0; 0]);
    }
    let rest: Vec<_> = (1..=8).map(|id| done(2, id, id, 10)).collect();
    world.commit(&rest);
    assert_eq!(world.store.count(Table::Message), 5, "those of which session 1 has not been done");
    let rest: Vec<_> = [2, 3, 6, 7, 8].map(|id| done(1, id, id, 10)).into();
    world.commit(&rest);
    assert_eq!(world.store.count(Table::Message), 0);
    assert_eq!(world.reopen().sessions[0].next_position, 10);
}

#[test]
fn a_message_that_has_lost_all_receivers_is_not_written() {
    let mut world = World::with_sessions(&[1]);
    assert!(world.commit(&[publish(1, &[])]).sessions.is_none());
}

#[test]
fn put_and_done_in_one_batch_leaves_nothing() {
    let mut world = World::with_sessions(&[1, 2]);
    world.commit(&[publish_of(message(1, "t", &[0; 4000]), &[(1, 1), (2, 1)]), done(2, 1, 1, 2), done(1, 1, 1, 2)]);
    assert_eq!((world.store.count(Table::Message), world.store.count(Table::Body)), (0, 0));
}

#[test]
fn the_queue_of_a_session_that_ended_is_swept_one_by_one() {
    let mut world = World::with_sessions(&[1, 2]);
    world.commit(&[
        publish(1, &[(1, 1)]),
        publish(2, &[(1, 2), (2, 1)]),
        publish_of(message(3, "t", &[0; 4000]), &[(1, 3)]),
    ]);
    world.commit(&[ends(1)]);
    world.commit(&[done(1, 1, 1, 2), done(1, 2, 2, 3)]);
    assert_eq!(world.store.count(Table::Progress), 0, "a session that has ended makes no progress");
    assert_eq!((world.store.count(Table::Message), world.store.count(Table::Body)), (2, 1));

    let recovered = world.reopen();
    assert_eq!(recovered.orphans, [3], "what the crash left to be swept");
    assert_eq!(places(&recovered.sessions[0].queue), [(1, 2)]);
    world.commit(&[done(0, 0, 3, 0)]);
    assert_eq!((world.store.count(Table::Message), world.store.count(Table::Body)), (1, 0));
    world.commit(&[done(2, 1, 2, 2)]);
    assert_eq!(world.store.count(Table::Message), 0);
}

#[test]
fn a_session_does_not_get_the_queue_of_one_before_it() {
    let mut world = World::with_sessions(&[1]);
    world.commit(&[publish(1, &[(1, 1)]), ends(1), Change::Session(SessionRecord { number: 2, ..record(1) })]);
    let recovered = world.reopen();
    assert_eq!(recovered.orphans, [1]);
    assert!(recovered.sessions[0].queue.is_empty());
}

#[test]
fn ids_of_messages_never_come_again() {
    let mut world = World::with_sessions(&[1]);
    let mut highest = 0;
    for round in 0..5 {
        let next = world.reopen().next_message_id;
        assert!(next > highest, "round {round}");
        highest = next + 70_000;
        world.commit(&[publish(next, &[(1, 1)]), publish(highest, &[(1, 2)])]);
        world.commit(&[done(1, 1, next, 2), done(1, 2, highest, 3)]);
        assert_eq!(world.store.count(Table::Message), 0);
    }
}

#[test]
fn a_queue_is_in_the_order_of_positions() {
    let mut world = World::with_sessions(&[1]);
    world.commit(&[publish(5, &[(1, 1)]), publish(3, &[(1, 2)]), publish(4, &[(1, 300)]), publish(9, &[(1, 3)])]);
    assert_eq!(places(&world.reopen_one().queue), [(1, 5), (2, 3), (3, 9), (300, 4)]);
}
