//! Records in one redb file.
//!
//! [`open`] gives the store; the server calls it at start and again after a failure. Each table of the records is a redb
//! table of the same name with bytes as keys and values. Nothing here knows MQTT.
//!
//! ```no_run
//! # async fn example() -> Result<(), hikyaku_traits::StoreError> {
//! use hikyaku_traits::RecordStore;
//! let store = hikyaku_redb::open("data/hikyaku.redb".as_ref(), &hikyaku_redb::Options::default())?;
//! store.close().await
//! # }
//! ```

mod fault;
mod maintenance;
mod open;
mod reader;
mod shrink;
mod unfinished;
mod untouched;
mod writer;

pub use maintenance::{compact, info, verify};
pub use open::{Options, open, open_on};

/// What a crash may take of batches applied with [`Durability::Buffered`](hikyaku_traits::Durability::Buffered), for the
/// operator to read.
pub const BUFFERED_MAY_LOSE: &str =
    "redb: a crash of the broker and a power cut lose what was written since the last sync; the file stays whole";

/// The records' tables, as redb sees them.
type Definition = redb::TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The redb table of a table of records.
fn definition(table: hikyaku_traits::Table) -> Definition {
    Definition::new(table.name())
}
