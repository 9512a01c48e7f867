//! What stands before every listener: a bound on log lines about strangers, and one on admin connections.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lines about peers that are not (yet) clients, a second; more are counted and named in the next line.
pub(crate) const LINES_PER_SECOND_MAX: u32 = 20;

/// Lets through [`LINES_PER_SECOND_MAX`] a second.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
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
    pub(crate) fn admit(&self) -> Option<String> {
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

/// A listener of axum's with a bound: while `max` connections are open no further one is accepted.
pub(crate) struct Bounded<L> {
    inner: L,
    seats: Arc<Semaphore>,
}

impl<L> Bounded<L> {
    pub(crate) fn new(inner: L, max: usize) -> Self {
        Self { inner, seats: Arc::new(Semaphore::new(max)) }
    }
}

impl<L: Listener> Listener for Bounded<L> {
    type Io = Seated<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let Ok(seat) = Arc::clone(&self.seats).acquire_owned().await else {
            // Only a closed semaphore fails, and this one is never closed.
            return pending().await;
        };
        let (io, address) = self.inner.accept().await;
        (Seated { io, _seat: seat }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection that holds its seat until it is dropped.
pub(crate) struct Seated<T> {
    io: T,
    _seat: OwnedSemaphorePermit,
}

impl<T: AsyncRead + Unpin> AsyncRead for Seated<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Seated<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
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
