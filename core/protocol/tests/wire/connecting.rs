//! What does the server know about a client after CONNECT, and what does it answer to a wrong one?

use hikyaku_protocol::{ConnectAnswer, ConnectWill, Packet, frame};
use hikyaku_types::{ProtocolVersion, Qos, ReasonCode};

use crate::{field, packet, read, read_connect};

/// A CONNECT of the parts behind the protocol name.
fn connect(name: &str, level: u8, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    packet(0x10, &[&field(name)[..], &[level, flags, 0, 10], &rest.concat()].concat())
}

#[test]
fn what_5_0_leaves_out_is_what_the_standard_says() {
    let connect = read_connect(&connect("MQTT", 5, 0, &[b"\0", &field("c")])).unwrap();
    assert_eq!(connect.session_expiry_secs, 0);
    assert_eq!((connect.receive_maximum, connect.packet_size_max, connect.topic_alias_maximum), (65_535, u32::MAX, 0));
    assert!(!connect.request_response_information && connect.request_problem_information && !connect.clean_start);
    assert_eq!((connect.user_name, connect.password, connect.will), (None, None, None));
    assert_eq!((connect.keep_alive_secs, &connect.client_id[..]), (10, "c"));
}

#[test]
fn every_property_of_5_0_is_read() {
    let properties = [
        &b"\x11\0\0\x0E\x10\x21\0\x05\x27\0\0\x10\0\x22\0\x03\x19\x01\x17\0"[..],
        b"\x26\0\x01k\0\x01v\x15\0\x01m\x16\0\x02\xFF\0",
    ]
    .concat();
    let connect = read_connect(&connect("MQTT", 5, 2, &[&[properties.len() as u8], &properties, &field("c")])).unwrap();
    assert_eq!(connect.session_expiry_secs, 3600);
    assert_eq!((connect.receive_maximum, connect.packet_size_max, connect.topic_alias_maximum), (5, 4096, 3));
    assert!(connect.request_response_information && !connect.request_problem_information && connect.clean_start);
    assert_eq!(connect.authentication_method.as_deref(), Some("m"));
    assert_eq!(connect.authentication_data, b"\xFF\0");
}

#[test]
fn a_session_of_3_x_ends_with_the_connection_or_never() {
    for (name, level) in [("MQIsdp", 3), ("MQTT", 4)] {
        let expiry = |flags| read_connect(&connect(name, level, flags, &[&field("c")])).unwrap().session_expiry_secs;
        assert_eq!((expiry(2), expiry(0)), (0, u32::MAX));
    }
}

/// Delay and expiry are the Will's own; the others travel with it, in their order and byte for byte.
#[test]
fn the_properties_of_a_will_are_as_in_publish() {
    let properties = b"\x26\0\x01k\0\x01v\x18\0\0\0\x09\x01\x01\x02\0\0\0\x07\x26\0\x01k\0\x01w\x09\0\x02\xFF\0";
    let will = [&[properties.len() as u8][..], properties, &field("w/t"), &field(b"\xFFbye")].concat();
    let connect = read_connect(&connect("MQTT", 5, 0x36, &[b"\0", &field("c"), &will])).unwrap();
    assert_eq!(
        connect.will,
        Some(ConnectWill {
            topic: "w/t".to_owned(),
            payload: b"\xFFbye".to_vec(),
            qos: Qos::ExactlyOnce,
            retain: true,
            delay_secs: 9,
            expiry_secs: Some(7),
            properties: b"\x26\0\x01k\0\x01v\x01\x01\x26\0\x01k\0\x01w\x09\0\x02\xFF\0".to_vec(),
        })
    );
}

#[test]
fn a_will_of_3_x_has_neither_delay_nor_properties() {
    let connect = read_connect(&connect("MQTT", 4, 0x0E, &[&field("c"), &field("w"), &field("bye")])).unwrap();
    let will = connect.will.unwrap();
    assert_eq!((will.qos, will.retain, will.delay_secs, will.expiry_secs), (Qos::AtLeastOnce, false, 0, None));
    assert_eq!((&will.topic[..], &will.payload[..], &will.properties[..]), ("w", &b"bye"[..], &b""[..]));
}

#[test]
fn an_empty_login_is_not_an_absent_one() {
    let login = |flags, rest: &[&[u8]]| {
        let connect = read_connect(&connect("MQTT", 4, flags, &[&field("c"), &rest.concat()])).unwrap();
        (connect.user_name, connect.password)
    };
    assert_eq!(login(0x02, &[]), (None, None));
    assert_eq!(login(0x82, &[b"\0\0"]), (Some(String::new()), None));
    assert_eq!(login(0xC2, &[b"\0\0", b"\0\0"]), (Some(String::new()), Some(vec![])));
    assert_eq!(login(0xC2, &[b"\0\x01u", b"\0\x02\xFF\0"]), (Some("u".to_owned()), Some(vec![0xFF, 0])));
}

