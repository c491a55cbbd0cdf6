//! Retained messages.

use std::sync::Arc;

use hikyaku_broker::{Change, Message, MessageParts};
use hikyaku_traits::Table;
use hikyaku_types::Qos;

use crate::world::*;

fn retain(message: &Arc<Message>) -> Change {
    Change::Retain { message: message.clone() }
}

fn topics(world: &mut World) -> Vec<(String, u64)> {
    let mut found: Vec<_> =
        world.reopen().retained.iter().map(|message| (message.topic().to_owned(), message.id)).collect();
    found.sort();
    found
}

#[test]
fn retained_messages_come_back_whole() {
    let mut world = World::new();
    let parts = MessageParts {
        topic: "plain",
        properties: b"",
        payload: b"x",
        qos: Qos::AtMostOnce,
        retain: true,
        expires_at_ms: None,
    };
    let mut originals = vec![Arc::new(Message::new(99, &parts))];
    for (id, topic, len) in [(1, "007", 1), (2, "/", 3071), (3, "//é", 3072), (4, "big", 100_000), (5, "a", 5)] {
        originals.push(message(id, topic, &vec![id as u8; len]));
    }
    let changes: Vec<_> = originals.iter().map(retain).collect();
    world.commit(&changes);
    assert_eq!((world.store.count(Table::Retained), world.store.count(Table::RetainedBody)), (6, 2));
    let mut retained = world.reopen().retained;
    retained.sort_by_key(|message| message.id);
    originals.sort_by_key(|message| message.id);
    for (found, original) in retained.iter().zip(&originals) {
        assert_eq!(content(found), content(original));
        assert_eq!(found.batch(), 1, "it counts as durable");
    }
    assert_eq!(retained.len(), originals.len());
}

#[test]
fn an_empty_payload_clears_the_topic() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.commit(&[
            retain(&message(1, "a", b"x")),
            retain(&message(2, "b", &[0; 5000])),
            retain(&message(3, "c", b"x")),
        ]);
        if restarts {
            world.reopen();
        }
        world.commit(&[
            retain(&message(4, "a", b"")),
            retain(&message(5, "b", b"")),
            retain(&message(6, "never there", b"")),
        ]);
        assert_eq!(world.store.count(Table::RetainedBody), 0);
        assert_eq!(topics(&mut world), [("c".into(), 3)]);
    }
}

#[test]
fn a_small_message_takes_the_large_payload_of_the_old_one_away() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.commit(&[retain(&message(1, "a", &[0; 5000]))]);
        if restarts {
            world.reopen();
        }
        world.commit(&[retain(&message(2, "a", &[0; 6000])), retain(&message(3, "a", b"x"))]);
        assert_eq!(world.store.count(Table::RetainedBody), 0);
        let encoded = world.commit(&[retain(&message(4, "a", b"y"))]);
        assert_eq!(encoded.ops, 1, "there is no large payload any more");
        assert_eq!(topics(&mut world), [("a".into(), 4)]);
    }
}

#[test]
fn of_the_messages_of_a_batch_only_the_last_of_a_topic_is_written() {
    let mut world = World::new();
    let [first, second, third] = [1, 2, 3].map(|id| message(id, "a", b"x"));
    first.supersede();
    second.supersede();
    let encoded = world.commit(&[retain(&first), retain(&third), retain(&second)]);
    assert_eq!(encoded.sessions.unwrap().iter().filter(|op| format!("{op:?}").contains("Retained")).count(), 1);
    assert_eq!(topics(&mut world), [("a".into(), 3)]);
}

#[test]
fn an_older_message_that_comes_later_is_not_written() {
    for (newer, restarts) in [(b"x".as_slice(), false), (b"x", true), (b"", false)] {
        let mut world = World::new();
        let old = message(1, "a", b"old");
        old.supersede();
        world.commit(&[retain(&message(2, "a", newer))]);
        let before = topics(&mut World { store: world.store.clone(), ..World::new() });
        if restarts {
            world.reopen();
        }
        assert!(world.commit(&[retain(&old)]).sessions.is_none());
        assert_eq!(topics(&mut world), before);
    }
}

/// The publisher of the first has its acknowledgement when its batch is durable; a crash before the batch of the second
/// must not bring back what was there before both.
#[test]
fn a_superseded_message_is_written_if_the_newer_one_is_in_a_later_batch() {
    let mut world = World::new();
    let first = message(1, "a", b"x");
    first.supersede();
    world.commit(&[retain(&first)]);
    let mut crashed = World { store: world.store.clone(), ..World::new() };
    assert_eq!(topics(&mut crashed), [("a".into(), 1)]);
    world.commit(&[retain(&message(2, "a", b"y"))]);
    assert_eq!(topics(&mut world), [("a".into(), 2)]);
}

/// What clears an expired message has the id of that message.
#[test]
fn a_message_that_expired_is_cleared_under_its_own_id() {
    let mut world = World::new();
    world.commit(&[retain(&message(7, "a", b"x"))]);
    world.commit(&[retain(&message(7, "a", b""))]);
    assert_eq!(topics(&mut world), []);
}

#[test]
fn the_ids_of_cleared_messages_never_come_again() {
    let mut world = World::new();
    world.commit(&[retain(&message(70_000, "a", b"x"))]);
    world.commit(&[retain(&message(140_000, "a", b""))]);
    assert_eq!(world.store.count(Table::Retained), 0);
    assert!(world.reopen().next_message_id > 140_000);
}

#[test]
fn a_separate_store_gets_its_own_batch_and_format() {
    let mut world = World::new();
    let changes = [Change::Session(record(1)), retain(&message(1, "a", &[0; 5000])), publish(1, &[(1, 1)])];
    let encoded = world.ledger.encode(&changes, 5000, true);
    let (mut sessions, mut retained) = (Store::default(), Store::default());
    sessions.apply(encoded.sessions.as_ref().unwrap());
    retained.apply(encoded.retained.as_ref().unwrap());
    assert_eq!(encoded.ops, sessions.0.len() + retained.0.len());
    assert_eq!((sessions.count(Table::Retained), sessions.count(Table::RetainedBody)), (0, 0));
    assert_eq!(retained.0.len(), 3, "message, payload and format: {retained:?}");

    let (mut ledger, recovered) = recover(&sessions, &retained, 1).unwrap();
    assert_eq!((recovered.retained.len(), recovered.sessions.len()), (1, 1));
    let encoded = ledger.encode(&[retain(&message(2, "a", b"x"))], 9000, true);
    assert!(encoded.sessions.is_none(), "nothing for the sessions");
    retained.apply(encoded.retained.as_ref().unwrap());
    let (_, recovered) = recover(&sessions, &retained, 1).unwrap();
    assert_eq!(
        (recovered.retained[0].id, recovered.clock_ms),
        (2, 9000),
        "the clock is noted where something is written"
    );
}
