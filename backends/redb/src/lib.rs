//! Records in one redb file.
//!
//! [`open`] gives the store; the server calls it at start and again after a failure. Each table of the records is a redb
//! table of the same name with bytes as keys and values. Nothing here knows MQTT.

use std::path::Path;

use hikyaku_blocking::Blocking;
use hikyaku_traits::{Decision, StoreError};

/// What a crash may take of batches applied with [`Durability::Buffered`](hikyaku_traits::Durability::Buffered), for the
/// operator to read.
pub const BUFFERED_MAY_LOSE: &str =
    "redb: a crash of the broker and a power cut lose what was written since the last sync; the file stays whole";

/// How the file is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// The memory for pages of the file, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 32 << 20 }
    }
}

/// Opens the store in the file `path`, or makes it, with its directory. Blocks for the disk, after a crash for as long as
/// redb needs to check the file (about a second per gigabyte).
pub fn open(path: &Path, options: &Options) -> Result<Blocking, StoreError> {
    let _ = (path, options);
    Err(StoreError::new(Decision::Unsupported, "not built yet"))
}
