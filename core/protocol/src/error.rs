//! Why is a packet refused?

use hikyaku_types::ReasonCode;

/// Why a packet is refused: the reason code that an MQTT 5.0 server answers with, and a sentence for the log. A 3.x
/// client is only disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    /// What CONNACK or DISCONNECT of 5.0 says.
    pub reason: ReasonCode,
    /// What is wrong with the packet, in words.
    pub what: &'static str,
}

pub(crate) type Result<T> = std::result::Result<T, ProtocolError>;

impl ProtocolError {
    pub(crate) const fn new(reason: ReasonCode, what: &'static str) -> Self {
        Self { reason, what }
    }

    /// Bytes that are no packet: they cannot be parsed.
    pub(crate) const fn malformed(what: &'static str) -> Self {
        Self::new(ReasonCode::MALFORMED_PACKET, what)
    }

    /// A packet that can be parsed, but says what must not be said.
    pub(crate) const fn protocol(what: &'static str) -> Self {
        Self::new(ReasonCode::PROTOCOL_ERROR, what)
    }

    /// More of something than the configuration allows.
    pub(crate) const fn quota(what: &'static str) -> Self {
        Self::new(ReasonCode::QUOTA_EXCEEDED, what)
    }
}

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.reason, self.what)
    }
}

impl std::error::Error for ProtocolError {}
