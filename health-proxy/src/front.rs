//! What all connections share.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use daemon::throttle::Throttle;
use tokio::sync::{mpsc, watch};

use crate::clients::Clients;
use crate::clock::Clock;
use crate::config::Config;
use crate::health::{Event, NodeId, Settings};
use crate::judge::Word;
use crate::limits::{Held, Limits, Seats};
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::replay::Replay;
use crate::roster::View;

/// What a reload exchanges, for connections that begin after it.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    /// Where clients connect: what the system gave, where the configuration says port 0.
    pub(crate) listens_at: SocketAddr,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    pub(crate) proxy_protocol: bool,
    /// For replay what it stands on.
    pub(crate) replay: Option<Replay>,
    /// The mode, in words.
    pub(crate) mode: &'static str,
    /// What clients cannot count on, in words.
    pub(crate) caveat: Option<&'static str>,
    /// How nodes are probed, in words.
    pub(crate) probe: String,
    /// What probes do not see, in words.
    pub(crate) blind_to: Option<&'static str>,
    /// The end of the probes' own certificate.
    pub(crate) probe_not_after: Option<i64>,
}

impl Tuning {
    pub(crate) fn of(config: &Config, listens_at: SocketAddr) -> Self {
        Self {
            listens_at,
            limits: config.limits.clone(),
            settings: config.health.clone(),
            proxy_protocol: config.front.proxy_protocol,
            replay: config.replay.clone(),
            mode: config.mode(),
            caveat: config.caveat(),
            probe: config.prober.to_string(),
            blind_to: config.prober.blind_to(),
            probe_not_after: config.prober.not_after(),
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) clock: Clock,
    pub(crate) view: ArcSwap<View>,
    pub(crate) tuning: ArcSwap<Tuning>,
    pub(crate) metrics: Metrics,
    pub(crate) seats: Arc<Seats>,
    pub(crate) held: Held,
    pub(crate) operations: Operations,
    /// Lines about clients and limits.
    pub(crate) throttle: Throttle,
    /// Whether the admin port takes orders.
    pub(crate) takes_orders: bool,
    clients: Mutex<Clients>,
    words: mpsc::Sender<Word>,
    ending: watch::Sender<bool>,
}

impl Front {
    pub(crate) fn new(
        clock: Clock,
        tuning: Tuning,
        takes_orders: bool,
        metrics: Metrics,
        words: mpsc::Sender<Word>,
    ) -> Self {
        Self {
            clock,
            view: ArcSwap::default(),
            tuning: ArcSwap::from_pointee(tuning),
            metrics,
            seats: Arc::default(),
            held: Held::default(),
            operations: Operations::default(),
            throttle: Throttle::default(),
            takes_orders,
            clients: Mutex::default(),
            words,
            ending: watch::Sender::new(false),
        }
    }

    /// Tells the judge of something that a session saw. It is a hint and may be lost in a storm of them: those that the
    /// judge has before it say the same, and probes decide.
    pub(crate) fn hint(&self, node: NodeId, event: Event) {
        if self.words.try_send(Word::Happened(node, event)).is_err() {
            self.metrics.hint_lost();
        }
    }

    /// Becomes true when the front ends: sessions that idle are over then.
    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    pub(crate) fn ends(&self) {
        self.ending.send_replace(true);
    }

    /// Who connects. Held for a look-up, never while something is waited for.
    pub(crate) fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Any number, new each time: for the choice among equals, not for secrets.
    pub(crate) fn random(&self) -> u64 {
        // The standard library draws a seed from the system once a thread, and counts up from it.
        RandomState::new().build_hasher().finish()
    }
}
