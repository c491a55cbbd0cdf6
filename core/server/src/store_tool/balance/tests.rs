use hikyaku_broker::SessionRecord;
use hikyaku_types::{ProtocolVersion, Qos, SubscriptionOptions};

use super::*;

fn meta(name: &str, number: u64) -> Record {
    Record::Meta { name: name.into(), number }
}

fn session(number: u64, client_id: &str) -> Record {
    Record::Session(SessionRecord {
        number,
        client_id: client_id.into(),
        epoch: 1,
        protocol: ProtocolVersion::V5,
        expiry_secs: 60,
        parked_since_ms: None,
    })
}

fn content(id: u64, payload: PayloadRecord) -> MessageRecord {
    MessageRecord {
        id,
        qos: Qos::ExactlyOnce,
        retain: false,
        expires_at_ms: None,
        topic: "t".into(),
        properties: [].into(),
        payload,
    }
}

fn message(id: u64, payload: PayloadRecord, receivers: &[(u64, u64)]) -> Record {
    let receipt = |&(session, position)| Receipt {
        session,
        position,
        qos: Qos::ExactlyOnce,
        retain: false,
        subscription_ids: Vec::new().into(),
    };
    Record::Message { message: content(id, payload), receivers: receivers.iter().map(receipt).collect() }
}

fn small() -> PayloadRecord {
    PayloadRecord::Here([].into())
}

/// Two sessions, and room for message ids up to 99; session 3 has ended.
fn judged(records: impl IntoIterator<Item = Record>) -> Balance {
    let mut balance = Balance::default();
    let first = [
        meta(meta_name::MESSAGE_ID_RESERVED, 100),
        meta(meta_name::NEXT_SESSION_NUMBER, 4),
        session(1, "a"),
        session(2, "b"),
    ];
    first.into_iter().chain(records).for_each(|record| balance.take(record));
    balance.finish()
}

#[test]
fn a_store_in_order_has_no_problem() {
    let sent = Record::Outbound { session: 1, packet_id: 8, position: 7, message_id: 5, phase: Phase::Sent };
    let released = Record::Outbound { session: 1, packet_id: 2, position: 1, message_id: 0, phase: Phase::Released };
    let balance = judged([
        sent,
        released,
        message(5, small(), &[(1, 7), (2, 1)]),
        message(6, PayloadRecord::Apart(3), &[(1, 8)]),
        Record::Body { message_id: 6, payload: [1, 2, 3].into() },
        Record::Retained(content(9, PayloadRecord::Apart(1))),
        Record::RetainedBody { topic: "t".into(), payload: [1].into() },
    ]);
    assert_eq!((balance.problems.as_slice(), balance.notes()), ([].as_slice(), vec![]));
}

/// A message whose receivers have ended or are done is no problem: the next start sweeps it.
#[test]
fn what_the_next_start_sweeps_is_a_note() {
    let done = Record::Progress { session: 2, low: 3, sent_mark: 0, done: vec![(5, 6)] };
    let balance = judged([
        done,
        message(5, small(), &[(3, 1)]),
        message(6, small(), &[(2, 2)]),
        message(7, small(), &[(2, 6)]),
        message(8, small(), &[(2, 4), (3, 2)]),
    ]);
    assert_eq!(balance.problems, Vec::<String>::new());
    assert!(balance.notes()[0].starts_with("2 receivers") && balance.notes()[1].starts_with("3 messages"));
}

#[test]
fn each_thing_that_does_not_fit_is_told() {
    let options = SubscriptionOptions::qos(Qos::AtMostOnce);
    let sent = Record::Outbound { session: 1, packet_id: 8, position: 7, message_id: 5, phase: Phase::Sent };
    let cases: Vec<(Vec<Record>, &str)> = vec![
        (vec![session(9, "c")], "next_session_number"),
        (vec![session(2, "c")], "number of another session"),
        (
            vec![Record::Subscription { session: 3, filter: "f".into(), options, subscription_id: None }],
            "belongs to session 3",
        ),
        (vec![Record::Received { session: 3, packet_id: 1 }], "belongs to session 3"),
        (vec![Record::Progress { session: 3, low: 1, sent_mark: 0, done: vec![] }], "belongs to session 3"),
        (vec![message(5, small(), &[(9, 1)])], "has never been there"),
        (vec![message(100, small(), &[(1, 1)])], "message_id_reserved"),
        (vec![message(5, small(), &[(1, 1)]), message(6, small(), &[(1, 1)])], "more than one message"),
        (vec![sent.clone()], "does not wait for it"),
        (vec![sent, message(5, small(), &[(1, 6)])], "does not wait for it"),
        (vec![message(5, PayloadRecord::Apart(3), &[(1, 1)])], "lost its payload"),
        (
            vec![message(5, PayloadRecord::Apart(3), &[(1, 1)]), Record::Body { message_id: 5, payload: [1].into() }],
            "has 3 bytes, but it has 1",
        ),
        (vec![Record::Body { message_id: 5, payload: [1].into() }], "does not say so"),
        (vec![Record::Retained(content(9, PayloadRecord::Apart(1)))], "lost its payload"),
        (vec![Record::RetainedBody { topic: "t".into(), payload: [1].into() }], "does not say so"),
    ];
    for (records, expected) in cases {
        let problems = judged(records).problems;
        assert!(problems.len() == 1 && problems[0].contains(expected), "{expected}: {problems:?}");
    }
}
