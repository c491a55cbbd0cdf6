//! How large are the files of a broker, whatever goes through them?

use crate::with_backends;
use hikyaku_tests::queue::{drain, fill, fill_one};
use hikyaku_tests::{Broker, Options};
use std::time::{Duration, Instant};

/// A write-ahead log may be that long.
const LOG_BYTES_MAX: u64 = 66 << 20;

/// The size of the store's file, and of its log if it has one.
fn sizes(broker: &Broker) -> (u64, u64) {
    let mut log = broker.file().into_os_string();
    log.push("-wal");
    (std::fs::metadata(broker.file()).unwrap().len(), std::fs::metadata(log).map_or(0, |log| log.len()))
}

/// A queue of 2.4 MB is filled and drained twenty times: the file stays under five times its size.
fn files_stay_small_however_much_goes_through(backend: &str) {
    const MESSAGES: usize = 3_000;
    const BYTES: usize = 800;
    let broker = Options::backend(backend).start();
    let (subscriber, _) = fill_one(&broker, "sleeper", 1, BYTES);
    drain(&broker, subscriber.resume(&broker), 1, BYTES);
    let (mut file_bytes, mut log_bytes) = (0, 0);
    for _ in 0..20 {
        fill(&broker, MESSAGES, BYTES);
        drain(&broker, subscriber.resume(&broker).untraced(), MESSAGES, BYTES);
        let (file, log) = sizes(&broker);
        (file_bytes, log_bytes) = (file_bytes.max(file), log_bytes.max(log));
    }
    println!("{file_bytes} bytes, and {log_bytes} of the log");
    assert!(file_bytes < (5 * MESSAGES * BYTES) as u64, "{file_bytes} bytes");
    assert!(log_bytes < LOG_BYTES_MAX, "{log_bytes} bytes of the log");
}

/// After a backlog of 80 MB has drained, SQLite's file gets shorter by itself and redb's when the broker starts again.
fn room_comes_back_after_a_backlog(backend: &str) {
    const MESSAGES: usize = 4_000;
    const BYTES: usize = 20_000;
    const BACKLOG_BYTES: u64 = (MESSAGES * BYTES) as u64;
    let mut broker = Options::backend(backend).start();
    let (subscriber, _) = fill_one(&broker, "sleeper", MESSAGES, BYTES);
    drain(&broker, subscriber.resume(&broker).untraced(), MESSAGES, BYTES);
    let full = sizes(&broker).0;
    if backend == "redb" {
        broker.term();
        broker.restart();
    }
    let started = Instant::now();
    while sizes(&broker).0 > BACKLOG_BYTES / 4 {
        assert!(started.elapsed() < Duration::from_secs(60), "{} of {full} bytes are left", sizes(&broker).0);
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("{full} bytes, then {}", sizes(&broker).0);
}

with_backends! {
    files_stay_small_however_much_goes_through
    room_comes_back_after_a_backlog
}
