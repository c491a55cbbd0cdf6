//! The words of MQTT: quality of service, protocol versions, reason codes, topic names and filters.
//!
//! This crate knows no packet and no broker. Everything else in the house speaks with these words, plugins included.
//!
//! ```
//! use hikyaku_types::{topic, Qos};
//! assert!(topic::matches("sport/+/player1", "sport/tennis/player1"));
//! assert_eq!(Qos::AtLeastOnce.min(Qos::ExactlyOnce), Qos::AtLeastOnce);
//! ```

mod qos;
mod reason;
mod subscription;
mod time;
pub mod topic;
mod version;

pub use qos::Qos;
pub use reason::ReasonCode;
pub use subscription::{RetainHandling, SubscriptionOptions};
pub use time::Now;
pub use version::ProtocolVersion;
