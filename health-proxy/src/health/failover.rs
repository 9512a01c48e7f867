//! The last failover and how long it took, as far as the front can see it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::node::Node;
use super::report::{NodeId, Report, Standing, State};

/// Failovers kept, for the page's last hour. The oldest goes.
pub const FAILOVERS_MAX: usize = 32;

/// A time in which changes could not be sure of a node: from the first sign of trouble with a node that then went Down, or
/// from when nobody could write any more, until another node that is Up can write and does not follow the lost one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failover {
    /// The node that was lost; None if none went Down and yet nobody could write.
    pub from: Option<NodeId>,
    /// The node that led when it was over; None if no node says so, as with third-party servers.
    pub to: Option<NodeId>,
    /// When it began, in time since start.
    pub began: Duration,
    /// When it was over; None while it is not.
    pub ended: Option<Duration>,
}

impl Failover {
    /// How long it took, or has taken by `now`.
    pub fn length(&self, now: Duration) -> Duration {
        self.ended.unwrap_or(now).saturating_sub(self.began)
    }
}

/// Watches for failovers.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// Oldest first.
    past: VecDeque<Failover>,
    /// The lost node's number in the cluster: who still follows it has not noticed.
    lost: Option<u64>,
    /// Whether somebody could write at the last look; at the start nobody can, and that is no failover.
    writable: bool,
}

impl Watch {
    pub(super) fn last(&self) -> Option<&Failover> {
        self.past.back()
    }

    pub(super) fn past(&self) -> &VecDeque<Failover> {
        &self.past
    }

    fn is_under_way(&self) -> bool {
        self.last().is_some_and(|last| last.ended.is_none())
    }

    /// A node went from Up to Down; `since` is the first sign of trouble with it.
    pub(super) fn fell(&mut self, node: &Node, since: Duration) {
        let under_way = self.is_under_way();
        self.lost = node.report().map(|report| report.member);
        if !under_way {
            self.begin(Some(node.id()), since);
        }
    }

    /// Looks at all nodes after each event.
    pub(super) fn look(&mut self, now: Duration, nodes: &BTreeMap<NodeId, Node>) {
        let writable = nodes.values().any(|node| node.state() != State::Down && is_whole(node));
        let lost_all = self.writable && !writable;
        self.writable = writable;
        let under_way = self.is_under_way();
        if lost_all && !under_way {
            self.lost = None;
            self.begin(None, now);
        }
        let follows_lost =
            |node: &Node| self.lost.is_some() && node.report().and_then(|report| report.leader) == self.lost;
        let back =
            |node: &Node| self.lost.is_some() && node.report().map(|report| report.member) == self.lost;
        let takes_over = nodes
            .values()
            .any(|node| node.state() == State::Up && is_whole(node) && (back(node) || !follows_lost(node)));
        if let Some(last) = self.past.back_mut()
            && last.ended.is_none()
            && takes_over
        {
            last.ended = Some(now);
            last.to = leader(nodes);
        }
    }

    fn begin(&mut self, from: Option<NodeId>, began: Duration) {
        if self.past.len() >= FAILOVERS_MAX {
            self.past.pop_front();
        }
        self.past.push_back(Failover { from, to: None, began, ended: None });
    }
}

fn is_whole(node: &Node) -> bool {
    node.standing() == Standing::Whole
}

/// The node that leads, by its own word; of two, the one that carried out more, since the other was deposed.
pub(super) fn leader(nodes: &BTreeMap<NodeId, Node>) -> Option<NodeId> {
    let leading = nodes.values().filter(|node| node.state() != State::Down && is_whole(node));
    let leading = leading.filter(|node| node.report().is_some_and(Report::leads));
    leading.max_by_key(|node| node.report().map(|report| report.applied)).map(Node::id)
}
