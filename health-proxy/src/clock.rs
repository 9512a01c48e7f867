//! The clock: the only place of this program that asks what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the front's start, which never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Since the start.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The runtime's instant of a time since the start, for its timers.
    pub fn instant(&self, since_start: Duration) -> tokio::time::Instant {
        let instant = self.start.checked_add(since_start).unwrap_or(self.start);
        tokio::time::Instant::from_std(instant)
    }

    /// Milliseconds since 1970 by the system's clock, for people; it may be set back.
    pub fn unix_ms(&self) -> u64 {
        // A clock before 1970 is a clock that was never set.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