/// In 3.1 a login may be flagged and missing, and what is not used is disregarded; later versions refuse both.
#[test]
fn version_3_1_is_read_as_loosely_as_it_is_written() {
    let connect = |flags, rest: &[&[u8]]| read_connect(&connect("MQIsdp", 3, flags, rest));
    let missing = connect(0xC2, &[&field("c")]).unwrap();
    assert_eq!((missing.version, missing.user_name, missing.password), (ProtocolVersion::V31, None, None));
    let half = connect(0xC2, &[&field("c"), &field("u")]).unwrap();
    assert_eq!((half.user_name.as_deref(), half.password), (Some("u"), None));
    assert_eq!(connect(0x3B, &[&field("c")]).unwrap().will, None);
    assert!(connect(0x42, &[&field("c"), &field("p")]).is_err());
    for bytes in [&b"\x60\x02\0\x01"[..], b"\x6A\x02\0\x01", b"\x41\x02\0\x01", b"\xC1\0", b"\x38\x03\0\x01a"] {
        assert!(read(bytes, ProtocolVersion::V31).is_ok(), "{bytes:02x?}");
        assert!(read(bytes, ProtocolVersion::V311).is_err(), "{bytes:02x?}");
    }
}

/// A client is answered in its own dialect, if it has one.
#[test]
fn a_refused_connect_is_answered_in_the_clients_dialect() {
    use ConnectAnswer::{Silence, V3, V5};
    let unsupported = ReasonCode::UNSUPPORTED_PROTOCOL_VERSION;
    for (name, level, flags, rest, answer, reason) in [
        ("HTTP", 4, 2, &b"\0\x01c"[..], Silence, unsupported),
        ("MQTT", 3, 2, b"\0\x01c", V3(1), unsupported),
        ("MQTT", 0, 2, b"\0\x01c", V3(1), unsupported),
        ("MQTT", 6, 2, b"\0\x01c", V5, unsupported),
        ("MQTT", 0x84, 2, b"\0\x01c", V3(1), unsupported), // how bridges of mosquitto ask first
        ("MQIsdp", 0x83, 2, b"\0\x01c", V3(1), unsupported),
        ("MQTT", 4, 3, b"\0\x01c", Silence, ReasonCode::MALFORMED_PACKET),
        ("MQTT", 4, 0x82, b"\0\x01c\0\x01\xFF", Silence, ReasonCode::MALFORMED_PACKET), // the user name
        ("MQTT", 5, 3, b"\0\0\x01c", V5, ReasonCode::MALFORMED_PACKET),
        ("MQTT", 5, 2, b"\x03\x21\0\0\0\x01c", V5, ReasonCode::PROTOCOL_ERROR),
        ("MQTT", 5, 6, b"\0\0\x01c\0\0\x01#\0\0", V5, ReasonCode::TOPIC_NAME_INVALID),
    ] {
        let refused = read_connect(&connect(name, level, flags, &[rest])).unwrap_err();
        assert_eq!((refused.answer, refused.error.reason), (answer, reason), "{name} {level}: {refused}");
    }
    let cut = read_connect(b"\x10\x02\0\x04").unwrap_err();
    assert_eq!(cut.answer, Silence);
}

#[test]
fn a_remaining_length_that_is_too_long_is_malformed_in_5_0_only() {
    let stretch = |mut bytes: Vec<u8>| {
        bytes[1] |= 0x80;
        bytes.insert(2, 0);
        bytes
    };
    let refused = read_connect(&stretch(connect("MQTT", 5, 2, &[b"\0", &field("c")]))).unwrap_err();
    assert_eq!((refused.answer, refused.error.reason), (ConnectAnswer::V5, ReasonCode::MALFORMED_PACKET));
    assert!(read_connect(&stretch(connect("MQTT", 4, 2, &[&field("c")]))).is_ok());
    assert!(matches!(read(&stretch(vec![0xC0, 0]), ProtocolVersion::V311), Ok(Packet::PingReq)));
}

#[test]
fn connect_comes_first_and_once() {
    let connect = connect("MQTT", 4, 2, &[&field("c")]);
    for byte1 in (0..=255).filter(|byte1| byte1 >> 4 != 1) {
        assert_eq!(frame(&[byte1], None, usize::MAX).unwrap_err().reason, ReasonCode::PROTOCOL_ERROR);
    }
    for version in crate::VERSIONS {
        assert_eq!(frame(&connect, Some(version), usize::MAX).unwrap_err().reason, ReasonCode::PROTOCOL_ERROR);
    }
}
