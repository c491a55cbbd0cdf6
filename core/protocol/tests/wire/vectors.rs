//! The packets of `tests/vectors/packets.tsv`, each with the verdict that the standard gives and the place where.

use hikyaku_protocol::{ConnAck, PublishOut, encode_connack, encode_disconnect, frame};
use hikyaku_types::{ProtocolVersion, Qos, ReasonCode};

use crate::{VERSIONS, read, read_connect};

pub(crate) struct Vector {
    pub(crate) id: &'static str,
    pub(crate) version: ProtocolVersion,
    pub(crate) to_server: bool,
    pub(crate) valid: bool,
    pub(crate) what: &'static str,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn all() -> Vec<Vector> {
    include_str!("../vectors/packets.tsv").lines().skip(1).map(parse).collect()
}

fn parse(line: &'static str) -> Vector {
    let mut columns = line.split('\t');
    let mut next = || columns.next().expect("seven columns");
    let (id, version, direction, expect, _spec, what, hex) = (next(), next(), next(), next(), next(), next(), next());
    Vector {
        id,
        version: VERSIONS.into_iter().find(|known| known.to_string() == version).expect("a version"),
        to_server: match direction {
            "to_server" => true,
            "to_client" => false,
            other => panic!("{id}: direction {other}"),
        },
        valid: match expect {
            "valid" => true,
            "malformed" => false,
            other => panic!("{id}: expect {other}"),
        },
        what,
        bytes: hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"))
            .collect(),
    }
}

/// Every packet to a server is accepted or refused as the standard says. A refusal may come from the fixed header
/// alone; waiting for more bytes is neither.
#[test]
fn every_packet_from_a_client_is_judged_as_the_standard_says() {
    let vectors = all();
    assert_eq!(vectors.iter().filter(|vector| vector.to_server).count(), 206);
    for Vector { id, version, valid, what, bytes, .. } in vectors.iter().filter(|vector| vector.to_server) {
        let accepted = if bytes[0] >> 4 != 1 {
            read(bytes, *version).map(|_| ()).map_err(|error| error.to_string())
        } else if let Err(error) = frame(bytes, None, usize::MAX) {
            Err(error.to_string())
        } else {
            read_connect(bytes).map(|connect| assert_eq!(connect.version, *version)).map_err(|error| error.to_string())
        };
        assert_eq!(accepted.is_ok(), *valid, "{id}: {what}: {accepted:?}");
    }
}

/// A packet that is cut short anywhere is not taken for a packet, unless it is refused already.
#[test]
fn a_packet_that_is_cut_short_waits_for_the_rest() {
    for Vector { id, version, bytes, .. } in all().iter().filter(|vector| vector.to_server && vector.valid) {
        let version = (bytes[0] >> 4 != 1).then_some(*version);
        for len in 0..bytes.len() {
            assert_eq!(frame(&bytes[..len], version, usize::MAX), Ok(None), "{id} cut to {len}");
        }
    }
}

/// The valid packets to a client are written byte for byte; those that no server may send are never written, whatever
/// the encoders are asked for.
#[test]
fn packets_to_a_client_are_written_as_the_standard_says() {
    for Vector { id, version, valid, bytes, .. } in all().iter().filter(|vector| !vector.to_server) {
        let mut out = Vec::new();
        match *id {
            "K01" => encode_connack(&mut out, *version, &ConnAck::default()),
            "K06" => PublishOut {
                version: *version,
                qos: Qos::AtMostOnce,
                dup: false,
                retain: false,
                packet_id: 0,
                topic: b"a",
                topic_alias: None,
                message_expiry_secs: None,
                subscription_ids: &[1, 2, 3],
                properties: &[],
                payload: b"x",
            }
            .encode(&mut out),
            "K07" => encode_disconnect(&mut out, ReasonCode::SESSION_TAKEN_OVER, None),
            "K02" | "K03" | "K04" | "K05" => {
                assert!(!valid && every_connack(*version).all(|connack| connack != *bytes), "{id} is written");
                continue;
            }
            other => panic!("{other}: nobody judges it"),
        }
        assert!(*valid);
        assert_eq!(out, *bytes, "{id}");
    }
}

/// CONNACK with every code, with and without a session; each as short as it can be, so that a wrong one would show.
fn every_connack(version: ProtocolVersion) -> impl Iterator<Item = Vec<u8>> {
    (0..=255).flat_map(|code| [(code, false), (code, true)]).map(move |(code, session_present)| {
        let mut out = Vec::new();
        let connack = ConnAck { session_present, reason: ReasonCode(code), ..ConnAck::default() };
        encode_connack(&mut out, version, &connack);
        out
    })
}

/// CONNACK has no reserved flag, no session with a refusal, and in 5.0 always a property length.
#[test]
fn every_connack_has_the_shape_of_its_version() {
    for version in VERSIONS {
        for out in every_connack(version) {
            let shape = if version.is_v5() { 3 } else { 2 };
            assert_eq!(out[..2], [0x20, shape], "{version}: {out:02x?}");
            assert_eq!(out.len(), 2 + usize::from(shape), "{version}: {out:02x?}");
            let resumes = out[2] == 1 && out[3] == 0 && version != ProtocolVersion::V31;
            assert!(out[2] == 0 || resumes, "{version}: {out:02x?}");
            assert!(version.is_v5() || out[3] <= 5, "{version}: {out:02x?}");
        }
    }
}
