//! Formats are for good: format 1 in bytes, as every later version has to read it.

use std::fmt::Write;

use hikyaku_broker::ledger::FORMAT;
use hikyaku_broker::{Change, Phase, Receipt};
use hikyaku_traits::{Table, Will};
use hikyaku_types::{Qos, SubscriptionOptions};
use smallvec::smallvec;

use crate::world::*;

const FORMAT_1: &str = include_str!("format_1.txt");

fn changes() -> Vec<Change> {
    let mut parked = record(2);
    parked.parked_since_ms = Some(1_700_000_000_000);
    let will = Will {
        topic: "will".into(),
        payload: b"gone".to_vec(),
        qos: Qos::AtLeastOnce,
        retain: true,
        delay_secs: 5,
        expiry_secs: Some(60),
        properties: vec![1, 1],
    };
    let options = SubscriptionOptions::qos(Qos::ExactlyOnce);
    vec![
        Change::Session(record(1)),
        Change::Session(parked),
        Change::Subscribe { session: 1, filter: "$share/g/a/#".into(), options, subscription_id: Some(300) },
        Change::Subscribe { session: 2, filter: "+".into(), options, subscription_id: None },
        Change::Publish {
            message: message(1, "a/b", b"payload"),
            receivers: smallvec![
                Receipt {
                    session: 1,
                    position: 5,
                    qos: Qos::ExactlyOnce,
                    retain: true,
                    subscription_ids: smallvec![7, 300]
                },
                receipt(2, 1),
            ],
        },
        publish_of(message(2, "a/b", &[b'x'; 3072]), &[(1, 6), (2, 2)]),
        publish(3, &[(1, 7), (2, 3)]),
        done(2, 1, 1, 2),
        done(2, 3, 3, 2),
        Change::Received { session: 1, packet_id: 9 },
        Change::Outbound { session: 1, packet_id: 6, position: 5, message_id: 1, phase: Phase::Sent },
        Change::Outbound { session: 1, packet_id: 5, position: 4, message_id: 0, phase: Phase::Released },
        Change::SentMark { session: 2, position: 3 },
        Change::WillSet { session: 1, will: will.clone().into(), due_at_ms: None },
        Change::WillSet { session: 2, will: will.into(), due_at_ms: Some(1_700_000_005_000) },
        Change::Retain { message: message(4, "r/small", b"payload") },
        Change::Retain { message: message(5, "r/large", &[b'y'; 3072]) },
    ]
}

/// One row a line; a long run of one byte as the byte and how often it stands there.
fn print(store: &Store) -> String {
    let mut text = String::new();
    for ((table, key), value) in &store.0 {
        let _ = write!(text, "{} {} ", table.name(), hex(key));
        match value.first() {
            Some(first) if value.len() > 100 && value.iter().all(|byte| byte == first) => {
                let _ = writeln!(text, "{first:02x}*{}", value.len());
            }
            _ => {
                let _ = writeln!(text, "{}", hex(value));
            }
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let (digits, times) = hex.split_once('*').map_or((hex, 1), |(digits, times)| (digits, times.parse().unwrap()));
    let once: Vec<_> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    once.repeat(times)
}

/// If this fails, the format has changed: stores that are in use would not be read any more.
#[test]
fn format_1_is_written_as_ever() {
    let mut world = World::new();
    world.commit(&changes());
    assert_eq!(print(&world.store), FORMAT_1);
}

/// The store of format 1.
pub fn format_1() -> Store {
    let mut store = Store::default();
    for line in FORMAT_1.lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let table = Table::ALL.into_iter().find(|table| table.name() == name).unwrap();
        store.put(table, &bytes(words.next().unwrap()), &bytes(words.next().unwrap()));
    }
    store
}

/// `docs/formats.md` says how they are made.
#[test]
fn there_are_real_stores_of_each_format() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/trouble/fixtures");
    for format in 1..=FORMAT {
        for engine in ["redb", "sqlite"] {
            for end in ["", "_killed"] {
                let file = fixtures.join(format!("format_{format}{end}.{engine}.tar.gz"));
                assert!(file.exists(), "{} is missing", file.display());
            }
        }
    }
}

#[test]
fn format_1_is_read_as_ever() {
    let recovered = World { store: format_1(), ..World::new() }.reopen();
    let [first, second] = recovered.sessions.as_slice() else { panic!("two sessions") };
    assert_eq!(first.record, record(1));
    assert_eq!(second.record.parked_since_ms, Some(1_700_000_000_000));
    assert_eq!(places(&first.queue), [(5, 1), (6, 2), (7, 3)]);
    assert_eq!(places(&second.queue), [(2, 2)]);
    assert_eq!((second.low, second.sent_mark, second.next_position), (2, 3, 4));
    assert_eq!((first.received.as_slice(), first.outbound.len(), first.subscriptions.len()), ([9].as_slice(), 2, 1));
    assert_eq!(
        second.will.as_ref().map(|(will, due)| (will.topic.as_str(), *due)),
        Some(("will", Some(1_700_000_005_000)))
    );
    assert_eq!(recovered.retained.iter().map(|message| message.size()).collect::<Vec<_>>(), [7 + 2 + 7, 7 + 2 + 3072]);
    let told = (recovered.clock_ms, recovered.next_session_number, recovered.next_message_id);
    assert_eq!(told, (1_700_000_000_000, 3, 65_536), "the clock was never before a session was parked");
}

#[test]
fn the_clock_is_noted_once_in_a_second_and_never_alone() {
    let mut world = World::with_sessions(&[1]);
    assert_eq!(world.reopen().clock_ms, 1_000_000);
    world.wall_ms += 999;
    world.commit(&[publish(1, &[(1, 1)])]);
    assert_eq!(world.reopen().clock_ms, 1_000_000);
    world.wall_ms += 1;
    assert!(world.commit(&[]).sessions.is_none());
    world.commit(&[publish(2, &[(1, 2)])]);
    assert_eq!(world.reopen().clock_ms, 1_001_000);
    world.wall_ms = 5; // never goes back
    world.commit(&[publish(3, &[(1, 3)])]);
    assert_eq!(world.reopen().clock_ms, 1_001_000);
}

#[test]
fn an_empty_store_is_a_fresh_one_and_gets_its_format_with_the_first_batch() {
    let mut world = World::new();
    let recovered = world.reopen();
    assert_eq!((recovered.next_session_number, recovered.next_message_id, recovered.clock_ms), (1, 1, 0));
    assert!(world.commit(&[]).sessions.is_none());
    world.commit(&[Change::Session(record(1))]);
    assert_eq!(world.store.get(Table::Meta, b"format"), Some([1, 1].as_slice()));
}
