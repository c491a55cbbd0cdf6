//! Does anybody else feel it when the broker has much to do? 100,000 sessions expire, a session with a million messages
//! is dropped, 10,000 sessions resume at once.
//!
//! `cargo build --release && cargo run --release -p hikyaku-tests --bin stall`. Fails if a mark is missed. `tests/run`
//! proves the same with fewer.

use hikyaku_tests::stall::{Felt, long_queue_is_dropped, many_sessions_expire, many_sessions_resume};
use std::process::ExitCode;
use std::time::Duration;

const PING: Duration = Duration::from_millis(50);
const PUBLISH: Duration = Duration::from_millis(500);

type Case = (&'static str, fn(&str, usize) -> Felt, usize);

const CASES: [Case; 3] = [
    ("sessions expire", many_sessions_expire, 100_000),
    ("messages are dropped with their session", long_queue_is_dropped, 1_000_000),
    ("sessions resume at once", many_sessions_resume, 10_000),
];

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    let mut good = true;
    for backend in ["redb", "sqlite"] {
        for (name, run, count) in CASES.into_iter().filter(|case| case.0.contains(&only)) {
            let felt = run(backend, count);
            let held = felt.ping < PING && felt.publish < PUBLISH;
            println!("{backend}: {count} {name}: {felt}{}", if held { "" } else { ": MISSED" });
            good &= held;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
