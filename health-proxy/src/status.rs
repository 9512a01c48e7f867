//! How everything is, as JSON for the page, the command and programs: `GET /api/v1/status`.
//!
//! Times are ages in milliseconds, so that no clock but the reader's own matters.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::front::Front;
use crate::health::{Failover, Health, Node, NodeId, Outcome, Service, Standing};
use crate::operations::Tally;
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
    pub listen: SocketAddr,
    /// What is done with connections.
    pub mode: &'static str,
    /// What clients cannot count on; none where they can count on all that the mode promises.
    pub caveat: Option<&'static str>,
    /// What clients can count on.
    pub service: Served,
    /// The node that leads; none with third-party servers.
    pub leader: Option<String>,
    /// How nodes are probed.
    pub probe: String,
    /// What probes do not see; none where they see all.
    pub blind_to: Option<&'static str>,
    /// Whether this port takes orders from who has the token.
    pub takes_orders: bool,
    /// The certificate that probes show; none where they show none.
    pub probe_certificate: Option<CertificateView>,
    /// What clients see of this front, in replay.
    pub certificate: Option<CertificateView>,
    /// Clients' connections.
    pub connections: Connections,
    /// What clients ask for, in replay: requests by operation since the start.
    pub operations: BTreeMap<&'static str, Tally>,
    /// The last failover.
    pub last_failover: Option<FailoverView>,
    /// The last failovers, oldest first.
    pub failovers: Vec<FailoverView>,
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

/// Until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// Its notAfter, in seconds since 1970.
    pub not_after_unix_s: i64,
    /// Whole days until then, rounded down; below 0 when it is over.
    pub days_left: i64,
}

/// A node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NodeView {
    /// The operator's name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Up, Down or Draining.
    pub state: String,
    /// Why, in words.
    pub reason: String,
    /// Since when it is in this state; none before it was looked at.
    pub state_ms: Option<u64>,
    /// Since when it has been looked at; none before that.
    pub known_ms: Option<u64>,
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
    /// What half of the last probes that were answered took at most.
    pub probe_median_us: Option<u64>,
    /// What 99 of 100 of them took at most; of 60 that is the longest.
    pub probe_p99_us: Option<u64>,
    /// The certificate that it last showed to a probe; none while none was seen.
    pub certificate: Option<CertificateView>,
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

/// What is known of a node besides its health.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) place: &'a Place,
    /// The end of the certificate that it showed, in seconds since 1970.
    pub(crate) not_after: Option<i64>,
}

impl Status {
    pub(crate) fn new(
        front: &Front,
        health: &Health,
        places: &BTreeMap<NodeId, Seen<'_>>,
        now: Duration,
        name: impl Fn(NodeId) -> String,
    ) -> Self {
        let tuning = front.tuning.load();
        let unix_ms = front.clock.unix_ms();
        let nodes = health
            .nodes()
            .filter_map(|node| Some(NodeView::new(node, places.get(&node.id())?, now, unix_ms)));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            at_unix_ms: unix_ms,
            uptime_ms: ms(now),
            listen: tuning.listens_at,
            mode: tuning.mode,
            caveat: tuning.caveat,
            service: match health.service() {
                Service::Serving => Served::Serving,
                Service::Degraded => Served::Degraded,
                Service::Down => Served::Down,
            },
            leader: health.leader().map(&name),
            probe: tuning.probe.clone(),
            blind_to: tuning.blind_to,
            takes_orders: front.takes_orders,
            probe_certificate: tuning.probe_not_after.map(|end| CertificateView::new(end, unix_ms)),
            certificate: {
                let end = tuning.replay.as_ref().and_then(|replay| replay.not_after);
                end.map(|end| CertificateView::new(end, unix_ms))
            },
            connections: Connections {
                open: front.seats.taken() as u64,
                max: tuning.limits.connections_max as u64,
                held_bytes: front.held.bytes() as u64,
            },
            operations: front.operations.all(),
            last_failover: health.last_failover().map(|last| FailoverView::new(last, now, &name)),
            failovers: health.failovers().map(|failover| FailoverView::new(failover, now, &name)).collect(),
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

impl CertificateView {
    fn new(not_after_unix_s: i64, now_unix_ms: u64) -> Self {
        let now = i64::try_from(now_unix_ms / 1000).unwrap_or(i64::MAX);
        Self { not_after_unix_s, days_left: not_after_unix_s.saturating_sub(now).div_euclid(86_400) }
    }
}

impl NodeView {
    fn new(node: &Node, seen: &Seen<'_>, now: Duration, unix_ms: u64) -> Self {
        let place = seen.place;
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
            state_ms: node.state_since().map(ago),
            known_ms: node.known_since().map(ago),
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
            probe_median_us: took_at_most(node.outcomes(), 50),
            probe_p99_us: took_at_most(node.outcomes(), 99),
            certificate: seen.not_after.map(|end| CertificateView::new(end, unix_ms)),
            outcomes: outcomes.collect(),
            transitions: transitions.collect(),
        }
    }
}

/// What so many of 100 answered probes took at most, by the nearest rank.
fn took_at_most(outcomes: &VecDeque<Outcome>, percent: usize) -> Option<u64> {
    let answered = outcomes.iter().filter(|outcome| outcome.failure.is_none());
    let mut took: Vec<_> = answered.map(|outcome| outcome.took).collect();
    took.sort_unstable();
    let rank = (took.len() * percent).div_ceil(100).max(1);
    took.get(rank - 1).map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answered_ms: &[u64], percent: usize) -> Option<u64> {
        let answered = answered_ms.iter().map(|took| (*took, None));
        let failed = [(10_000, Some("no".to_owned()))];
        let outcomes = answered.chain(failed).map(|(took, failure)| Outcome {
            at: Duration::ZERO,
            took: Duration::from_millis(took),
            failure,
        });
        took_at_most(&outcomes.collect(), percent)
    }

    #[test]
    fn percentiles_are_of_probes_that_were_answered_and_by_the_nearest_rank() {
        assert_eq!(of(&[], 50), None);
        assert_eq!((of(&[7], 50), of(&[7], 99)), (Some(7000), Some(7000)));
        assert_eq!((of(&[4, 1, 3, 2], 50), of(&[4, 1, 3, 2], 99)), (Some(2000), Some(4000)));
        let hundred: Vec<_> = (1..=100).collect();
        assert_eq!((of(&hundred, 50), of(&hundred, 99)), (Some(50_000), Some(99_000)));
    }

    #[test]
    fn a_certificate_has_whole_days_left_and_less_than_none_once_it_is_over() {
        let left = |end: i64| CertificateView::new(end, 1_000_000_000).days_left;
        assert_eq!([left(1_086_400), left(1_086_399), left(1_000_000), left(999_999)], [1, 0, 0, -1]);
    }
}
