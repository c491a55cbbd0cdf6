//! May the receivers of a topic have changed since a publisher last asked?

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;

/// How many counters there are. They are chosen by a keyed hash, so a client cannot aim at another's.
const COUNTERS: usize = 4096;

/// How many levels of a filter, before its first wildcard, choose its counter.
const DEPTH: usize = 3;

/// Counts changes of the tree, apart for filters that have nothing to do with each other. Read without the tree's lock.
///
/// A filter is counted under its first levels before a wildcard, [`DEPTH`] at most. A topic can only match filters that are
/// counted under one of its own first levels, or under none because they begin with a wildcard; so its stamp is the sum
/// of those few counters. As none ever goes back, the sum is another one as soon as one of them is.
pub struct Stamps {
    hasher: RandomState,
    wild: AtomicU64,
    counters: Box<[AtomicU64]>,
}

impl Stamps {
    pub(super) fn new(hasher: RandomState) -> Self {
        let counters = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self { hasher, wild: AtomicU64::new(0), counters }
    }

    /// The stamp of a topic name. It never goes back.
    #[inline]
    #[must_use]
    pub fn of(&self, topic: &str) -> u64 {
        // Filters that begin with a wildcard do not match these [MQTT-4.7.2-1].
        let mut stamp = if topic.starts_with('$') { 0 } else { self.wild.load(Ordering::Acquire) };
        let mut hasher = self.hasher.build_hasher();
        for level in topic.splitn(DEPTH + 1, '/').take(DEPTH) {
            hasher.write(level.as_bytes());
            stamp += self.counter(&hasher).load(Ordering::Acquire);
        }
        stamp
    }

    /// Counts a change at a filter.
    pub(super) fn touch(&self, filter: &str) {
        let mut hasher = self.hasher.build_hasher();
        let mut counter = &self.wild;
        for level in filter.splitn(DEPTH + 1, '/').take(DEPTH).take_while(|level| !matches!(*level, "+" | "#")) {
            hasher.write(level.as_bytes());
            counter = self.counter(&hasher);
        }
        counter.fetch_add(1, Ordering::Release);
    }

    #[inline]
    fn counter(&self, hasher: &impl Hasher) -> &AtomicU64 {
        &self.counters[hasher.finish() as usize % COUNTERS]
    }
}

impl std::fmt::Debug for Stamps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stamps").finish_non_exhaustive()
    }
}
