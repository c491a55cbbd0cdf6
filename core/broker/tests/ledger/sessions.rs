//! What a session has beside its queue.

use std::sync::Arc;

use hikyaku_broker::ledger::OutboundRef;
use hikyaku_broker::{Change, Phase, SessionRecord};
use hikyaku_traits::{Table, Will};
use hikyaku_types::{ProtocolVersion, Qos, RetainHandling, SubscriptionOptions};
use smallvec::smallvec;

use crate::world::*;

fn will() -> Will {
    Will {
        topic: "007/é//".into(),
        payload: vec![0, 1, 2],
        qos: Qos::ExactlyOnce,
        retain: true,
        delay_secs: 30,
        expiry_secs: Some(u32::MAX),
        properties: vec![1, 1],
    }
}

#[test]
fn the_state_of_a_session_comes_back() {
    for (protocol, parked_since_ms, expiry_secs) in [
        (ProtocolVersion::V5, None, 0),
        (ProtocolVersion::V311, Some(0), u32::MAX),
        (ProtocolVersion::V31, Some(77), 1),
    ] {
        let mut world = World::new();
        let record = SessionRecord {
            number: 300,
            client_id: "é007".into(),
            epoch: 1 << 40,
            protocol,
            expiry_secs,
            parked_since_ms,
        };
        world.commit(&[Change::Session(record.clone())]);
        let session = world.reopen_one();
        assert_eq!(session.record, record);
        assert_eq!((session.next_position, session.low, session.sent_mark), (1, 1, 0));
    }
}

/// The clock is written once a second at most, and the machine's may be set back before the broker starts again. What was
/// due when the session was parked is due then.
#[test]
fn the_clock_does_not_go_back_behind_the_end_of_a_connection() {
    let mut world = World::with_sessions(&[1]);
    let noted = world.reopen().clock_ms;
    let parked_since_ms = Some(noted + 999);
    world.commit(&[Change::Session(SessionRecord { parked_since_ms, ..record(1) })]);
    assert_eq!(world.reopen().clock_ms, noted + 999);
}

#[test]
fn an_empty_client_id_is_a_client_id() {
    let mut world = World::new();
    let record = SessionRecord { client_id: "".into(), ..record(1) };
    world.commit(&[Change::Session(record.clone())]);
    assert_eq!(world.reopen_one().record, record);
}

#[test]
fn subscriptions_come_back_and_go() {
    let mut world = World::with_sessions(&[1]);
    let all = SubscriptionOptions {
        qos: Qos::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::Never,
    };
    let plain = SubscriptionOptions::qos(Qos::AtMostOnce);
    let subscribe = |filter: &str, options, subscription_id| Change::Subscribe {
        session: 1,
        filter: filter.into(),
        options,
        subscription_id,
    };
    world.commit(&[
        subscribe("007", all, Some(268_435_455)),
        subscribe("$share/g/+//#", plain, None),
        subscribe("/", plain, Some(1)),
        subscribe("replaced", plain, None),
        subscribe("replaced", all, None),
        subscribe("gone", all, None),
        Change::Unsubscribe { session: 1, filter: "gone".into() },
        Change::Unsubscribe { session: 1, filter: "never there".into() },
    ]);
    let subscriptions = world.reopen_one().subscriptions;
    let expected = [
        ("$share/g/+//#", plain, None),
        ("/", plain, Some(1)),
        ("007", all, Some(268_435_455)),
        ("replaced", all, None),
    ];
    assert_eq!(subscriptions, expected.map(|(filter, options, id)| (filter.into(), options, id)));
}

#[test]
fn a_will_comes_back_with_its_time() {
    let mut world = World::with_sessions(&[1]);
    let plain = Will {
        qos: Qos::AtMostOnce,
        retain: false,
        expiry_secs: None,
        payload: Vec::new(),
        properties: Vec::new(),
        ..will()
    };
    for (will, due_at_ms) in [(will(), None), (will(), Some(u64::MAX)), (plain.clone(), None), (plain, Some(1))] {
        world.commit(&[Change::WillSet { session: 1, will: Arc::new(will.clone()), due_at_ms }]);
        assert_eq!(world.reopen_one().will, Some((Arc::new(will), due_at_ms)));
    }
    world.commit(&[Change::WillClear { session: 1 }]);
    assert_eq!(world.reopen_one().will, None);
}

#[test]
fn exchanges_of_qos_2_come_back_in_their_phase() {
    let mut world = World::with_sessions(&[1, 2]);
    let outbound = |packet_id, position, phase| Change::Outbound {
        session: 1,
        packet_id,
        position,
        message_id: position + 10,
        phase,
    };
    world.commit(&[
        publish(11, &[(1, 1)]),
        publish(12, &[(1, 2), (2, 1)]),
        publish(13, &[(1, 3), (2, 2)]),
        outbound(2, 1, Phase::Sent),
        outbound(3, 2, Phase::Sent),
        outbound(4, 3, Phase::Sent),
        Change::Received { session: 1, packet_id: 300 },
        Change::Received { session: 1, packet_id: 9 },
        Change::Received { session: 1, packet_id: 10 },
        Change::Forgotten { session: 1, packet_id: 10 },
    ]);
    world.commit(&[
        outbound(3, 2, Phase::Released),
        done(1, 2, 12, 1),
        outbound(4, 3, Phase::Released),
        done(1, 3, 13, 1),
    ]);
    world.commit(&[Change::Completed { session: 1, packet_id: 4 }]);
    for _ in 0..2 {
        let recovered = world.reopen();
        let session = &recovered.sessions[0];
        assert_eq!(session.received, [9, 300]);
        let expected = [(2, 1, Phase::Sent), (3, 2, Phase::Released)].map(|(packet_id, position, phase)| OutboundRef {
            packet_id,
            position,
            message_id: position + 10,
            phase,
        });
        assert_eq!(session.outbound, expected);
        assert_eq!(places(&session.queue), [(1, 11)], "what is released has left the queue");
        assert_eq!((session.low, session.next_position), (1, 4));
        assert_eq!(places(&recovered.sessions[1].queue), [(1, 12), (2, 13)]);
    }
}

