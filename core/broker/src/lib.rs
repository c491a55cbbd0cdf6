//! Packets to decisions: sessions, hub, ledger and journal logic.
//!
//! No socket, clock, file, thread or random source is in this crate, and nothing here awaits. It gets packets and the time
//! as arguments and leaves what is to be done in buffers that the caller brought. The same code runs under the server's
//! tasks and under the simulator.
//!
//! * [`Hub`]: what all sessions share. * [`Session`]: one client's side of it. * [`Turn`]: what one turn of a task has
//!   staged. * [`ledger`]: changes to records and back.

mod change;
mod counters;
mod hub;
mod item;
mod journal;
pub mod ledger;
mod limits;
mod message;
mod planted;
pub mod retained;
mod seat;
mod session;
pub mod tree;
mod turn;
mod window;

pub use change::{Change, Phase, Position, Receipt, SessionNumber, SessionRecord};
pub use counters::{Counter, Counters};
pub use hub::{AttachRequest, Attached, Departure, Ending, Hub, HubConfig, LostWill};
pub use journal::Sealed;
pub use limits::Limits;
pub use message::{Message, MessageParts, NOT_APPENDED};
#[cfg(feature = "planted")]
pub use planted::{Bug, plant, use_packet_ids};
pub use seat::Seat;
pub use session::{Answer, Close, PageItem, Question, Session, Step};
pub use turn::Turn;
