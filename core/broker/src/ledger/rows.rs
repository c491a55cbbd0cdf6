//! What do the values of small rows look like?
//!
//! A value begins with its version. What a build of format 1 does not know does not occur: a new version of a row raises
//! [`super::FORMAT`].

use std::sync::Arc;

use hikyaku_traits::Will;
use hikyaku_types::{ProtocolVersion, Qos, SubscriptionOptions};

use super::codec::{Reader, Write};
use crate::change::{Phase, Position, SessionRecord};

/// The version of the values here.
const VERSION: u8 = 1;

/// The bits of a flags byte; the two lowest are the QoS.
pub(super) mod flag {
    /// RETAIN.
    pub const RETAIN: u8 = 1 << 2;
    /// An expiry follows.
    pub const EXPIRES: u8 = 1 << 3;
    /// The payload has a row of its own; its length stands in its place.
    pub const BODY_APART: u8 = 1 << 4;
    /// Subscription Identifiers follow.
    pub const IDENTIFIERS: u8 = 1 << 5;
    /// A due time follows.
    pub const DUE: u8 = 1 << 6;

    /// `flag` if it is set.
    pub const fn when(flag: u8, set: bool) -> u8 {
        if set { flag } else { 0 }
    }
}

/// The QoS of a flags byte.
pub(super) const fn qos(flags: u8) -> Option<Qos> {
    Qos::from_bits(flags & 3)
}

/// A number that is there if its flag is set.
pub(super) fn optional(reader: &mut Reader<'_>, is_there: bool) -> Option<Option<u64>> {
    if is_there { reader.number().map(Some) } else { Some(None) }
}

/// Writes the value of a session row.
pub(super) fn write_session(value: &mut Vec<u8>, record: &SessionRecord) {
    value.push(VERSION);
    value.number(record.number);
    value.number(record.epoch);
    value.push(record.protocol as u8);
    value.number(u64::from(record.expiry_secs));
    value.push(u8::from(record.parked_since_ms.is_some()));
    if let Some(parked_since_ms) = record.parked_since_ms {
        value.number(parked_since_ms);
    }
}

/// Reads a session row.
pub(super) fn read_session(key: &[u8], value: &[u8]) -> Option<SessionRecord> {
    let mut reader = Reader::of_version(value, VERSION)?;
    let record = SessionRecord {
        client_id: Arc::from(std::str::from_utf8(key).ok()?),
        number: reader.number()?,
        epoch: reader.number()?,
        protocol: ProtocolVersion::from_level(reader.byte()?)?,
        expiry_secs: reader.small()?,
        parked_since_ms: match reader.byte()? {
            0 => None,
            1 => Some(reader.number()?),
            _ => return None,
        },
    };
    reader.end(record)
}

/// Writes the value of a subscription row. 0 stands for no identifier, as the standard has none of that value.
pub(super) fn write_subscription(value: &mut Vec<u8>, options: SubscriptionOptions, subscription_id: Option<u32>) {
    value.push(VERSION);
    value.push(options.bits());
    value.number(u64::from(subscription_id.unwrap_or(0)));
}

/// Reads the value of a subscription row.
pub(super) fn read_subscription(value: &[u8]) -> Option<(SubscriptionOptions, Option<u32>)> {
    let mut reader = Reader::of_version(value, VERSION)?;
    let options = SubscriptionOptions::from_bits(reader.byte()?)?;
    let subscription_id: u32 = reader.small()?;
    reader.end((options, (subscription_id != 0).then_some(subscription_id)))
}

/// Writes the value of an inbound row: that it is there says all.
pub(super) fn write_inbound(value: &mut Vec<u8>) {
    value.push(VERSION);
}

/// Reads the value of an inbound row.
pub(super) fn read_inbound(value: &[u8]) -> Option<()> {
    Reader::of_version(value, VERSION)?.end(())
}

/// Writes the value of an outbound row.
pub(super) fn write_outbound(value: &mut Vec<u8>, phase: Phase, position: Position, message_id: u64) {
    value.push(VERSION);
    value.push(phase as u8);
    value.number(position);
    value.number(message_id);
}

/// Reads the value of an outbound row.
pub(super) fn read_outbound(value: &[u8]) -> Option<(Phase, Position, u64)> {
    let mut reader = Reader::of_version(value, VERSION)?;
    let phase = match reader.byte()? {
        1 => Phase::Sent,
        2 => Phase::Released,
        _ => return None,
    };
    let (position, message_id) = (reader.number()?, reader.number()?);
    reader.end((phase, position, message_id))
}

/// Writes the value of a will row.
pub(super) fn write_will(value: &mut Vec<u8>, will: &Will, due_at_ms: Option<u64>) {
    let flags = will.qos.bits()
        | flag::when(flag::RETAIN, will.retain)
        | flag::when(flag::EXPIRES, will.expiry_secs.is_some())
        | flag::when(flag::DUE, due_at_ms.is_some());
    value.push(VERSION);
    value.push(flags);
    value.number(u64::from(will.delay_secs));
    if let Some(expiry_secs) = will.expiry_secs {
        value.number(u64::from(expiry_secs));
    }
    if let Some(due_at_ms) = due_at_ms {
        value.number(due_at_ms);
    }
    value.sized(will.topic.as_bytes());
    value.sized(&will.properties);
    value.extend_from_slice(&will.payload);
}

/// Reads the value of a will row: the Will, and when it is due.
pub(super) fn read_will(value: &[u8]) -> Option<(Will, Option<u64>)> {
    let mut reader = Reader::of_version(value, VERSION)?;
    let flags = reader.byte()?;
    let delay_secs = reader.small()?;
    let expiry_secs = match optional(&mut reader, flags & flag::EXPIRES != 0)? {
        Some(secs) => Some(u32::try_from(secs).ok()?),
        None => None,
    };
    let due_at_ms = optional(&mut reader, flags & flag::DUE != 0)?;
    let will = Will {
        topic: reader.text()?.to_owned(),
        properties: reader.sized()?.to_vec(),
        payload: reader.rest().to_vec(),
        qos: qos(flags)?,
        retain: flags & flag::RETAIN != 0,
        delay_secs,
        expiry_secs,
    };
    Some((will, due_at_ms))
}
