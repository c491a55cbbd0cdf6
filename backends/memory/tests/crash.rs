//! What does the forgetful store keep over a crash?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use hikyaku_memory::Forgetful;
use hikyaku_suite::{Write, batch};
use hikyaku_traits::{Durability, Scan, Table};

fn keys(store: &Forgetful) -> String {
    let page = store.scan_now(&Scan { table: Table::Message, from: [].into(), to: None, bytes_max: usize::MAX });
    page.rows
        .iter()
        .map(|row| String::from_utf8_lossy(&row.key).into_owned() + &String::from_utf8_lossy(&row.value))
        .collect()
}

/// Buffered batches that put, replace and delete are undone, newest first.
#[test]
fn crash_takes_back_what_was_not_synced() {
    let store = Forgetful::new();
    store.apply_now(&batch(["a", "b", "c"].map(|key| Write::put(key, "1"))), Durability::Synced).unwrap();
    store.apply_now(&batch([Write::put("a", "2"), Write::delete_range("b", "z")]), Durability::Buffered).unwrap();
    store
        .apply_now(&batch([Write::put("a", "3"), Write::put("b", "3"), Write::delete("b")]), Durability::Buffered)
        .unwrap();
    assert_eq!(keys(&store), "a3");
    assert_eq!(store.unsynced(), 2);
    store.crash();
    assert_eq!(keys(&store), "a1b1c1");
    assert_eq!(store.unsynced(), 0);
}

/// A crash may leave the older ones of the batches that were not synced.
#[test]
fn crash_may_keep_a_beginning() {
    let store = Forgetful::new();
    for key in ["a", "b", "c"] {
        store.apply_now(&batch([Write::put(key, "1")]), Durability::Buffered).unwrap();
    }
    store.crash_keeping(2);
    assert_eq!(keys(&store), "a1b1");
    store.crash();
    assert_eq!(keys(&store), "a1b1");
}

/// A sync, and a synced batch, keep all before them.
#[test]
fn sync_keeps_all_before_it() {
    let store = Forgetful::new();
    store.apply_now(&batch([Write::put("a", "1")]), Durability::Buffered).unwrap();
    store.sync_now();
    store.apply_now(&batch([Write::put("b", "1")]), Durability::Buffered).unwrap();
    store.apply_now(&batch([]), Durability::Synced).unwrap();
    store.crash();
    assert_eq!(keys(&store), "a1b1");
}
