//! The defects of mqttbytes 0.6.0 that are fenced in: each test passes while its defect exists. One that fails says
//! that the crate has changed, and that a rule in `control` may go.

use std::panic::catch_unwind;

use mqttbytes::Error;

use super::*;

/// A packet whose remaining length takes one byte.
fn open(bytes: &'static [u8]) -> (FixedHeader, Bytes) {
    (FixedHeader::new(bytes[0], 1, bytes.len() - 2), Bytes::from_static(bytes))
}

fn write(packet: impl FnOnce(&mut BytesMut) -> std::result::Result<usize, Error>) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    packet(&mut buffer).unwrap();
    buffer.to_vec()
}

#[test]
fn mqttbytes_refuses_the_ordinary_goodbye_of_5_0() {
    assert!(mqttbytes::v5::read(&mut BytesMut::from(&b"\xE0\0"[..]), 1024).is_err());
}

#[test]
fn mqttbytes_waits_for_more_of_a_whole_disconnect() {
    let (header, bytes) = open(b"\xE0\x01\x04");
    assert_eq!(v5::Disconnect::read(header, bytes), Err(Error::InsufficientBytes(1)));
}

#[test]
fn mqttbytes_leaves_out_the_property_length_of_connack() {
    let connack = v5::ConnAck::new(v5::ConnectReturnCode::Success, false);
    assert_eq!(write(|buffer| connack.write(buffer)), [0x20, 2, 0, 0]);
}

#[test]
fn mqttbytes_loses_the_reason_of_a_disconnect_with_empty_properties() {
    let properties = Some(v5::DisconnectProperties::new());
    let packet = v5::Disconnect { reason_code: v5::DisconnectReasonCode::SessionTakenOver, properties };
    assert_eq!(write(|buffer| packet.write(buffer)), [0xE0, 0]);
}

#[test]
fn mqttbytes_knows_no_3_1() {
    let (header, bytes) = open(b"\x10\x0F\0\x06MQIsdp\x03\x02\0\x0A\0\x01c");
    assert_eq!(v4::Connect::read(header, bytes), Err(Error::InvalidProtocol));
}

#[test]
fn mqttbytes_takes_an_empty_login_for_none_and_refuses_a_binary_password() {
    let (header, bytes) = open(b"\x10\x0F\0\x04MQTT\x04\x82\0\x0A\0\x01c\0\0");
    assert_eq!(v4::Connect::read(header, bytes).unwrap().login, None);
    let (header, bytes) = open(b"\x10\x13\0\x04MQTT\x04\xC2\0\x0A\0\x01c\0\x01u\0\x01\xFF");
    assert_eq!(v4::Connect::read(header, bytes), Err(Error::TopicNotUtf8));
}

#[test]
fn mqttbytes_writes_a_wrong_length_for_a_long_text() {
    let properties = v5::ConnAckProperties { reason_string: Some("x".repeat(65_537)), ..v5::ConnAckProperties::new() };
    let code = v5::ConnectReturnCode::Success;
    let out = write(|buffer| v5::ConnAck { session_present: false, code, properties: Some(properties) }.write(buffer));
    let at = out.iter().position(|&byte| byte == 31).unwrap();
    assert_eq!(out[at + 1..at + 4], [0, 1, b'x']);
}

#[test]
fn mqttbytes_accepts_what_is_malformed() {
    let (header, bytes) = open(b"\x82\x02\0\x01");
    assert!(v4::Subscribe::read(header, bytes).unwrap().filters.is_empty(), "no filter");
    let (header, bytes) = open(b"\x82\x06\0\0\0\x01a\0");
    assert_eq!(v4::Subscribe::read(header, bytes).unwrap().pkid, 0);
    let (header, bytes) = open(b"\xA2\x05\0\x01\0\x01\0");
    assert_eq!(v4::Unsubscribe::read(header, bytes).unwrap().topics, ["\0"]);
}

#[test]
fn mqttbytes_panics_on_a_topic_that_does_not_begin_in_ascii() {
    assert!(catch_unwind(|| mqttbytes::matches("é/x", "#")).is_err());
}
