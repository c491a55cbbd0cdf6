//! Who may open the file, what else is refused, and what a crash leaves in it.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use hikyaku_redb::{Options, open};
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

/// A file of something else is refused, and is as it was.
#[test]
fn foreign_file_is_left_alone() {
    let place = Place::new();
    let path = place.path().join("records");
    let text = "a letter, not a store. ".repeat(1_000);
    std::fs::write(&path, &text).unwrap();
    assert_eq!(open(&path, &Options::default()).unwrap_err().decision, Decision::Corrupt);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

/// A copy of the file, taken while it is open, is what a crash would leave: what was buffered comes with the next sync, also
/// with one of an empty batch.
#[test]
fn crash_leaves_what_was_synced() {
    let place = Place::new();
    let (path, copy) = (place.path().join("records"), place.path().join("copy"));
    run(async {
        let store = opened(&path);
        store.write([Write::put("a", "1")]).await.unwrap();
        store.write_buffered([Write::put("b", "1")]).await.unwrap();
        std::fs::copy(&path, &copy).unwrap();
        assert_eq!(opened(&copy).keys().await, [b"a"]);
        store.write([]).await.unwrap();
        std::fs::copy(&path, &copy).unwrap();
        assert_eq!(opened(&copy).keys().await, [b"a", b"b"]);
    });
}

/// A store whose bytes lie elsewhere leaves no file at its path but the lock.
#[test]
fn storage_of_the_caller_holds_the_records() {
    let place = Place::new();
    let path = place.path().join("records");
    let bytes = redb::backends::InMemoryBackend::new();
    let store = boxed(hikyaku_redb::open_on(bytes, &path, &Options::default()).unwrap());
    run(async {
        store.write([Write::put("k", "v")]).await.unwrap();
        assert_eq!(store.keys().await, [b"k"]);
        store.close().await.unwrap();
    });
    assert!(!path.exists());
}

/// A start that ends while it makes the file leaves one that redb refuses. No record was ever in it: it is made anew. One of
/// which only the head is gone has records, and is left alone.
#[test]
fn file_that_was_not_finished_is_made_anew() {
    let place = Place::new();
    let path = place.path().join("records");
    let mut bytes = vec![0; 1 << 20];
    bytes[12..320].fill(7);
    std::fs::write(&path, &bytes).unwrap();
    run(async {
        let store = opened(&path);
        store.write([Write::put("k", "v")]).await.unwrap();
        store.close().await.unwrap();
    });
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..320].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(open(&path, &Options::default()).unwrap_err().decision, Decision::Corrupt);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
