//! What does a client read in what we write? Answered by the reader of these tests.

use hikyaku_protocol::{
    Ack, AckKind, Auth, ConnAck, Packet, PublishOut, encode_ack, encode_auth, encode_connack, encode_disconnect,
    encode_pingresp, encode_suback, encode_unsuback,
};
use hikyaku_types::ProtocolVersion::{V5, V31, V311};
use hikyaku_types::{Qos, ReasonCode};

use crate::reader::{Published, open, published};
use crate::{VERSIONS, read};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"before".to_vec();
    write(&mut out);
    assert_eq!(&out[..6], b"before", "encoders append");
    out.split_off(6)
}

fn message() -> PublishOut<'static> {
    PublishOut {
        version: V5,
        qos: Qos::AtLeastOnce,
        dup: true,
        retain: true,
        packet_id: 0x1234,
        topic: "a/é".as_bytes(),
        topic_alias: Some(9),
        message_expiry_secs: Some(70_000),
        subscription_ids: &[1, 300, 268_435_455],
        properties: b"\x01\x01\x26\0\x01k\0\x01v",
        payload: b"hello",
    }
}

#[test]
fn a_message_carries_everything_in_5_0() {
    let published = published(&written(|out| message().encode(out)), V5);
    let ids = [1_u32, 300, 268_435_455].map(|id| (11, id.to_be_bytes().to_vec()));
    let mut properties = vec![(2, 70_000_u32.to_be_bytes().to_vec())];
    properties.extend(ids);
    properties.extend([(35, vec![0, 9]), (1, vec![1]), (38, b"k=v".to_vec())]);
    assert_eq!(
        published,
        Published {
            byte1: 0x3B,
            topic: "a/é".as_bytes().to_vec(),
            packet_id: Some(0x1234),
            properties,
            payload: b"hello".to_vec(),
        }
    );
}

#[test]
fn a_message_carries_no_property_in_3_x() {
    for version in [V31, V311] {
        let published = published(&written(|out| PublishOut { version, ..message() }.encode(out)), version);
        assert_eq!((published.packet_id, &published.payload[..]), (Some(0x1234), &b"hello"[..]));
    }
}

#[test]
fn a_message_of_qos_0_has_neither_packet_identifier_nor_dup() {
    let published = published(&written(|out| PublishOut { qos: Qos::AtMostOnce, ..message() }.encode(out)), V5);
    assert_eq!((published.byte1, published.packet_id), (0x31, None));
}

/// Over the limits of each length field, and with the payload written apart.
#[test]
fn the_size_of_a_message_is_what_is_written() {
    for len in [0, 100, 127, 128, 129, 16_000, 16_383, 16_384, 65_535, 2_097_151, 2_097_152] {
        let filler = vec![b'x'; len];
        for version in VERSIONS {
            for qos in [Qos::AtMostOnce, Qos::ExactlyOnce] {
                let message = PublishOut { version, qos, payload: &filler, ..message() };
                let whole = written(|out| message.encode(out));
                assert_eq!(whole.len(), message.size());
                let head = written(|out| message.encode_head(out));
                assert_eq!([&head, &filler[..]].concat(), whole);
                assert_eq!(published(&whole, version).payload, filler);
            }
        }
        let bare = PublishOut { topic_alias: None, message_expiry_secs: None, subscription_ids: &[], ..message() };
        let padded = PublishOut { properties: &filler, payload: b"", ..bare };
        assert_eq!(written(|out| padded.encode(out)).len(), padded.size());
    }
}

/// What a server writes for acknowledgements is what it reads of them, so the decoder of the crate is judge enough; the
/// vectors have judged that one.
#[test]
fn acknowledgements_carry_their_reason_in_5_0_only_and_only_if_there_is_one() {
    for kind in [AckKind::PubAck, AckKind::PubRec, AckKind::PubRel, AckKind::PubComp] {
        let failure = match kind {
            AckKind::PubAck | AckKind::PubRec => ReasonCode::QUOTA_EXCEEDED,
            AckKind::PubRel | AckKind::PubComp => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        };
        for version in VERSIONS {
            for reason in [ReasonCode::SUCCESS, failure] {
                let out = written(|out| encode_ack(out, version, Ack { kind, packet_id: 0x0102, reason }));
                let told = version == V5 && reason != ReasonCode::SUCCESS;
                assert_eq!(out.len(), if told { 5 } else { 4 });
                let Ok(Packet::Ack(ack)) = read(&out, version) else { panic!("{out:02x?}") };
                let reason = if told { failure } else { ReasonCode::SUCCESS };
                assert_eq!(ack, Ack { kind, packet_id: 0x0102, reason });
            }
        }
    }
}

#[test]
fn pingresp_is_two_bytes() {
    assert_eq!(written(encode_pingresp), [0xD0, 0]);
}

fn full_connack() -> ConnAck {
    ConnAck {
        session_present: true,
        reason: ReasonCode::SUCCESS,
        session_expiry_secs: Some(60),
        receive_maximum: Some(20),
        packet_size_max: Some(1 << 20),
        assigned_client_id: Some("auto-1".to_owned()),
        topic_alias_maximum: 10,
        reason_string: Some("welcome".to_owned()),
        server_keep_alive_secs: Some(30),
        response_information: Some("answers".to_owned()),
        authentication_method: Some("SCRAM".to_owned()),
        authentication_data: b"v=\xFF".to_vec(),
    }
}

