//! Would it be noticed if something was lost? What must lose something does, and is caught.

use hikyaku_power::{Backend, Flaw, find};

/// Within how many rounds a loss must be found.
const ROUNDS: u64 = 60;

/// What was found to be wrong.
fn found(backend: Backend, flaw: Flaw) -> String {
    let found = find(backend, 1..ROUNDS, flaw);
    found.unwrap_or_else(|| panic!("{} loses nothing with {flaw:?}", backend.name())).1
}

/// A commit with redb's `Durability::None` is no promise.
#[test]
fn redb_without_a_sync_loses() {
    let what = found(Backend::Redb, Flaw::BufferedIsPromised);
    assert!(what.contains("after a loss of power: of "), "{what}");
}

/// A commit with SQLite's `synchronous=NORMAL` is no promise.
#[test]
fn sqlite_without_a_sync_loses() {
    let what = found(Backend::Sqlite, Flaw::BufferedIsPromised);
    assert!(what.contains("after a loss of power: of "), "{what}");
}

/// A disk that answers a sync without doing it cannot be helped: records are lost, or the file is no store any more.
#[test]
fn a_disk_that_lies_loses() {
    for backend in [Backend::Redb, Backend::Sqlite] {
        let what = found(backend, Flaw::DiskLies);
        assert!(["after a loss of power: of ", "refuses to open"].iter().any(|loss| what.contains(loss)), "{what}");
    }
}
