//! Tools see all that a row says: reading it and writing it again gives the same bytes, or the row is refused.

use std::collections::BTreeSet;

use hikyaku_broker::ledger::{LedgerError, MessageRecord, PayloadRecord, Record, format_of, meta_name};
use hikyaku_broker::{Phase, Receipt};
use hikyaku_traits::{Row, Table, Will};
use hikyaku_types::{ProtocolVersion, Qos, RetainHandling, SubscriptionOptions};
use smallvec::smallvec;

use crate::damage::full;
use crate::format::format_1;
use crate::world::{Store, record};

fn rows(store: &Store) -> impl Iterator<Item = (Table, Row)> {
    Table::ALL.into_iter().flat_map(|table| store.rows(table).into_iter().map(move |row| (table, row)))
}

fn stores() -> [Store; 2] {
    [full().store, format_1()]
}

/// Which of the kinds of records it is.
fn kind(record: &Record) -> std::mem::Discriminant<Record> {
    std::mem::discriminant(record)
}

#[test]
fn every_row_of_every_kind_is_written_again_as_it_was() {
    for store in stores() {
        let mut kinds = BTreeSet::new();
        for (table, row) in rows(&store) {
            let record = Record::read(table, &row).unwrap();
            assert_eq!(record.write(), Some((table, row)));
            kinds.insert(format!("{:?}", kind(&record)));
        }
        assert_eq!(kinds.len(), 11, "all kinds of records are there");
    }
}

/// Every value of every field that has few, the edges of the others.
fn thinkable() -> Vec<Record> {
    let numbers = [0, 1, 127, 128, 16_384, u64::MAX];
    let mut records = Vec::new();
    for &number in &numbers {
        records.push(Record::Meta { name: "format".into(), number });
        records.push(Record::Progress { session: number, low: 1, sent_mark: number, done: vec![] });
        let mut session = record(number);
        session.parked_since_ms = Some(number);
        session.expiry_secs = u32::MAX;
        for protocol in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
            records.push(Record::Session(hikyaku_broker::SessionRecord { protocol, ..session.clone() }));
        }
        for phase in [Phase::Sent, Phase::Released] {
            records.push(Record::Outbound {
                session: number,
                packet_id: 65_535,
                position: number,
                message_id: number,
                phase,
            });
        }
        records.push(Record::Received { session: number, packet_id: 1 });
    }
    records.push(Record::Progress { session: 1, low: 2, sent_mark: 0, done: vec![(3, 3), (5, 700), (702, u64::MAX)] });
    for bits in 0..=u8::MAX {
        let Some(options) = SubscriptionOptions::from_bits(bits) else { continue };
        for subscription_id in [None, Some(1), Some(268_435_455)] {
            records.push(Record::Subscription {
                session: 3,
                filter: "$share/g/é/+/#".into(),
                options,
                subscription_id,
            });
        }
    }
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        for retain in [false, true] {
            records.extend(messages(qos, retain));
        }
    }
    records
}

fn messages(qos: Qos, retain: bool) -> Vec<Record> {
    let payloads = [
        PayloadRecord::Here([].into()),
        PayloadRecord::Here([0, 0xFF, b'"'].into()),
        PayloadRecord::Apart(3072),
        PayloadRecord::Apart(0), // another threshold than today's
    ];
    let receivers = vec![
        Receipt { session: 1, position: 9, qos, retain, subscription_ids: smallvec![1, 300] },
        crate::world::receipt(2, 1),
    ];
    let mut records = Vec::new();
    for payload in payloads {
        for expires_at_ms in [None, Some(0), Some(u64::MAX)] {
            let topic: Box<str> = "/a//é".into();
            let message = MessageRecord {
                id: 7,
                qos,
                retain,
                expires_at_ms,
                topic,
                properties: [1, 1].into(),
                payload: payload.clone(),
            };
            records.push(Record::Message { message: message.clone(), receivers: receivers.clone() });
            records.push(Record::Message { message: message.clone(), receivers: vec![] });
            records.push(Record::Retained(message));
            let will = Will {
                topic: String::new(),
                payload: vec![0, 0xFF],
                qos,
                retain,
                delay_secs: u32::MAX,
                expiry_secs: expires_at_ms.map(|_| u32::MAX),
                properties: vec![],
            };
            records.push(Record::Will { session: 1, will: will.into(), due_at_ms: expires_at_ms });
        }
    }
    records.push(Record::Body { message_id: u64::MAX, payload: [].into() });
    records.push(Record::RetainedBody { topic: "".into(), payload: [0].into() });
    records
}

