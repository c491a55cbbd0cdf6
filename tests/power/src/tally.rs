//! What happened in all the rounds?

use std::fmt;
use std::ops::AddAssign;

/// Counts of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many batches were given to a store.
    pub batches: usize,
    /// How often the power went.
    pub losses: usize,
    /// How often of these while a store was opened again.
    pub in_recovery: usize,
    /// How many batches were there after a loss of power although nobody had promised them.
    pub survivors: usize,
    /// After how many failed writes and syncs a store was opened again.
    pub failures: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.batches += other.batches;
        self.losses += other.losses;
        self.in_recovery += other.in_recovery;
        self.survivors += other.survivors;
        self.failures += other.failures;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, losses, in_recovery, survivors, failures } = self;
        write!(
            f,
            "{batches} batches; the power went {losses} times, {in_recovery} of them while a store was opened; \
             {survivors} batches came through without a promise; {failures} failed writes"
        )
    }
}
