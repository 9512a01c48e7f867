//! A bound on the connections of an HTTP listener.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A listener of axum's with a bound: while so many connections are open no further one is accepted.
#[derive(Debug)]
pub struct Bounded<L> {
    inner: L,
    seats: Arc<Semaphore>,
}

impl<L> Bounded<L> {
    /// At most `max` connections of `inner` at once.
    pub fn new(inner: L, max: usize) -> Self {
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
#[derive(Debug)]
pub struct Seated<T> {
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
