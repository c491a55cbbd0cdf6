//! Where does a server stop, before a packet costs more than it is worth?

use hikyaku_protocol::{DecodeLimits, frame};
use hikyaku_types::ProtocolVersion::{V5, V311};
use hikyaku_types::ReasonCode;

use crate::{field, packet, read_connect, read_within};

const LIMITS: DecodeLimits = DecodeLimits { filters_max: 3, user_properties_max: 2, topic_levels_max: 4 };

fn judge(bytes: &[u8]) -> ReasonCode {
    read_within(bytes, V5, &LIMITS).map_or_else(|error| error.reason, |_| ReasonCode::SUCCESS)
}

fn user_properties(count: usize) -> Vec<u8> {
    let block = b"\x26\0\x01k\0\x01v".repeat(count);
    let len = block.len();
    let prefix = if len < 128 { vec![len as u8] } else { vec![len as u8 | 0x80, (len >> 7) as u8] };
    [prefix, block].concat()
}

#[test]
fn a_packet_has_a_limited_number_of_filters() {
    for (count, want) in [(3, ReasonCode::SUCCESS), (4, ReasonCode::QUOTA_EXCEEDED)] {
        let subscribe = [b"\0\x01\0".to_vec(), [field("a"), vec![0]].concat().repeat(count)].concat();
        assert_eq!(judge(&packet(0x82, &subscribe)), want);
        let unsubscribe = [b"\0\x01\0".to_vec(), field("a").repeat(count)].concat();
        assert_eq!(judge(&packet(0xA2, &unsubscribe)), want);
    }
}

#[test]
fn a_packet_has_a_limited_number_of_user_properties() {
    for (count, want) in [(2, ReasonCode::SUCCESS), (3, ReasonCode::QUOTA_EXCEEDED)] {
        let user = &user_properties(count)[..];
        let method = [&[user[0] + 4][..], b"\x15\0\x01m", &user[1..]].concat();
        for (byte1, body) in [
            (0x30, [&field("a")[..], user].concat()),
            (0x40, [b"\0\x01\0", user].concat()),
            (0x82, [b"\0\x01", user, &field("a")[..], &[0]].concat()),
            (0xA2, [b"\0\x01", user, &field("a")[..]].concat()),
            (0xE0, [b"\0", user].concat()),
            (0xF0, [b"\x18", &method[..]].concat()),
        ] {
            assert_eq!(judge(&packet(byte1, &body)), want, "{byte1:#x} with {count}");
        }
    }
}

#[test]
fn connect_has_the_default_limits() {
    let connect = |count, will_count, levels| {
        let topic = vec!["a"; levels].join("/");
        let body = [
            &b"\0\x04MQTT\x05\x06\0\x0A"[..],
            &user_properties(count),
            &field("c"),
            &user_properties(will_count),
            &field(topic),
            &field(""),
        ]
        .concat();
        read_connect(&packet(0x10, &body)).map_or_else(|refused| refused.error.reason, |_| ReasonCode::SUCCESS)
    };
    assert_eq!(connect(100, 100, 128), ReasonCode::SUCCESS);
    assert_eq!(connect(101, 0, 1), ReasonCode::QUOTA_EXCEEDED);
    assert_eq!(connect(0, 101, 1), ReasonCode::QUOTA_EXCEEDED);
    assert_eq!(connect(0, 0, 129), ReasonCode::TOPIC_NAME_INVALID);
}

/// A level may be empty; a shared filter counts without its share.
#[test]
fn names_and_filters_have_a_limited_number_of_levels() {
    let publish = |topic: &str| judge(&packet(0x30, &[&field(topic)[..], b"\0"].concat()));
    let subscribe = |filter: &str| judge(&packet(0x82, &[b"\0\x01\0", &field(filter)[..], &[0]].concat()));
    let names = [("a/b/c/d", true), ("///", true), ("aaaaaaaa/b", true), ("a/b/c/d/e", false), ("////", false)];
    for (name, fits) in names {
        let want = |reason| if fits { ReasonCode::SUCCESS } else { reason };
        assert_eq!(publish(name), want(ReasonCode::TOPIC_NAME_INVALID), "{name}");
        assert_eq!(subscribe(name), want(ReasonCode::TOPIC_FILTER_INVALID), "{name}");
        assert_eq!(subscribe(&format!("$share/g/{name}")), want(ReasonCode::TOPIC_FILTER_INVALID), "{name}");
    }
}

/// The fixed header is enough: nothing of the body has come yet.
#[test]
fn a_packet_that_is_too_large_is_refused_before_its_body_comes() {
    let head = b"\x30\xC8\x01";
    assert_eq!(frame(head, Some(V311), 203), Ok(None));
    assert_eq!(frame(head, Some(V311), 202).unwrap_err().reason, ReasonCode::PACKET_TOO_LARGE);
    assert_eq!(frame(b"\x10\xC8\x01", None, 202).unwrap_err().reason, ReasonCode::PACKET_TOO_LARGE);
}

#[test]
fn a_packet_type_that_must_not_come_is_refused_by_its_first_byte() {
    for byte1 in [0x00, 0x10, 0x20, 0x36, 0x38, 0x42, 0x60, 0x80, 0x90, 0xA0, 0xB0, 0xC1, 0xD0, 0xE1, 0xF1] {
        assert!(frame(&[byte1], Some(V5), usize::MAX).is_err(), "{byte1:#x}");
        assert!(frame(&[byte1], Some(V311), usize::MAX).is_err(), "{byte1:#x}");
    }
}
