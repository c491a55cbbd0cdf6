//! What comes in, what goes out, and what is refused: the wire as a server sees it.

#![allow(clippy::expect_used)] // helpers of tests are tests

mod connecting;
mod encoders;
mod fuzz;
mod limits;
mod publishing;
mod reader;
mod vectors;

use hikyaku_protocol::{Connect, ConnectError, DecodeLimits, Packet, ProtocolError, decode, decode_connect, frame};
use hikyaku_types::ProtocolVersion;

const VERSIONS: [ProtocolVersion; 3] = [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

/// Decodes one whole packet, other than CONNECT.
fn read(bytes: &[u8], version: ProtocolVersion) -> Result<Packet<'_>, ProtocolError> {
    read_within(bytes, version, &DecodeLimits::default())
}

fn read_within<'a>(
    bytes: &'a [u8],
    version: ProtocolVersion,
    limits: &DecodeLimits,
) -> Result<Packet<'a>, ProtocolError> {
    let frame = frame(bytes, Some(version), usize::MAX)?.expect("a whole packet");
    assert_eq!(frame.len, bytes.len(), "one packet");
    decode(frame, bytes, version, limits)
}

/// Decodes a CONNECT whose first byte is right.
fn read_connect(bytes: &[u8]) -> Result<Connect, ConnectError> {
    let frame = frame(bytes, None, usize::MAX).expect("a CONNECT").expect("a whole packet");
    assert_eq!(frame.len, bytes.len(), "one packet");
    decode_connect(frame, bytes)
}

/// A packet of its first byte and body.
fn packet(byte1: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![byte1];
    let mut len = body.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(body);
    bytes
}

/// A text or binary data with its length.
fn field(value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&(value.len() as u16).to_be_bytes()[..], value].concat()
}
