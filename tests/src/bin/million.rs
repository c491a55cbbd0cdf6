//! The whole of the queue's proof: a million messages for one offline session,
//! with redb and with SQLite, in a few minutes.
//!
//! `tests/run` builds the broker and proves the same with fewer messages. The whole:
//! `cargo build --release && cargo run --release -p hikyaku-tests --bin million`

use hikyaku_tests::queue::fill_kill_drain;
use std::process::ExitCode;
use std::time::Duration;

const MEMORY_BYTES: u64 = 150 * 1024 * 1024;
const READY: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let messages = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(1_000_000);
    let mut good = true;
    for backend in ["redb", "sqlite"] {
        let seen = fill_kill_drain(backend, messages, 100);
        let memory = seen.filling_bytes.max(seen.draining_bytes);
        println!("{backend}: {messages} messages, all drained in order\n{seen:#?}");
        if memory >= MEMORY_BYTES {
            println!("{backend}: {memory} bytes of memory, {MEMORY_BYTES} are allowed");
        }
        if seen.ready >= READY {
            println!("{backend}: ready after {:?}, {READY:?} are allowed", seen.ready);
        }
        good &= memory < MEMORY_BYTES && seen.ready < READY;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
