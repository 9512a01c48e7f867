//! A bound on log lines that strangers can cause.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lines of one kind a second; more are counted and named in the next line.
pub(crate) const LINES_PER_SECOND_MAX: u32 = 10;

/// Lets through [`LINES_PER_SECOND_MAX`] a second.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    began: Duration,
    lines: u32,
    held_back: u64,
}

impl Throttle {
    /// Whether a line may be written at `now`, a time since start; what is to be added to it about those held back before.
    pub(crate) fn admit(&self, now: Duration) -> Option<String> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(window.began) >= Duration::from_secs(1) {
            (window.began, window.lines) = (now, 0);
        }
        if window.lines >= LINES_PER_SECOND_MAX {
            window.held_back += 1;
            return None;
        }
        window.lines += 1;
        Some(match std::mem::take(&mut window.held_back) {
            0 => String::new(),
            held_back => format!(" ({held_back} more lines like this were held back)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_named_in_the_next_line() {
        let throttle = Throttle::default();
        for _ in 0..LINES_PER_SECOND_MAX {
            assert_eq!(throttle.admit(Duration::ZERO).as_deref(), Some(""));
        }
        for _ in 0..7 {
            assert_eq!(throttle.admit(Duration::ZERO), None);
        }
        let next = throttle.admit(Duration::from_secs(1)).unwrap();
        assert!(next.contains("7 more lines"), "{next}");
    }
}
