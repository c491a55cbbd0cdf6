//! What is a client called that brings no name? [MQTT-3.1.3-6]

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes client ids that nobody can guess and that do not repeat, also over restarts.
#[derive(Debug, Default)]
pub(crate) struct Names {
    keys: std::hash::RandomState,
    count: AtomicU64,
}

impl Names {
    /// The next name.
    pub fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let part = |salt: u64| {
            let mut hasher = self.keys.build_hasher();
            hasher.write_u64(count);
            hasher.write_u64(salt);
            hasher.finish()
        };
        format!("auto-{:016x}{:08x}", part(1), part(2) >> 32)
    }
}

/// Four numbers from the system's random source, for the keys of hash functions.
pub(crate) fn random_seeds() -> [u64; 4] {
    [1, 2, 3, 4].map(|salt| {
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u64(salt);
        hasher.finish()
    })
}
