//! Who connects, in which dialect, and under which conditions? Section 3.1 of the standard.

use hikyaku_types::{ProtocolVersion, Qos, ReasonCode};

use crate::control;
use crate::cursor::Cursor;
use crate::error::{ProtocolError, Result};
use crate::frame::{Frame, varint_len};
use crate::packet::DecodeLimits;
use crate::validate::{Properties, id, place, properties, topic_name, travelling};

/// CONNECT, with what its version leaves out as the standard means it. User properties are checked, and dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The dialect of the connection.
    pub version: ProtocolVersion,
    /// Forget the session that there was. Called Clean Session in 3.x.
    pub clean_start: bool,
    /// The client sends something at least this often; 0 turns it off.
    pub keep_alive_secs: u16,
    /// May be empty: whether the server names the client then is for the caller to judge.
    pub client_id: String,
    /// What to publish if the client is lost.
    pub will: Option<ConnectWill>,
    /// `None` is not the same as empty.
    pub user_name: Option<String>,
    /// Any bytes. `None` is not the same as empty.
    pub password: Option<Vec<u8>>,
    /// How long the session outlives the connection; `u32::MAX` is for ever. In 3.x: 0 if clean, else for ever.
    pub session_expiry_secs: u32,
    /// How many QoS 1 and 2 messages the client takes at once; 65,535 unless it says less. Not zero.
    pub receive_maximum: u16,
    /// The largest packet that the client takes; `u32::MAX` unless it says less. Not zero.
    pub packet_size_max: u32,
    /// How many topic aliases the client keeps; 0 for none.
    pub topic_alias_maximum: u16,
    /// The client wants to know which topics it may use for responses.
    pub request_response_information: bool,
    /// The client wants reason strings and user properties with any packet; true unless it says no.
    pub request_problem_information: bool,
    /// The name of an enhanced authentication, which AUTH continues.
    pub authentication_method: Option<String>,
    /// What it begins with; empty without a method.
    pub authentication_data: Vec<u8>,
}

/// The Will of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectWill {
    /// Where to, a valid topic name.
    pub topic: String,
    /// The message itself.
    pub payload: Vec<u8>,
    /// How it is published.
    pub qos: Qos,
    /// To be kept as the topic's retained message.
    pub retain: bool,
    /// How long to wait for the client to come back.
    pub delay_secs: u32,
    /// How long the message is worth delivering, once published.
    pub expiry_secs: Option<u32>,
    /// The properties that travel with it, as in PUBLISH: all but Will Delay Interval and Message Expiry Interval.
    pub properties: Vec<u8>,
}

/// How a CONNECT was refused, and how to answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// Why.
    pub error: ProtocolError,
    /// What to send before the connection is closed.
    pub answer: ConnectAnswer,
}

/// What to send to a client whose CONNECT was refused, before the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectAnswer {
    /// Nothing: it is not MQTT, or a 3.x packet that is malformed.
    Silence,
    /// CONNACK of 3.x with this return code.
    V3(u8),
    /// CONNACK of 5.0 with the error's reason.
    V5,
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for ConnectError {}

/// Decodes CONNECT. `bytes` starts at the frame and may go on after it. The default [`DecodeLimits`] apply.
///
/// # Errors
/// What is wrong with it, and which CONNACK to send before the connection is closed.
pub fn decode_connect(frame: Frame, bytes: &[u8]) -> std::result::Result<Connect, ConnectError> {
    let silent = |error| ConnectError { error, answer: ConnectAnswer::Silence };
    if frame.kind() != 1 {
        return Err(silent(ProtocolError::protocol("the first packet is not CONNECT"))); // [MQTT-3.1.0-1]
    }
    let mut cursor = Cursor::new(frame.body(bytes).map_err(silent)?);
    let version = version(&mut cursor)?;
    let answer = if version.is_v5() { ConnectAnswer::V5 } else { ConnectAnswer::Silence };
    let minimal = frame.header_len == 1 + varint_len(frame.len - frame.header_len);
    if version.is_v5() && !minimal {
        let error = ProtocolError::malformed("a remaining length that is not in its shortest form"); // [MQTT-1.5.5-1]
        return Err(ConnectError { error, answer });
    }
    read(version, cursor).map_err(|error| ConnectError { error, answer })
}

