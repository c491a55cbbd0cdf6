//! Does what a session has beside its queue, and what is retained, come back from a real store?

use std::sync::Arc;

use hikyaku_broker::ledger::OutboundRef;
use hikyaku_broker::{Change, Phase, SessionRecord};
use hikyaku_traits::{Table, Will};

use super::world::*;
use crate::Store;

/// A Will's due time, the expiry of messages, since when a session is parked: all are times of the wall clock, and are the
/// same after each start. The clock itself does not go back, even when the machine's does.
pub async fn times_are_absolute_and_the_clock_does_not_go_back(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, [1]).await;
    let parked = SessionRecord { parked_since_ms: Some(123_456_789), expiry_secs: 77, ..record(1) };
    world.wall_ms = 2_000_000_000_000;
    world
        .commit(&[
            Change::Session(parked.clone()),
            Change::WillSet { session: 1, will: Arc::new(will()), due_at_ms: Some(2_000_000_030_000) },
            publish(&message(5, "t", b"waits"), [(1, 1)]),
            Change::Retain { message: message(6, "kept", b"value") },
        ])
        .await;
    for _ in 0..3 {
        world.wall_ms = 1_000; // set back before each start
        let recovered = world.reopen().await;
        assert!(recovered.clock_ms >= 2_000_000_000_000, "the clock is at {}", recovered.clock_ms);
        assert_eq!(recovered.sessions[0].record, parked);
        assert_eq!(recovered.sessions[0].will, Some((Arc::new(will()), Some(2_000_000_030_000))));
        assert_eq!(recovered.retained[0].expires_at(), Some(9_000_006));
        world.commit(&[subscribe(1, "other")]).await;
    }
    world.commit(&[Change::WillClear { session: 1 }]).await;
    assert_eq!(world.reopen_one().await.will, None);
}

/// QoS 2 on both hops: packet ids that came in, exchanges that were sent and that were released, each in its phase and at
/// its position, after each start. What is over is gone.
pub async fn exchanges_of_qos_2_come_back_in_their_phase(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, [1, 2]).await;
    let outbound = |packet_id, position, phase| Change::Outbound {
        session: 1,
        packet_id,
        position,
        message_id: position + 10,
        phase,
    };
    let waits: Vec<_> = (1..=3).map(|at| publish(&message(at + 10, "t", b"p"), [(1, at), (2, at)])).collect();
    world.commit(&waits).await;
    world
        .commit(&[
            outbound(2, 1, Phase::Sent),
            outbound(3, 2, Phase::Sent),
            outbound(4, 3, Phase::Sent),
            Change::Received { session: 1, packet_id: u16::MAX },
            Change::Received { session: 1, packet_id: 256 },
            Change::Received { session: 2, packet_id: 256 },
        ])
        .await;
    world.reopen().await;
    world
        .commit(&[
            outbound(3, 2, Phase::Released),
            done(1, 2, 12, 1),
            outbound(4, 3, Phase::Released),
            done(1, 3, 13, 1),
            Change::Forgotten { session: 1, packet_id: 256 },
        ])
        .await;
    world.reopen().await;
    world.commit(&[Change::Completed { session: 1, packet_id: 4 }]).await;
    let recovered = world.reopen().await;
    let [first, second] = &recovered.sessions[..] else { panic!("{:?}", recovered.sessions) };
    let exchange = |packet_id, position, phase| OutboundRef { packet_id, position, message_id: position + 10, phase };
    assert_eq!(first.outbound, [exchange(2, 1, Phase::Sent), exchange(3, 2, Phase::Released)]);
    assert_eq!((&first.received[..], &second.received[..]), (&[u16::MAX][..], &[256][..]));
    assert_eq!(places(&first.queue), [(1, 11)], "what is released has left the queue");
    assert_eq!(places(&second.queue), [(1, 11), (2, 12), (3, 13)]);
}

/// Retained messages are replaced by larger, smaller and empty ones; topics that look like numbers or have empty levels
/// stay what they are; a large payload goes with its message.
pub async fn retained_messages_are_replaced_and_cleared(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::new(open).await;
    let topics = ["/", "007", "7", "a//b", "é"];
    let mut next = 1;
    for len in [10, 200_000, 3, 5_000, 1] {
        let newest: Vec<_> =
            topics.iter().zip(next..).map(|(topic, id)| message(id, topic, &vec![id as u8; len])).collect();
        next += topics.len() as u64;
        let changes: Vec<_> = newest.iter().map(|message| Change::Retain { message: message.clone() }).collect();
        world.commit(&changes).await;
        let mut retained = world.reopen().await.retained;
        retained.sort_unstable_by_key(|message| message.id);
        let found: Vec<_> = retained.iter().map(|message| content(message)).collect();
        assert_eq!(found, newest.iter().map(|message| content(message)).collect::<Vec<_>>());
        let bodies = if len > 4_000 { topics.len() } else { 0 };
        assert_eq!(world.counts([Table::Retained, Table::RetainedBody]).await, [topics.len(), bodies], "{len} bytes");
    }
    let cleared: Vec<_> =
        topics[1..].iter().map(|topic| Change::Retain { message: message(next, topic, b"") }).collect();
    world.commit(&cleared).await;
    let left = world.reopen().await.retained;
    assert_eq!(left.iter().map(|message| message.topic()).collect::<Vec<_>>(), ["/"]);
    assert_eq!(world.counts([Table::Retained, Table::RetainedBody]).await, [1, 0]);
}

