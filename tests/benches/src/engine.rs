//! What does a store's own commit take, without a broker?

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hikyaku_traits::{Batch, Durability, Op, Ops, Table};

use crate::broker::Store;

/// Rows as the broker writes them for a message with one receiver.
struct Rows {
    from: u64,
    count: usize,
    value: Arc<[u8]>,
    keys: Vec<[u8; 8]>,
}

impl Rows {
    fn batch(from: u64, count: usize, value: &Arc<[u8]>) -> Batch {
        let keys = (from..).take(count).map(u64::to_be_bytes).collect();
        Batch::new(Self { from, count, value: value.clone(), keys })
    }
}

impl Ops for Rows {
    fn len(&self) -> usize {
        self.count
    }
    fn op(&self, i: usize) -> Option<Op<'_>> {
        debug_assert!(self.keys[i] == (self.from + i as u64).to_be_bytes());
        Some(Op::Put { table: Table::Message, key: &self.keys[i], value: &self.value })
    }
}

/// The times of so many synced commits of `rows` rows each, rising.
pub async fn commits(base: &Path, store: Store, count: usize, rows: usize, value_bytes: usize) -> Vec<Duration> {
    let directory = base.join(format!("hikyaku-engine-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    let open = store.open(&directory, Duration::ZERO).await.expect("the store opens");
    let value: Arc<[u8]> = vec![b'x'; value_bytes].into();
    let mut times = Vec::new();
    for number in 0..count {
        let batch = Rows::batch((number * rows) as u64, rows, &value);
        let begin = Instant::now();
        open.apply(batch, Durability::Synced).await.expect("the store takes a batch");
        times.push(begin.elapsed());
    }
    open.close().await.expect("the store closes");
    drop(open);
    std::fs::remove_dir_all(&directory).expect("the directory goes");
    times.sort_unstable();
    times
}
