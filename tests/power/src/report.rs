//! How are many rounds played?

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::machine::Backend;
use crate::round::{Flaw, play};
use crate::tally::Tally;

/// How many failed rounds are enough.
const FAILURES_MAX: usize = 5;

/// What came of many rounds.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were played.
    pub rounds: u64,
    /// What happened in those that did not fail.
    pub tally: Tally,
    /// The seeds of those that failed, and why.
    pub failures: Vec<(u64, String)>,
}

/// The command that plays the round of a seed again.
#[must_use]
pub fn command(backend: Backend, seed: u64) -> String {
    format!("cargo run --release -p hikyaku-power -- --backend {} --rounds 1 --seed {seed}", backend.name())
}

/// Plays the rounds of these seeds, on all processors; five failed ones are the end.
pub fn play_all(backend: Backend, seeds: Range<u64>, flaw: Flaw) -> Report {
    let next = AtomicU64::new(seeds.start);
    let report = Mutex::new(Report::default());
    let work = || {
        while report.lock().failures.len() < FAILURES_MAX {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let result = play(backend, seed, flaw);
            let mut report = report.lock();
            report.rounds += 1;
            match result {
                Ok(tally) => report.tally += tally,
                Err(what) => report.failures.push((seed, what)),
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    report.into_inner()
}

/// The first of these seeds that fails, and why.
pub fn find(backend: Backend, seeds: Range<u64>, flaw: Flaw) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| play(backend, seed, flaw).err().map(|what| (seed, what)))
}
