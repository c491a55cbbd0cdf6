//! Which properties may a packet carry, and are they right? Section 2.2.2 of MQTT 5.0. Nothing here allocates: limits
//! act before anything is copied.

use hikyaku_types::{ReasonCode, topic, topic::TopicError};

use crate::cursor::{Cursor, text};
use crate::error::{ProtocolError, Result};

/// The packets that a client sends with properties, one bit each.
pub(crate) mod place {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const WILL: u8 = 1 << 1;
    pub(crate) const PUBLISH: u8 = 1 << 2;
    pub(crate) const ACK: u8 = 1 << 3;
    pub(crate) const SUBSCRIBE: u8 = 1 << 4;
    pub(crate) const DISCONNECT: u8 = 1 << 5;
    pub(crate) const AUTH: u8 = 1 << 6;
    /// UNSUBSCRIBE takes user properties only.
    pub(crate) const UNSUBSCRIBE: u8 = 1 << 7;
    pub(crate) const ANY: u8 = 0xFF;
    /// Only a server sends it.
    pub(crate) const NONE: u8 = 0;
}

/// Property identifiers that are named in code.
pub(crate) mod id {
    pub(crate) const MESSAGE_EXPIRY_INTERVAL: u8 = 2;
    pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 11;
    pub(crate) const SESSION_EXPIRY_INTERVAL: u8 = 17;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 21;
    pub(crate) const AUTHENTICATION_DATA: u8 = 22;
    pub(crate) const WILL_DELAY_INTERVAL: u8 = 24;
    pub(crate) const TOPIC_ALIAS: u8 = 35;
    pub(crate) const USER_PROPERTY: u8 = 38;
}

/// What a property holds, and which values it may have.
#[derive(Clone, Copy)]
enum Kind {
    /// A byte, 0 or 1.
    Flag,
    U16,
    U16NonZero,
    U32,
    U32NonZero,
    VarintNonZero,
    Text,
    /// A topic name, not empty.
    Topic,
    Binary,
    /// Two texts, as often as wanted.
    Pair,
}

/// Table 2-4: what each identifier holds, and which packets a client may send it in.
const TABLE: [Option<(Kind, u8)>; 43] = {
    use place::*;
    let mut table = [None; 43];
    table[1] = Some((Kind::Flag, PUBLISH | WILL)); // Payload Format Indicator
    table[2] = Some((Kind::U32, PUBLISH | WILL)); // Message Expiry Interval
    table[3] = Some((Kind::Text, PUBLISH | WILL)); // Content Type [MQTT-3.3.2-19]
    table[8] = Some((Kind::Topic, PUBLISH | WILL)); // Response Topic [MQTT-3.3.2-13]
    table[9] = Some((Kind::Binary, PUBLISH | WILL)); // Correlation Data
    table[11] = Some((Kind::VarintNonZero, PUBLISH | SUBSCRIBE)); // Subscription Identifier
    table[17] = Some((Kind::U32, CONNECT | DISCONNECT)); // Session Expiry Interval
    table[18] = Some((Kind::Text, NONE)); // Assigned Client Identifier
    table[19] = Some((Kind::U16, NONE)); // Server Keep Alive
    table[21] = Some((Kind::Text, CONNECT | AUTH)); // Authentication Method
    table[22] = Some((Kind::Binary, CONNECT | AUTH)); // Authentication Data
    table[23] = Some((Kind::Flag, CONNECT)); // Request Problem Information
    table[24] = Some((Kind::U32, WILL)); // Will Delay Interval
    table[25] = Some((Kind::Flag, CONNECT)); // Request Response Information
    table[26] = Some((Kind::Text, NONE)); // Response Information
    table[28] = Some((Kind::Text, NONE)); // Server Reference
    table[31] = Some((Kind::Text, ACK | DISCONNECT | AUTH)); // Reason String
    table[33] = Some((Kind::U16NonZero, CONNECT)); // Receive Maximum
    table[34] = Some((Kind::U16, CONNECT)); // Topic Alias Maximum
    table[35] = Some((Kind::U16NonZero, PUBLISH)); // Topic Alias
    table[36] = Some((Kind::Flag, NONE)); // Maximum QoS
    table[37] = Some((Kind::Flag, NONE)); // Retain Available
    table[38] = Some((Kind::Pair, ANY)); // User Property
    table[39] = Some((Kind::U32NonZero, CONNECT)); // Maximum Packet Size
    table[40] = Some((Kind::Flag, NONE)); // Wildcard Subscription Available
    table[41] = Some((Kind::Flag, NONE)); // Subscription Identifier Available
    table[42] = Some((Kind::Flag, NONE)); // Shared Subscription Available
    table
};

/// A property block that has been checked.
#[derive(Clone, Copy)]
pub(crate) struct Properties<'a> {
    /// The block without its length.
    pub(crate) raw: &'a [u8],
    /// One bit for each identifier that occurs.
    seen: u64,
    topic_alias: u16,
    message_expiry_secs: u32,
}

