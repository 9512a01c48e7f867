//! How long the machine itself stood still: on one that does much else everything is late, and a gap says nothing of fronts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it looks.
const TICK: Duration = Duration::from_millis(5);

/// A thread that wants to be woken every moment, and sees how late it is.
#[derive(Debug)]
pub struct Watch {
    late_us_max: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Watch {
    /// Starts it.
    pub fn start() -> Self {
        let (late_us_max, ends): (Arc<AtomicU64>, Arc<AtomicBool>) = Default::default();
        let (late, end) = (Arc::clone(&late_us_max), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let began = Instant::now();
                // What is measured: how late the machine wakes it.
                thread::sleep(TICK);
                let over = began.elapsed().saturating_sub(TICK);
                late.fetch_max(u64::try_from(over.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { late_us_max, ends, thread: Some(thread).into() }
    }

    /// The longest standstill since this was last asked.
    pub fn take(&self) -> Duration {
        Duration::from_micros(self.late_us_max.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}
