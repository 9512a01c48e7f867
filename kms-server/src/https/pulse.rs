//! What a connection is doing, and since when: the times of the KMIP port for HTTP, which has none that fit.

use std::sync::Mutex;

use tokio::time::Instant;

use super::lock;
use crate::session::Bounds;

/// What a connection is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Waits for a request.
    Idle,
    /// A request's first bytes are here, its headers not all.
    Headers,
    /// A request is read, carried out or answered; whoever does it keeps its own times.
    Busy,
}

/// Shared by the connection, its socket and its requests.
pub(super) struct Pulse(Mutex<(Doing, Instant)>);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Mutex::new((Doing::Idle, Instant::now())))
    }

    /// Bytes came.
    pub(super) fn bytes_came(&self) {
        let mut state = lock(&self.0);
        if state.0 == Doing::Idle {
            *state = (Doing::Headers, Instant::now());
        }
    }

    /// A request is in hand until what is given back is dropped.
    pub(super) fn busy(&self) -> Busy<'_> {
        *lock(&self.0) = (Doing::Busy, Instant::now());
        Busy(self)
    }

    /// When the connection is to be closed if nothing changes.
    pub(super) fn deadline(&self, bounds: &Bounds) -> Option<Instant> {
        let (doing, since) = *lock(&self.0);
        match doing {
            Doing::Idle => Some(since + bounds.idle_timeout),
            Doing::Headers => Some(since + bounds.request_timeout),
            Doing::Busy => None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        lock(&self.0).0 == Doing::Idle
    }
}

/// While it is there a request is in hand.
pub(super) struct Busy<'a>(&'a Pulse);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        *lock(&self.0.0) = (Doing::Idle, Instant::now());
    }
}
