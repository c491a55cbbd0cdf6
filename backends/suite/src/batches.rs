//! Does a batch do what it says, all of it or nothing?

use hikyaku_traits::{Decision, Table};

use crate::Store;
use crate::cases::{Ask, Write, row, same};

/// A record is put, deleted and put again in one batch: the last put stands.
pub async fn operations_take_effect_in_order(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("a", "1"), Write::delete("a"), Write::put("a", "2"), Write::put("b", "1")]).await.unwrap();
    store.write([Write::put("b", "2"), Write::delete("b")]).await.unwrap();
    same(store.all().await, [row("a", "2")]);
}

/// An operation of an unknown kind stands between two puts: the answer is Unsupported, and neither put is there.
pub async fn unknown_operation_refuses_the_whole_batch(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("a", "old")]).await.unwrap();
    for place in 0..3 {
        let mut writes = vec![Write::put("a", "new"), Write::put("b", "new")];
        writes.insert(place, Write::Unknown);
        let refused = store.write(writes).await.unwrap_err();
        assert_eq!(refused.decision, Decision::Unsupported, "{refused}");
        same(store.all().await, [row("a", "old")]);
    }
}

/// After a refused batch the same handle takes the next one.
pub async fn store_goes_on_after_a_refusal(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("a", "1"), Write::Unknown]).await.unwrap_err();
    store.write([Write::put("b", "1")]).await.unwrap();
    same(store.all().await, [row("b", "1")]);
}

/// A batch with every operation is applied twice, as after a commit whose outcome was unknown.
pub async fn batch_applied_twice_is_as_once(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "c", "d"].map(|key| Write::put(key, "old"))).await.unwrap();
    let writes = [Write::put("b", "new"), Write::delete("a"), Write::delete_range("c", "d"), Write::put("e", "new")];
    store.write(writes.clone()).await.unwrap();
    let once = store.all().await;
    assert_eq!(once, [row("b", "new"), row("d", "old"), row("e", "new")]);
    store.write(writes).await.unwrap();
    same(store.all().await, once);
}

/// A put with a shorter, a longer and an equal value replaces the one before.
pub async fn put_replaces(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    for value in ["middle", "s", "the longest of all", "the longest of all"] {
        store.write([Write::put("a", value)]).await.unwrap();
        same(store.all().await, [row("a", value)]);
    }
}

/// One of three neighbours is deleted.
pub async fn delete_removes_one_record(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "c"].map(|key| Write::put(key, "1"))).await.unwrap();
    store.write([Write::delete("b")]).await.unwrap();
    same(store.all().await, [row("a", "1"), row("c", "1")]);
}

/// Deletes of a key and of a range where nothing is.
pub async fn deleting_what_is_absent_is_no_error(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::delete("a"), Write::delete_range("a", "z")]).await.unwrap();
    assert!(store.all().await.is_empty());
}

/// A range holds its first key and not the one behind its last; a longer key lies between.
pub async fn delete_range_spares_its_end(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "b0", "c", "c0"].map(|key| Write::put(key, "1"))).await.unwrap();
    store.write([Write::delete_range("b", "c")]).await.unwrap();
    same(store.all().await, [row("a", "1"), row("c", "1"), row("c0", "1")]);
    store.write([Write::delete_range("", "c")]).await.unwrap();
    same(store.all().await, [row("c", "1"), row("c0", "1")]);
}

/// A range that ends where it begins, or before, holds nothing.
pub async fn delete_range_with_crossed_bounds_removes_nothing(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("a", "1"), Write::put("b", "1")]).await.unwrap();
    store
        .write([Write::delete_range("b", "a"), Write::delete_range("a", "a"), Write::delete_range("", "")])
        .await
        .unwrap();
    same(store.all().await, [row("a", "1"), row("b", "1")]);
}

/// Puts before and behind a range delete of the same batch.
pub async fn delete_range_sees_the_puts_before_it(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("a", "1"), Write::delete_range("a", "z"), Write::put("b", "2")]).await.unwrap();
    same(store.all().await, [row("b", "2")]);
}

/// The same key in two tables is two records.
pub async fn tables_are_apart(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let put = |table, value: &str| Write::Put(table, b"key".to_vec(), value.into());
    store.write([put(Table::Retained, "1"), put(Table::RetainedBody, "2")]).await.unwrap();
    store.write([Write::DeleteRange(Table::Body, vec![], b"z".to_vec())]).await.unwrap();
    store.write([Write::Delete(Table::Retained, b"key".to_vec())]).await.unwrap();
    assert!(store.all_of(Table::Retained).await.is_empty());
    same(store.all_of(Table::RetainedBody).await, [row("key", "2")]);
}

/// One batch writes to each table.
pub async fn all_tables_take_records_in_one_batch(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(Table::ALL.map(|table| Write::Put(table, b"key".to_vec(), table.name().into()))).await.unwrap();
    for table in Table::ALL {
        same(store.all_of(table).await, [row("key", table.name())]);
    }
}

/// A batch of no operations, in both durabilities.
pub async fn empty_batch_is_applied(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([]).await.unwrap();
    store.write_buffered([]).await.unwrap();
    store.write([]).await.unwrap();
    assert!(store.all().await.is_empty());
}

/// What was applied without a sync is read before there is one, and after.
pub async fn buffered_batch_is_seen_at_once(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write_buffered([Write::put("a", "1")]).await.unwrap();
    same(store.all().await, [row("a", "1")]);
    store.write([Write::put("b", "2")]).await.unwrap();
    store.write_buffered([Write::delete("a")]).await.unwrap();
    same(store.all().await, [row("b", "2")]);
}
