//! What does the broker do about an error of SQLite?

use std::io;
use std::path::Path;

use hikyaku_blocking::{complain, decide};
use hikyaku_traits::{Decision, StoreError};
use rusqlite::{Error, ErrorCode, ffi};

/// What to try when the files may not be used.
pub(crate) const TRY_RIGHTS: &str =
    "give the file and its directory to the user that the broker runs as, or set another storage path";

/// An error while the store is in use.
pub(crate) fn fault(what: &str, path: &Path, error: &Error) -> StoreError {
    let decision = decision(error);
    complain(decision, what, path, &why(error, decision), advice(decision))
}

/// SQLite's words, and the system's where SQLite only says that it could not write.
fn why(error: &Error, decision: Decision) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) if decision == Decision::Full => {
            format!("{error} ({})", io::Error::last_os_error())
        }
        _ => error.to_string(),
    }
}

/// An error while the store is opened: nothing is under way, so a file out of reach may be tried again.
pub(crate) fn fault_of_open(path: &Path, error: &Error) -> StoreError {
    match decision(error) {
        Decision::Poisoned if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => {
            complain(Decision::Away, "open the store", path, error, advice(Decision::Poisoned))
        }
        Decision::Poisoned => complain(Decision::Away, "open the store", path, error, TRY_RIGHTS),
        Decision::Retry => complain(Decision::Away, "open the store", path, error, advice(Decision::Retry)),
        _ => fault("open the store", path, error),
    }
}

/// Whether a checkpoint may be left for later: nothing is lost, the log grows on.
pub(crate) fn may_wait(error: &Error) -> bool {
    matches!(decision(error), Decision::Retry | Decision::Full)
}

fn decision(error: &Error) -> Decision {
    let Error::SqliteFailure(failure, _) = error else { return Decision::Poisoned };
    match failure.code {
        ErrorCode::DiskFull => Decision::Full,
        // The index of the log lies in a file too, and found no room to grow.
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Decision::Full,
        ErrorCode::SystemIoFailure if no_room(failure.extended_code) => Decision::Full,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Decision::Retry,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Decision::Corrupt,
        ErrorCode::TooBig => Decision::Unsupported,
        _ => Decision::Poisoned,
    }
}

/// Whether there was no room for a write that failed. SQLite itself tells a disk apart that is full, but no quota that is used
/// up and no file that must not grow. To be asked right after the failure and in its thread, while that is the last error of the
/// system: what SQLite does to end the transaction asks for nothing that fails.
fn no_room(extended_code: i32) -> bool {
    // Not of a sync: what was to be synced may be gone then, and the handle is no good any more.
    let writes = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_TRUNCATE, ffi::SQLITE_IOERR_SHMOPEN];
    writes.contains(&extended_code) && decide(&io::Error::last_os_error()) == Decision::Full
}

fn advice(decision: Decision) -> &'static str {
    match decision {
        Decision::Retry => "end the other program that holds the file locked",
        Decision::Full => "make room on the disk; the broker opens the store again by itself",
        Decision::Corrupt => {
            "keep a copy of the file and its -wal and bring back a backup, or set another storage path"
        }
        Decision::Unsupported => "smaller messages",
        // A quota and a limit for the size of a file are no "full disk" to SQLite.
        _ => {
            "make room on the disk if a quota or a limit is used up, else look at its health; the broker opens the store \
             again by itself"
        }
    }
}
