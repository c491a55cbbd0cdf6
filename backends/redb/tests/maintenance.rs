//! What can be done with a store that no broker has open, and what is refused.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hikyaku_redb::{Options, compact, info, open, verify};
use hikyaku_suite::{Ask, Place, Store, Write, boxed, run};
use hikyaku_traits::{Decision, StoreError};

const RECORDS: u32 = 8_000;

fn opened(path: &Path) -> Box<dyn Store> {
    boxed(open(path, &Options::default()).unwrap())
}

/// 8 MB of records, of which every `nth` stays.
async fn fill(store: &(dyn Store + 'static), nth: u32) {
    for first in (0..RECORDS).step_by(1_000) {
        store.write((first..first + 1_000).map(|n| Write::put(n.to_be_bytes(), vec![n as u8; 1_000]))).await.unwrap();
    }
    store.write((0..RECORDS).filter(|n| n % nth != 0).map(|n| Write::delete(n.to_be_bytes()))).await.unwrap();
}

fn refused<T: Debug>(result: Result<T, StoreError>, decision: Decision, word: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.decision, decision, "{error}");
    assert!(error.message.contains(word), "{error}");
}

/// The gaps are told as free, the file shrinks, and the records are as they were.
#[test]
fn compaction_gives_the_gaps_back() {
    let place = Place::new();
    let path = place.path().join("records");
    run(async {
        let store = opened(&path);
        fill(&*store, 100).await;
        store.close().await.unwrap();
        let before = info(&path).unwrap();
        assert_eq!(before.bytes, std::fs::metadata(&path).unwrap().len());
        assert!(before.free_bytes > before.bytes / 2 && before.engine.contains("redb"), "{before:?}");
        let done = compact(&path).unwrap();
        assert_eq!(done.bytes_before, before.bytes);
        assert_eq!(done.bytes_after, std::fs::metadata(&path).unwrap().len());
        assert!(done.bytes_after < 1 << 20, "{done:?}");
        verify(&path).unwrap();
        assert_eq!(opened(&path).keys().await.len(), RECORDS as usize / 100);
    });
}

/// The name of the variable by which a test tells the process that it starts which file to compact.
const CHILD: &str = "HIKYAKU_TEST_COMPACT";

/// A process that compacts a file is killed, later each time until it gets through: the file is whole every time.
#[test]
fn compaction_may_be_killed_at_any_moment() {
    if let Ok(path) = std::env::var(CHILD) {
        compact(path.as_ref()).unwrap();
        return;
    }
    let place = Place::new();
    let path = place.path().join("records");
    run(async {
        let store = opened(&path);
        fill(&*store, 4).await;
        store.close().await.unwrap();
    });
    for wait_ms in [0].into_iter().chain((0..).map(|doubled| 5 << doubled)) {
        let place = Place::new();
        let copy = place.path().join("copy");
        std::fs::copy(&path, &copy).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "compaction_may_be_killed_at_any_moment"])
            .env(CHILD, &copy)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        verify(&copy).unwrap();
        run(async { assert_eq!(opened(&copy).keys().await.len(), RECORDS as usize / 4) });
        if ended.is_some_and(|status| status.success()) {
            break;
        }
    }
}

/// A process whose files may not grow compacts a file: it says that the disk is full and what it needs; the file is whole.
#[test]
fn compaction_without_room_leaves_the_file_whole() {
    if let Ok(path) = std::env::var(CHILD) {
        if let Err(error) = compact(path.as_ref()) {
            println!("refused {:?} {error}", error.decision);
        }
        return;
    }
    let place = Place::new();
    let path = place.path().join("records");
    run(async {
        let store = opened(&path);
        fill(&*store, 4).await;
        store.close().await.unwrap();
    });
    for limit_kib in [40_u32, 2_000] {
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &(limit_kib * 2).to_string()])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "compaction_without_room_leaves_the_file_whole", "--nocapture"])
            .env(CHILD, &path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        let refused = said.lines().find_map(|line| line.strip_prefix("refused ")).unwrap();
        assert!(refused.starts_with("Full ") && refused.contains("bytes are enough"), "{refused}");
        verify(&path).unwrap();
        run(async { assert_eq!(opened(&path).keys().await.len(), RECORDS as usize / 4) });
    }
}

/// A store in use is left alone, and the one who uses it is named.
#[test]
fn store_in_use_is_fenced() {
    let place = Place::new();
    let path = place.path().join("records");
    let _store = opened(&path);
    let pid = std::process::id().to_string();
    refused(info(&path), Decision::Fenced, &pid);
    refused(verify(&path), Decision::Fenced, &pid);
    refused(compact(&path), Decision::Fenced, &pid);
}

/// Nothing is made where there is nothing.
#[test]
fn absent_store_is_refused_and_not_made() {
    let place = Place::new();
    let path = place.path().join("records");
    refused(info(&path), Decision::Away, "no such file");
    refused(verify(&path), Decision::Away, "no such file");
    refused(compact(&path), Decision::Away, "no such file");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

/// What a killed broker left is told and verified, and is byte by byte as it was.
#[test]
fn looking_changes_nothing() {
    let place = Place::new();
    let (path, copy) = (place.path().join("records"), place.path().join("copy"));
    run(async {
        let store = opened(&path);
        fill(&*store, 2).await;
        std::fs::copy(&path, &copy).unwrap();
    });
    let before = std::fs::read(&copy).unwrap();
    assert!(info(&copy).unwrap().bytes == before.len() as u64);
    verify(&copy).unwrap();
    assert!(std::fs::read(&copy).unwrap() == before);
    run(async { assert_eq!(opened(&copy).keys().await.len(), RECORDS as usize / 2) });
}

/// Garbage in the middle of the records is found.
#[test]
fn damage_is_found() {
    let place = Place::new();
    let path = place.path().join("records");
    run(async {
        let store = opened(&path);
        fill(&*store, 1).await;
        store.close().await.unwrap();
    });
    verify(&path).unwrap();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(2 << 20)).unwrap();
    file.write_all(&vec![0x5a; 1 << 20]).unwrap();
    let damaged = std::fs::read(&path).unwrap();
    refused(verify(&path), Decision::Corrupt, "records");
    assert!(std::fs::read(&path).unwrap() == damaged);
}