#[test]
fn every_record_comes_back_from_its_row() {
    for record in thinkable() {
        let (table, row) = record.write().unwrap_or_else(|| panic!("{record:?} has a row"));
        assert_eq!(Record::read(table, &row), Ok(record));
    }
}

/// Each byte of each row with each other value, and each row cut short: what is read all the same is what the bytes say.
#[test]
fn no_damage_is_passed_on_as_something_else() {
    let (mut refused, mut read) = (0, 0);
    for (table, row) in rows(&full().store) {
        let mut judge = |damaged: Row| match Record::read(table, &damaged) {
            Ok(record) => {
                read += 1;
                assert_eq!(record.write(), Some((table, damaged)));
            }
            Err(error) => {
                refused += 1;
                let digits: String = damaged.key.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(error, LedgerError::Corrupt { table, key: digits });
                assert!(error.to_string().contains(table.name()), "{error}");
            }
        };
        for at in 0..row.value.len().min(64) {
            judge(Row { key: row.key.clone(), value: row.value[..at].into() });
            for byte in (0..=u8::MAX).filter(|byte| *byte != row.value[at]) {
                let mut value = row.value.clone();
                value[at] = byte;
                judge(Row { key: row.key.clone(), value });
            }
        }
        for at in 0..row.key.len() {
            judge(Row { key: row.key[..at].into(), value: row.value.clone() });
        }
    }
    assert!(refused > 1000 && read > 1000, "{refused} refused, {read} read");
}

/// A number in more bytes than it needs reads as the number, but is not what the broker writes.
#[test]
fn a_row_that_would_not_be_written_like_this_is_refused() {
    let row = Row { key: (*b"clock").into(), value: [1, 0x80, 0].into() };
    assert_eq!(
        Record::read(Table::Meta, &row).unwrap_err(),
        LedgerError::Corrupt { table: Table::Meta, key: "636c6f636b".into() }
    );
}

#[test]
fn what_no_row_can_say_has_none() {
    let progress = |done| Record::Progress { session: 1, low: 5, sent_mark: 0, done };
    let options =
        SubscriptionOptions { retain_handling: RetainHandling::Never, ..SubscriptionOptions::qos(Qos::AtMostOnce) };
    for impossible in [
        progress(vec![(5, 6)]),
        progress(vec![(7, 6)]),
        progress(vec![(7, 8), (8, 9)]),
        Record::Subscription { session: 1, filter: "a".into(), options, subscription_id: Some(0) },
        Record::RetainedBody { topic: "x".repeat(65_536).into(), payload: [].into() },
    ] {
        assert_eq!(impossible.write(), None, "{impossible:?}");
    }
}

#[test]
fn the_format_of_a_store_stands_in_its_meta_rows() {
    let meta = |store: &Store| format_of(&store.rows(Table::Meta));
    assert_eq!(meta(&Store::default()), Ok(None));
    let mut store = format_1();
    assert_eq!(meta(&store), Ok(Some(1)));
    store.put(Table::Meta, meta_name::FORMAT.as_bytes(), &[1, 2]);
    assert_eq!(meta(&store), Err(LedgerError::Newer { found: 2, known: 1 }));
    store.put(Table::Meta, meta_name::FORMAT.as_bytes(), &[2, 1]);
    assert!(matches!(meta(&store), Err(LedgerError::Corrupt { table: Table::Meta, .. })));
}
