//! How much room do the files take that records go through, and who gives it back?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hikyaku_sqlite::{Options, open};
use hikyaku_suite::{Ask, Place, Store, Write, boxed, run};

const VALUE_BYTES: usize = 5_000;
const BATCH: u64 = 100;
/// How many bytes a batch of records has.
const BATCH_BYTES: u64 = BATCH * VALUE_BYTES as u64;
const LOG_BYTES_MAX: u64 = 64 << 20;

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

    fn log_bytes(&self) -> u64 {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        std::fs::metadata(log).unwrap().len()
    }
}

/// Thirty times its size goes through a queue: the file stays under twice that size, the log under its limit and a batch.
#[test]
fn files_stay_small_however_much_goes_through() {
    const QUEUE_BYTES: u64 = 5 << 20;
    let place = Place::new();
    run(async {
        let mut queue = Queue::open(&place.path().join("records"));
        let (mut file_bytes, mut log_bytes) = (0, 0);
        for _ in 0..30 {
            queue.fill(QUEUE_BYTES).await;
            file_bytes = file_bytes.max(queue.file_bytes());
            queue.drain().await;
            (file_bytes, log_bytes) = (file_bytes.max(queue.file_bytes()), log_bytes.max(queue.log_bytes()));
        }
        assert!(file_bytes < 2 * QUEUE_BYTES, "{file_bytes}");
        assert!(log_bytes < LOG_BYTES_MAX + 2 * BATCH_BYTES, "{log_bytes}");
    });
}

/// After a backlog has drained the file gets shorter while the store is open and nothing is asked of it.
#[test]
fn file_of_a_drained_backlog_gets_shorter_by_itself() {
    const BACKLOG_BYTES: u64 = 100 << 20;
    let place = Place::new();
    run(async {
        let mut queue = Queue::open(&place.path().join("records"));
        queue.store.write([Write::put("stays", "here")]).await.unwrap();
        queue.fill(BACKLOG_BYTES).await;
        queue.drain().await;
        let started = Instant::now();
        while queue.file_bytes() > BACKLOG_BYTES / 5 {
            assert!(started.elapsed() < Duration::from_secs(60), "{} bytes are left", queue.file_bytes());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(queue.store.keys().await, [b"stays"]);
    });
}
