//! Are keys and values any bytes at all?

use hikyaku_traits::Table;

use crate::Store;
use crate::cases::{Ask, Write, row, rows, same};

/// An empty key, an empty value, and both at once.
pub async fn empty_key_and_empty_value_are_records(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("", "value"), Write::put("key", "")]).await.unwrap();
    same(store.all().await, [row("", "value"), row("key", "")]);
    store.write([Write::put("", "")]).await.unwrap();
    let page = store.get(Table::Message, vec![[].into(), b"key".as_slice().into()]).await.unwrap();
    same(rows(&page), [row("", ""), row("key", "")]);
    store.write([Write::delete("")]).await.unwrap();
    same(store.all().await, [row("key", "")]);
}

/// Topics such as `7` and `007` are not the same, and come back as they were.
pub async fn keys_that_look_like_numbers_stay_apart(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let keys = ["+7", "007", "07", "0x7", "1e3", "7", "7.0", "9223372036854775808", "NULL", "nan"];
    store.write(keys.map(|key| Write::put(key, key))).await.unwrap();
    same(store.all().await, keys.map(|key| row(key, key)));
}

/// Levels of a topic may be empty: `/`, `a//b` and `a/` are topics of their own, and each lies in the ranges of its levels.
pub async fn empty_topic_levels_stay_apart(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let topics = ["", "/", "//", "///", "//a", "/a", "/a/", "a", "a/", "a//", "a//b", "a/b", "a0"];
    store.write(topics.map(|topic| Write::put(topic, topic))).await.unwrap();
    same(store.all().await, topics.map(|topic| row(topic, topic)));
    for (from, to, within) in [("/", "0", &topics[1..7]), ("//", "/0", &topics[2..5]), ("a//", "a/0", &topics[9..11])] {
        let page = store.page(from.as_bytes(), Some(to.as_bytes()), usize::MAX).await;
        same(rows(&page), within.iter().map(|topic| row(topic, topic)).collect::<Vec<_>>());
    }
    store.write([Write::delete("a/"), Write::delete("/")]).await.unwrap();
    let page = store.get(Table::Message, ["a//", "a/", "/", "//", ""].map(|key| key.as_bytes().into()).to_vec()).await;
    same(rows(&page.unwrap()), ["a//", "//", ""].map(|topic| row(topic, topic)));
}

/// Each single byte as a key, among them those that are no UTF-8.
pub async fn keys_need_not_be_utf8(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let all: Vec<_> = (0..=255_u8).map(|byte| row([byte], [byte, 0xff, 0])).collect();
    store.write(all.iter().map(|(key, value)| Write::put(key, value))).await.unwrap();
    same(store.all().await, all);
}

/// A long key and all its beginnings are records of their own.
pub async fn a_key_may_be_the_start_of_another(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let long = [0_u8; 300];
    let all: Vec<_> = (0..=long.len()).map(|end| row(&long[..end], end.to_be_bytes())).collect();
    store.write(all.iter().map(|(key, value)| Write::put(key, value))).await.unwrap();
    same(store.all().await, all);
}

/// Values of 1 MiB, scanned, looked up, replaced and deleted, and a key of 64 KiB, which a topic can be.
pub async fn large_values_come_back(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let value = |seed: usize| (0..1 << 20).map(|i: usize| (i * seed % 251) as u8).collect::<Vec<_>>();
    let key = vec![b'k'; 65_535];
    store.write([Write::put("a", value(3)), Write::put("b", value(5)), Write::put(&key, "1")]).await.unwrap();
    same(store.all().await, [row("a", value(3)), row("b", value(5)), row(&key, "1")]);
    store.write([Write::put("a", value(7)), Write::delete("b")]).await.unwrap();
    let page = store.get(Table::Message, vec![b"a".as_slice().into(), b"b".as_slice().into()]).await.unwrap();
    same(rows(&page), [row("a", value(7))]);
}

/// A value of 24 MiB among small ones, replaced by a small one and back. A message of MQTT has up to 256 MiB.
pub async fn values_of_many_mebibytes_come_back(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let large: Vec<u8> = (0..24_usize << 20).map(|i| (i / 7 % 253) as u8).collect();
    store.write([Write::put("a", "1"), Write::put("b", &large), Write::put("c", "1")]).await.unwrap();
    same(store.all().await, [row("a", "1"), row("b", &large), row("c", "1")]);
    for value in [b"small".as_slice(), &large] {
        store.write([Write::put("b", value)]).await.unwrap();
        let page = store.get(Table::Message, vec![b"b".as_slice().into()]).await.unwrap();
        same(rows(&page), [row("b", value)]);
    }
}

/// Values of each length up to a few thousand, where engines change how they keep them.
pub async fn values_keep_every_byte(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let all: Vec<_> = (0..5_000_u16)
        .step_by(7)
        .map(|length| row(length.to_be_bytes(), (0..length).map(|i| i.wrapping_mul(31) as u8).collect::<Vec<_>>()))
        .collect();
    store.write(all.iter().map(|(key, value)| Write::put(key, value))).await.unwrap();
    same(store.all().await, all);
}

/// Several thousand records in several batches, half of them deleted again by ranges.
pub async fn thousands_of_records(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let key = |i: u32| i.to_be_bytes();
    for start in (0..8_000).step_by(500) {
        store.write((start..start + 500).map(|i| Write::put(key(i), vec![i as u8; 300]))).await.unwrap();
    }
    assert_eq!(store.keys().await.len(), 8_000);
    store.write((0..8_000).step_by(1_000).map(|i| Write::delete_range(key(i), key(i + 500)))).await.unwrap();
    let left: Vec<_> = (0..8_000).filter(|i| i % 1_000 >= 500).map(|i| row(key(i), vec![i as u8; 300])).collect();
    same(store.all().await, left);
}
