//! Counters in OpenMetrics text, for `/metrics`. Labels come from fixed sets: a peer cannot make a series.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::certificate::UnixSeconds;

/// Upper bounds of latency buckets, in seconds.
const LATENCY_BUCKETS: [f64; 12] =
    [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

/// Upper bounds of the buckets of requests gathered into one log entry.
const GATHERED_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];

/// How a handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// A client that is registered.
    Known,
    /// Complete, without a client certificate.
    WithoutCertificate,
    /// The client certificate is not trusted.
    Refused,
    /// No common version or cipher suite.
    Incompatible,
    /// Over `handshake_timeout_ms`.
    TimedOut,
    /// Ended by the client, or no TLS at all.
    Aborted,
}

impl Handshake {
    fn label(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::WithoutCertificate => "without_certificate",
            Self::Refused => "refused",
            Self::Incompatible => "incompatible",
            Self::TimedOut => "timed_out",
            Self::Aborted => "aborted",
        }
    }
}

/// Everything the server counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Two, Counter>,
    latency: Family<One, Histogram, fn() -> Histogram>,
    connections: Gauge,
    connections_refused: Counter,
    handshakes: Family<One, Counter>,
    handshake_seconds: Histogram,
    syncs: Counter,
    commit_seconds: Histogram,
    requests_per_entry: Histogram,
    objects: Gauge,
    clients: Gauge,
    ready: Gauge,
    writable: Gauge,
    certificate_days_left: Gauge<f64, AtomicU64>,
    /// Told to fronts alone; the text has batch items, by operation.
    messages: AtomicU64,
}

fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

impl Metrics {
    /// All at zero, for a server of this version on this node.
    pub fn new(version: &'static str, node: &str) -> Self {
        let mut all = Self {
            registry: Registry::with_prefix("kms"),
            requests: Family::default(),
            latency: Family::new_with_constructor(latency_histogram),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            handshakes: Family::default(),
            handshake_seconds: latency_histogram(),
            syncs: Counter::default(),
            commit_seconds: latency_histogram(),
            requests_per_entry: Histogram::new(GATHERED_BUCKETS),
            objects: Gauge::default(),
            clients: Gauge::default(),
            ready: Gauge::default(),
            writable: Gauge::default(),
            certificate_days_left: Gauge::default(),
            messages: AtomicU64::default(),
        };
        let build = Info::new(vec![("version", version.to_owned()), ("node", node.to_owned())]);
        let registry = &mut all.registry;
        registry.register("build", "The server's version and its node's name", build);
        registry.register("requests", "Batch items by operation and result", all.requests.clone());
        registry.register(
            "request_seconds",
            "Time from message to answer, by operation",
            all.latency.clone(),
        );
        registry.register("connections", "Open KMIP connections", all.connections.clone());
        let help = "KMIP connections closed because connections_max were open";
        registry.register("connections_refused", help, all.connections_refused.clone());
        registry.register("handshakes", "TLS handshakes by result", all.handshakes.clone());
        registry.register("handshake_seconds", "Time of complete handshakes", all.handshake_seconds.clone());
        registry.register("log_syncs", "Syncs of the log to disk", all.syncs.clone());
        let help =
            "Leader: time from a decided entry to its being on a majority of disks and carried out here";
        registry.register("log_commit_seconds", help, all.commit_seconds.clone());
        let help = "Leader: requests gathered into one log entry";
        registry.register("log_requests_per_entry", help, all.requests_per_entry.clone());
        registry.register("objects", "Managed Objects held, destroyed ones included", all.objects.clone());
        registry.register("clients", "Registered clients", all.clients.clone());
        registry.register("ready", "1 when a key can be read, else 0", all.ready.clone());
        let help = "1 when a change can be made, else 0: 0 with ready 1 is a node that reaches no majority";
        registry.register("writable", help, all.writable.clone());
        let help = "Days until the server certificate expires; negative after";
        registry.register("certificate_days_left", help, all.certificate_days_left.clone());
        all
    }

    /// One batch item: its operation and result as the specification names them.
    pub fn request(&self, operation: &'static str, result: &'static str) {
        self.requests.get_or_create(&[("operation", operation), ("result", result)]).inc();
    }

    /// One message, answered.
    pub fn message_answered(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages that were answered until now.
    pub fn messages_answered(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// KMIP connections that are open now.
    pub fn connections_open(&self) -> u64 {
        u64::try_from(self.connections.get()).unwrap_or_default()
    }

    /// One message with its (first) operation, from its arrival to its answer.
    pub fn request_took(&self, operation: &'static str, took: Duration) {
        self.latency.get_or_create(&[("operation", operation)]).observe(took.as_secs_f64());
    }

    /// One more open connection, until what is given back is dropped.
    pub fn connection_opened(self: &Arc<Self>) -> OpenConnection {
        self.connections.inc();
        OpenConnection(Arc::clone(self))
    }

    /// One connection over `connections_max`.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// One handshake.
    pub fn handshake(&self, result: Handshake) {
        self.handshakes.get_or_create(&[("result", result.label())]).inc();
    }

    /// The time of one complete handshake.
    pub fn handshake_took(&self, took: Duration) {
        self.handshake_seconds.observe(took.as_secs_f64());
    }

    /// One entry of the log that carried this many requests, from its decision to its being carried out.
    pub fn gathered(&self, requests: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.requests_per_entry.observe(requests as f64);
    }

    /// How often the log was synced to disk until now.
    pub fn log_synced(&self, syncs: u64) {
        let counted = self.syncs.get();
        self.syncs.inc_by(syncs.saturating_sub(counted));
    }

    /// How many objects and clients there are now.
    pub fn holds(&self, objects: usize, clients: usize) {
        self.objects.set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.clients.set(i64::try_from(clients).unwrap_or(i64::MAX));
    }

    /// Whether a key can be read, and whether a change can be made.
    pub fn is_ready(&self, read: bool, write: bool) {
        self.ready.set(i64::from(read));
        self.writable.set(i64::from(write));
    }

    /// When the server certificate expires, and what time it is.
    pub fn certificate_expires(&self, not_after: UnixSeconds, now: UnixSeconds) {
        self.certificate_days_left.set((not_after.saturating_sub(now)) as f64 / 86_400.0);
    }

    /// All of it as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Counts down when the connection ends, however it ends.
#[derive(Debug)]
pub struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
