//! Does anything a client can send upset the decoder? The vectors, changed at random but the same in each run.

use hikyaku_protocol::{DecodeLimits, Packet, ProtocolError, Publish, PublishOut, decode, decode_connect, frame};
use hikyaku_types::{ProtocolVersion, ReasonCode};

use crate::{VERSIONS, reader, vectors};

const ROUNDS: usize = 200_000;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit.max(1)
    }
}

/// Bytes that mean something somewhere.
const LIKELY: [u8; 24] =
    [0, 1, 2, 3, 4, 8, 9, 11, 17, 21, 22, 23, 24, 25, 31, 33, 34, 35, 38, 39, 0x7F, 0x80, 0xFF, b'+'];

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = LIKELY[random.below(LIKELY.len())],
            2 => bytes.insert(at, LIKELY[random.below(LIKELY.len())]),
            3 if bytes.len() > 1 => drop(bytes.remove(at)),
            4 => bytes.truncate(at + 1),
            _ => bytes.extend_from_within(at..),
        }
    }
    // Mostly a right length, or hardly anything would get past the framing.
    if bytes.len() > 2 && random.below(8) != 0 {
        bytes.truncate(129);
        bytes[1] = (bytes.len() - 2) as u8;
    }
}

/// Mutated packets are accepted or refused, never a panic; what has been checked is always readable; and a message that
/// was accepted can be sent on, and is the same message for the reader of these tests.
#[test]
fn mutated_packets_are_accepted_or_refused() {
    let vectors: Vec<_> = vectors::all().into_iter().filter(|vector| vector.to_server).collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut accepted = 0;
    for _ in 0..ROUNDS {
        let vector = &vectors[random.below(vectors.len())];
        let mut bytes = vector.bytes.clone();
        mutate(&mut bytes, &mut random);
        let version = VERSIONS[random.below(VERSIONS.len())];
        accepted += usize::from(if bytes[0] >> 4 == 1 { try_connect(&bytes) } else { try_packet(&bytes, version) });
    }
    assert!(accepted > ROUNDS / 20, "only {accepted} were accepted: the mutations have lost their point");
}

fn readable(error: ProtocolError) {
    assert_ne!(error.reason, ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, "{error}");
}

fn try_connect(bytes: &[u8]) -> bool {
    let Ok(Some(frame)) = frame(bytes, None, 4096) else { return false };
    decode_connect(frame, bytes).map_err(|refused| readable(refused.error)).is_ok()
}

fn try_packet(bytes: &[u8], version: ProtocolVersion) -> bool {
    let Ok(Some(frame)) = frame(bytes, Some(version), 4096) else { return false };
    match decode(frame, bytes, version, &DecodeLimits::default()) {
        Ok(Packet::Publish(publish)) => send_on(&publish, version),
        Ok(_) => {}
        Err(error) => {
            readable(error);
            return false;
        }
    }
    true
}

fn send_on(publish: &Publish<'_>, version: ProtocolVersion) {
    let mut properties = Vec::new();
    publish.travelling_properties(&mut properties);
    let message = PublishOut {
        version,
        qos: publish.qos,
        dup: publish.dup,
        retain: publish.retain,
        packet_id: publish.packet_id,
        topic: publish.topic.as_bytes(),
        topic_alias: publish.topic_alias,
        message_expiry_secs: publish.message_expiry_secs,
        subscription_ids: &[],
        properties: &properties,
        payload: publish.payload,
    };
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(out.len(), message.size());
    let seen = reader::published(&out, version);
    assert_eq!((&seen.topic[..], &seen.payload[..]), (publish.topic.as_bytes(), publish.payload));
    let hop = |id: u8| matches!(id, 2 | 35);
    let came = reader::block(publish.properties);
    let of_the_hop = |properties: &[(u8, Vec<u8>)], of: bool| -> Vec<(u8, Vec<u8>)> {
        properties.iter().filter(|(id, _)| hop(*id) == of).cloned().collect()
    };
    assert_eq!(of_the_hop(&seen.properties, false), of_the_hop(&came, false));
    let mut hop = of_the_hop(&came, true);
    hop.sort();
    assert_eq!(of_the_hop(&seen.properties, true), hop);
}
