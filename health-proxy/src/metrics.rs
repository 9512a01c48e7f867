//! Counters in OpenMetrics text, for `/metrics`. Labels come from fixed sets and the configuration: a peer cannot make a
//! series.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::clients::Outcome;
use crate::health::State;
use crate::limits::Full;
use crate::splice::End;
use crate::status::Status;

type Node = [(&'static str, String); 1];
type NodeAnd = [(&'static str, String); 2];
type Two = [(&'static str, &'static str); 2];
type One = [(&'static str, &'static str); 1];

/// Everything the front counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    accepted: Counter,
    refused: Family<One, Counter>,
    ended: Family<One, Counter>,
    moved: Family<One, Counter>,
    connect_failures: Family<Node, Counter>,
    probes: Family<NodeAnd, Counter>,
    transitions: Family<NodeAnd, Counter>,
    hints_lost: Counter,
    requests: Family<Two, Counter>,
    resent: Counter,
    connections: Gauge,
    held: Gauge,
    serving: Gauge,
    up: Family<Node, Gauge>,
    sessions: Family<Node, Gauge>,
    /// Those of each byte, without a look-up.
    up_bytes: Counter,
    down_bytes: Counter,
}

impl Metrics {
    /// All at zero.
    pub fn new(version: &'static str) -> Self {
        let moved = Family::<One, Counter>::default();
        let up_bytes = moved.get_or_create(&[("direction", "to_node")]).clone();
        let down_bytes = moved.get_or_create(&[("direction", "to_client")]).clone();
        let mut all = Self {
            registry: Registry::with_prefix("health_proxy"),
            accepted: Counter::default(),
            refused: Family::default(),
            ended: Family::default(),
            moved,
            connect_failures: Family::default(),
            probes: Family::default(),
            transitions: Family::default(),
            hints_lost: Counter::default(),
            requests: Family::default(),
            resent: Counter::default(),
            connections: Gauge::default(),
            held: Gauge::default(),
            serving: Gauge::default(),
            up: Family::default(),
            sessions: Family::default(),
            up_bytes,
            down_bytes,
        };
        all.register(version);
        all
    }

    fn register(&mut self, version: &'static str) {
        let registry = &mut self.registry;
        registry.register("build", "Version of this front", Info::new([("version", version)]));
        registry.register("connections_accepted", "Clients' connections accepted", self.accepted.clone());
        registry.register(
            "connections_refused",
            "Clients' connections reset at a limit",
            self.refused.clone(),
        );
        registry.register("sessions_ended", "Sessions by how they ended", self.ended.clone());
        registry.register("bytes", "Bytes passed on", self.moved.clone());
        let about = "Connects to a node for a client that failed";
        registry.register("connect_failures", about, self.connect_failures.clone());
        registry.register("probes", "Probes by node and outcome", self.probes.clone());
        registry.register(
            "transitions",
            "Changes of a node's state, by what it became",
            self.transitions.clone(),
        );
        registry.register("hints_lost", "Hints of sessions lost in a storm of them", self.hints_lost.clone());
        registry.register(
            "requests",
            "Requests in replay, by operation and how they ended",
            self.requests.clone(),
        );
        registry.register("resent", "Sendings of requests beyond their first", self.resent.clone());
        registry.register("connections", "Clients' connections open", self.connections.clone());
        registry.register("held_bytes", "Bytes held for peers that are slow to take them", self.held.clone());
        registry.register("serving", "2: reads and changes, 1: reads only, 0: nothing", self.serving.clone());
        registry.register("node_up", "1: Up, 0: Down or Draining", self.up.clone());
        registry.register("node_sessions", "Sessions with a node", self.sessions.clone());
    }

    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(crate) fn refused(&self, full: Full) {
        let limit = match full {
            Full::All => "connections_max",
            Full::Address => "connections_per_address_max",
        };
        self.refused.get_or_create(&[("limit", limit)]).inc();
    }

    pub(crate) fn ended(&self, end: End) {
        self.ended.get_or_create(&[("how", Outcome::Ended(end).name())]).inc();
    }

    pub(crate) fn moved(&self, to_node: u64, to_client: u64) {
        self.up_bytes.inc_by(to_node);
        self.down_bytes.inc_by(to_client);
    }

    pub(crate) fn connect_failed(&self, node: &str) {
        self.connect_failures.get_or_create(&[("node", node.to_owned())]).inc();
    }

    pub(crate) fn probed(&self, node: &str, answered: bool) {
        let outcome = if answered { "answered" } else { "failed" };
        self.probes.get_or_create(&[("node", node.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    pub(crate) fn changed(&self, node: &str, to: State) {
        self.transitions.get_or_create(&[("node", node.to_owned()), ("to", to.to_string())]).inc();
    }

    pub(crate) fn hint_lost(&self) {
        self.hints_lost.inc();
    }

    /// A request of replay is over, after so many sendings.
    pub(crate) fn carried(&self, operation: &'static str, sendings: u32, answered: bool) {
        let how = if answered { "answered" } else { "given_up" };
        self.requests.get_or_create(&[("operation", operation), ("how", how)]).inc();
        self.resent.inc_by(u64::from(sendings.saturating_sub(1)));
    }

    /// The text, with what `status` says by now.
    pub(crate) fn text(&self, status: &Status) -> String {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.connections.set(number(status.connections.open));
        self.held.set(number(status.connections.held_bytes));
        self.serving.set(i64::from(status.service.rank()));
        // Nodes that a reload took out are not shown any more.
        self.up.clear();
        self.sessions.clear();
        for node in &status.nodes {
            let label = [("node", node.name.clone())];
            self.up.get_or_create(&label).set(i64::from(node.state == "Up"));
            self.sessions.get_or_create(&label).set(number(node.sessions));
        }
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
