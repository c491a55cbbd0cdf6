//! What did a start leave that ended while it made the file? One that redb refuses, though nobody has lost anything with it.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use redb::StorageBackend;
use redb::backends::FileBackend;

/// What redb writes at the head of a file last of all when it makes it, and syncs before it writes a record.
const NAME_BYTES: usize = 9;

/// The head, in bytes. What lies behind it is written after the name.
const HEAD_BYTES: usize = 4096;

/// More than the bytes of a file that redb makes.
const NEW_FILE_BYTES_MAX: u64 = 16 << 20;

/// [`empty_unfinished`] of a file. One that is not there, or cannot be opened, is left to redb.
pub(crate) fn empty_unfinished_file(path: &Path) -> io::Result<()> {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return Ok(()) };
    FileBackend::new(file).map_or(Ok(()), |storage| empty_unfinished(&storage))
}

/// Empties a file that redb has begun to make, so that it is made anew: it has no name at its head, and nothing behind the
/// head. A file that holds anything is left as it is.
pub(crate) fn empty_unfinished(storage: &impl StorageBackend) -> io::Result<()> {
    let length = storage.len()?;
    if length == 0 || length > NEW_FILE_BYTES_MAX || !is_zero(storage, 0, length.min(NAME_BYTES as u64))? {
        return Ok(());
    }
    let head = length.min(HEAD_BYTES as u64);
    if is_zero(storage, head, length - head)? { storage.set_len(0) } else { Ok(()) }
}

fn is_zero(storage: &impl StorageBackend, from: u64, length: u64) -> io::Result<bool> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    storage.read(from, &mut bytes)?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}
