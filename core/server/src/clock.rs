//! What time is it, for the core? Section 5 of the design: time runs with the monotonic clock from the boot on.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hikyaku_types::Now;

/// The clock of the process: started once, from the larger of the wall clock and what the store remembers, so that a
/// device that wakes in 1970 expires nothing at once.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    wall_at_start_ms: u64,
}

impl Clock {
    /// Starts the clock. `high_water_ms` is the latest time that the store remembers, in milliseconds since 1970.
    #[must_use]
    pub fn start(high_water_ms: u64) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(0);
        Self { started: Instant::now(), wall_at_start_ms: wall_ms.max(high_water_ms) }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { mono_ms, wall_ms: self.wall_at_start_ms.saturating_add(mono_ms) }
    }

    /// The monotonic instant of a time in milliseconds.
    #[must_use]
    pub fn instant(&self, mono_ms: u64) -> Instant {
        self.started + Duration::from_millis(mono_ms)
    }
}
