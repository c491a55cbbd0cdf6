//! What does `-v` say about each packet? Who, what, topic, QoS, packet id, as `mosquitto -v` does.

use hikyaku_protocol::{AckKind, Packet};

/// A packet that a client sent.
pub(crate) fn received(client_id: &str, packet: &Packet<'_>) {
    let text = match packet {
        Packet::Publish(p) => format!(
            "PUBLISH (d{}, q{}, r{}, m{}, '{}', {} bytes)",
            u8::from(p.dup),
            p.qos.bits(),
            u8::from(p.retain),
            p.packet_id,
            p.topic,
            p.payload.len()
        ),
        Packet::Ack(ack) => format!("{} (m{}, {})", ack_name(ack.kind), ack.packet_id, ack.reason),
        Packet::Subscribe(s) => {
            let filters: Vec<String> =
                s.filters.iter().map(|(filter, options)| format!("{filter} (QoS {})", options.qos.bits())).collect();
            format!("SUBSCRIBE (m{}, {})", s.packet_id, filters.join(", "))
        }
        Packet::Unsubscribe(u) => format!("UNSUBSCRIBE (m{}, {})", u.packet_id, u.filters.join(", ")),
        Packet::PingReq => "PINGREQ".into(),
        Packet::Disconnect(d) => format!("DISCONNECT ({})", d.reason),
        Packet::Auth(a) => format!("AUTH ({})", a.reason),
    };
    tracing::debug!(client = client_id, "Received {text}");
}

fn ack_name(kind: AckKind) -> &'static str {
    match kind {
        AckKind::PubAck => "PUBACK",
        AckKind::PubRec => "PUBREC",
        AckKind::PubRel => "PUBREL",
        AckKind::PubComp => "PUBCOMP",
    }
}

/// The packets in what is about to be written to a client. Read back from the bytes, so that nothing on the way to them
/// pays for it.
pub(crate) fn sending(client_id: &str, mut bytes: &[u8]) {
    while let Some((byte1, body, rest)) = split(bytes) {
        tracing::debug!(client = client_id, "Sending {}", describe(byte1, body));
        bytes = rest;
    }
}

fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (mut length, mut at) = (0usize, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    let body = bytes.get(at..at + length)?;
    Some((bytes[0], body, &bytes[at + length..]))
}

fn describe(byte1: u8, body: &[u8]) -> String {
    let number = |at: usize| body.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
    match byte1 >> 4 {
        2 => format!("CONNACK (session present {}, {})", body.first().unwrap_or(&0) & 1, body.get(1).unwrap_or(&0)),
        3 => {
            let topic = body.get(2..2 + usize::from(number(0))).unwrap_or_default();
            let qos = byte1 >> 1 & 3;
            let id = if qos > 0 { number(2 + topic.len()) } else { 0 };
            let topic = String::from_utf8_lossy(topic);
            format!(
                "PUBLISH (d{}, q{qos}, r{}, m{id}, '{topic}', {} bytes with header)",
                byte1 >> 3 & 1,
                byte1 & 1,
                body.len()
            )
        }
        4 => format!("PUBACK (m{})", number(0)),
        5 => format!("PUBREC (m{})", number(0)),
        6 => format!("PUBREL (m{})", number(0)),
        7 => format!("PUBCOMP (m{})", number(0)),
        9 => format!("SUBACK (m{})", number(0)),
        11 => format!("UNSUBACK (m{})", number(0)),
        13 => "PINGRESP".into(),
        14 => format!("DISCONNECT ({:#04x})", body.first().unwrap_or(&0)),
        other => format!("packet type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hikyaku_protocol::PublishOut;
    use hikyaku_types::{ProtocolVersion, Qos};

    #[test]
    fn a_publish_is_described_from_its_bytes() {
        let mut out = Vec::new();
        PublishOut {
            version: ProtocolVersion::V311,
            qos: Qos::AtLeastOnce,
            dup: false,
            retain: true,
            packet_id: 7,
            topic: b"a/b",
            topic_alias: None,
            message_expiry_secs: None,
            subscription_ids: &[],
            properties: &[],
            payload: b"xyz",
        }
        .encode(&mut out);
        let (byte1, body, rest) = split(&out).unwrap();
        assert!(rest.is_empty());
        assert!(describe(byte1, body).starts_with("PUBLISH (d0, q1, r1, m7, 'a/b'"), "{}", describe(byte1, body));
    }
}
