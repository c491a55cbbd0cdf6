//! The lines of version 1 are in a file: what is written must stay as it is there, and be read from there.

use hikyaku_broker::ledger::{MessageRecord, PayloadRecord, Record};
use hikyaku_broker::{Phase, Receipt, SessionRecord};
use hikyaku_traits::Will;
use hikyaku_types::{ProtocolVersion, Qos, RetainHandling, SubscriptionOptions};

use super::Tally;
use super::line::{First, Line, Versions, line_of};
use super::lines::Lines;

const EXPORT_1: &str = include_str!("export_1.jsonl");

fn session(number: u64, protocol: ProtocolVersion, parked_since_ms: Option<u64>) -> Record {
    let client_id = format!("client \"{number}\" é").into();
    Record::Session(SessionRecord { number, client_id, epoch: 3, protocol, expiry_secs: u32::MAX, parked_since_ms })
}

fn message(id: u64, payload: PayloadRecord, expires_at_ms: Option<u64>) -> MessageRecord {
    let properties = b"\x01\x01\x03\x00\x04text\x26\x00\x01k\x00\x01v\x09\x00\x02\xFF\x00\x08\x00\x01r".as_slice();
    let properties: Box<[u8]> = if expires_at_ms.is_some() { properties.into() } else { [].into() };
    MessageRecord { id, qos: Qos::ExactlyOnce, retain: true, expires_at_ms, topic: "/a//".into(), properties, payload }
}

fn text(text: &str) -> PayloadRecord {
    PayloadRecord::Here(text.as_bytes().into())
}

/// One of each kind and more, and whether it is the number of a separate store.
fn records() -> Vec<(Record, bool)> {
    let meta = |name: &str, number| Record::Meta { name: name.into(), number };
    let receipt = |position, ids: &[u32]| Receipt {
        session: 1,
        position,
        qos: Qos::AtLeastOnce,
        retain: false,
        subscription_ids: ids.into(),
    };
    let options = SubscriptionOptions {
        qos: Qos::AtLeastOnce,
        no_local: true,
        retain_as_published: false,
        retain_handling: RetainHandling::IfNew,
    };
    let will = Will {
        topic: "will".into(),
        payload: b"gone\n".to_vec(),
        qos: Qos::AtMostOnce,
        retain: false,
        delay_secs: 5,
        expiry_secs: Some(60),
        properties: b"\x63unknown".to_vec(),
    };
    let plain = Will { expiry_secs: None, properties: vec![], payload: vec![], ..will.clone() };
    let main = vec![
        meta("clock", 1_700_000_000_123),
        meta("format", 1),
        session(1, ProtocolVersion::V31, None),
        session(2, ProtocolVersion::V311, Some(1_700_000_000_123)),
        session(3, ProtocolVersion::V5, Some(u64::MAX)),
        Record::Subscription { session: 1, filter: "$share/g/+/#".into(), options, subscription_id: Some(7) },
        Record::Subscription {
            session: 2,
            filter: "#".into(),
            options: SubscriptionOptions::qos(Qos::ExactlyOnce),
            subscription_id: None,
        },
        Record::Message {
            message: message(1, text("21.5 °C"), Some(1_700_000_060_000)),
            receivers: vec![receipt(9, &[1, 300])],
        },
        Record::Message {
            message: message(2, PayloadRecord::Here([0, 0xFF].into()), None),
            receivers: vec![receipt(10, &[]), receipt(11, &[])],
        },
        Record::Message { message: message(3, PayloadRecord::Apart(2), None), receivers: vec![] },
        Record::Body { message_id: 3, payload: (*b"\xFE\x00").into() },
        Record::Progress { session: 1, low: 5, sent_mark: 12, done: vec![(7, 7), (9, 12)] },
        Record::Received { session: 1, packet_id: 65_535 },
        Record::Outbound { session: 1, packet_id: 10, position: 9, message_id: 1, phase: Phase::Sent },
        Record::Outbound { session: 1, packet_id: 5, position: 4, message_id: 0, phase: Phase::Released },
        Record::Will { session: 1, will: will.into(), due_at_ms: Some(1_700_000_005_000) },
        Record::Will { session: 2, will: plain.into(), due_at_ms: None },
    ];
    let separate = vec![
        meta("format", 1),
        Record::Retained(message(4, text("on"), None)),
        Record::Retained(message(5, PayloadRecord::Apart(3), None)),
        Record::RetainedBody { topic: "/a//".into(), payload: (*b"abc").into() },
    ];
    let of_separate = |record: Record| {
        let is_meta = matches!(record, Record::Meta { .. });
        (record, is_meta)
    };
    main.into_iter().map(|record| (record, false)).chain(separate.into_iter().map(of_separate)).collect()
}

