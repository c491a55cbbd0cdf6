//! Stores that cannot be read are refused with a reason; nothing panics.

use hikyaku_broker::ledger::{LedgerError, Place, Recovery, read_message};
use hikyaku_broker::{Change, Phase};
use hikyaku_traits::{Page, Row, Table, Will};
use hikyaku_types::{Qos, SubscriptionOptions};

use crate::world::*;

/// A store with rows in all tables.
pub fn full() -> World {
    let mut world = World::with_sessions(&[1, 2]);
    let will = Will {
        topic: "t".into(),
        payload: vec![],
        qos: Qos::AtLeastOnce,
        retain: true,
        delay_secs: 0,
        expiry_secs: Some(1),
        properties: vec![],
    };
    world.commit(&[
        Change::Subscribe {
            session: 1,
            filter: "a".into(),
            options: SubscriptionOptions::qos(Qos::AtLeastOnce),
            subscription_id: Some(300),
        },
        publish(1, &[(1, 1), (2, 1)]),
        publish_of(message(2, "b", &[0; 5000]), &[(1, 2), (2, 2)]),
        publish(3, &[(1, 3), (2, 3)]),
        done(1, 3, 3, 1),
        Change::Received { session: 1, packet_id: 1 },
        Change::Outbound { session: 1, packet_id: 2, position: 1, message_id: 1, phase: Phase::Sent },
        Change::WillSet { session: 1, will: will.into(), due_at_ms: Some(300) },
        Change::Retain { message: message(4, "small", b"x") },
        Change::Retain { message: message(5, "large", &[0; 5000]) },
    ]);
    world
}

fn error(store: &Store) -> Option<LedgerError> {
    recover(store, store, 1).err()
}

#[test]
fn a_newer_format_is_refused() {
    let mut world = World::with_sessions(&[1]);
    world.store.put(Table::Meta, b"format", &[1, 2]);
    let error = error(&world.store).unwrap();
    assert_eq!(error, LedgerError::Newer { found: 2, known: 1 });
    assert!(error.to_string().contains("format 2"), "{error}");
}

#[test]
fn a_separate_store_of_a_newer_format_is_refused() {
    let mut retained = Store::default();
    retained.put(Table::Meta, b"format", &[1, 9]);
    assert_eq!(recover(&Store::default(), &retained, 1).err(), Some(LedgerError::Newer { found: 9, known: 1 }));
}

#[test]
fn a_corrupt_row_is_named() {
    let mut world = full();
    world.store.put(Table::Message, &[0, 0, 0, 0, 0, 0, 0x12, 0xAB], &[1, 1]);
    let error = error(&world.store).unwrap();
    assert_eq!(error, LedgerError::Corrupt { table: Table::Message, key: "00000000000012ab".into() });
    assert!(error.to_string().contains("0x00000000000012ab") && error.to_string().contains("message"), "{error}");
}

#[test]
fn rows_without_a_format_are_not_ours() {
    let mut world = full();
    world.store.0.remove(&(Table::Meta, b"format".to_vec()));
    assert!(matches!(error(&world.store), Some(LedgerError::Corrupt { table: Table::Meta, .. })));
}

#[test]
fn a_name_in_meta_that_is_not_known_is_left_alone() {
    let mut world = full();
    world.store.put(Table::Meta, b"from a later version of the same format", b"?");
    assert_eq!(error(&world.store), None);
}

/// Each row is cut at each length, and each of its bytes is set to a few others: recovery may take it or refuse it, and if
/// it refuses, it names the row. What is cut is refused, but where the end of a value is the end of a payload.
#[test]
fn no_damage_to_a_row_is_a_panic() {
    let rows = full().store.0;
    let mut store = Store(rows.clone());
    for ((table, key), value) in rows.iter().filter(|row| row.0.0 != Table::Body) {
        let named = LedgerError::Corrupt { table: *table, key: key.iter().map(|byte| format!("{byte:02x}")).collect() };
        for len in (0..value.len()).rev().step_by(if value.len() > 1000 { 97 } else { 1 }) {
            store.put(*table, key, &value[..len]);
            match error(&store) {
                Some(error) => assert_eq!(error, named),
                None => assert!(
                    matches!(table, Table::Message | Table::Retained) && len + 8 > value.len(),
                    "{named:?} {len}"
                ),
            }
        }
        for at in 0..value.len().min(100) {
            for byte in [0, 1, 2, 0x7F, 0x80, 0xFF] {
                let mut damaged = value.clone();
                damaged[at] = byte;
                store.put(*table, key, &damaged);
                let _ = error(&store); // no panic
            }
        }
        store.put(*table, key, value);
    }
}

#[test]
fn a_damaged_message_is_refused_when_it_is_read() {
    let world = full();
    for row in world.store.rows(Table::Message) {
        assert!(read_message(&row, 1).is_ok());
        assert!(read_message(&Row { key: row.key[1..].into(), value: row.value.clone() }, 1).is_err());
        assert!(read_message(&Row { key: row.key.clone(), value: row.value[..12].into() }, 1).is_err());
        assert!(read_message(&Row { key: row.key, value: Box::default() }, 1).is_err());
    }
}

#[test]
fn a_retained_message_without_its_payload_is_corrupt() {
    let mut world = full();
    world.store.0.remove(&(Table::RetainedBody, b"large".to_vec()));
    assert!(matches!(error(&world.store), Some(LedgerError::Corrupt { table: Table::RetainedBody, .. })));
    world.store.put(Table::RetainedBody, b"large", &[0; 4999]);
    assert!(matches!(error(&world.store), Some(LedgerError::Corrupt { table: Table::RetainedBody, .. })));
}

/// What was left behind by a session that is gone is of no consequence, but its numbers count.
#[test]
fn rows_of_unknown_sessions_only_raise_the_counters() {
    let mut world = full();
    world.store.0.remove(&(Table::Session, b"client 2".to_vec()));
    let late = full();
    for ((table, key), value) in late.store.0 {
        if matches!(table, Table::Subscription | Table::Progress | Table::Inflight | Table::Will) {
            let key: Vec<_> = 900u64.to_be_bytes().iter().chain(&key[8..]).copied().collect();
            world.store.put(table, &key, &value);
        }
    }
    let recovered = world.reopen();
    assert_eq!(recovered.sessions.len(), 1);
    assert_eq!(recovered.sessions[0].received, [1]);
    assert_eq!(recovered.next_session_number, 901);
    assert_eq!(recovered.orphans, [3], "session 1 was done with it, and session 2 is no more");
}

#[test]
fn two_sessions_of_one_number_are_corrupt() {
    let mut world = full();
    let value = world.store.get(Table::Session, b"client 1").unwrap().to_vec();
    world.store.put(Table::Session, b"twin", &value);
    assert!(matches!(error(&world.store), Some(LedgerError::Corrupt { table: Table::Session, .. })));
}

#[test]
fn a_page_that_was_not_asked_for_is_left_aside() {
    let mut recovery = Recovery::new(SEEDS, 1);
    let first = recovery.next_scan();
    recovery.page(Place::Retained, Page::default()).unwrap();
    assert_eq!(recovery.next_scan(), first);
    assert_eq!(recovery.finish().err(), Some(LedgerError::Unfinished));
}
