//! How does a broker come back to a hundred thousand sessions with a million messages?
//!
//! `cargo build --release && cargo run --release -p hikyaku-tests --bin boot`; a number behind it is the number of
//! sessions, 10,000 or more. Each has ten messages. Fails if a mark is missed.

use hikyaku_tests::crowd::Crowd;
use hikyaku_tests::queue::fill_one;
use hikyaku_tests::{Broker, Options};
use std::process::ExitCode;
use std::time::Duration;

const EACH: usize = 10;
/// Sessions that are parked before it is measured.
const WARM_UP: usize = 2_000;
/// Messages of a kilobyte that fill the store's cache.
const BALLAST: usize = 50_000;
const COLD: Duration = Duration::from_secs(8);
const WARM: Duration = Duration::from_secs(5);
const MEMORY_BYTES: u64 = 300 << 20;
const SESSION_BYTES: u64 = 1024;

fn main() -> ExitCode {
    let sessions = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(100_000);
    let mut good = true;
    for backend in ["redb", "sqlite"] {
        for own_topics in [true, false] {
            good &= measure(backend, Crowd { sessions, own_topics, each: EACH });
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(backend: &str, crowd: Crowd) -> bool {
    let topics = if crowd.own_topics { "a topic each" } else { "one topic for all" };
    println!("{backend}, {} sessions, {topics}", crowd.sessions);
    let mut broker = Options::backend(backend).start();
    let mut good = park(&mut broker, crowd);
    crowd.fill(&broker);
    println!("  {} MiB after {} messages for each", broker.rss_bytes() >> 20, crowd.each);
    for (name, mark) in [("out of", COLD), ("in", WARM)] {
        broker.kill9();
        if name == "out of" {
            broker.forget_cache();
        }
        let ready = broker.restart();
        let peak = broker.peak_bytes();
        println!("  files {name} the page cache: ready in {ready:.2?}, at most {} MiB", peak >> 20);
        good &= ready < mark && peak < MEMORY_BYTES;
    }
    crowd.resume(&broker, crowd.sessions.min(100));
    println!("  {}", if good { "every mark is held" } else { "A MARK IS MISSED" });
    good
}

/// Parks all sessions; whether each took little enough memory: of the broker that has parked them, and of one that has
/// found them in its store. What a broker holds anyway is there before: the store's caches of reader and writer are full,
/// and as many clients as come at once have been served.
fn park(broker: &mut Broker, crowd: Crowd) -> bool {
    let restart = |broker: &mut Broker| {
        broker.kill9();
        broker.restart();
        broker.rss_bytes()
    };
    fill_one(broker, "ballast", BALLAST, 1_000);
    let before = restart(broker);
    fill_one(broker, "more ballast", BALLAST, 1_000);
    crowd.park(broker, 0..WARM_UP, |connect| connect);
    let warm = broker.rss_bytes();
    crowd.park(broker, WARM_UP..crowd.sessions, |connect| connect);
    let (full, after) = (broker.rss_bytes(), restart(broker));
    let parked = full.saturating_sub(warm) / (crowd.sessions - WARM_UP) as u64;
    let restored = after.saturating_sub(before) / crowd.sessions as u64;
    println!("  {parked} bytes of memory for each session more, {restored} after a restart");
    println!("  in all {} and {} MiB, {} and {} before", full >> 20, after >> 20, warm >> 20, before >> 20);
    parked < SESSION_BYTES && restored < SESSION_BYTES
}
