//! Does a read see all of a batch or nothing of it, however many pages of the store below it takes?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hikyaku_blocking::Blocking;
use hikyaku_log::{Options, open};
use hikyaku_memory::Memory;
use hikyaku_suite::{Write, batch, run};
use hikyaku_traits::{Batch, Durability, Keys, Page, RecordStore, Scan, StoreError, Table};
use parking_lot::Mutex;

use crate::disk::{Disk, Lie};
use crate::fuse::Fuse;

type Event = Box<dyn FnOnce() + Send>;

/// A store below the log, in which something happens in the middle of a scan.
#[derive(Clone, Default)]
struct Below {
    records: Arc<Memory>,
    /// At which scan from now on, and what.
    event: Arc<Mutex<Option<(usize, Event)>>>,
    panics: Arc<AtomicBool>,
}

impl Below {
    fn happens(&self) -> Option<Event> {
        let mut event = self.event.lock();
        match &mut *event {
            Some((0, _)) => event.take().map(|(_, event)| event),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }
}

#[async_trait]
impl RecordStore for Below {
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        assert!(!self.panics.load(Ordering::Relaxed), "as the test asks");
        self.records.apply(batch, durability).await
    }
    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        if let Some(event) = self.happens() {
            event();
        }
        self.records.scan(scan).await
    }
    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        self.records.get(table, keys).await
    }
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

const PAGE_BYTES: usize = 500;

/// Records that the store below has, and the log says are gone.
fn dead(place: usize) -> Vec<u8> {
    format!("dead/{place:03}").into()
}

async fn page(store: &Blocking) -> Vec<(Vec<u8>, Vec<u8>)> {
    let scan = Scan { table: Table::Message, from: [].into(), to: None, bytes_max: PAGE_BYTES };
    hikyaku_suite::rows(&store.scan(scan).await.unwrap())
}

async fn write(store: &Blocking, writes: Vec<Write>) {
    store.apply(batch(writes), Durability::Synced).await.unwrap();
}

fn machine(options: Options) -> (Below, Blocking) {
    let below = Below::default();
    run(async {
        let dead = (0..60).map(|place| Write::put(dead(place), [0; 100]));
        below.records.apply(batch(dead), Durability::Synced).await.unwrap();
    });
    let store = open(below.clone(), Disk::new(Fuse::new(1), Lie::None), options).unwrap();
    (below, store)
}

#[test]
fn a_batch_that_comes_in_the_middle_of_a_page_is_seen_whole_or_not_at_all() {
    for scans in 0..16 {
        let (below, store) = machine(Options::default());
        let store = Arc::new(store);
        run(write(&store, vec![Write::delete_range("dead/", "dead/~"), Write::put("z", "")]));
        let (writer, (done, is_done)) = (Arc::clone(&store), std::sync::mpsc::channel());
        let event = move || {
            run(write(&writer, vec![Write::put("a", ""), Write::put("dead/030", ""), Write::delete("z")]));
            done.send(()).unwrap();
        };
        *below.event.lock() = Some((scans, Box::new(event)));
        let mut keys = Vec::new();
        run(async { keys = page(&store).await.into_iter().map(|(key, _)| key).collect() });
        let before: &[&[u8]] = &[b"z"];
        let after: &[&[u8]] = &[b"a", b"dead/030"];
        let has_come = is_done.try_recv().is_ok();
        assert!(keys == before || keys == after && has_come, "{scans}: {keys:?}");
        assert!(has_come || scans > 10, "{scans}: the scan took fewer pages than the test is made for");
    }
}

/// The same with threads as they come, and checkpoints.
#[test]
fn reads_beside_writes_and_checkpoints_see_whole_batches() {
    let (_, store) = machine(Options { bytes_max: 4_000, entries_max: 40 });
    let live = ["a", "dead/010~", "dead/030~", "z"];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            run(async {
                for number in 0..1_500_u32 {
                    let values = live.map(|key| Write::put(key, number.to_be_bytes()));
                    let gone = (0..60).step_by(3).map(|place| Write::delete(dead(place)));
                    let mut writes: Vec<_> = values.into_iter().chain(gone).collect();
                    writes.push(Write::delete_range(dead(number as usize % 60), "dead/010"));
                    write(&store, writes).await;
                }
            });
        });
        run(async {
            while !writer.is_finished() {
                let rows = page(&store).await;
                let values: Vec<_> =
                    rows.iter().filter(|(key, _)| live.iter().any(|live| live.as_bytes() == key)).collect();
                assert!(values.windows(2).all(|two| two[0].1 == two[1].1), "{values:?}");
                let keys = live.map(|key| key.as_bytes().into()).to_vec();
                let got = store.get(Table::Message, keys).await.unwrap().rows;
                assert!(got.is_empty() || got.len() == 4 && got.windows(2).all(|two| two[0].value == two[1].value));
            }
        });
    });
}

/// The writer does not wait for ever for what has died.
#[test]
fn a_checkpoint_that_panics_is_told_to_the_next_batches() {
    let (below, store) = machine(Options { bytes_max: 1_000, entries_max: 10 });
    below.panics.store(true, Ordering::Relaxed);
    run(async {
        let apply = |number: u32| store.apply(batch([Write::put(number.to_be_bytes(), [0; 100])]), Durability::Synced);
        let mut number = 0;
        let error = loop {
            assert!(number < 1_000, "nobody has told");
            number += 1;
            if let Err(error) = apply(number).await {
                break error;
            }
        };
        assert!(error.message.contains("panicked"), "{error}");
        assert!(store.close().await.is_err());
    });
}
