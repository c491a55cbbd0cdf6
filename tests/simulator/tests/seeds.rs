//! Does the broker keep its promise with the seeds of an ordinary run, and with new ones?

use std::time::{SystemTime, UNIX_EPOCH};

use hikyaku_simulator::{Flaw, Log, play};

/// Seeds of each test.
const SEEDS: u64 = 600;

fn pass(first: u64) {
    let seeds = first..first + SEEDS;
    let failed: Vec<_> = seeds.filter_map(|seed| play(seed, Flaw::None, Log::None).err()).collect();
    let Some(first) = failed.first() else { return };
    let log = play(first.seed, Flaw::None, Log::Last).err().map(|failure| failure.log).unwrap_or_default();
    let all: String =
        failed.iter().map(|failure| format!("tests/simulation {}: {}\n", failure.seed, failure.what)).collect();
    panic!("\nThe last events of seed {}:\n{log}\n{all}", first.seed);
}

#[test]
fn the_broker_keeps_its_promise_whatever_happens() {
    pass(1);
}

#[test]
fn the_broker_keeps_its_promise_with_seeds_that_nobody_has_played() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = u64::from(since.subsec_nanos()) * 1000 + since.as_secs() % 1000;
    println!("seeds from {first}");
    pass(first);
}

#[test]
fn a_seed_decides_everything() {
    let events = |seed| {
        let flaw = hikyaku_simulator::FLAWS[0].1;
        (seed..seed + 50).find_map(|seed| play(seed, flaw, Log::All).err()).map(|failure| failure.log)
    };
    let (first, second) = (events(1), events(1));
    assert!(first.as_ref().is_some_and(|log| log.lines().count() > 100), "{first:?}");
    assert_eq!(first, second);
}