/// Reads protocol name and level.
fn version(cursor: &mut Cursor<'_>) -> std::result::Result<ProtocolVersion, ConnectError> {
    let read = (|| Ok((cursor.binary()?, cursor.u8()?)))();
    let (name, level) = read.map_err(|error| ConnectError { error, answer: ConnectAnswer::Silence })?;
    let refuse = |what, answer| {
        Err(ConnectError { error: ProtocolError::new(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, what), answer })
    };
    match (name, level) {
        (b"MQIsdp", 3) => Ok(ProtocolVersion::V31),
        (b"MQTT", 4) => Ok(ProtocolVersion::V311),
        (b"MQTT", 5) => Ok(ProtocolVersion::V5),
        // Whoever speaks a later version is more likely to understand the CONNACK of 5.0 [MQTT-3.1.2-2].
        (b"MQTT", 6..0x80) => refuse("a protocol level later than 5", ConnectAnswer::V5),
        (b"MQTT" | b"MQIsdp", _) => refuse("a protocol level that is not served", ConnectAnswer::V3(1)),
        _ => refuse("the protocol name is not MQTT", ConnectAnswer::Silence), // [MQTT-3.1.2-1]
    }
}

/// Byte 8 of the variable header, section 3.1.2.3.
#[derive(Clone, Copy)]
struct Flags(u8);

impl Flags {
    fn check(version: ProtocolVersion, bits: u8) -> Result<Self> {
        let flags = Self(bits);
        let v31 = version == ProtocolVersion::V31;
        if bits & 1 != 0 && !v31 {
            return Err(ProtocolError::malformed("the reserved connect flag")); // [MQTT-3.1.2-3]
        }
        if !flags.will() && bits & 0x38 != 0 && !v31 {
            // [MQTT-3.1.2-11] [MQTT-3.1.2-13]
            return Err(ProtocolError::malformed("QoS or RETAIN of a Will that is not there"));
        }
        if flags.will() && bits & 0x18 == 0x18 {
            return Err(ProtocolError::malformed("a Will of QoS 3")); // [MQTT-3.1.2-12]
        }
        if flags.password() && !flags.user_name() && !version.is_v5() {
            return Err(ProtocolError::malformed("a password without a user name")); // 3.1.1: [MQTT-3.1.2-22]
        }
        Ok(flags)
    }

    const fn will(self) -> bool {
        self.0 & 0x04 != 0
    }

    const fn password(self) -> bool {
        self.0 & 0x40 != 0
    }

    const fn user_name(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// What is left without a login. 3.1 disregards what it says about a Will that is not there.
    const fn without_login(self) -> u8 {
        self.0 & if self.will() { 0x3E } else { 0x02 }
    }
}

/// Checks everything after the protocol level, and reads it.
fn read(version: ProtocolVersion, mut cursor: Cursor<'_>) -> Result<Connect> {
    let limits = DecodeLimits::default();
    let flags = Flags::check(version, cursor.u8()?)?;
    let head = cursor.rest();
    let _keep_alive = cursor.u16()?;
    if version.is_v5() {
        let found = properties(&mut cursor, place::CONNECT, limits.user_properties_max)?;
        if found.has(id::AUTHENTICATION_DATA) && !found.has(id::AUTHENTICATION_METHOD) {
            return Err(ProtocolError::protocol("authentication data without a method")); // section 3.1.2.11.10
        }
    }
    cursor.text()?; // the client identifier [MQTT-3.1.3-4]
    let mut will_properties = Properties::NONE;
    if flags.will() {
        if version.is_v5() {
            will_properties = properties(&mut cursor, place::WILL, limits.user_properties_max)?;
        }
        topic_name(cursor.binary()?, limits.topic_levels_max)?; // [MQTT-3.1.3-11]
        cursor.binary()?;
    }
    let head = &head[..head.len() - cursor.rest().len()];
    // 3.1 lets the login be flagged and missing.
    let missing = |cursor: &Cursor<'_>| version == ProtocolVersion::V31 && cursor.is_empty();
    let user_name = if flags.user_name() && !missing(&cursor) { Some(cursor.text()?) } else { None }; // [MQTT-3.1.3-12]
    let password = if flags.password() && !missing(&cursor) { Some(cursor.binary()?) } else { None };
    cursor.end()?;

    let mut connect = control::connect(version, flags.without_login(), head)?;
    connect.user_name = user_name.map(str::to_owned);
    connect.password = password.map(<[u8]>::to_vec);
    if let Some(will) = &mut connect.will {
        travelling(will_properties.raw, &mut will.properties);
    }
    Ok(connect)
}
