//! Packets as the raw client sends and sees them.

use super::wire::{Props, Reader, Value, frame, put_bytes, put_props};

/// The dialect of a connection; the number is the protocol level on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.
    V31 = 3,
    /// MQTT 3.1.1.
    V311 = 4,
    /// MQTT 5.0.
    V5 = 5,
}

/// The packet types, as the upper half of the first byte.
#[allow(missing_docs, reason = "the names are the standard's own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Connect = 1,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
    Auth,
}

impl Kind {
    fn of(first: u8) -> Self {
        use Kind::*;
        [
            Connect,
            Connack,
            Publish,
            Puback,
            Pubrec,
            Pubrel,
            Pubcomp,
            Subscribe,
            Suback,
            Unsubscribe,
            Unsuback,
            Pingreq,
            Pingresp,
            Disconnect,
            Auth,
        ][usize::from(first >> 4).checked_sub(1).expect("the broker sent packet type 0")]
    }
}

/// A packet that the broker sent; what a type does not have stays empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its type.
    pub kind: Kind,
    /// The lower half of its first byte; for a CONNACK, its acknowledge flags.
    pub flags: u8,
    /// Packet id, or 0.
    pub id: u16,
    /// Topic of a PUBLISH.
    pub topic: String,
    /// Payload of a PUBLISH.
    pub payload: Vec<u8>,
    /// Reason codes: one, or in SUBACK and UNSUBACK one per filter.
    pub codes: Vec<u8>,
    /// Properties, 5.0 only.
    pub props: Props,
}

impl Packet {
    /// Reads a whole packet as the given version has it.
    #[must_use]
    pub fn decode(version: Version, first: u8, body: &[u8]) -> Self {
        let kind = Kind::of(first);
        let (mut read, v5) = (Reader(body), version == Version::V5);
        let mut packet = Self {
            kind,
            flags: first & 15,
            id: 0,
            topic: String::new(),
            payload: Vec::new(),
            codes: Vec::new(),
            props: Props::new(),
        };
        match kind {
            Kind::Connack => {
                packet.flags = read.byte();
                packet.codes.push(read.byte());
                packet.props = if v5 { read.props() } else { Props::new() };
            }
            Kind::Publish => {
                packet.topic = read.text();
                packet.id = if packet.qos() > 0 { read.number(2) as u16 } else { 0 };
                packet.props = if v5 { read.props() } else { Props::new() };
                packet.payload = std::mem::take(&mut read.0).to_vec();
            }
            Kind::Suback | Kind::Unsuback => {
                packet.id = read.number(2) as u16;
                packet.props = if v5 { read.props() } else { Props::new() };
                packet.codes = std::mem::take(&mut read.0).to_vec();
            }
            Kind::Puback | Kind::Pubrec | Kind::Pubrel | Kind::Pubcomp | Kind::Disconnect | Kind::Auth => {
                packet.id = if kind as u8 <= Kind::Pubcomp as u8 { read.number(2) as u16 } else { 0 };
                packet.codes.push(if read.0.is_empty() { 0 } else { read.byte() });
                packet.props = if read.0.is_empty() { Props::new() } else { read.props() };
            }
            Kind::Pingresp => {}
            _ => panic!("a server sends no {kind:?}"),
        }
        assert!(read.0.is_empty(), "{kind:?} has bytes behind its end: {:02x?}", read.0);
        packet
    }

    /// The quality of service of a PUBLISH.
    #[must_use]
    pub fn qos(&self) -> u8 {
        self.flags >> 1 & 3
    }

    /// The retain flag of a PUBLISH.
    #[must_use]
    pub fn retain(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The DUP flag of a PUBLISH.
    #[must_use]
    pub fn dup(&self) -> bool {
        self.flags & 8 == 8
    }

    /// The first reason code, 0 where there is none.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.codes.first().copied().unwrap_or(0)
    }

    /// The payload as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// The first property with this id.
    #[must_use]
    pub fn prop(&self, id: u8) -> Option<&Value> {
        self.props.iter().find(|(found, _)| *found == id).map(|(_, value)| value)
    }

    /// The first numeric property with this id.
    #[must_use]
    pub fn number(&self, id: u8) -> Option<u32> {
        match self.prop(id) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }
}

/// A will, or a message to publish; fields that a test leaves alone are empty.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names are the standard's own")]
pub struct Publish {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    /// 0: the client gives the next.
    pub id: u16,
    pub props: Props,
}

impl Publish {
    /// A message of this topic, payload and quality of service.
    #[must_use]
    pub fn new(topic: &str, payload: impl AsRef<[u8]>, qos: u8) -> Self {
        Self { topic: topic.into(), payload: payload.as_ref().to_vec(), qos, ..Self::default() }
    }

