//! Do messages wait for sessions in a real store as the ledger means them to?

use hikyaku_broker::Change;
use hikyaku_broker::ledger::{Body, body_keys, message_keys, read_message};
use hikyaku_traits::{Durability, RecordStore, Table};

use super::world::*;
use crate::script::{WORKED, break_off};
use crate::{Store, Write};

/// 50 sessions wait for one message with a large payload: it is stored once, each of them reads it whole, and it goes with
/// the last of them, however often the store is opened in between.
pub async fn one_body_serves_many_sessions_until_the_last(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, 1..=50).await;
    let original = message(1, "007//", &[7; 5000]);
    world.commit(&[publish(&original, (1..=50).map(|number| (number, 5)))]).await;
    for number in 1..=50 {
        assert_eq!(world.counts([Table::Message, Table::Body]).await, [1, 1], "{} wait", 51 - number);
        let row = world.store().get(Table::Message, message_keys(&[1])).await.unwrap().rows.remove(0);
        let stored = read_message(&row, number).unwrap();
        assert_eq!(stored.receipts[0].position, 5);
        let Body::Elsewhere(partial) = stored.body else { panic!("a large payload has a row of its own") };
        let row = world.store().get(Table::Body, body_keys(&[1])).await.unwrap().rows.remove(0);
        assert_eq!(content(&partial.complete(&row.value)), content(&original));
        world.commit(&[done(number, 5, 1, 6)]).await;
        if number % 10 == 0 {
            let waiting = world.reopen().await.sessions.iter().filter(|session| !session.queue.is_empty()).count();
            assert_eq!(waiting as u64, 50 - number);
        }
    }
    assert_eq!(world.counts([Table::Message, Table::Body]).await, [0, 0], "nobody waits any more");
}

/// Two sessions share nine messages. One is done with some of them, in no order: one small row says with which, no message
/// comes twice or not at all, and in the end nothing is left.
pub async fn partly_finished_receivers_keep_their_progress(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, [1, 2]).await;
    let publishes: Vec<_> = (1..=9).map(|id| publish(&message(id, "t", b"p"), [(1, id), (2, id)])).collect();
    world.commit(&publishes).await;
    let written = world.commit(&[done(1, 9, 9, 1), done(1, 4, 4, 1), done(1, 5, 5, 1), done(1, 1, 1, 2)]).await;
    let [Write::Put(Table::Progress, _, row)] = &written[..] else { panic!("one row of progress: {written:?}") };
    assert!(row.len() < 64, "a row of progress has {} bytes", row.len());
    for _ in 0..2 {
        let recovered = world.reopen().await;
        assert_eq!(places(&recovered.sessions[0].queue), [2, 3, 6, 7, 8].map(|id| (id, id)));
        assert_eq!((recovered.sessions[0].low, recovered.sessions[0].next_position), (2, 10));
        assert_eq!(recovered.sessions[1].queue.len(), 9);
    }
    let rest: Vec<_> = (1..=9).map(|id| done(2, id, id, 10)).collect();
    world.commit(&rest).await;
    assert_eq!(world.counts([Table::Message]).await, [5], "those with which session 1 is not done");
    let rest: Vec<_> = [2, 3, 6, 7, 8].map(|id| done(1, id, id, 10)).into();
    world.commit(&rest).await;
    let recovered = world.reopen().await;
    assert!(recovered.sessions.iter().all(|session| session.queue.is_empty() && session.next_position == 10));
    assert_eq!(world.counts([Table::Message]).await, [0]);
}

/// A QoS 2 PUBLISH with RETAIN and a large payload: body, receivers, packet id and retained value are one batch. It is broken
/// off at several moments; what is there afterwards is all of it or nothing.
pub async fn publish_is_never_split(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, [1, 2, 3]).await;
    let changes = |id| {
        let published = message(id, "a/b", &[id as u8; 200_000]);
        let received = Change::Received { session: 3, packet_id: id as u16 };
        [publish(&published, [(1, id), (2, id)]), received, Change::Retain { message: published }]
    };
    let written = world.commit(&changes(1)).await;
    for table in [Table::Message, Table::Body, Table::Inflight, Table::Retained, Table::RetainedBody] {
        let count = written.iter().filter(|write| matches!(write, Write::Put(of, ..) if *of == table)).count();
        assert_eq!(count, 1, "records in {table:?}");
    }
    let mut written = vec![1];
    for (id, worked) in (2..).zip(WORKED.into_iter().cycle().take(9)) {
        let batch = world.encode(&changes(id)).sessions.expect("there is something to write");
        break_off(world.store().apply(batch, Durability::Synced), worked).await;
        let recovered = world.restart().await;
        let is_there = recovered.sessions[2].received.contains(&(id as u16));
        written.extend(is_there.then_some(id));
        let expected: Vec<_> = written.iter().map(|id| (*id, *id)).collect();
        for session in &recovered.sessions[..2] {
            assert_eq!(places(&session.queue), expected, "the packet id of {id} is there: {is_there}");
        }
        let retained: Vec<_> = recovered.retained.iter().map(|message| message.id).collect();
        assert_eq!(retained, [*written.last().unwrap()], "the packet id of {id} is there: {is_there}");
        assert_eq!(world.counts([Table::Body]).await, [written.len()]);
    }
}

/// The outcome of a commit is not known: the same batch is applied again after the store was opened again, and before any
/// other. It is as if it had been applied once.
pub async fn batch_applied_again_after_a_reopen_is_as_once(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, [1, 2]).await;
    world.commit(&[publish(&message(1, "t", &[1; 4000]), [(1, 1), (2, 1)]), subscribe(1, "a/+")]).await;
    let batch = world.encode(&[
        publish(&message(2, "t", b"small"), [(1, 2)]),
        done(2, 1, 1, 2),
        Change::Retain { message: message(3, "kept", &[3; 4000]) },
        Change::SessionDrop { number: 2, client_id: record(2).client_id },
        Change::Session(record(9)),
        Change::Unsubscribe { session: 1, filter: "a/+".into() },
    ]);
    let batch = batch.sessions.expect("there is something to write");
    world.store().apply(batch.clone(), Durability::Synced).await.unwrap();
    let once = portrait(&world.reopen().await);
    world.store().apply(batch, Durability::Synced).await.unwrap();
    assert_eq!(portrait(&world.reopen().await), once);
}

/// 3,000 messages for 300 sessions, read back in pages of 64 KiB: each queue is whole and in its order.
pub async fn long_queues_come_back_in_order(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, 1..=300).await;
    world.page_bytes = 64 << 10;
    for round in 0..10 {
        let first = round * 300;
        let changes: Vec<_> = (1..=300)
            .map(|number| {
                publish(
                    &message(first + number, "t", &[1; 100]),
                    [(number, round + 1), (number % 300 + 1, 100 + round)],
                )
            })
            .collect();
        world.commit(&changes).await;
    }
    for session in world.reopen().await.sessions {
        let number = session.record.number;
        let before = if number == 1 { 300 } else { number - 1 };
        let own = (0..10).map(|round| (round + 1, round * 300 + number));
        let shared = (0..10).map(|round| (100 + round, round * 300 + before));
        assert_eq!(places(&session.queue), own.chain(shared).collect::<Vec<_>>(), "the queue of session {number}");
    }
}
