//! Does the log keep its promise when the power goes, when calls fail, and when its files are damaged?

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod below;
mod damage;
mod disk;
mod errors;
mod fuse;
mod life;
mod model;
mod random;
mod reads;

use disk::Lie;
use life::play;

/// So many times a machine dies in one life.
const CRASHES: usize = 10;

/// How many lives are played, and from which seed on; `HIKYAKU_LOG_LIVES` and `HIKYAKU_TEST_SEED` say otherwise.
fn seeds(lives: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("HIKYAKU_TEST_SEED").unwrap_or(1);
    first..first + number("HIKYAKU_LOG_LIVES").unwrap_or(lives)
}

#[test]
fn what_was_acknowledged_is_there_after_a_loss_of_power_at_any_call() {
    for seed in seeds(60) {
        play(seed, CRASHES, Lie::None).unwrap();
    }
}

/// A test that passes with a disk that lies proves nothing.
#[test]
fn a_disk_that_lies_is_found_out() {
    for lie in [Lie::Files, Lie::Names, Lie::Below] {
        assert!((1..200).any(|seed| play(seed, CRASHES, lie).is_err()), "{lie:?}");
    }
}

#[test]
fn a_call_that_fails_is_told_and_nothing_is_lost() {
    for seed in seeds(60) {
        errors::play(seed, CRASHES).unwrap();
    }
}

#[test]
fn pages_and_lookups_over_all_layers_say_what_one_map_says() {
    for seed in seeds(25) {
        life::ask(seed).unwrap();
    }
}
