//! What does a client publish, and what does a subscriber get? Section 3.3 of the standard. The way of every message:
//! neither direction allocates.

use hikyaku_types::{ProtocolVersion, Qos};

use crate::cursor::Cursor;
use crate::error::{ProtocolError, Result};
use crate::frame::{put_varint, varint_len};
use crate::packet::DecodeLimits;
use crate::validate::{Properties, id, place, properties, topic_name, topic_name_or_empty, travelling};

/// A PUBLISH from a client, a view of the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// It may have been sent before, which does not say that it has been received.
    pub dup: bool,
    /// How it is acknowledged.
    pub qos: Qos,
    /// To be kept as the topic's retained message.
    pub retain: bool,
    /// 0 for QoS 0, else not.
    pub packet_id: u16,
    /// Empty only if there is a topic alias.
    pub topic: &'a str,
    /// Not zero. Whether it is within the maximum is for the caller to judge.
    pub topic_alias: Option<u16>,
    /// How long the message is worth delivering.
    pub message_expiry_secs: Option<u32>,
    /// The property block as it came, checked, without its length. Empty in 3.x.
    pub properties: &'a [u8],
    /// Whether `properties` are as they travel: no Topic Alias, Message Expiry Interval, Subscription Identifier.
    pub travels_verbatim: bool,
    /// The message itself.
    pub payload: &'a [u8],
}

impl Publish<'_> {
    /// Appends the properties that travel with the message: all but Topic Alias, Message Expiry Interval and
    /// Subscription Identifier, in the order in which they came.
    #[inline]
    pub fn travelling_properties(&self, out: &mut Vec<u8>) {
        if self.travels_verbatim {
            out.extend_from_slice(self.properties);
        } else {
            travelling(self.properties, out);
        }
    }
}

#[inline]
pub(crate) fn decode<'a>(
    byte1: u8,
    body: &'a [u8],
    version: ProtocolVersion,
    limits: &DecodeLimits,
) -> Result<Publish<'a>> {
    let mut cursor = Cursor::new(body);
    let topic = topic_name_or_empty(cursor.binary()?, limits.topic_levels_max)?; // [MQTT-3.3.2-1]
    let qos = Qos::from_bits(byte1 >> 1 & 3).ok_or(ProtocolError::malformed("QoS 3"))?; // [MQTT-3.3.1-4]
    let packet_id = if qos == Qos::AtMostOnce { 0 } else { cursor.packet_id()? }; // [MQTT-2.2.1-2]
    let found = if version.is_v5() {
        properties(&mut cursor, place::PUBLISH, limits.user_properties_max)?
    } else {
        Properties::NONE
    };
    if found.has(id::SUBSCRIPTION_IDENTIFIER) {
        return Err(ProtocolError::protocol("a client sends a Subscription Identifier")); // [MQTT-3.3.4-6]
    }
    if topic.is_empty() && !found.has(id::TOPIC_ALIAS) {
        if version.is_v5() {
            return Err(ProtocolError::protocol("neither topic name nor topic alias"));
        }
        topic_name(topic.as_bytes(), limits.topic_levels_max)?; // [MQTT-4.7.3-1]
    }
    Ok(Publish {
        dup: byte1 & 8 != 0,
        qos,
        retain: byte1 & 1 != 0,
        packet_id,
        topic,
        topic_alias: found.topic_alias(),
        message_expiry_secs: found.message_expiry_secs(),
        properties: found.raw,
        travels_verbatim: !found.has(id::TOPIC_ALIAS) && !found.has(id::MESSAGE_EXPIRY_INTERVAL),
        payload: cursor.rest(),
    })
}

