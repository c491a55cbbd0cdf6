//! Which messages does a client want, or no longer want? Sections 3.8 and 3.10 of the standard.

use hikyaku_types::{ProtocolVersion, SubscriptionOptions};

use crate::control;
use crate::cursor::Cursor;
use crate::error::{ProtocolError, Result};
use crate::packet::DecodeLimits;
use crate::validate::{place, properties, topic_filter};

/// SUBSCRIBE. User properties are checked, and dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// For SUBACK to repeat, not zero.
    pub packet_id: u16,
    /// Comes with every message of these subscriptions, not zero. Always `None` in 3.x.
    pub subscription_id: Option<u32>,
    /// At least one; each is valid, and a shared one never has No Local.
    pub filters: Vec<(String, SubscriptionOptions)>,
}

/// UNSUBSCRIBE. User properties are checked, and dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// For UNSUBACK to repeat, not zero.
    pub packet_id: u16,
    /// At least one; each is valid.
    pub filters: Vec<String>,
}

const NO_FILTER: ProtocolError = ProtocolError::protocol("no topic filter at all");
const TOO_MANY: ProtocolError = ProtocolError::quota("more topic filters than the server accepts");

pub(crate) fn decode(body: &[u8], version: ProtocolVersion, limits: &DecodeLimits) -> Result<Subscribe> {
    let mut cursor = Cursor::new(body);
    cursor.packet_id()?;
    if version.is_v5() {
        properties(&mut cursor, place::SUBSCRIBE, limits.user_properties_max)?;
    }
    if cursor.is_empty() {
        return Err(NO_FILTER); // [MQTT-3.8.3-2]
    }
    let mut filters = 0;
    while !cursor.is_empty() {
        let shared = topic_filter(cursor.binary()?, limits.topic_levels_max)?;
        check_options(cursor.u8()?, shared, version)?;
        filters += 1;
        if filters > limits.filters_max {
            return Err(TOO_MANY);
        }
    }
    control::subscribe(body, version)
}

fn check_options(bits: u8, shared: bool, version: ProtocolVersion) -> Result<()> {
    if !version.is_v5() && bits & 0xFC != 0 {
        return Err(ProtocolError::malformed("reserved bits beside the QoS")); // 3.1.1: [MQTT-3-8.3-4]
    }
    if bits & 0xC0 != 0 {
        return Err(ProtocolError::malformed("reserved bits of the subscription options")); // [MQTT-3.8.3-5]
    }
    let Some(options) = SubscriptionOptions::from_bits(bits) else {
        // QoS 3 and Retain Handling 3 are protocol errors, section 3.8.3.1.
        return Err(ProtocolError::protocol("a QoS or Retain Handling of 3"));
    };
    if shared && options.no_local {
        return Err(ProtocolError::protocol("No Local on a shared subscription")); // [MQTT-3.8.3-4]
    }
    Ok(())
}

pub(crate) fn decode_end(body: &[u8], version: ProtocolVersion, limits: &DecodeLimits) -> Result<Unsubscribe> {
    let mut cursor = Cursor::new(body);
    let packet_id = cursor.packet_id()?;
    if version.is_v5() {
        properties(&mut cursor, place::UNSUBSCRIBE, limits.user_properties_max)?;
    }
    let list = cursor.rest();
    if list.is_empty() {
        return Err(NO_FILTER); // [MQTT-3.10.3-2]
    }
    let mut filters = 0;
    while !cursor.is_empty() {
        topic_filter(cursor.binary()?, limits.topic_levels_max)?;
        filters += 1;
        if filters > limits.filters_max {
            return Err(TOO_MANY);
        }
    }
    control::unsubscribe(packet_id, list)
}
