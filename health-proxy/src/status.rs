//! How everything is, as JSON for the page, the command and programs: `GET /api/v1/status`.
//!
//! Times are ages in milliseconds, so that no clock but the reader's own matters.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::front::Front;
use crate::health::{Failover, Health, Node, NodeId, Service, Standing};
use crate::roster::Place;

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Of this program.
    pub version: &'static str,
    /// When this was made, by the system's clock.
    pub at_unix_ms: u64,
    /// Since the start.
    pub uptime_ms: u64,
    /// Where clients connect.
    pub listen: String,
    /// What is done with connections.
    pub mode: &'static str,
    /// What clients can count on.
    pub service: Served,
    /// The node that leads; none with third-party servers.
    pub leader: Option<String>,
    /// How nodes are probed.
    pub probe: String,
    /// What probes do not see; none where they see all.
    pub blind_to: Option<&'static str>,
    /// Clients' connections.
    pub connections: Connections,
    /// The last failover.
    pub last_failover: Option<FailoverView>,
    /// By number, which is the file's order.
    pub nodes: Vec<NodeView>,
}

/// [`Service`] in JSON's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// Reads and changes.
    Serving,
    /// Reads only.
    Degraded,
    /// Nothing.
    Down,
}

impl Served {
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Serving => 2,
            Self::Degraded => 1,
            Self::Down => 0,
        }
    }
}

/// Clients' connections.
#[derive(Clone, Debug, Serialize)]
pub struct Connections {
    /// At the moment.
    pub open: u64,
    /// `connections_max`.
    pub max: u64,
    /// Bytes held for peers that are slow to take them.
    pub held_bytes: u64,
}

/// A failover.
#[derive(Clone, Debug, Serialize)]
pub struct FailoverView {
    /// The node that was lost; none if nobody could write and yet none was lost.
    pub from: Option<String>,
    /// The node that leads since; none with third-party servers.
    pub to: Option<String>,
    /// Since it began.
    pub began_ago_ms: u64,
    /// How long it took, or has taken so far.
    pub length_ms: u64,
    /// Whether it is over.
    pub over: bool,
}

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeView {
    /// The operator's name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Up, Down or Draining.
    pub state: String,
    /// Why, in words.
    pub reason: String,
    /// Whether an administrator wants it empty; also while it is Down.
    pub drain_asked: bool,
    /// What it is good for: whole, cut or outside.
    pub standing: &'static str,
    /// Since when something has been wrong; none while all is well.
    pub trouble_ms: Option<u64>,
    /// Sessions at the moment.
    pub sessions: u64,
    /// Sessions since the start.
    pub served: u64,
    /// What it last said of itself; none from a third-party server.
    pub report: Option<ReportView>,
    /// Its last probes, oldest first.
    pub outcomes: Vec<OutcomeView>,
    /// Its last changes of state, oldest first.
    pub transitions: Vec<TransitionView>,
}

/// What a node of ours says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct ReportView {
    /// Its number in the cluster.
    pub member: u64,
    /// Whom it follows.
    pub leader: Option<u64>,
    /// Whether it answers reads.
    pub read: bool,
    /// Whether it takes changes.
    pub write: bool,
    /// The last entry it carried out.
    pub applied: u64,
    /// Entries that it knows of and has not carried out.
    pub lag: u64,
}

/// A probe.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    /// Since it ended.
    pub ago_ms: u64,
    /// How long it took.
    pub took_us: u64,
    /// Why it failed; none if it did not.
    pub failure: Option<String>,
}

/// A change of state.
#[derive(Clone, Debug, Serialize)]
pub struct TransitionView {
    /// Since it happened.
    pub ago_ms: u64,
    /// What it was.
    pub from: String,
    /// What it became.
    pub to: String,
    /// Why.
    pub reason: String,
}

impl Status {
    pub(crate) fn new(
        front: &Front,
        health: &Health,
        places: &BTreeMap<NodeId, &Place>,
        now: Duration,
        name: impl Fn(NodeId) -> String,
    ) -> Self {
        let tuning = front.tuning.load();
        let nodes = health.nodes().filter_map(|node| Some(NodeView::new(node, places.get(&node.id())?, now)));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            at_unix_ms: front.clock.unix_ms(),
            uptime_ms: ms(now),
            listen: tuning.listens_at.to_string(),
            mode: "passthrough",
            service: match health.service() {
                Service::Serving => Served::Serving,
                Service::Degraded => Served::Degraded,
                Service::Down => Served::Down,
            },
            leader: health.leader().map(&name),
            probe: tuning.probe.clone(),
            blind_to: tuning.blind_to,
            connections: Connections {
                open: front.seats.taken() as u64,
                max: tuning.limits.connections_max as u64,
                held_bytes: front.held.bytes() as u64,
            },
            last_failover: health.last_failover().map(|last| FailoverView::new(last, now, &name)),
            nodes: nodes.collect(),
        }
    }
}

impl FailoverView {
    fn new(failover: &Failover, now: Duration, name: impl Fn(NodeId) -> String) -> Self {
        Self {
            from: failover.from.map(&name),
            to: failover.to.map(&name),
            began_ago_ms: ms(now.saturating_sub(failover.began)),
            length_ms: ms(failover.length(now)),
            over: failover.ended.is_some(),
        }
    }
}

impl NodeView {
    fn new(node: &Node, place: &Place, now: Duration) -> Self {
        let ago = |at: Duration| ms(now.saturating_sub(at));
        let outcomes = node.outcomes().iter().map(|outcome| OutcomeView {
            ago_ms: ago(outcome.at),
            took_us: u64::try_from(outcome.took.as_micros()).unwrap_or(u64::MAX),
            failure: outcome.failure.clone(),
        });
        let transitions = node.transitions().iter().map(|change| TransitionView {
            ago_ms: ago(change.at),
            from: change.from.to_string(),
            to: change.to.to_string(),
            reason: change.reason.clone(),
        });
        let report = node.report().map(|report| ReportView {
            member: report.member,
            leader: report.leader,
            read: report.read,
            write: report.write,
            applied: report.applied,
            lag: report.lag,
        });
        Self {
            name: place.name.clone(),
            address: place.address.to_string(),
            state: node.state().to_string(),
            reason: node.reason().to_owned(),
            drain_asked: node.drain_asked(),
            standing: match node.standing() {
                Standing::Whole => "whole",
                Standing::Cut => "cut",
                Standing::Outside => "outside",
            },
            trouble_ms: node.trouble_since().map(ago),
            sessions: place.sessions(),
            served: place.served(),
            report,
            outcomes: outcomes.collect(),
            transitions: transitions.collect(),
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
