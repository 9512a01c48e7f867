//! The clock: the only place of this server that asks what time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, never going backward.
///
/// When the system's clock is set back, time stands still here until the system catches up: an object must not
/// be activated before it was created. A clock that was once far ahead therefore keeps its time for as long as
/// the process runs; restarting after the clock is right again ends that, unless [`not_before`](Clock::not_before)
/// is fed with times that were already written.
#[derive(Debug, Default)]
pub struct Clock {
    newest: AtomicI64,
}

impl Clock {
    /// A clock that has seen nothing yet.
    pub const fn new() -> Clock {
        Clock { newest: AtomicI64::new(0) }
    }

    /// Now, in seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(&self) -> i64 {
        self.not_before(self.system_seconds())
    }

    /// What the system's clock says, forward or backward: for certificates, whose dates are this machine's affair. A
    /// neighbour whose clock is years ahead must not make every certificate here expire.
    pub fn system_seconds(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            // A clock before 1970 is a clock that was never set.
            Err(_) => 0,
        }
    }

    /// Takes note that it was `seconds` already, and returns the later of that and all before.
    pub fn not_before(&self, seconds: i64) -> i64 {
        self.newest.fetch_max(seconds, Ordering::AcqRel).max(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_backward() {
        let clock = Clock::new();
        let now = clock.unix_seconds();
        assert!(now > 1_700_000_000);
        assert_eq!(clock.not_before(now + 1000), now + 1000);
        assert_eq!(clock.unix_seconds(), now + 1000);
        assert_eq!(clock.not_before(5), now + 1000);
    }
}
