//! Which records tell what happened, and what do records tell?
//!
//! The ledger turns changes into records, and [`Recovery`] turns records back into sessions. Formats, versions and layout
//! are here and nowhere else: a better layout or a new property of MQTT touches no backend. Neither has a clock or waits;
//! the shell brings the time and the pages, and takes the batches to the store.
//!
//! ```text
//! table          key                                    value, each with a version in front
//! meta           "format", "clock",                     a number
//!                "next_session_number", "message_id_reserved"
//!                "migration"                            only on the way to another format: how far it is
//! session        client id                              number, epoch, protocol, expiry, parked since
//! subscription   session number, filter                 options, identifier
//! message        message id                             header, receivers, and the payload if it is small
//! body           message id                             a large payload, as it is
//! progress       session number                         low position, sent mark, what is done above the low position
//! inflight       session number, direction, packet id   inbound: nothing; outbound: phase, position, message id
//! will           session number                         the Will, and when it is due
//! retained       topic                                  message id, header, and the payload if it is small
//! retained_body  topic                                  a large payload, as it is
//! ```
//!
//! Numbers in keys are big-endian, so that the order of the bytes is the order of the numbers. What needs a range is
//! keyed by session number, which is never used again: a batch that is applied twice gives the same records.

mod batch;
mod codec;
mod encode;
mod error;
mod key;
mod meta;
pub mod migrate;
mod progress;
mod read;
mod rebuild;
mod record;
mod recover;
mod recovered;
mod retained;
mod rows;

pub use encode::{Encoded, Ledger};
pub use error::LedgerError;
pub use read::{Body, PartialMessage, Stored, body_keys, message_keys, read_message};
pub use record::{MessageRecord, PayloadRecord, Record, format_of, meta_name};
pub use recover::{Place, Recovery};
pub use recovered::{OutboundRef, QueuedRef, Recovered, RecoveredSession};

/// The format of a store that this build writes, and the newest that it reads. It rises when an older build could not read
/// what this one writes, be it a single row.
pub const FORMAT: u64 = 1;

/// A payload of so many bytes or more has a row of its own, so that the rows that are looked through at start are small.
pub const BODY_APART_BYTES: usize = 3072;
