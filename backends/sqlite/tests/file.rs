//! Who may open the file, what else is refused, and what a crash leaves of it.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use hikyaku_sqlite::{Options, open};
use hikyaku_suite::{Ask, Place, Store, Write, boxed, run};
use hikyaku_traits::Decision;

fn opened(path: &Path) -> Box<dyn Store> {
    boxed(open(path, &Options::default()).unwrap())
}

/// A second open beside the first names the process that has it.
#[test]
fn second_broker_is_fenced() {
    let place = Place::new();
    let path = place.path().join("records");
    let _first = opened(&path);
    let refused = open(&path, &Options::default()).unwrap_err();
    assert_eq!(refused.decision, Decision::Fenced);
    assert!(refused.message.contains(&std::process::id().to_string()), "{refused}");
}

/// A file of something else, and a database of another program, are refused and are as they were.
#[test]
fn foreign_file_is_left_alone() {
    let place = Place::new();
    let path = place.path().join("records");
    std::fs::write(&path, "a letter, not a store. ".repeat(1_000)).unwrap();
    assert_eq!(open(&path, &Options::default()).unwrap_err().decision, Decision::Corrupt);
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert_eq!(open(&path, &Options::default()).unwrap_err().decision, Decision::Corrupt);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// A file that a newer broker wrote is refused.
#[test]
fn newer_layout_is_refused() {
    let place = Place::new();
    let path = place.path().join("records");
    drop(opened(&path));
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();
    assert_eq!(open(&path, &Options::default()).unwrap_err().decision, Decision::Unsupported);
}

/// A copy of the file and its log, taken while it is open, is what the end of the process leaves: all that was applied.
#[test]
fn killed_process_leaves_all_that_was_applied() {
    let place = Place::new();
    let (path, copy) = (place.path().join("records"), place.path().join("copy"));
    run(async {
        let store = opened(&path);
        store.write([Write::put("a", "1")]).await.unwrap();
        store.write_buffered([Write::put("b", "1")]).await.unwrap();
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(place.path().join("records-wal"), place.path().join("copy-wal")).unwrap();
        assert_eq!(opened(&copy).keys().await, [b"a", b"b"]);
    });
}

/// Commits of more than the log may hold, then a close: the log has begun anew on the way, and is gone at the end.
#[test]
fn log_stays_bounded() {
    let place = Place::new();
    let path = place.path().join("records");
    run(async {
        let store = opened(&path);
        for _ in 0..100 {
            store.write_buffered([Write::put("a", vec![1; 1 << 20])]).await.unwrap();
        }
        let log = place.path().join("records-wal");
        assert!(std::fs::metadata(&log).unwrap().len() < 80 << 20);
        store.close().await.unwrap();
        assert!(!log.exists());
    });
}

/// A store on a VFS that has a name is opened through it; one that nobody has registered is no store.
#[test]
fn vfs_is_taken_by_its_name() {
    let place = Place::new();
    let path = place.path().join("records");
    let refused = hikyaku_sqlite::open_on("no-such", &path, &Options::default()).unwrap_err();
    assert!(refused.message.contains("no-such"), "{refused}");
    assert!(!path.exists());
    drop(hikyaku_sqlite::open_on("unix-excl", &path, &Options::default()).unwrap());
    assert!(path.exists());
}
