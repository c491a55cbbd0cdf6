//! Records in one SQLite file.
//!
//! [`open`] gives the store; the server calls it at start and again after a failure. Each table of the records is an SQLite
//! table of the same name with BLOBs as keys and values. Nothing here knows MQTT.
//!
//! Beside the file lie its write-ahead log (`-wal`, `-shm`: never remove them) and the lock of the broker that has it open.
//! Reading the file with the `sqlite3` shell beside a broker is fine.
//!
//! ```no_run
//! # async fn example() -> Result<(), hikyaku_traits::StoreError> {
//! use hikyaku_traits::RecordStore;
//! let store = hikyaku_sqlite::open("data/hikyaku.sqlite".as_ref(), &hikyaku_sqlite::Options::default())?;
//! store.close().await
//! # }
//! ```

mod checkpoint;
mod connect;
mod fault;
mod layout;
mod maintenance;
mod open;
mod reader;
mod sql;
mod vacuum;
mod writer;

pub use maintenance::{compact, info, verify};
pub use open::{Options, open, open_on};

/// What a crash may take of batches applied with [`Durability::Buffered`](hikyaku_traits::Durability::Buffered), for the
/// operator to read.
pub const BUFFERED_MAY_LOSE: &str = "sqlite: a power cut loses what was written since the last sync, a crash of the broker \
                                     loses nothing; the file stays whole";
