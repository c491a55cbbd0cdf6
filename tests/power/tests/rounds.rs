//! Is all that was acknowledged there when the power has gone?
//!
//! A shorter run of what `cargo run --release -p hikyaku-power -- --rounds N` does.

use hikyaku_power::{Backend, Flaw, Report, command, play_all};

/// How many rounds each of the tests plays.
const ROUNDS: u64 = 60;

fn nothing_is_lost(backend: Backend, first: u64) {
    let Report { rounds, tally, failures } = play_all(backend, first..first + ROUNDS, Flaw::None);
    let told: Vec<_> = failures.iter().map(|(seed, what)| format!("{}   # {what}", command(backend, *seed))).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert_eq!(rounds, ROUNDS);
    // It was no idle run.
    assert!(tally.losses >= 100 && tally.in_recovery >= 20 && tally.batches >= 800, "{tally}");
    assert!(tally.survivors > 0 && tally.failures >= 20, "{tally}");
}

#[test]
fn redb_keeps_what_it_acknowledged() {
    nothing_is_lost(Backend::Redb, 1);
}

#[test]
fn redb_keeps_what_it_acknowledged_once_more() {
    nothing_is_lost(Backend::Redb, 1 + ROUNDS);
}

#[test]
fn sqlite_keeps_what_it_acknowledged() {
    nothing_is_lost(Backend::Sqlite, 1);
}

#[test]
fn sqlite_keeps_what_it_acknowledged_once_more() {
    nothing_is_lost(Backend::Sqlite, 1 + ROUNDS);
}
