//! Where does a packet end, and may it come in at all? Section 2.1 of the standard.

use hikyaku_types::{ProtocolVersion, ReasonCode};

use crate::error::{ProtocolError, Result};

/// A whole packet within a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Packet type in the upper four bits, flags in the lower four.
    pub byte1: u8,
    /// Bytes of the fixed header, 2 to 5.
    pub header_len: usize,
    /// Bytes of the whole packet, the fixed header included.
    pub len: usize,
}

impl Frame {
    /// The packet type, 1 to 15.
    #[inline]
    pub(crate) const fn kind(self) -> u8 {
        self.byte1 >> 4
    }

    /// The packet without its fixed header.
    #[inline]
    pub(crate) fn body(self, bytes: &[u8]) -> Result<&[u8]> {
        bytes.get(self.header_len..self.len).ok_or(ProtocolError::malformed("the buffer does not hold the frame"))
    }
}

/// Finds the packet at the start of `bytes`; `None` means that more bytes are needed. Type, flags and size are judged
/// as soon as they can be read, before the body has arrived, so nothing is buffered that will be refused.
///
/// `version` is `None` until CONNECT has come: then only CONNECT passes, and an error is answered with silence.
///
/// # Errors
/// A packet type or flags that must not come, a length that is none, or a packet larger than `packet_size_max`.
#[inline]
pub fn frame(bytes: &[u8], version: Option<ProtocolVersion>, packet_size_max: usize) -> Result<Option<Frame>> {
    let Some((&byte1, rest)) = bytes.split_first() else { return Ok(None) };
    judge_first_byte(byte1, version)?;
    let minimal = version.is_some_and(ProtocolVersion::is_v5);
    let Some((remaining, digits)) = remaining_length(rest, minimal)? else { return Ok(None) };
    let header_len = 1 + digits;
    let len = header_len + remaining;
    if len > packet_size_max {
        return Err(ProtocolError::new(ReasonCode::PACKET_TOO_LARGE, "the packet is larger than the server accepts"));
    }
    Ok((bytes.len() >= len).then_some(Frame { byte1, header_len, len }))
}

/// MQTT 3.1 gives the flags of packets other than PUBLISH no binding meaning, so they are not judged there.
#[inline]
fn judge_first_byte(byte1: u8, version: Option<ProtocolVersion>) -> Result<()> {
    let (kind, flags) = (byte1 >> 4, byte1 & 0x0F);
    let Some(version) = version else {
        return match (kind, flags) {
            (1, 0) => Ok(()),
            (1, _) => Err(ProtocolError::malformed("reserved flags in the fixed header")), // [MQTT-2.1.3-1]
            _ => Err(ProtocolError::protocol("the first packet is not CONNECT")),          // [MQTT-3.1.0-1]
        };
    };
    let lenient = version == ProtocolVersion::V31;
    let right = match kind {
        // QoS 3 [MQTT-3.3.1-4]; DUP with QoS 0 [MQTT-3.3.1-2]
        3 => flags & 0x06 != 0x06 && (flags & 0x0E != 0x08 || lenient),
        6 | 8 | 10 => flags == 0x02 || lenient, // [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
        4 | 5 | 7 | 12 | 14 => flags == 0 || lenient, // [MQTT-2.1.3-1] [MQTT-3.14.1-1]
        15 if version.is_v5() => flags == 0,    // [MQTT-3.15.1-1]
        1 => return Err(ProtocolError::protocol("a second CONNECT")), // [MQTT-3.1.0-2]
        2 | 9 | 11 | 13 => return Err(ProtocolError::protocol("a packet that only a server sends")),
        _ => return Err(ProtocolError::malformed("a packet type that does not exist")),
    };
    if right { Ok(()) } else { Err(ProtocolError::malformed("reserved flags in the fixed header")) }
}

/// The Remaining Length and how many bytes it takes, section 2.1.4. Only 5.0 demands the shortest form [MQTT-1.5.5-1].
#[inline]
fn remaining_length(bytes: &[u8], minimal: bool) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for digits in 0..4 {
        let Some(&digit) = bytes.get(digits) else { return Ok(None) };
        length |= usize::from(digit & 0x7F) << (7 * digits);
        if digit & 0x80 == 0 {
            if digit == 0 && digits > 0 && minimal {
                return Err(ProtocolError::malformed("a remaining length that is not in its shortest form"));
            }
            return Ok(Some((length, digits + 1)));
        }
    }
    Err(ProtocolError::malformed("a remaining length of more than four bytes"))
}

/// How many bytes a variable byte integer takes, section 1.5.5.
#[inline]
pub(crate) const fn varint_len(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Appends a variable byte integer in its shortest form [MQTT-1.5.5-1].
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
