//! What does the broker do about an error of redb?

use std::path::Path;

use hikyaku_blocking::{complain, decide};
use hikyaku_traits::{Decision, StoreError};
use redb::Error;

/// An error while the store is in use.
pub(crate) fn fault(what: &str, path: &Path, error: &Error) -> StoreError {
    let decision = decision(error);
    complain(decision, what, path, error, advice(decision))
}

/// An error while the store is opened: nothing is under way, so a file out of reach may be tried again.
pub(crate) fn fault_of_open(path: &Path, error: Error) -> StoreError {
    match (decision(&error), &error) {
        (Decision::Poisoned, Error::Io(why)) => {
            let advice = "give the file to the user that the broker runs as, or set another storage path";
            complain(Decision::Away, "open the store", path, why, advice)
        }
        _ => fault("open the store", path, &error),
    }
}

/// An error in which redb itself has lost its way.
pub(crate) fn altered(what: &str, path: &Path) -> StoreError {
    let why = "what is in the file is not what redb wrote there";
    complain(Decision::Corrupt, what, path, &why, advice(Decision::Corrupt))
}

fn decision(error: &Error) -> Decision {
    match error {
        // Those of a file that redb did not write, and of one that ends too early, say so.
        Error::Io(why) => decide(why),
        Error::Corrupted(_)
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TableIsNotMultimap(_)
        | Error::TypeDefinitionChanged { .. }
        | Error::TableDoesNotExist(_) => Decision::Corrupt,
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => Decision::Fenced,
        Error::ValueTooLarge(_) | Error::UpgradeRequired(_) => Decision::Unsupported,
        _ => Decision::Poisoned,
    }
}

fn advice(decision: Decision) -> &'static str {
    match decision {
        Decision::Full => "make room on the disk; the broker opens the store again by itself",
        Decision::Fenced => "stop the other process that has the file open, or set another storage path",
        Decision::Corrupt => "keep a copy of the file and bring back a backup, or set another storage path",
        Decision::Unsupported => "the version of the broker that wrote the file",
        _ => "look at the health of the disk; the broker opens the store again by itself",
    }
}
