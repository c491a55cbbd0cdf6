//! How does a client want a subscription to be served? Section 3.8.3.1 of MQTT 5.0.

use crate::Qos;

/// Which retained messages a SUBSCRIBE brings, section 3.8.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// All that match, each time [MQTT-3.3.1-9].
    Always = 0,
    /// Only if the subscription did not exist [MQTT-3.3.1-10].
    IfNew = 1,
    /// None [MQTT-3.3.1-11].
    Never = 2,
}

/// The options byte of a topic filter in SUBSCRIBE. 3.x has only the QoS; the rest is as 3.x behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The highest QoS that the client wants.
    pub qos: Qos,
    /// Do not send the client its own messages [MQTT-3.8.3-3].
    pub no_local: bool,
    /// Keep the RETAIN flag of the publisher [MQTT-3.3.1-13].
    pub retain_as_published: bool,
    /// Which retained messages come with it.
    pub retain_handling: RetainHandling,
}

impl SubscriptionOptions {
    /// The options of a 3.x subscription.
    #[must_use]
    pub const fn qos(qos: Qos) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::Always }
    }

    /// The options of their byte on the wire; `None` if reserved bits are set or a value does not exist.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & 0xC0 != 0 {
            return None;
        }
        let Some(qos) = Qos::from_bits(bits & 3) else { return None };
        let retain_handling = match bits >> 4 & 3 {
            0 => RetainHandling::Always,
            1 => RetainHandling::IfNew,
            2 => RetainHandling::Never,
            _ => return None,
        };
        Some(Self { qos, no_local: bits & 4 != 0, retain_as_published: bits & 8 != 0, retain_handling })
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.qos.bits()
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}
