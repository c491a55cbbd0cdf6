//! How often may a message arrive?

/// Quality of service, section 4.3 of the standard. Ordered: the effective QoS of a delivery is the lower of the
/// publisher's and the subscription's, `a.min(b)` [MQTT-3.8.4-8].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Qos {
    /// QoS 0: sent once, never acknowledged.
    AtMostOnce = 0,
    /// QoS 1: acknowledged by PUBACK.
    AtLeastOnce = 1,
    /// QoS 2: PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce = 2,
}

impl Qos {
    /// The QoS of its two bits on the wire; `None` for 3, which is malformed [MQTT-3.3.1-4].
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// The two bits on the wire.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }
}
