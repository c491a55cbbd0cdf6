//! How is a batch durable with one sync, whatever the store? A log in front of it.
//!
//! A batch is appended to a file and synced; it can be read from then on. When the log has grown, what it says goes into the
//! store behind it, on a thread of its own and in large batches. What was replaced or removed meanwhile never gets there: a
//! queue that drains costs the store nothing.
//!
//! The log knows no MQTT and no engine: it is a record store in front of another one. Its files lie in a directory of their
//! own. The store has one record more, hidden from who reads through the log, that names the log and the last batch that is
//! in the store. [`close`](hikyaku_traits::RecordStore::close) writes everything into the store and leaves no file; after a
//! crash the log is read again.
//!
//! ```no_run
//! # fn example() -> Result<(), hikyaku_traits::StoreError> {
//! let file = std::path::Path::new("data/hikyaku.redb");
//! let store = hikyaku_redb::open(file, &hikyaku_redb::Options::default())?;
//! let directory = hikyaku_log::Folder::new(hikyaku_log::log_of(file));
//! let store = hikyaku_log::open(store, directory, hikyaku_log::Options::default())?;
//! # drop(store);
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod directory;
mod key;
mod open;
mod overlay;
mod ranges;
mod reader;
mod record;
mod shared;
mod short_map;
mod wait;
mod writer;

pub use directory::{Directory, Folder, LogFile};
pub use open::{Options, open};
pub use shared::log_of;

/// What a crash may take of batches applied with [`Durability::Buffered`](hikyaku_traits::Durability::Buffered), for the
/// operator to read.
pub const BUFFERED_MAY_LOSE: &str =
    "a power cut loses what was written since the last sync; a crash of the broker loses nothing";
