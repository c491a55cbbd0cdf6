//! A long queue for one offline session; `bin/million` proves the same with a million.

use crate::with_backends;
use hikyaku_tests::queue::fill_kill_drain;
use std::time::Duration;

fn check(backend: &str, messages: usize, bytes: usize, memory_bytes: u64) {
    let seen = fill_kill_drain(backend, messages, bytes);
    let memory = seen.filling_bytes.max(seen.draining_bytes);
    println!("{seen:?}");
    assert!(memory < memory_bytes, "{memory} bytes of memory, {memory_bytes} are allowed: {seen:?}");
    assert!(seen.ready < Duration::from_secs(5), "{seen:?}");
}

/// Many small messages: what is kept in memory for each is little.
fn many_messages_drain_in_order(backend: &str) {
    check(backend, 50_000, 100, 70 << 20);
}

/// 200 MB of bodies: they are on disk and nowhere else.
fn bodies_stay_on_disk(backend: &str) {
    check(backend, 10_000, 20_000, 120 << 20);
}

with_backends! {
    many_messages_drain_in_order
    bodies_stay_on_disk
}