/// A PUBLISH to a subscriber. What only 5.0 knows is written only in 5.0.
#[derive(Clone, Copy, Debug)]
pub struct PublishOut<'a> {
    /// What the subscriber speaks.
    pub version: ProtocolVersion,
    /// How the subscriber is to acknowledge it.
    pub qos: Qos,
    /// It has been sent before. Written as false with QoS 0 [MQTT-3.3.1-2].
    pub dup: bool,
    /// It is a retained message, or is to look like it came.
    pub retain: bool,
    /// Not zero, unless QoS 0: then it is not written [MQTT-2.2.1-2].
    pub packet_id: u16,
    /// At most 65,535 bytes. Empty when only the alias is sent.
    pub topic: &'a [u8],
    /// Not zero, and within the subscriber's maximum.
    pub topic_alias: Option<u16>,
    /// What is left of the message's life.
    pub message_expiry_secs: Option<u32>,
    /// Those of the subscriptions that match, none zero [MQTT-3.3.4-3].
    pub subscription_ids: &'a [u32],
    /// What [`Publish::travelling_properties`] has left.
    pub properties: &'a [u8],
    /// The message itself.
    pub payload: &'a [u8],
}

impl PublishOut<'_> {
    /// The bytes of the whole packet, as Maximum Packet Size counts them.
    #[must_use]
    pub fn size(&self) -> usize {
        let remaining = self.remaining_len(self.properties_len());
        1 + varint_len(remaining) + remaining
    }

    /// Appends the packet.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.write_head(out, self.payload.len());
        out.extend_from_slice(self.payload);
    }

    /// Appends the packet without its payload, which the caller writes after it from where it lies.
    #[inline]
    pub fn encode_head(&self, out: &mut Vec<u8>) {
        self.write_head(out, 0);
    }

    #[inline]
    fn properties_len(&self) -> usize {
        if !self.version.is_v5() {
            return 0;
        }
        let ids: usize = self.subscription_ids.iter().map(|&id| 1 + varint_len(id as usize)).sum();
        let expiry = if self.message_expiry_secs.is_some() { 5 } else { 0 };
        let alias = if self.topic_alias.is_some() { 3 } else { 0 };
        expiry + ids + alias + self.properties.len()
    }

    #[inline]
    fn remaining_len(&self, properties_len: usize) -> usize {
        let packet_id = if self.qos == Qos::AtMostOnce { 0 } else { 2 };
        let properties = if self.version.is_v5() { varint_len(properties_len) + properties_len } else { 0 };
        2 + self.topic.len() + packet_id + properties + self.payload.len()
    }

    /// `room` is what the caller is going to append.
    #[inline]
    fn write_head(&self, out: &mut Vec<u8>, room: usize) {
        let properties_len = self.properties_len();
        let remaining = self.remaining_len(properties_len);
        out.reserve(5 + remaining - self.payload.len() + room);
        let acknowledged = self.qos != Qos::AtMostOnce;
        let dup = u8::from(self.dup && acknowledged); // [MQTT-3.3.1-2]
        out.push(0x30 | dup << 3 | self.qos.bits() << 1 | u8::from(self.retain));
        put_varint(out, remaining);
        out.extend_from_slice(&(self.topic.len() as u16).to_be_bytes());
        out.extend_from_slice(self.topic);
        if acknowledged {
            out.extend_from_slice(&self.packet_id.to_be_bytes());
        }
        if self.version.is_v5() {
            put_varint(out, properties_len);
            self.write_properties(out);
        }
    }

    #[inline]
    fn write_properties(&self, out: &mut Vec<u8>) {
        if let Some(secs) = self.message_expiry_secs {
            out.push(id::MESSAGE_EXPIRY_INTERVAL); // [MQTT-3.3.2-6]
            out.extend_from_slice(&secs.to_be_bytes());
        }
        for &subscription_id in self.subscription_ids {
            out.push(id::SUBSCRIPTION_IDENTIFIER); // [MQTT-3.3.4-4]
            put_varint(out, subscription_id as usize);
        }
        if let Some(alias) = self.topic_alias {
            out.push(id::TOPIC_ALIAS);
            out.extend_from_slice(&alias.to_be_bytes());
        }
        out.extend_from_slice(self.properties); // [MQTT-3.3.2-17] [MQTT-3.3.2-18]
    }
}
