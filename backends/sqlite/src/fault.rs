//! What does the broker do about an error of SQLite?

use std::path::Path;

use hikyaku_blocking::complain;
use hikyaku_traits::{Decision, StoreError};
use rusqlite::{Error, ErrorCode, ffi};

/// An error while the store is in use.
pub(crate) fn fault(what: &str, path: &Path, error: &Error) -> StoreError {
    let decision = decision(error);
    complain(decision, what, path, error, advice(decision))
}

/// An error while the store is opened: nothing is under way, so a file out of reach may be tried again.
pub(crate) fn fault_of_open(path: &Path, error: &Error) -> StoreError {
    match decision(error) {
        Decision::Poisoned => {
            let advice =
                "give the file and its directory to the user that the broker runs as, or set another storage path";
            complain(Decision::Away, "open the store", path, error, advice)
        }
        Decision::Retry => complain(Decision::Away, "open the store", path, error, advice(Decision::Retry)),
        decision => complain(decision, "open the store", path, error, advice(decision)),
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
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Decision::Retry,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Decision::Corrupt,
        ErrorCode::TooBig => Decision::Unsupported,
        _ => Decision::Poisoned,
    }
}

fn advice(decision: Decision) -> &'static str {
    match decision {
        Decision::Retry => "end the other program that holds the file locked",
        Decision::Full => "make room on the disk; the broker opens the store again by itself",
        Decision::Corrupt => {
            "keep a copy of the file and its -wal and bring back a backup, or set another storage path"
        }
        Decision::Unsupported => "smaller messages",
        _ => "look at the health of the disk; the broker opens the store again by itself",
    }
}
