//! A long queue for one offline session; `bin/million` proves the same with a million.

use crate::with_backends;
use hikyaku_tests::queue::fill_kill_drain;
use std::time::Duration;

/// What 50,000 bodies of 100 bytes would take in memory with the least of bookkeeping
/// is left out of the bound: a broker that holds them all does not keep it.
const MEMORY_BYTES: u64 = 70 << 20;

fn long_queue_stays_on_disk_and_drains_in_order(backend: &str) {
    let seen = fill_kill_drain(backend, 50_000);
    println!("{seen:?}");
    assert!(seen.filling_bytes < MEMORY_BYTES && seen.draining_bytes < MEMORY_BYTES, "{seen:?}");
    assert!(seen.ready < Duration::from_secs(5), "{seen:?}");
}

with_backends! { long_queue_stays_on_disk_and_drains_in_order }
