//! A store of an older format in real engines: killed on the way again and again, it comes to today's format with everything
//! in it once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../broker/tests/ledger/old.rs"]
mod old;
mod places;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hikyaku_broker::ledger::Recovery;
use hikyaku_memory::{Forgetful, Memory};
use hikyaku_server::migrate;
use hikyaku_traits::RecordStore;
use places::{Counting, MESSAGES, Place, content, fill, old_rows, today_rows};

/// Small, so that there are some hundred batches.
const PAGE_BYTES: usize = 8 << 10;

/// Tells the test of a child process which store it is to migrate.
const CHILD: &str = "HIKYAKU_MIGRATE_CHILD";

/// After whichever batch the crash comes, what was not synced is gone, and the next start goes on.
#[tokio::test]
async fn a_store_that_forgets_comes_through_a_crash_after_each_batch() {
    let store = Forgetful::new();
    fill(&store, &old_rows()).await;
    let mut crashes = 0;
    loop {
        let counting = Counting::stopping(store.clone(), 1);
        let ended = migrate(&counting, "forgetful", old::STEPS, |_| true, PAGE_BYTES).await;
        store.crash();
        match ended {
            Ok(()) => break,
            Err(_) => crashes += 1,
        }
    }
    assert!(crashes > 100, "{crashes} batches");
    assert_eq!(content(&store).await, today_rows());
}

#[tokio::test]
async fn a_store_in_memory_is_migrated() {
    let store = Memory::new();
    fill(&store, &old_rows()).await;
    migrate(&store, "memory", old::STEPS, |_| true, PAGE_BYTES).await.unwrap();
    assert_eq!(content(&store).await, today_rows());
}

#[test]
fn redb_killed_on_the_way_loses_and_doubles_nothing() {
    killed_on_the_way("redb", "redb_killed_on_the_way_loses_and_doubles_nothing");
}

#[test]
fn sqlite_killed_on_the_way_loses_and_doubles_nothing() {
    killed_on_the_way("sqlite", "sqlite_killed_on_the_way_loses_and_doubles_nothing");
}

/// This test is also the child that is killed: it migrates the store that [`CHILD`] names.
fn killed_on_the_way(backend: &'static str, test: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(path) = std::env::var_os(CHILD) {
        return runtime.block_on(async {
            let store = Counting::telling(places::open(backend, path.as_ref()));
            migrate(&store, "child", old::STEPS, |_| true, PAGE_BYTES).await.unwrap();
            println!("done");
        });
    }
    let place = Place::new(backend);
    runtime.block_on(async {
        let store = places::open(backend, &place.file());
        fill(&*store, &old_rows()).await;
        store.close().await.unwrap();
    });
    let mut kills = 0;
    while killed(&place, test) {
        kills += 1;
        assert!(kills < 1_000, "it does not come to its end");
    }
    println!("{kills} kills");
    assert!(kills >= 3, "it was killed {kills} times only");
    runtime.block_on(async {
        let store = places::open(backend, &place.file());
        assert_eq!(content(&*store).await, today_rows());
        recovers(&store).await;
        store.close().await.unwrap();
    });
}

/// Starts the child and kills it at some moment after its first batch; false if it came to its end before that.
fn killed(place: &Place, test: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, place.file())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let chance = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    let batches = 1 + chance / 1_000 % 40;
    let ended = lines.by_ref().filter(|line| line.contains("batch")).take(batches as usize).count() < batches as usize;
    if !ended {
        std::thread::sleep(Duration::from_micros(u64::from(chance / 7 % 3_000))); // the random moment itself
    }
    let _ = child.kill();
    let done = lines.any(|line| line.contains("done"));
    let status = child.wait().unwrap();
    assert!(!ended || status.success(), "the child failed by itself: {status}");
    !(ended || done || status.success())
}

/// The broker's own recovery takes it, and finds all messages for both sessions.
async fn recovers(store: &Arc<dyn RecordStore>) {
    let mut recovery = Recovery::new([1; 4], 1 << 20);
    while let Some((place, scan)) = recovery.next_scan() {
        recovery.page(place, store.scan(scan).await.unwrap()).unwrap();
    }
    let (_, recovered) = recovery.finish().unwrap();
    let queues: Vec<_> = recovered.sessions.iter().map(|session| session.queue.len()).collect();
    assert_eq!(queues, [MESSAGES, MESSAGES]);
}