impl<'a> Properties<'a> {
    pub(crate) const NONE: Self = Self { raw: &[], seen: 0, topic_alias: 0, message_expiry_secs: 0 };

    #[inline]
    pub(crate) const fn has(&self, id: u8) -> bool {
        self.seen >> id & 1 == 1
    }

    #[inline]
    pub(crate) fn topic_alias(&self) -> Option<u16> {
        self.has(id::TOPIC_ALIAS).then_some(self.topic_alias)
    }

    #[inline]
    pub(crate) fn message_expiry_secs(&self) -> Option<u32> {
        self.has(id::MESSAGE_EXPIRY_INTERVAL).then_some(self.message_expiry_secs)
    }

    /// The properties one by one.
    pub(crate) fn iter(&self) -> Walk<'a> {
        Walk(Cursor::new(self.raw))
    }
}

/// Reads and checks the property block that comes next, its length included.
#[inline]
pub(crate) fn properties<'a>(cursor: &mut Cursor<'a>, place: u8, user_max: usize) -> Result<Properties<'a>> {
    let len = cursor.varint()?;
    if len == 0 {
        return Ok(Properties::NONE);
    }
    check_block(cursor.take(len as usize)?, place, user_max)
}

fn check_block(raw: &[u8], place: u8, user_max: usize) -> Result<Properties<'_>> {
    let mut found = Properties { raw, ..Properties::NONE };
    let mut user_properties = 0;
    let mut cursor = Cursor::new(raw);
    while !cursor.is_empty() {
        let id = cursor.u8()?;
        let (kind, places) = lookup(id)?;
        if places & place == 0 {
            return Err(ProtocolError::malformed("a property that does not belong to the packet"));
        }
        if id == id::USER_PROPERTY {
            user_properties += 1;
            if user_properties > user_max {
                return Err(ProtocolError::quota("more user properties than the server accepts"));
            }
        } else if found.has(id) {
            return Err(ProtocolError::protocol("a property that occurs twice"));
        }
        found.seen |= 1 << id;
        let value = take(kind, &mut cursor)?;
        let number = check(kind, value).map_err(|error| match id {
            id::TOPIC_ALIAS => ProtocolError::new(ReasonCode::TOPIC_ALIAS_INVALID, "topic alias 0"), // [MQTT-3.3.2-8]
            _ => error,
        })?;
        match id {
            id::TOPIC_ALIAS => found.topic_alias = number as u16,
            id::MESSAGE_EXPIRY_INTERVAL => found.message_expiry_secs = number,
            _ => {}
        }
    }
    Ok(found)
}

#[inline]
fn lookup(id: u8) -> Result<(Kind, u8)> {
    TABLE.get(usize::from(id)).copied().flatten().ok_or(ProtocolError::malformed("a property that does not exist"))
}

/// Takes a value off the cursor: the contents of a text or of binary data, the bytes of everything else.
#[inline]
fn take<'a>(kind: Kind, cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    match kind {
        Kind::Flag => cursor.take(1),
        Kind::U16 | Kind::U16NonZero => cursor.take(2),
        Kind::U32 | Kind::U32NonZero => cursor.take(4),
        Kind::Text | Kind::Topic | Kind::Binary => cursor.binary(),
        Kind::VarintNonZero => {
            let before = cursor.rest();
            cursor.varint()?;
            Ok(span(before, cursor))
        }
        Kind::Pair => {
            let before = cursor.rest();
            cursor.binary()?;
            cursor.binary()?;
            Ok(span(before, cursor))
        }
    }
}

/// What has been read of `before` since.
#[inline]
fn span<'a>(before: &'a [u8], cursor: &Cursor<'_>) -> &'a [u8] {
    &before[..before.len() - cursor.rest().len()]
}

/// Checks a value; the number that it is, or zero.
#[inline]
fn check(kind: Kind, value: &[u8]) -> Result<u32> {
    match kind {
        Kind::Flag if value[0] > 1 => Err(ProtocolError::protocol("a property that must be 0 or 1")),
        Kind::Flag | Kind::U16 | Kind::U32 => Ok(number(value)),
        Kind::U16NonZero | Kind::U32NonZero | Kind::VarintNonZero => match number(value) {
            0 => Err(ProtocolError::protocol("a property that must not be 0")),
            number => Ok(number),
        },
        Kind::Text => check_text(value).map(|()| 0),
        Kind::Topic => topic_name(value, usize::MAX).map(|_| 0), // [MQTT-3.3.2-14]
        Kind::Binary => Ok(0),
        Kind::Pair => {
            let mut cursor = Cursor::new(value);
            check_text(cursor.binary()?)?; // [MQTT-1.5.7-1]
            check_text(cursor.binary()?)?;
            Ok(0)
        }
    }
}

