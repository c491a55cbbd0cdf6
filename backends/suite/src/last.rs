//! Is what was written there when the store is opened again?

use crate::Store;
use crate::cases::{Ask, Write, row, same};

/// A store is closed and opened: its records are there, and what was deleted is not.
pub async fn closed_store_opens_with_its_records(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("a", "1"), Write::put("b", ""), Write::put("", "2")]).await.unwrap();
    store.write([Write::delete("a")]).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    same(open().await.all().await, [row("", "2"), row("b", "")]);
}

/// A store is dropped without a close, as after a failure: what was synced is there.
pub async fn dropped_store_opens_with_what_was_synced(open: impl AsyncFn() -> Box<dyn Store>) {
    for round in 0..3_u8 {
        let store = open().await;
        assert_eq!(store.all().await.len(), usize::from(round));
        store.write([Write::put([round], "1")]).await.unwrap();
    }
    assert_eq!(open().await.all().await.len(), 3);
}

/// A close syncs what was applied without a sync.
pub async fn buffered_records_survive_a_close(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write_buffered([Write::put("a", "1")]).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    same(open().await.all().await, [row("a", "1")]);
}

/// A batch without a sync is followed by a synced one, which may be empty; then the store is dropped.
pub async fn synced_batch_makes_buffered_ones_durable(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write_buffered([Write::put("a", "1")]).await.unwrap();
    store.write([Write::put("b", "1")]).await.unwrap();
    store.write_buffered([Write::put("c", "1")]).await.unwrap();
    store.write([]).await.unwrap();
    drop(store);
    assert_eq!(open().await.keys().await, [b"a", b"b", b"c"]);
}

/// A store that was opened again takes batches and replaces what is there.
pub async fn reopened_store_goes_on(open: impl AsyncFn() -> Box<dyn Store>) {
    for round in 0..4_u8 {
        let store = open().await;
        store.write([Write::put("a", [round]), Write::put([round], "1")]).await.unwrap();
        store.close().await.unwrap();
    }
    let keys: Vec<_> = (0..4).map(|round| row([round], "1")).chain([row("a", [3])]).collect();
    same(open().await.all().await, keys);
}