/// A session with a queue, subscriptions, exchanges, progress and a Will ends. Its rows go at once, its queue when it is
/// swept, before or after a restart; its neighbours keep all they have.
pub async fn ended_session_leaves_nothing(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::with_sessions(open, [1, 2, 3]).await;
    for session in 1..=3 {
        let (will, packet_id) = (Arc::new(will()), u16::MAX);
        world
            .commit(&[
                subscribe(session, "a/+"),
                subscribe(session, "\u{10ffff}"),
                Change::Received { session, packet_id },
                Change::Outbound { session, packet_id, position: 9, message_id: 1, phase: Phase::Released },
                Change::SentMark { session, position: 9 },
                Change::WillSet { session, will, due_at_ms: Some(session) },
            ])
            .await;
    }
    world
        .commit(&[
            publish(&message(11, "t", &[1; 4000]), [(2, 10)]),
            publish(&message(12, "t", &[2; 4000]), [(2, 11), (3, 10)]),
            publish(&message(13, "t", b"small"), [(2, 12)]),
        ])
        .await;
    world.commit(&[Change::SessionDrop { number: 2, client_id: record(2).client_id }]).await;
    let tables = [Table::Session, Table::Subscription, Table::Inflight, Table::Progress, Table::Will];
    assert_eq!(world.counts(tables).await, [2, 4, 4, 2, 2]);
    world.commit(&[done(2, 10, 11, 11), done(2, 11, 12, 12)]).await;

    let recovered = world.reopen().await;
    assert_eq!(recovered.orphans, [13], "what was not swept before the restart");
    let numbers: Vec<_> = recovered.sessions.iter().map(|session| session.record.number).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(places(&recovered.sessions[1].queue), [(10, 12)]);
    world.commit(&[done(0, 0, 13, 0), done(3, 10, 12, 11)]).await;
    world.commit(&[1, 3].map(|number| Change::SessionDrop { number, client_id: record(number).client_id })).await;
    assert!(world.reopen().await.sessions.is_empty());
    let all = Table::ALL.map(|table| if table == Table::Meta { Table::Will } else { table });
    assert_eq!(world.counts(all).await, [0; 10], "something of a session is left");
}

/// Numbers of sessions and ids of messages are never given twice, even when nothing is left of those that had them.
pub async fn counters_never_go_back(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::new(open).await;
    let (mut last_session, mut last_message) = (0, 0);
    for _ in 0..5 {
        let recovered = world.reopen().await;
        let (session, id) = (recovered.next_session_number, recovered.next_message_id);
        assert!(session > last_session && id > last_message, "session {session}, message {id} come again");
        (last_session, last_message) = (session + 3, id + 70_000);
        let numbers = [session, last_session];
        world.commit(&numbers.map(|number| Change::Session(record(number)))).await;
        world.commit(&[publish(&message(last_message, "t", b"p"), [(session, 1)])]).await;
        world.commit(&[done(session, 1, last_message, 2)]).await;
        world.commit(&numbers.map(|number| Change::SessionDrop { number, client_id: record(number).client_id })).await;
        assert_eq!(world.counts([Table::Session, Table::Message]).await, [0, 0]);
    }
}

/// Everything at once, and a restart after each batch: each time the store tells what it told before.
pub async fn store_tells_the_same_after_each_restart(open: impl AsyncFn() -> Box<dyn Store>) {
    let mut world = World::new(open).await;
    for round in 1..=12_u64 {
        let other = round / 2 + 1;
        world.wall_ms += 100_000;
        world
            .commit(&[
                Change::Session(record(round)),
                subscribe(round, &format!("{round:03}/+/#")),
                publish(&message(round * 10, "t", &vec![1; round as usize * 700]), [(round, 1), (other, round + 1)]),
                Change::Retain {
                    message: message(round * 10 + 1, &format!("kept/{other}"), &vec![2; 6_000 / other as usize]),
                },
                Change::WillSet {
                    session: round,
                    will: Arc::new(Will { delay_secs: round as u32, ..will() }),
                    due_at_ms: None,
                },
                Change::Received { session: other, packet_id: round as u16 },
                done(other, round, (round - 1) * 10, 1),
            ])
            .await;
        let recovered = world.reopen().await;
        assert_eq!(recovered.sessions.len() as u64, round);
        assert!(recovered.clock_ms + 60_000 >= world.wall_ms, "the clock was noted at {}", recovered.clock_ms);
    }
}
