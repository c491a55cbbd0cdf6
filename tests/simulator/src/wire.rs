//! How does the client's side of the wire look? What the broker's codec does not need: CONNECT and its like out, and what
//! a broker says in.

use hikyaku_protocol::AckKind;
use hikyaku_types::{ProtocolVersion, Qos, SubscriptionOptions};

/// What a model client connects with.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// The dialect.
    pub version: ProtocolVersion,
    /// Who.
    pub client_id: String,
    /// Clean Start.
    pub clean: bool,
    /// Session Expiry Interval; of 5.0 only.
    pub expiry_secs: u32,
    /// Receive Maximum; of 5.0 only.
    pub receive_maximum: u16,
    /// Maximum Packet Size; of 5.0 only.
    pub packet_size_max: Option<u32>,
    /// Topic Alias Maximum; of 5.0 only.
    pub alias_maximum: u16,
    /// Topic, payload, QoS and delay of the Will.
    pub will: Option<(String, String, Qos, u32)>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn packet(out: &mut Vec<u8>, byte1: u8, body: &[u8]) {
    out.push(byte1);
    varint(out, body.len());
    out.extend_from_slice(body);
}

/// Writes CONNECT.
pub fn connect(out: &mut Vec<u8>, greeting: &Greeting) {
    let v5 = greeting.version.is_v5();
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.push(greeting.version as u8);
    let will = greeting.will.as_ref().map_or(0, |will| 4 | will.2.bits() << 3);
    body.push(u8::from(greeting.clean) << 1 | will);
    body.extend_from_slice(&[0, 0]);
    if v5 {
        let mut properties = vec![0x11];
        properties.extend_from_slice(&greeting.expiry_secs.to_be_bytes());
        properties.push(0x21);
        properties.extend_from_slice(&greeting.receive_maximum.to_be_bytes());
        properties.push(0x22);
        properties.extend_from_slice(&greeting.alias_maximum.to_be_bytes());
        if let Some(bytes) = greeting.packet_size_max {
            properties.push(0x27);
            properties.extend_from_slice(&bytes.to_be_bytes());
        }
        varint(&mut body, properties.len());
        body.extend_from_slice(&properties);
    }
    text(&mut body, &greeting.client_id);
    if let Some((topic, payload, _, delay)) = &greeting.will {
        if v5 {
            body.extend_from_slice(&[5, 0x18]);
            body.extend_from_slice(&delay.to_be_bytes());
        }
        text(&mut body, topic);
        text(&mut body, payload);
    }
    packet(out, 0x10, &body);
}

/// Writes SUBSCRIBE of one filter.
pub fn subscribe(out: &mut Vec<u8>, version: ProtocolVersion, id: u16, filter: &str, options: SubscriptionOptions) {
    let mut body = id.to_be_bytes().to_vec();
    if version.is_v5() {
        body.push(0);
    }
    text(&mut body, filter);
    body.push(if version.is_v5() { options.bits() } else { options.qos.bits() });
    packet(out, 0x82, &body);
}

/// Writes UNSUBSCRIBE of one filter.
pub fn unsubscribe(out: &mut Vec<u8>, version: ProtocolVersion, id: u16, filter: &str) {
    let mut body = id.to_be_bytes().to_vec();
    if version.is_v5() {
        body.push(0);
    }
    text(&mut body, filter);
    packet(out, 0xA2, &body);
}

/// Writes DISCONNECT; reason and expiry are of 5.0 only.
pub fn disconnect(out: &mut Vec<u8>, version: ProtocolVersion, reason: u8, expiry_secs: Option<u32>) {
    let mut body = Vec::new();
    if version.is_v5() {
        body.push(reason);
        if let Some(secs) = expiry_secs {
            body.extend_from_slice(&[5, 0x11]);
            body.extend_from_slice(&secs.to_be_bytes());
        } else {
            body.push(0);
        }
    }
    packet(out, 0xE0, &body);
}

/// How large a PUBLISH of QoS 1 or 2 without properties is in 5.0, in bytes.
pub fn publish_size(topic: &str, payload_bytes: usize) -> usize {
    let (topic_len, packet_id, no_properties) = (2, 2, 1);
    let body = topic_len + topic.len() + packet_id + no_properties + payload_bytes;
    let mut header = vec![0x32];
    varint(&mut header, body);
    header.len() + body
}

