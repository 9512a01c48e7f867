//! Where the nodes are, and what connections read of them: published whole by the judge, read without a lock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::choose::{Candidate, Pool};
use crate::health::NodeId;

/// What connections choose from, and where that is. One value, so that the two fit together.
#[derive(Debug, Default)]
pub struct View {
    /// From what is chosen.
    pub pool: Pool,
    /// The places of the pool's nodes.
    pub places: Arc<BTreeMap<NodeId, Arc<Place>>>,
}

impl View {
    /// What the choice knows of a node.
    pub fn candidate(&self, node: NodeId) -> Option<&Candidate> {
        self.pool.candidates().iter().find(|candidate| candidate.node == node)
    }

    /// Sessions with a node.
    pub fn sessions(&self, node: NodeId) -> u64 {
        self.places.get(&node).map_or(0, |place| place.sessions())
    }
}

/// One node as sessions know it.
#[derive(Debug)]
pub struct Place {
    /// Its number.
    pub node: NodeId,
    /// The operator's name for it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    sessions: AtomicU64,
    served: AtomicU64,
    /// Counts the resets of its sessions.
    resets: watch::Sender<u64>,
}

impl Place {
    /// A node without sessions.
    pub fn new(node: NodeId, name: String, address: SocketAddr) -> Self {
        let (resets, _) = watch::channel(0);
        Self { node, name, address, sessions: AtomicU64::new(0), served: AtomicU64::new(0), resets }
    }

    /// Sessions at the moment.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Sessions since the start.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Resets all its sessions.
    pub(crate) fn reset_sessions(&self) {
        self.resets.send_modify(|count| *count += 1);
    }

    /// Tells of resets from now on.
    pub(crate) fn resets(&self) -> watch::Receiver<u64> {
        self.resets.subscribe()
    }

    /// Counts a session, or an attempt at one: many that are chosen at the same moment must not all take the same node.
    pub(crate) fn enter(self: &Arc<Self>) -> Presence {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Presence { place: Arc::clone(self) }
    }
}

/// A session with a node, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Presence {
    place: Arc<Place>,
}

impl Presence {
    /// The node.
    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// The attempt succeeded.
    pub(crate) fn connected(&self) {
        self.place.served.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.place.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}
