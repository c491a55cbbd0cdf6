//! What becomes of the Will of a client that was lost? Section 3.1.2.5 of the standard.

use async_trait::async_trait;
use hikyaku_types::{Now, Qos};

/// A Will Message as CONNECT brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where it is published.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// At which QoS.
    pub qos: Qos,
    /// With RETAIN.
    pub retain: bool,
    /// Will Delay Interval in seconds, section 3.1.3.2.2.
    pub delay_secs: u32,
    /// Message Expiry Interval in seconds, counted from its publication.
    pub expiry_secs: Option<u32>,
    /// The other will properties that travel with the message, encoded as in PUBLISH, without their length.
    pub properties: Vec<u8>,
}

/// Why the client was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// The connection ended without DISCONNECT.
    Connection,
    /// Nothing came within one and a half times the keep alive.
    KeepAlive,
    /// The client broke the protocol, or the broker closed for another reason.
    Protocol,
    /// Another connection took the client id.
    Takeover,
    /// DISCONNECT with reason code 0x04: the client wants its Will published.
    Asked,
    /// The broker went away while the client was connected, and has come back.
    Restart,
}

/// What is to become of a Will.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WillDecision {
    /// Publish it at this time of the wall clock, in milliseconds since 1970, or when the session ends, whichever is
    /// earlier; a time that has passed means now.
    PublishAt(u64),
    /// Publish this one instead, at that time.
    Instead(Box<Will>, u64),
    /// Do not publish it.
    Drop,
}

/// Decides what becomes of a Will. The decision is stored and survives a restart.
#[async_trait]
pub trait WillDispatch: Send + Sync {
    /// Called once, when the client has been lost. May wait; nobody else waits with it.
    async fn dispatch(&self, client_id: &str, will: &Will, lost: Lost, now: Now) -> WillDecision;
}

/// The standard's own rule: publish after the Will Delay Interval [MQTT-3.1.2-8].
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardWill;

#[async_trait]
impl WillDispatch for StandardWill {
    async fn dispatch(&self, _: &str, will: &Will, _: Lost, now: Now) -> WillDecision {
        WillDecision::PublishAt(now.wall_ms.saturating_add(u64::from(will.delay_secs) * 1000))
    }
}