/// Text that nobody reads yet: one pass that never leaves early is enough for plain ASCII.
#[inline]
fn check_text(bytes: &[u8]) -> Result<()> {
    if bytes.iter().fold(true, |plain, &byte| plain & matches!(byte, 1..0x80)) {
        return Ok(());
    }
    text(bytes).map(|_| ())
}

/// A big-endian number of up to four bytes. A variable byte integer has a value of its own, but is zero if this is.
#[inline]
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// A property of a block that has been checked.
pub(crate) struct Property<'a> {
    pub(crate) id: u8,
    /// As it came, the identifier included.
    pub(crate) whole: &'a [u8],
    /// The contents of a text or of binary data, the bytes of everything else.
    pub(crate) value: &'a [u8],
}

impl Property<'_> {
    pub(crate) fn number(&self) -> u32 {
        number(self.value)
    }
}

/// The properties of a block that has been checked, one by one.
pub(crate) struct Walk<'a>(Cursor<'a>);

impl<'a> Walk<'a> {
    /// Over `raw`, a block without its length.
    pub(crate) const fn over(raw: &'a [u8]) -> Self {
        Self(Cursor::new(raw))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        let before = self.0.rest();
        let id = self.0.u8().ok()?;
        let (kind, _) = lookup(id).ok()?;
        let value = take(kind, &mut self.0).ok()?;
        Some(Property { id, whole: span(before, &self.0), value })
    }
}

/// Appends the properties that travel with a message to its receivers: all but those of one hop or of one connection.
pub(crate) fn travelling(raw: &[u8], out: &mut Vec<u8>) {
    use id::*;
    let stays =
        |id| matches!(id, MESSAGE_EXPIRY_INTERVAL | SUBSCRIPTION_IDENTIFIER | WILL_DELAY_INTERVAL | TOPIC_ALIAS);
    for property in Walk::over(raw).filter(|property| !stays(property.id)) {
        out.extend_from_slice(property.whole); // [MQTT-3.3.2-4] [MQTT-3.3.2-15] to [MQTT-3.3.2-18] [MQTT-3.3.2-20]
    }
}

/// A topic name that is not empty, of at most `levels_max` levels.
pub(crate) fn topic_name(bytes: &[u8], levels_max: usize) -> Result<&str> {
    if bytes.is_empty() {
        return Err(ProtocolError::new(ReasonCode::TOPIC_NAME_INVALID, "an empty topic name")); // [MQTT-4.7.3-1]
    }
    topic_name_or_empty(bytes, levels_max)
}

/// A topic name of at most `levels_max` levels; it may be empty if a topic alias stands for it.
#[inline]
pub(crate) fn topic_name_or_empty(bytes: &[u8], levels_max: usize) -> Result<&str> {
    // One pass that never leaves early runs on whole vectors. A name that fails it is looked at again for the reason.
    let suspect = bytes.iter().fold(false, |found, &byte| found | matches!(byte, 0 | b'+' | b'#'));
    let name = match std::str::from_utf8(bytes) {
        Ok(name) if !suspect => name,
        _ => checked_name(bytes)?,
    };
    if too_deep(name, levels_max) {
        return Err(ProtocolError::new(ReasonCode::TOPIC_NAME_INVALID, "more topic levels than the server accepts"));
    }
    Ok(name)
}

#[cold]
fn checked_name(bytes: &[u8]) -> Result<&str> {
    topic::check_name(bytes).map_err(|error| match error {
        TopicError::NotText => ProtocolError::malformed("a topic name that is not UTF-8, or holds U+0000"),
        _ => ProtocolError::new(ReasonCode::TOPIC_NAME_INVALID, "a wildcard in a topic name"), // [MQTT-3.3.2-2]
    })
}

/// A topic filter of at most `levels_max` levels; whether it is a shared one.
pub(crate) fn topic_filter(bytes: &[u8], levels_max: usize) -> Result<bool> {
    let filter = text(bytes)?; // [MQTT-3.8.3-1] [MQTT-3.10.3-1]
    let invalid = |what| ProtocolError::new(ReasonCode::TOPIC_FILTER_INVALID, what);
    let shared = topic::split_shared(filter).map_err(|error| match error {
        TopicError::NotText => ProtocolError::malformed("a topic filter that holds U+0000"),
        TopicError::Empty => invalid("an empty topic filter"),
        TopicError::Wildcard => invalid("a wildcard that is not a whole level, or # before the last one"),
        TopicError::Share => invalid("a $share filter without a plain share name, or without a filter"),
    })?;
    if too_deep(shared.filter, levels_max) {
        return Err(invalid("more topic levels than the server accepts"));
    }
    Ok(shared.group.is_some())
}

/// Levels are counted only in names that are long enough to have too many.
#[inline]
fn too_deep(name: &str, levels_max: usize) -> bool {
    name.len() >= levels_max && name.bytes().filter(|&byte| byte == b'/').count() >= levels_max
}