fn lines() -> String {
    let mut tally = Tally::default();
    let mut text = String::new();
    let mut put = |tally: &mut Tally, line: String| {
        let line = line + "\n";
        tally.line(line.as_bytes());
        text += &line;
    };
    let first = First { hikyaku_export: Versions { version: 1, store_format: 1 } };
    put(&mut tally, serde_json::to_string(&first).unwrap());
    for (record, is_separate) in records() {
        let (table, _) = record.write().unwrap();
        tally.record(table, is_separate);
        put(&mut tally, serde_json::to_string(&line_of(record, is_separate)).unwrap());
    }
    let end = tally.end();
    put(&mut tally, serde_json::to_string(&Line::End(end)).unwrap());
    text
}

/// If this fails, the text has changed: exports that people have kept would not be read any more.
#[test]
fn version_1_is_written_as_ever() {
    assert_eq!(lines(), EXPORT_1);
}

fn read(text: &str) -> Result<Vec<(Record, bool)>, String> {
    let mut lines = Lines::new(Box::new(std::io::Cursor::new(text.to_owned().into_bytes())), "x".into());
    lines.first().map_err(|failure| failure.0)?;
    let mut records = Vec::new();
    while let Some(entry) = lines.record().map_err(|failure| failure.0)? {
        records.push((entry.record, entry.is_separate));
    }
    Ok(records)
}

#[test]
fn version_1_is_read_as_ever() {
    assert_eq!(read(EXPORT_1), Ok(records()));
}

/// Wherever it is cut, it is refused with the number of the line.
#[test]
fn a_file_that_was_cut_off_is_refused() {
    let mut line = 1;
    for at in 0..EXPORT_1.len() {
        if !EXPORT_1.is_char_boundary(at) {
            continue;
        }
        let error = read(&EXPORT_1[..at]).unwrap_err();
        assert!(error.contains(&format!("line {line}: ")), "cut at {at}: {error}");
        line += u64::from(EXPORT_1.as_bytes()[at] == b'\n');
    }
}

/// Whichever letter or digit is another one, it is refused.
#[test]
fn a_file_that_was_edited_is_refused() {
    let letters = EXPORT_1.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_alphanumeric());
    for (at, byte) in letters.collect::<Vec<_>>() {
        let mut bytes = EXPORT_1.as_bytes().to_vec();
        bytes[at] = if byte == b'1' { b'2' } else { b'1' };
        let error = read(std::str::from_utf8(&bytes).unwrap()).unwrap_err();
        assert!(error.starts_with("Cannot import x: line "), "{error}");
    }
}

#[test]
fn what_is_wrong_with_a_line_is_told() {
    let (head, rest) = EXPORT_1.split_once('\n').unwrap();
    for (bad, expected) in [
        ("", "line 1: this is no export"),
        ("{\"hello\":1}\n", "line 1: this is no export"),
        ("{\"hikyaku_export\":{\"version\":2,\"store_format\":1}}\n", "reads up to version 1"),
        ("{\"hikyaku_export\":{\"version\":1,\"store_format\":9}}\n", "up to format 1"),
        (&format!("{head}\n{{\"mete\":{{}}}}\n"), "line 2: it is not a record: unknown variant `mete`"),
        (&format!("{head}\n{{\"meta\":{{\"name\":\"format\",\"number\":2}}}}\n"), "up to format 1"),
        (&format!("{head}\n{{\"meta\":{{\"name\":\"a\",\"number\":2,\"x\":1}}}}\n"), "unknown field `x`"),
        (
            &format!("{head}\n{{\"progress\":{{\"session\":1,\"low\":5,\"sent_mark\":1,\"done\":[[4,5]]}}}}\n"),
            "out of its bounds",
        ),
        (&format!("{head}\n{{\"body\":{{\"message_id\":1,\"payload\":{{\"base64\":\"%\"}}}}}}\n"), "base64"),
        (
            &format!(
                "{head}\n{{\"message\":{{\"id\":1,\"topic\":\"t\",\"qos\":3,\"retain\":false,\"payload\":{{\"text\":\"\"}}}}}}\n"
            ),
            "missing field `receivers`",
        ),
        (
            &format!(
                "{head}\n{{\"retained\":{{\"id\":1,\"topic\":\"t\",\"qos\":3,\"retain\":false,\"payload\":{{\"text\":\"\"}}}}}}\n"
            ),
            "there is no QoS 3",
        ),
        (&format!("{head}\n{rest}{head}\n"), "something follows the last line"),
    ] {
        let error = read(bad).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
