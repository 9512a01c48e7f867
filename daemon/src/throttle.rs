//! A bound on log lines that strangers can cause.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of one kind a second; more are counted and named in the next line.
pub const LINES_PER_SECOND_MAX: u32 = 20;

/// Lets through [`LINES_PER_SECOND_MAX`] a second.
#[derive(Debug, Default)]
pub struct Throttle {
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    held_back: u64,
}

impl Throttle {
    /// Whether a line may be written now; what is to be added to it about those held back before it.
    pub fn admit(&self) -> Option<String> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<String> {
        let mut guard = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let window = guard.get_or_insert(Window { began: now, lines: 0, held_back: 0 });
        if now.duration_since(window.began) >= Duration::from_secs(1) {
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
        let start = Instant::now();
        for _ in 0..LINES_PER_SECOND_MAX {
            assert_eq!(throttle.admit_at(start).as_deref(), Some(""));
        }
        for _ in 0..7 {
            assert_eq!(throttle.admit_at(start), None);
        }
        let next = throttle.admit_at(start + Duration::from_secs(1)).unwrap();
        assert!(next.contains("7 more lines"), "{next}");
    }
}
