//! The links that this node keeps: one to each other node, over which it calls them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::LinkIdentity;
use super::peer::Peer;
use crate::engine::{CallError, Calls, NodeId};

/// How links are kept, and their bounds. The defaults are for nodes in one local network.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The local address that connections are made from; none is the system's choice.
    pub source: Option<IpAddr>,
    /// How long name, TCP, TLS and hello may take together.
    pub connect_timeout: Duration,
    /// Pause after the first failed attempt; each further one doubles it. Half of it at least is waited, at random.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// A sign of life is sent after this long without anything else to send.
    pub beat_every: Duration,
    /// A connection over which nothing is heard for this long is dropped; several times `beat_every`.
    pub silence_max: Duration,
    /// Raft's calls to one node that may wait for answers; one more is refused.
    pub raft_calls_max: usize,
    /// Other calls to one node that may wait for answers; one more is refused.
    pub asks_max: usize,
    /// Bytes that may wait to be written to one node; a call that would exceed it is refused.
    pub queue_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            source: None,
            connect_timeout: Duration::from_secs(1),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_millis(500),
            beat_every: Duration::from_millis(250),
            silence_max: Duration::from_secs(1),
            raft_calls_max: 64,
            asks_max: 4096,
            queue_bytes_max: 64 << 20,
        }
    }
}

/// The links that this node keeps. Dropping it ends them all.
pub struct Links {
    identity: LinkIdentity,
    settings: Settings,
    kept: Mutex<HashMap<NodeId, Kept>>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// A peer with the task that keeps its connection up.
struct Kept {
    peer: Arc<Peer>,
    task: AbortHandle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
        self.peer.forget();
    }
}

impl Links {
    /// No links yet.
    pub fn new(identity: LinkIdentity, settings: Settings) -> Arc<Self> {
        Arc::new(Self { identity, settings, kept: Mutex::default() })
    }

    /// Keeps a link to node `id` at `address` (host:port) from now on. With the address that it has already nothing
    /// happens; with another the link is made anew and calls on the old one fail.
    ///
    /// To be called within a tokio runtime, on which the link then runs.
    pub fn keep(&self, id: NodeId, address: &str) {
        let mut kept = self.lock();
        if kept.get(&id).is_some_and(|kept| kept.peer.address == address) {
            return;
        }
        let peer = Arc::new(Peer::new(id, address.to_owned(), self.settings.clone()));
        let task = tokio::spawn(Arc::clone(&peer).keep_up(self.identity.clone())).abort_handle();
        kept.insert(id, Kept { peer, task });
    }

    /// Ends the link to node `id`, if there is one; its calls fail.
    pub fn forget(&self, id: NodeId) {
        self.lock().remove(&id);
    }

    /// Whether the link to node `id` is up; `None` when none is kept.
    pub fn reachable(&self, id: NodeId) -> Option<bool> {
        self.lock().get(&id).map(|kept| kept.peer.is_up())
    }

    /// Sends `request` to node `to` and waits for its answer, at most `within`. Dropping the future gives the call up;
    /// what was not written yet is then not sent.
    ///
    /// While a connection is being made the call waits for it. Fails at once while the last attempt has failed and the
    /// next is not due, when the connection breaks, and when a bound of [`Settings`] or
    /// [`BODY_BYTES_MAX`](super::BODY_BYTES_MAX) is exceeded.
    pub async fn call(
        &self,
        to: NodeId,
        kind: u8,
        request: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let peer = self.lock().get(&to).map(|kept| Arc::clone(&kept.peer));
        match peer {
            Some(peer) => peer.call(kind, request, within).await,
            None => Err(CallError::Unreachable(format!("node {to}: this node keeps no link to it"))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls for Links {
    fn call(
        &self,
        to: NodeId,
        kind: u8,
        request: Vec<u8>,
        within: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, CallError>> + Send + '_>> {
        Box::pin(Links::call(self, to, kind, request, within))
    }
}
