//! Which message is acknowledged, and how? PUBACK, PUBREC, PUBREL, PUBCOMP and the answer to PINGREQ, sections 3.4 to
//! 3.7 and 3.13 of the standard.

use hikyaku_types::{ProtocolVersion, ReasonCode};

use crate::cursor::Cursor;
use crate::error::{ProtocolError, Result};
use crate::validate::{place, properties};

/// Which of the four acknowledgements; the number is its packet type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckKind {
    /// Ends QoS 1.
    PubAck = 4,
    /// QoS 2, step 1: received.
    PubRec = 5,
    /// QoS 2, step 2: will not be sent again.
    PubRel = 6,
    /// QoS 2, step 3: forgotten.
    PubComp = 7,
}

/// An acknowledgement, in either direction. Reason strings and user properties of clients are checked, and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which one.
    pub kind: AckKind,
    /// That of the PUBLISH, not zero [MQTT-2.2.1-5].
    pub packet_id: u16,
    /// Success in 3.x, where it is not sent.
    pub reason: ReasonCode,
}

#[inline]
pub(crate) fn decode(kind: AckKind, body: &[u8], version: ProtocolVersion, user_max: usize) -> Result<Ack> {
    let mut cursor = Cursor::new(body);
    let packet_id = cursor.packet_id()?;
    let mut reason = ReasonCode::SUCCESS;
    if version.is_v5() && !cursor.is_empty() {
        reason = ReasonCode(cursor.u8()?);
        if !allowed(kind, reason) {
            return Err(ProtocolError::protocol("a reason code that the acknowledgement cannot have"));
        }
        if !cursor.is_empty() {
            properties(&mut cursor, place::ACK, user_max)?;
        }
    }
    cursor.end()?;
    Ok(Ack { kind, packet_id, reason })
}

/// Tables of sections 3.4.2.1 to 3.7.2.1 [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1].
#[inline]
const fn allowed(kind: AckKind, reason: ReasonCode) -> bool {
    match kind {
        AckKind::PubAck | AckKind::PubRec => {
            matches!(reason.0, 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
        }
        AckKind::PubRel | AckKind::PubComp => matches!(reason.0, 0x00 | 0x92),
    }
}

/// Appends an acknowledgement. The reason is written in 5.0 only, and only if it is not success.
#[inline]
pub fn encode_ack(out: &mut Vec<u8>, version: ProtocolVersion, ack: Ack) {
    let flags = if matches!(ack.kind, AckKind::PubRel) { 2 } else { 0 }; // [MQTT-3.6.1-1]
    let byte1 = (ack.kind as u8) << 4 | flags;
    let [high, low] = ack.packet_id.to_be_bytes(); // [MQTT-2.2.1-5]
    if version.is_v5() && ack.reason != ReasonCode::SUCCESS {
        out.extend_from_slice(&[byte1, 3, high, low, ack.reason.0]);
    } else {
        out.extend_from_slice(&[byte1, 2, high, low]);
    }
}

/// Appends the answer to PINGREQ [MQTT-3.12.4-1].
#[inline]
pub fn encode_pingresp(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xD0, 0]);
}
