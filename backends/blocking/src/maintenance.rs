//! What is said of a store's files that no broker has open?

use std::io::ErrorKind;
use std::path::Path;

use hikyaku_traits::StoreError;

use crate::disk::{complain, decide};

/// The files of a store. An engine with files has a function `info` that tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileInfo {
    /// The bytes of all files of the store, without its lock and what is made anew at each open.
    pub bytes: u64,
    /// How many of them hold nothing and will be used again.
    pub free_bytes: u64,
    /// How many of them are a write-ahead log; 0 for an engine without one.
    pub log_bytes: u64,
    /// The engine, and the format of its file, for people.
    pub engine: String,
}

/// What a compaction did. An engine with files has a function `compact` that tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Compacted {
    /// The bytes of all files of the store before.
    pub bytes_before: u64,
    /// The same after.
    pub bytes_after: u64,
}

/// The length of a file in bytes; 0 if there is none.
pub fn file_bytes(path: &Path) -> Result<u64, StoreError> {
    match std::fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => {
            Err(complain(decide(&error), "look at", path, &error, "give the file to the user that runs this"))
        }
    }
}
