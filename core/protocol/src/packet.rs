//! What does a client say once it is connected?

use hikyaku_types::ProtocolVersion;

use crate::ack::{self, Ack, AckKind};
use crate::auth::{self, Auth};
use crate::cursor::Cursor;
use crate::disconnect::{self, Disconnect};
use crate::error::{ProtocolError, Result};
use crate::frame::Frame;
use crate::publish::{self, Publish};
use crate::subscribe::{self, Subscribe, Unsubscribe};

/// How much a single packet may ask for, beyond its size. What exceeds a limit is refused before anything is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Topic filters of one SUBSCRIBE or UNSUBSCRIBE. More is answered with [`QUOTA_EXCEEDED`].
    ///
    /// [`QUOTA_EXCEEDED`]: hikyaku_types::ReasonCode::QUOTA_EXCEEDED
    pub filters_max: usize,
    /// User properties of one packet. More is answered with [`QUOTA_EXCEEDED`].
    ///
    /// [`QUOTA_EXCEEDED`]: hikyaku_types::ReasonCode::QUOTA_EXCEEDED
    pub user_properties_max: usize,
    /// Levels of a topic name or filter. More is answered as an invalid name or filter.
    pub topic_levels_max: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { filters_max: 10_000, user_properties_max: 100, topic_levels_max: 128 }
    }
}

/// A packet from a client, other than CONNECT.
#[derive(Debug)]
pub enum Packet<'a> {
    /// A message.
    Publish(Publish<'a>),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack(Ack),
    /// New or changed subscriptions.
    Subscribe(Box<Subscribe>),
    /// The end of subscriptions.
    Unsubscribe(Box<Unsubscribe>),
    /// To be answered with PINGRESP [MQTT-3.12.4-1].
    PingReq,
    /// The goodbye.
    Disconnect(Disconnect),
    /// A step of enhanced authentication.
    Auth(Auth),
}

/// Decodes a packet from a client, other than CONNECT. `bytes` starts at the frame and may go on after it.
///
/// # Errors
/// What is wrong with the packet. The connection has to be closed [MQTT-4.13.1-1].
#[inline]
pub fn decode<'a>(
    frame: Frame,
    bytes: &'a [u8],
    version: ProtocolVersion,
    limits: &DecodeLimits,
) -> Result<Packet<'a>> {
    let body = frame.body(bytes)?;
    let acknowledge = |kind| ack::decode(kind, body, version, limits.user_properties_max).map(Packet::Ack);
    match frame.kind() {
        3 => publish::decode(frame.byte1, body, version, limits).map(Packet::Publish),
        4 => acknowledge(AckKind::PubAck),
        5 => acknowledge(AckKind::PubRec),
        6 => acknowledge(AckKind::PubRel),
        7 => acknowledge(AckKind::PubComp),
        8 => subscribe::decode(body, version, limits).map(|packet| Packet::Subscribe(Box::new(packet))),
        10 => subscribe::decode_end(body, version, limits).map(|packet| Packet::Unsubscribe(Box::new(packet))),
        12 => Cursor::new(body).end().map(|()| Packet::PingReq),
        14 => disconnect::decode(body, version, limits).map(Packet::Disconnect),
        15 if version.is_v5() => auth::decode(body, limits).map(Packet::Auth),
        _ => Err(ProtocolError::protocol("not a packet that a connected client sends")),
    }
}
