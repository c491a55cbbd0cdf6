//! What comes next in a packet's body? Each read takes it off the front, and fails rather than run past the end.

use hikyaku_types::topic;

use crate::error::{ProtocolError, Result};

const TRUNCATED: ProtocolError = ProtocolError::malformed("the packet ends within a field");

/// The bytes of a body, or of a part of it, that have not been read yet.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.0.split_at_checked(len) else { return Err(TRUNCATED) };
        self.0 = rest;
        Ok(head)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8> {
        let Some((&byte, rest)) = self.0.split_first() else { return Err(TRUNCATED) };
        self.0 = rest;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16> {
        let Some((&number, rest)) = self.0.split_first_chunk() else { return Err(TRUNCATED) };
        self.0 = rest;
        Ok(u16::from_be_bytes(number))
    }

    /// A packet identifier; zero is none [MQTT-2.2.1-3].
    #[inline]
    pub(crate) fn packet_id(&mut self) -> Result<u16> {
        match self.u16()? {
            0 => Err(ProtocolError::protocol("packet identifier 0")),
            packet_id => Ok(packet_id),
        }
    }

    /// Binary data, section 1.5.6.
    #[inline]
    pub(crate) fn binary(&mut self) -> Result<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 encoded string, section 1.5.4.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        text(self.binary()?)
    }

    /// A variable byte integer in its shortest form [MQTT-1.5.5-1].
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let digit = self.u8()?;
            value |= u32::from(digit & 0x7F) << shift;
            if digit & 0x80 == 0 {
                if digit == 0 && shift > 0 {
                    return Err(ProtocolError::malformed("a variable byte integer that is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(ProtocolError::malformed("a variable byte integer of more than four bytes"))
    }

    /// The packet has to end here.
    #[inline]
    pub(crate) fn end(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(ProtocolError::malformed("bytes after the end of the packet")) }
    }
}

/// UTF-8 without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2].
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str> {
    topic::check_text(bytes).map_err(|_| ProtocolError::malformed("text that is not UTF-8, or holds U+0000"))
}
