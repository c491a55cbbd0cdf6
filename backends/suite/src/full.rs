//! Does a store keep what it said to be durable when its files may not grow any more, and does it say so?

use std::path::Path;
use std::process::Command;

use hikyaku_traits::{Decision, StoreError};

use crate::{Ask, Place, Store, Write, run};

/// The name of the variable by which the process with the limit is told where the store lies.
const CHILD: &str = "HIKYAKU_SUITE_FULL";

/// To which size files may grow, in KiB: from none at all to some megabytes.
const LIMITS_KIB: [u32; 13] = [0, 4, 12, 28, 40, 64, 72, 100, 150, 300, 700, 2_000, 6_000];

/// How often the store is filled up to each limit. In between it is opened without one, and may grow.
const ROUNDS: usize = 3;

/// More records than fit.
const RECORDS_MAX: u32 = 5_000;

const VALUE_BYTES: usize = 10_000;

/// What a process with a limit says when something was stored, and when something was not.
const STORED: &str = "stored ";
const REFUSED: &str = "refused ";

/// Fills a store in processes whose files may not grow beyond a limit; afterwards, without one, all is there that was stored.
///
/// `test` is the name of the test that calls this and does nothing else: the processes run it again. For Unix.
pub fn full_disk_loses_nothing(test: &str, open: impl Fn(&Path) -> Result<Box<dyn Store>, StoreError>) {
    if let Ok(path) = std::env::var(CHILD) {
        return match open(path.as_ref()) {
            Ok(store) => run(fill(&*store)),
            Err(error) => println!("{REFUSED}{:?} {error}", error.decision),
        };
    }
    for limit_kib in LIMITS_KIB {
        let place = Place::new();
        let path = place.path().join("records");
        for _ in 0..ROUNDS {
            let stored = fill_limited(test, &path, limit_kib);
            run(async {
                let store = open(&path).unwrap();
                let keys = store.keys().await;
                assert!(
                    (0..).zip(&keys).all(|(n, key)| *key == u32::to_be_bytes(n)),
                    "limit {limit_kib} KiB: {keys:?}"
                );
                assert!(keys.len() >= stored, "limit {limit_kib} KiB: {} of {stored} are there", keys.len());
                store.close().await.unwrap();
            });
        }
    }
}

/// Puts records behind those that are there until the store has no room for one.
async fn fill(store: &(dyn Store + 'static)) {
    let first = store.keys().await.len() as u32;
    println!("{STORED}{first}");
    for n in first..first + RECORDS_MAX {
        if let Err(error) = store.write([Write::put(n.to_be_bytes(), vec![n as u8; VALUE_BYTES])]).await {
            println!("{REFUSED}{:?} {error}", error.decision);
            break;
        }
        println!("{STORED}{}", n + 1);
    }
    // It has failed already, and may do so once more.
    let _ = store.close().await;
}

/// Has a process fill the store, and says how many records were stored then for sure.
fn fill_limited(test: &str, path: &Path, limit_kib: u32) -> usize {
    let blocks = (limit_kib * 2).to_string();
    let output = Command::new("sh")
        // A write beyond the limit fails, as on a full disk, and does not end the process.
        .args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "limit {limit_kib} KiB: {}\n{said}\n{errors}", output.status);
    let refused = said.lines().find_map(|line| line.strip_prefix(REFUSED)).expect("a full disk");
    assert!(refused.starts_with(&format!("{:?} ", Decision::Full)), "limit {limit_kib} KiB: {refused}");
    said.lines().filter_map(|line| line.strip_prefix(STORED)).next_back().map_or(0, |n| n.parse().unwrap())
}