#[test]
fn connack_carries_what_the_server_decided() {
    let out = written(|out| encode_connack(out, V5, &full_connack()));
    let (byte1, mut body) = open(&out);
    assert_eq!((byte1, body.take(2)), (0x20, &[1, 0][..]));
    let mut properties = body.properties();
    properties.sort();
    assert_eq!(
        properties,
        [
            (17, vec![0, 0, 0, 60]),
            (18, b"auto-1".to_vec()),
            (19, vec![0, 30]),
            (21, b"SCRAM".to_vec()),
            (22, b"v=\xFF".to_vec()),
            (26, b"answers".to_vec()),
            (31, b"welcome".to_vec()),
            (33, vec![0, 20]),
            (34, vec![0, 10]),
            (39, vec![0, 16, 0, 0]),
        ]
    );
    assert_eq!(body.0, b"");
}

#[test]
fn connack_of_3_x_is_a_flag_and_a_code() {
    assert_eq!(written(|out| encode_connack(out, V311, &full_connack())), [0x20, 2, 1, 0]);
    assert_eq!(written(|out| encode_connack(out, V31, &full_connack())), [0x20, 2, 0, 0]);
    let refused = ConnAck { reason: ReasonCode::NOT_AUTHORIZED, ..full_connack() };
    assert_eq!(written(|out| encode_connack(out, V311, &refused)), [0x20, 2, 0, 5]);
}

#[test]
fn a_text_too_long_for_its_length_is_left_out() {
    let connack = ConnAck { reason_string: Some("x".repeat(65_536)), ..ConnAck::default() };
    assert_eq!(written(|out| encode_connack(out, V5, &connack)), [0x20, 3, 0, 0, 0]);
    let long = "x".repeat(65_536);
    assert_eq!(written(|out| encode_disconnect(out, ReasonCode::BANNED, Some(&long))), [0xE0, 1, 0x80]);
    let auth = Auth { reason: ReasonCode::SUCCESS, method: Some(long), data: vec![0; 65_536] };
    assert_eq!(written(|out| encode_auth(out, &auth)), [0xF0, 0]);
}

/// Every code of section 3.2.2.2 goes out as it is; every other one as 0x80.
#[test]
fn connack_never_has_a_code_that_is_not_its_own() {
    let own = [
        0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A,
        0x9B, 0x9C, 0x9D, 0x9F,
    ];
    for code in 0..=255 {
        let connack = ConnAck { reason: ReasonCode(code), ..ConnAck::default() };
        let want = match code {
            0x8B => 0x88,
            code if own.contains(&code) => code,
            _ => 0x80,
        };
        assert_eq!(written(|out| encode_connack(out, V5, &connack))[3], want, "{code:#x}");
    }
}

#[test]
fn suback_answers_each_filter_in_order() {
    let reasons = [ReasonCode::GRANTED_QOS_2, ReasonCode::NOT_AUTHORIZED, ReasonCode::SUCCESS, ReasonCode::BANNED];
    let out = written(|out| encode_suback(out, V5, 7, &reasons));
    assert_eq!(out, [0x90, 7, 0, 7, 0, 2, 0x87, 0, 0x80]);
    for version in [V31, V311] {
        let out = written(|out| encode_suback(out, version, 7, &reasons));
        assert_eq!(out, [0x90, 6, 0, 7, 2, 0x80, 0, 0x80]);
    }
}

#[test]
fn unsuback_has_reasons_in_5_0_only() {
    let reasons = [ReasonCode::SUCCESS, ReasonCode::NO_SUBSCRIPTION_EXISTED, ReasonCode::BANNED];
    assert_eq!(written(|out| encode_unsuback(out, V5, 7, &reasons)), [0xB0, 6, 0, 7, 0, 0, 0x11, 0x80]);
    assert_eq!(written(|out| encode_unsuback(out, V311, 7, &reasons)), [0xB0, 2, 0, 7]);
}

#[test]
fn answers_to_many_filters_are_written_whole() {
    let reasons = vec![ReasonCode::GRANTED_QOS_1; 20_000];
    for write in [encode_suback, encode_unsuback] {
        let out = written(|out| write(out, V5, 7, &reasons));
        let (_, mut body) = open(&out);
        assert_eq!((body.number(2), body.properties(), body.0.len()), (7, vec![], 20_000));
    }
}

#[test]
fn disconnect_always_tells_its_reason() {
    for code in 0..=255_u8 {
        for text in [None, Some("why")] {
            let out = written(|out| encode_disconnect(out, ReasonCode(code), text));
            let (byte1, mut body) = open(&out);
            assert_eq!(byte1, 0xE0);
            let told = if body.0.is_empty() { 0 } else { body.take(1)[0] };
            assert!(told == code || told == 0x80, "{code:#x} told as {told:#x}");
            let properties = if body.0.is_empty() { vec![] } else { body.properties() };
            assert_eq!(properties, text.map(|text| (31, text.as_bytes().to_vec())).into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn auth_goes_out_as_it_comes_in() {
    let auth =
        Auth { reason: ReasonCode::CONTINUE_AUTHENTICATION, method: Some("SCRAM".to_owned()), data: vec![0xFF; 300] };
    let out = written(|out| encode_auth(out, &auth));
    let (byte1, mut body) = open(&out);
    assert_eq!((byte1, body.take(1)), (0xF0, &[0x18][..]));
    assert_eq!(body.properties(), [(21, b"SCRAM".to_vec()), (22, vec![0xFF; 300])]);
    let Ok(Packet::Auth(back)) = read(&out, V5) else { panic!("{out:02x?}") };
    assert_eq!(back, auth);
    let bare = Auth { method: None, data: vec![], ..auth };
    assert_eq!(written(|out| encode_auth(out, &bare)), [0xF0, 2, 0x18, 0]);
}
