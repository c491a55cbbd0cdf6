//! Bytes to packets and back: the MQTT 3.1, 3.1.1 and 5.0 wire.
//!
//! This crate knows what a server reads and writes, and refuses what the standard forbids. It knows no session, no
//! broker, no socket and no clock. A connection calls [`frame()`] on what it has received, then [`decode_connect`] once
//! and [`decode`] from then on; the encoders append to the connection's send buffer.
//!
//! ```
//! use hikyaku_protocol::{DecodeLimits, Packet, decode, frame};
//! use hikyaku_types::ProtocolVersion::V311;
//!
//! let received = b"\x30\x06\0\x03a/bx and more";
//! let frame = frame(received, Some(V311), 1024)?.unwrap();
//! let Packet::Publish(publish) = decode(frame, received, V311, &DecodeLimits::default())? else { panic!() };
//! assert_eq!((publish.topic, publish.payload), ("a/b", &b"x"[..]));
//! # Ok::<(), hikyaku_protocol::ProtocolError>(())
//! ```

#![forbid(unsafe_code)]

mod ack;
mod auth;
mod connack;
mod connect;
mod control;
mod cursor;
mod disconnect;
mod error;
mod frame;
mod packet;
mod publish;
mod subscribe;
mod validate;

pub use ack::{Ack, AckKind, encode_ack, encode_pingresp};
pub use auth::{Auth, encode_auth};
pub use connack::ConnAck;
pub use connect::{Connect, ConnectAnswer, ConnectError, ConnectWill, decode_connect};
pub use control::{encode_connack, encode_disconnect, encode_suback, encode_unsuback};
pub use disconnect::Disconnect;
pub use error::ProtocolError;
pub use frame::{Frame, frame};
pub use packet::{DecodeLimits, Packet, decode};
pub use publish::{Publish, PublishOut};
pub use subscribe::{Subscribe, Unsubscribe};
