//! May the receivers of a topic have changed since a publisher last asked?

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;

/// How many counters there are. They are chosen by a keyed hash, so a client cannot aim at another's.
const COUNTERS: u16 = 4096;

/// How many levels of a filter, before its first wildcard, choose its counter.
const DEPTH: usize = 3;

/// Counts changes of the tree, apart for filters that have nothing to do with each other. Read without the tree's lock.
///
/// A filter is counted under its first levels before a wildcard, a few at most. A topic can only match filters that are
/// counted under one of its own first levels, or under none because they begin with a wildcard; so its stamp is the sum
/// of those few counters. As none ever goes back, the sum is another one as soon as one of them is.
pub struct Stamps {
    hasher: RandomState,
    /// The first is that of filters that begin with a wildcard.
    counters: Box<[AtomicU64]>,
}

/// The counters of a topic, so that its stamp can be read again without hashing its levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    counters: [u16; DEPTH + 1],
    len: u8,
}

impl Stamps {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self { hasher, counters: (0..=COUNTERS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The stamp of a topic name. It never goes back.
    #[inline]
    #[must_use]
    pub fn of(&self, topic: &str) -> u64 {
        self.at(self.spot(topic))
    }

    /// The stamp of the topic name with this spot. The fastest way to see that a [`Route`](super::Route) is still good.
    #[inline]
    #[must_use]
    pub fn at(&self, spot: Spot) -> u64 {
        let places = spot.counters.iter().take(usize::from(spot.len));
        places.map(|&place| self.counters[usize::from(place)].load(Ordering::Acquire)).sum()
    }

    /// Where the stamp of a topic name is.
    #[must_use]
    pub fn spot(&self, topic: &str) -> Spot {
        let mut spot = Spot::default();
        if !topic.starts_with('$') {
            spot.len = 1; // filters that begin with a wildcard do not match the others [MQTT-4.7.2-1]
        }
        let mut hasher = self.hasher.build_hasher();
        for level in topic.as_bytes().split(|&byte| byte == b'/').take(DEPTH) {
            spot.counters[usize::from(spot.len)] = deeper(&mut hasher, level);
            spot.len += 1;
        }
        spot
    }

    /// Counts a change at a filter.
    pub(super) fn touch(&self, filter: &str) {
        let mut hasher = self.hasher.build_hasher();
        let literals = filter.split('/').take(DEPTH).take_while(|level| !matches!(*level, "+" | "#"));
        let place = literals.fold(0, |_, level| deeper(&mut hasher, level.as_bytes()));
        self.counters[usize::from(place)].fetch_add(1, Ordering::Release);
    }
}

/// The counter of the levels up to this one.
fn deeper(hasher: &mut impl Hasher, level: &[u8]) -> u16 {
    hasher.write(level);
    1 + (hasher.finish() % u64::from(COUNTERS)) as u16
}

impl std::fmt::Debug for Stamps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stamps").finish_non_exhaustive()
    }
}
