//! Packets to decisions: sessions, hub, ledger and journal logic.
//!
//! No socket, clock, file, thread or random source is in this crate, and nothing here awaits. It gets packets and the time
//! as arguments and leaves what is to be done in buffers that the caller brought.

mod change;
pub mod ledger;
mod message;
pub mod retained;
pub mod tree;

pub use change::{Change, Phase, Position, Receipt, SessionNumber, SessionRecord};
pub use message::{Message, MessageParts, NOT_APPENDED};