/// What a broker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// CONNACK: Session Present and the code.
    ConnAck(bool, u8),
    /// PUBLISH.
    Publish {
        /// DUP.
        dup: bool,
        /// The effective QoS.
        qos: Qos,
        /// RETAIN.
        retain: bool,
        /// 0 for QoS 0.
        id: u16,
        /// Empty if the alias stands for it.
        topic: String,
        /// Topic Alias.
        alias: Option<u16>,
        /// Text, as all payloads here.
        payload: String,
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP with their code.
    Ack(AckKind, u16, u8),
    /// SUBACK with its first code.
    SubAck(u16, u8),
    /// UNSUBACK with its first code.
    UnsubAck(u16, u8),
    /// DISCONNECT with its code.
    Disconnect(u8),
    /// PINGRESP.
    Pong,
}

/// Takes the first whole packet out of what a broker has written.
///
/// # Errors
/// It is none.
pub fn take(bytes: &mut Vec<u8>, version: ProtocolVersion) -> Result<Option<Said>, String> {
    let Some((header, len)) = frame(bytes) else { return Ok(None) };
    if bytes.len() < header + len {
        return Ok(None);
    }
    let packet: Vec<u8> = bytes.drain(..header + len).collect();
    let said = parse(packet[0], &packet[header..], version);
    said.map(Some).ok_or_else(|| format!("not a packet of a broker: {packet:02x?}"))
}

fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut len = 0;
    for digits in 0..4 {
        let digit = *bytes.get(1 + digits)?;
        len |= usize::from(digit & 0x7F) << (7 * digits);
        if digit & 0x80 == 0 {
            return Some((2 + digits, len));
        }
    }
    None
}

fn number(bytes: &mut &[u8]) -> Option<u16> {
    let (first, rest) = bytes.split_first_chunk::<2>()?;
    *bytes = rest;
    Some(u16::from_be_bytes(*first))
}

fn parse(byte1: u8, mut body: &[u8], version: ProtocolVersion) -> Option<Said> {
    let v5 = version.is_v5();
    let ack = |kind| {
        let id = u16::from_be_bytes(*body.first_chunk()?);
        Some(Said::Ack(kind, id, body.get(2).copied().unwrap_or(0)))
    };
    match byte1 >> 4 {
        2 => Some(Said::ConnAck(body.first()? & 1 != 0, *body.get(1)?)),
        3 => publish(byte1, &mut body, v5),
        4 => ack(AckKind::PubAck),
        5 => ack(AckKind::PubRec),
        6 => ack(AckKind::PubRel),
        7 => ack(AckKind::PubComp),
        9 => Some(Said::SubAck(u16::from_be_bytes(*body.first_chunk()?), *body.last()?)),
        11 => Some(Said::UnsubAck(u16::from_be_bytes(*body.first_chunk()?), if v5 { *body.last()? } else { 0 })),
        13 => Some(Said::Pong),
        14 => Some(Said::Disconnect(body.first().copied().unwrap_or(0))),
        _ => None,
    }
}

fn publish(byte1: u8, body: &mut &[u8], v5: bool) -> Option<Said> {
    let qos = Qos::from_bits(byte1 >> 1 & 3)?;
    let len = usize::from(number(body)?);
    let (topic, rest) = body.split_at_checked(len)?;
    *body = rest;
    let id = if qos == Qos::AtMostOnce { 0 } else { number(body)? };
    let mut alias = None;
    if v5 {
        let (header, len) = frame(&[&[0], &**body].concat())?;
        let mut properties = body.get(header - 1..header - 1 + len)?;
        *body = &body[header - 1 + len..];
        while let Some((kind, rest)) = properties.split_first() {
            properties = rest;
            match kind {
                0x23 => alias = Some(number(&mut properties)?),
                0x02 => properties = properties.get(4..)?,
                _ => return None,
            }
        }
    }
    Some(Said::Publish {
        dup: byte1 & 8 != 0,
        qos,
        retain: byte1 & 1 != 0,
        id,
        topic: String::from_utf8(topic.to_vec()).ok()?,
        alias,
        payload: String::from_utf8(body.to_vec()).ok()?,
    })
}
