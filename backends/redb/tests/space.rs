//! How much room does the file take that records go through, and who gives it back?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};

use hikyaku_redb::{Options, open};
use hikyaku_suite::{Ask, Place, Store, Write, boxed, run};

const VALUE_BYTES: usize = 10_000;
const BATCH: u64 = 50;
/// How many bytes a batch of records has.
const BATCH_BYTES: u64 = BATCH * VALUE_BYTES as u64;

/// A queue in the table of messages: records come at its end and go at its front.
struct Queue {
    store: Box<dyn Store>,
    path: PathBuf,
    first: u64,
    end: u64,
}

impl Queue {
    fn open(path: &Path) -> Self {
        let store = boxed(open(path, &Options::default()).unwrap());
        Self { store, path: path.to_owned(), first: 0, end: 0 }
    }

    async fn fill(&mut self, bytes: u64) {
        for _ in 0..bytes / BATCH_BYTES {
            let puts = (self.end..self.end + BATCH).map(|n| Write::put(n.to_be_bytes(), vec![n as u8; VALUE_BYTES]));
            self.store.write(puts).await.unwrap();
            self.end += BATCH;
        }
    }

    async fn drain(&mut self) {
        while self.first < self.end {
            self.store.write((self.first..self.first + BATCH).map(|n| Write::delete(n.to_be_bytes()))).await.unwrap();
            self.first += BATCH;
        }
    }

    fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len()
    }
}

/// Thirty times its size goes through a queue: the file stays under four times that size.
#[test]
fn file_stays_small_however_much_goes_through() {
    const QUEUE_BYTES: u64 = 5 << 20;
    let place = Place::new();
    run(async {
        let mut queue = Queue::open(&place.path().join("records"));
        let mut file_bytes = 0;
        for _ in 0..30 {
            queue.fill(QUEUE_BYTES).await;
            queue.drain().await;
            file_bytes = file_bytes.max(queue.file_bytes());
        }
        assert!(file_bytes < 4 * QUEUE_BYTES, "{file_bytes}");
    });
}

/// Many small batches that are not synced: pages that only such batches used are used again.
#[test]
fn file_stays_small_without_a_sync() {
    const KEPT: u64 = 500;
    let place = Place::new();
    run(async {
        let queue = Queue::open(&place.path().join("records"));
        for n in 0..10 * KEPT {
            let next = Write::put(n.to_be_bytes(), vec![7; 100]);
            queue.store.write_buffered([next, Write::delete(n.wrapping_sub(KEPT).to_be_bytes())]).await.unwrap();
        }
        assert!(queue.file_bytes() < 1 << 20, "{}", queue.file_bytes());
    });
}

/// After a backlog has drained, the next open gives its room back and keeps the rest. While it is full, an open leaves the
/// file as it is.
#[test]
fn file_of_a_drained_backlog_is_compacted_at_the_open() {
    const BACKLOG_BYTES: u64 = 70 << 20;
    let place = Place::new();
    let path = place.path().join("records");
    run(async {
        let mut queue = Queue::open(&path);
        queue.fill(BACKLOG_BYTES).await;
        // It lies at the end of the file, which so does not get shorter by itself.
        queue.store.write([Write::put("stays", vec![1; 100_000])]).await.unwrap();
        queue.store.close().await.unwrap();
        queue.store = Queue::open(&path).store;
        assert!(queue.file_bytes() > BACKLOG_BYTES);
        queue.drain().await;
        queue.store.close().await.unwrap();
        assert!(queue.file_bytes() > BACKLOG_BYTES);
        let queue = Queue::open(&path);
        assert!(queue.file_bytes() < 1 << 20, "{}", queue.file_bytes());
        assert_eq!(queue.store.keys().await, [b"stays"]);
    });
}