    /// With the retain flag.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    /// With this packet id.
    #[must_use]
    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    /// With the DUP flag.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.dup = true;
        self
    }

    /// With one more property.
    #[must_use]
    pub fn prop(mut self, id: u8, value: impl Into<Value>) -> Self {
        self.props.push((id, value.into()));
        self
    }

    /// The packet's bytes.
    #[must_use]
    pub fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = Vec::new();
        put_bytes(&mut body, self.topic.as_bytes());
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        if version == Version::V5 {
            put_props(&mut body, &self.props);
        }
        body.extend(&self.payload);
        frame(0x30 | u8::from(self.dup) << 3 | self.qos << 1 | u8::from(self.retain), &body)
    }
}

/// A CONNECT to send.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the standard's own")]
pub struct Connect {
    pub version: Version,
    pub client_id: String,
    pub clean: bool,
    pub keep_alive: u16,
    pub props: Props,
    pub will: Option<Publish>,
}

impl Connect {
    /// A clean 3.1 session.
    #[must_use]
    pub fn v31(client_id: &str) -> Self {
        Self::new(Version::V31, client_id)
    }

    /// A clean 3.1.1 session.
    #[must_use]
    pub fn v311(client_id: &str) -> Self {
        Self::new(Version::V311, client_id)
    }

    /// A clean 5.0 start with a session that ends with its connection.
    #[must_use]
    pub fn v5(client_id: &str) -> Self {
        Self::new(Version::V5, client_id)
    }

    /// A clean session of this version.
    #[must_use]
    pub fn new(version: Version, client_id: &str) -> Self {
        Self { version, client_id: client_id.into(), clean: true, keep_alive: 0, props: Props::new(), will: None }
    }

    /// A session that stays: clean session 0, or no clean start and an hour until it expires.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.clean = false;
        if self.version == Version::V5 {
            self.props.push((super::prop::SESSION_EXPIRY, Value::Number(3600)));
        }
        self
    }

    /// With clean start set or not.
    #[must_use]
    pub fn clean(mut self, clean: bool) -> Self {
        self.clean = clean;
        self
    }

    /// With a keep alive in seconds.
    #[must_use]
    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive = seconds;
        self
    }

    /// With a will.
    #[must_use]
    pub fn will(mut self, will: Publish) -> Self {
        self.will = Some(will);
        self
    }

    /// With one more property.
    #[must_use]
    pub fn prop(mut self, id: u8, value: impl Into<Value>) -> Self {
        self.props.push((id, value.into()));
        self
    }

    /// The packet's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let v5 = self.version == Version::V5;
        let mut body = Vec::new();
        put_bytes(&mut body, if self.version == Version::V31 { b"MQIsdp" } else { b"MQTT" });
        body.push(self.version as u8);
        let will = self.will.as_ref().map_or(0, |will| 4 | will.qos << 3 | u8::from(will.retain) << 5);
        body.push(will | u8::from(self.clean) << 1);
        body.extend(self.keep_alive.to_be_bytes());
        if v5 {
            put_props(&mut body, &self.props);
        }
        put_bytes(&mut body, self.client_id.as_bytes());
        if let Some(will) = &self.will {
            if v5 {
                put_props(&mut body, &will.props);
            }
            put_bytes(&mut body, will.topic.as_bytes());
            put_bytes(&mut body, &will.payload);
        }
        frame(0x10, &body)
    }
}

/// A SUBSCRIBE of filters with their option bytes.
#[must_use]
pub fn subscribe(version: Version, id: u16, filters: &[(&str, u8)], props: &[(u8, Value)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        put_props(&mut body, props);
    }
    for (filter, options) in filters {
        put_bytes(&mut body, filter.as_bytes());
        body.push(*options);
    }
    frame(0x82, &body)
}

/// An UNSUBSCRIBE of filters.
#[must_use]
pub fn unsubscribe(version: Version, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    for filter in filters {
        put_bytes(&mut body, filter.as_bytes());
    }
    frame(0xa2, &body)
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP that says success.
#[must_use]
pub fn ack(kind: Kind, id: u16) -> Vec<u8> {
    let first = (kind as u8) << 4 | if kind == Kind::Pubrel { 2 } else { 0 };
    frame(first, &id.to_be_bytes())
}

/// A DISCONNECT; 3.x has no reason and no properties.
#[must_use]
pub fn disconnect(version: Version, reason: u8, props: &[(u8, Value)]) -> Vec<u8> {
    let mut body = Vec::new();
    if version == Version::V5 && (reason != 0 || !props.is_empty()) {
        body.push(reason);
        put_props(&mut body, props);
    }
    frame(0xe0, &body)
}
