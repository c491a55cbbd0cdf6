//! Records in one SQLite file.
//!
//! [`open`] gives the store; the server calls it at start and again after a failure. Each table of the records is an SQLite
//! table of the same name with BLOBs as keys and values. Nothing here knows MQTT.

use std::path::Path;

use hikyaku_blocking::Blocking;
use hikyaku_traits::{Decision, StoreError};

/// What a crash may take of batches applied with [`Durability::Buffered`](hikyaku_traits::Durability::Buffered), for the
/// operator to read.
pub const BUFFERED_MAY_LOSE: &str = "sqlite: a power cut loses what was written since the last sync, a crash of the broker loses nothing; the file stays whole";

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

/// Opens the store in the file `path`, or makes it, with its directory. Blocks for the disk.
pub fn open(path: &Path, options: &Options) -> Result<Blocking, StoreError> {
    let _ = (path, options);
    Err(StoreError::new(Decision::Unsupported, "not built yet"))
}
