//! What time is it? The core never asks; it is told.

/// The present, as the shell tells it to the core with every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Milliseconds of a clock that never goes back; its zero is the start of the process.
    pub mono_ms: u64,
    /// Milliseconds since 1970 in UTC. It never goes back either: the larger of the wall clock and the stored
    /// high-water mark at boot, and it runs with the monotonic clock from there.
    pub wall_ms: u64,
}

impl Now {
    /// The present `ms` milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self { mono_ms: self.mono_ms.saturating_add(ms), wall_ms: self.wall_ms.saturating_add(ms) }
    }
}
