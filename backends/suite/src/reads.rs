//! Do scans and gets answer what they were asked?

use std::task::Poll;

use hikyaku_traits::{Durability, Table};

use crate::Store;
use crate::cases::{Ask, Write, batch, row, rows, same};

/// Keys are put in a wild order and come back by their bytes: unsigned, shorter first.
pub async fn scan_is_in_memory_order(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let sorted: [&[u8]; 7] = [b"\x00", b"\x00\x00", b"\x01", b"A", b"a", b"\x7f\xff", b"\x80"];
    store.write([4, 6, 0, 5, 2, 1, 3].map(|i: usize| Write::put(sorted[i], "1"))).await.unwrap();
    assert_eq!(store.keys().await, sorted);
}

/// The first key of a range belongs to it, the last does not; neither has to be there.
pub async fn scan_keeps_its_bounds(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "c", "d"].map(|key| Write::put(key, "1"))).await.unwrap();
    let keys = async |from: &str, to: Option<&str>| {
        let page = store.page(from.as_bytes(), to.map(str::as_bytes), usize::MAX).await;
        page.rows.iter().map(|row| String::from_utf8_lossy(&row.key).into_owned()).collect::<String>()
    };
    assert_eq!(keys("b", Some("d")).await, "bc");
    assert_eq!(keys("aa", Some("cc")).await, "bc");
    assert_eq!(keys("c", None).await, "cd");
    assert_eq!(keys("", Some("b")).await, "a");
    assert_eq!(keys("e", None).await, "");
}

/// A range that ends where it begins, or before, is empty and has no more.
pub async fn scan_with_crossed_bounds_is_empty(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "c"].map(|key| Write::put(key, "1"))).await.unwrap();
    for (from, to) in [("c", "a"), ("b", "b"), ("", "")] {
        let page = store.page(from.as_bytes(), Some(to.as_bytes()), usize::MAX).await;
        assert!(page.rows.is_empty() && !page.more, "{from} to {to}: {page:?}");
    }
}

/// Pages of several sizes, each begun behind the last key of the one before, hold every row once and few bytes too many.
pub async fn pages_join_to_the_whole(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let all: Vec<_> = (0..50_u8).map(|i| row([i], vec![i; usize::from(i)])).collect();
    store.write(all.iter().map(|(key, value)| Write::put(key, value))).await.unwrap();
    for bytes_max in [1, 10, 100, 1_000, 10_000] {
        let (mut joined, mut from) = (Vec::new(), Vec::new());
        loop {
            let page = store.page(&from, None, bytes_max).await;
            let got = rows(&page);
            let (last, first) = got.split_last().expect("a page without a row");
            assert!(first.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= bytes_max);
            from = [last.0.as_slice(), &[0]].concat();
            joined.extend(got);
            if !page.more {
                break;
            }
        }
        assert_eq!(joined, all, "pages of {bytes_max} bytes");
    }
}

/// A page for which no row is small enough still has one, so that a reader gets on.
pub async fn page_holds_one_row_however_small_it_is(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write([Write::put("a", [7; 5_000]), Write::put("b", "1")]).await.unwrap();
    for bytes_max in [0, 1, 4_000] {
        let page = store.page(b"", None, bytes_max).await;
        same(rows(&page), [row("a", [7; 5_000])]);
        assert!(page.more);
    }
}

/// The last page says that nothing follows, also where records follow beyond the range.
pub async fn page_says_whether_there_is_more(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "c"].map(|key| Write::put(key, "1"))).await.unwrap();
    assert!(store.page(b"", None, 2).await.more);
    assert!(store.page(b"a", Some(b"c"), 2).await.more);
    assert!(!store.page(b"c", None, 2).await.more);
    assert!(!store.page(b"b", Some(b"c"), 2).await.more);
    assert!(!store.page(b"", None, 1_000).await.more);
}

/// A table changes while it is read page by page: the next page begins behind the last key, whatever became of that, and
/// shows what is there now.
pub async fn pages_go_on_while_records_change(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "c", "d"].map(|key| Write::put(key, "1"))).await.unwrap();
    same(rows(&store.page(b"", None, 3).await), [row("a", "1"), row("b", "1")]);
    store.write([Write::delete("b"), Write::delete("c"), Write::put("bb", "2"), Write::put("aa", "2")]).await.unwrap();
    let page = store.page(b"b\0", None, 1_000).await;
    same(rows(&page), [row("bb", "2"), row("d", "1")]);
    assert!(!page.more, "the last page says that there is more");
}

/// Keys are asked for backwards, one of them twice, one of them not there.
pub async fn get_answers_in_the_order_of_the_keys(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    store.write(["a", "b", "c"].map(|key| Write::put(key, key))).await.unwrap();
    let keys = ["c", "absent", "a", "c"].map(|key| key.as_bytes().into()).to_vec();
    let page = store.get(Table::Message, keys).await.unwrap();
    same(rows(&page), [row("c", "c"), row("a", "a"), row("c", "c")]);
    assert!(!page.more);
    assert!(store.get(Table::Message, vec![]).await.unwrap().rows.is_empty());
    assert!(store.get(Table::Body, vec![b"a".as_slice().into()]).await.unwrap().rows.is_empty());
}

/// Two records are always written alike; scans and gets that run beside the writes find them alike.
pub async fn reads_beside_writes_see_whole_batches(open: impl AsyncFn() -> Box<dyn Store>) {
    let store = open().await;
    let both = vec![b"a".as_slice().into(), b"b".as_slice().into()];
    for round in 0..200_u32 {
        let value = round.to_be_bytes();
        let mut write = store.apply(batch([Write::put("a", value), Write::put("b", value)]), Durability::Buffered);
        // Asked once, the write is under way; then it is read beside it.
        let under_way = std::future::poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await;
        for page in [store.page(b"", None, usize::MAX).await, store.get(Table::Message, both.clone()).await.unwrap()] {
            assert!(
                page.rows.is_empty() || page.rows.len() == 2 && page.rows[0].value == page.rows[1].value,
                "a reader saw a part of a batch: {page:?}"
            );
        }
        match under_way {
            Poll::Ready(result) => result.unwrap(),
            Poll::Pending => write.await.unwrap(),
        }
    }
}