#[test]
fn a_release_whose_message_was_never_written_comes_back() {
    let mut world = World::with_sessions(&[1]);
    world.commit(&[
        Change::Publish { message: message(500_000, "a", b""), receivers: smallvec![] },
        Change::Outbound { session: 1, packet_id: 8, position: 7, message_id: 500_000, phase: Phase::Released },
    ]);
    assert_eq!(world.store.count(Table::Message), 0);
    let recovered = world.reopen();
    assert!(recovered.next_message_id > 500_000);
    assert_eq!((recovered.sessions[0].outbound.len(), recovered.sessions[0].next_position), (1, 8));
}

#[test]
fn the_sent_mark_only_rises() {
    let mut world = World::with_sessions(&[1]);
    world.commit(&[Change::SentMark { session: 1, position: 50 }]);
    let again =
        world.commit(&[Change::SentMark { session: 1, position: 40 }, Change::SentMark { session: 1, position: 50 }]);
    assert!(again.sessions.is_none(), "what says nothing new is not written");
    let session = world.reopen_one();
    assert_eq!((session.sent_mark, session.next_position), (50, 50));
}

#[test]
fn the_end_of_a_session_takes_all_it_had() {
    let mut world = World::with_sessions(&[1, 2]);
    let of = |session| {
        [
            Change::Subscribe {
                session,
                filter: "a".into(),
                options: SubscriptionOptions::qos(Qos::AtLeastOnce),
                subscription_id: None,
            },
            Change::Received { session, packet_id: u16::MAX },
            Change::Outbound { session, packet_id: u16::MAX, position: 9, message_id: 1, phase: Phase::Released },
            Change::SentMark { session, position: 9 },
            Change::WillSet { session, will: Arc::new(will()), due_at_ms: None },
        ]
    };
    world.commit(&[of(1), of(2)].concat());
    world.commit(&[ends(1)]);
    for (table, left) in
        [(Table::Session, 1), (Table::Subscription, 1), (Table::Inflight, 2), (Table::Progress, 1), (Table::Will, 1)]
    {
        assert_eq!(world.store.count(table), left, "{table:?}");
    }
    assert_eq!(world.reopen_one().record, record(2));
}

#[test]
fn what_comes_after_the_end_of_a_session_writes_nothing() {
    let mut world = World::with_sessions(&[1]);
    world.commit(&[ends(1)]);
    let late = [
        Change::Subscribe {
            session: 1,
            filter: "a".into(),
            options: SubscriptionOptions::qos(Qos::AtLeastOnce),
            subscription_id: None,
        },
        Change::Unsubscribe { session: 1, filter: "a".into() },
        Change::Received { session: 1, packet_id: 1 },
        Change::Forgotten { session: 1, packet_id: 1 },
        Change::Outbound { session: 1, packet_id: 1, position: 1, message_id: 1, phase: Phase::Sent },
        Change::Completed { session: 1, packet_id: 1 },
        Change::SentMark { session: 1, position: 2 },
        Change::WillSet { session: 1, will: Arc::new(will()), due_at_ms: None },
        Change::WillClear { session: 1 },
        ends(1),
    ];
    assert!(world.commit(&late).sessions.is_none());
}

#[test]
fn a_new_session_of_the_client_outlives_the_end_of_the_old_one() {
    let new = SessionRecord { number: 2, ..record(1) };
    let filter = Change::Subscribe {
        session: 2,
        filter: "a".into(),
        options: SubscriptionOptions::qos(Qos::AtLeastOnce),
        subscription_id: None,
    };
    for changes in [
        [ends(1), Change::Session(new.clone()), filter.clone()],
        [Change::Session(new.clone()), filter.clone(), ends(1)],
        [Change::Session(new.clone()), ends(1), filter.clone()],
    ] {
        let mut world = World::with_sessions(&[1]);
        world.commit(&changes);
        let session = world.reopen_one();
        assert_eq!(session.record, new);
        assert_eq!(session.subscriptions.len(), 1);
    }
}

#[test]
fn numbers_of_sessions_never_come_again() {
    let mut world = World::with_sessions(&[3, 7]);
    world.commit(&[ends(7), ends(3)]);
    assert_eq!(world.store.count(Table::Session), 0);
    assert_eq!(world.reopen().next_session_number, 8);
    assert_eq!(world.reopen().next_session_number, 8);
}
