//! The primitive pieces of the MQTT wire, written from the standard by hand:
//! they share nothing with the broker's codec, so that a mistake there is seen here.

/// A property's value; how wide it is on the wire follows from the property's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One, two or four bytes, or a variable byte integer.
    Number(u32),
    /// A UTF-8 string or binary data.
    Bytes(Vec<u8>),
    /// A user property.
    Pair(String, String),
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<(&str, &str)> for Value {
    fn from((name, value): (&str, &str)) -> Self {
        Self::Pair(name.into(), value.into())
    }
}

/// Properties as they follow each other on the wire.
pub type Props = Vec<(u8, Value)>;

/// The ids of the MQTT 5.0 properties (table 2-4).
#[allow(missing_docs, reason = "the names are the standard's own")]
pub mod prop {
    pub const PAYLOAD_FORMAT: u8 = 0x01;
    pub const MESSAGE_EXPIRY: u8 = 0x02;
    pub const CONTENT_TYPE: u8 = 0x03;
    pub const RESPONSE_TOPIC: u8 = 0x08;
    pub const CORRELATION_DATA: u8 = 0x09;
    pub const SUBSCRIPTION_ID: u8 = 0x0b;
    pub const SESSION_EXPIRY: u8 = 0x11;
    pub const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub const AUTH_METHOD: u8 = 0x15;
    pub const AUTH_DATA: u8 = 0x16;
    pub const REQUEST_PROBLEM_INFO: u8 = 0x17;
    pub const WILL_DELAY: u8 = 0x18;
    pub const REQUEST_RESPONSE_INFO: u8 = 0x19;
    pub const RESPONSE_INFO: u8 = 0x1a;
    pub const REASON_STRING: u8 = 0x1f;
    pub const RECEIVE_MAXIMUM: u8 = 0x21;
    pub const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub const TOPIC_ALIAS: u8 = 0x23;
    pub const MAXIMUM_QOS: u8 = 0x24;
    pub const RETAIN_AVAILABLE: u8 = 0x25;
    pub const USER: u8 = 0x26;
    pub const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub const SHARED_AVAILABLE: u8 = 0x2a;
}

/// Appends a variable byte integer.
pub fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let byte = (number % 128) as u8;
        number /= 128;
        out.push(byte | if number > 0 { 0x80 } else { 0 });
        if number == 0 {
            return;
        }
    }
}

/// Appends bytes with their two-byte length before them.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
}

/// Appends properties with their length before them.
pub fn put_props(out: &mut Vec<u8>, props: &[(u8, Value)]) {
    let mut body = Vec::new();
    for (id, value) in props {
        body.push(*id);
        match value {
            Value::Number(number) => match width(*id) {
                0 => put_varint(&mut body, *number as usize),
                width => body.extend(&number.to_be_bytes()[4 - width..]),
            },
            Value::Bytes(bytes) => put_bytes(&mut body, bytes),
            Value::Pair(name, value) => {
                put_bytes(&mut body, name.as_bytes());
                put_bytes(&mut body, value.as_bytes());
            }
        }
    }
    put_varint(out, body.len());
    out.extend(body);
}

/// A whole packet: its first byte, its remaining length and its body.
#[must_use]
pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    put_varint(&mut out, body.len());
    out.extend(body);
    out
}

/// Bytes of a numeric property; 0 says variable byte integer.
fn width(id: u8) -> usize {
    match id {
        prop::SUBSCRIPTION_ID => 0,
        prop::MESSAGE_EXPIRY | prop::SESSION_EXPIRY | prop::WILL_DELAY | prop::MAXIMUM_PACKET_SIZE => 4,
        prop::SERVER_KEEP_ALIVE | prop::RECEIVE_MAXIMUM | prop::TOPIC_ALIAS_MAXIMUM | prop::TOPIC_ALIAS => 2,
        _ => 1,
    }
}

/// Whether a property's value is a string or binary data.
fn is_bytes(id: u8) -> bool {
    matches!(
        id,
        prop::CONTENT_TYPE
            | prop::RESPONSE_TOPIC
            | prop::CORRELATION_DATA
            | prop::ASSIGNED_CLIENT_ID
            | prop::AUTH_METHOD
            | prop::AUTH_DATA
            | prop::RESPONSE_INFO
            | 0x1c
            | prop::REASON_STRING
    )
}

/// Reads a packet's body; every take says what is missing by panicking, since
/// a broker that sends half a packet fails the test.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        assert!(count <= self.0.len(), "the broker sent a packet that ends too early: {:02x?}", self.0);
        let (head, tail) = self.0.split_at(count);
        self.0 = tail;
        head
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    /// A big-endian number of `width` bytes.
    pub fn number(&mut self, width: usize) -> u32 {
        self.take(width).iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
    }

    /// A variable byte integer.
    pub fn varint(&mut self) -> usize {
        let mut number = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte();
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
        }
        panic!("the broker sent a variable byte integer of more than four bytes");
    }

    /// Bytes with their two-byte length before them.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = self.number(2) as usize;
        self.take(length)
    }

    /// A UTF-8 string.
    pub fn text(&mut self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("the broker sent a string that is no UTF-8")
    }

    /// All properties.
    pub fn props(&mut self) -> Props {
        let length = self.varint();
        let mut inner = Reader(self.take(length));
        let mut props = Props::new();
        while !inner.0.is_empty() {
            let id = inner.byte();
            let value = match id {
                prop::USER => Value::Pair(inner.text(), inner.text()),
                _ if is_bytes(id) => Value::Bytes(inner.bytes().to_vec()),
                _ => Value::Number(match width(id) {
                    0 => inner.varint() as u32,
                    width => inner.number(width),
                }),
            };
            props.push((id, value));
        }
        props
    }
}
