//! Which nodes can be used: decided here from what is told, and never looked at from here.
//!
//! Pure: `now` is a monotone time since the front's start and is given with every call; no clock, no socket, no
//! randomness. The shell's whole duty, in one loop:
//!
//! 1. [`Health::on`] with each event, [`Health::tick`] when [`Health::wakes_at`] has come,
//! 2. publish [`Health::pool`], from which connections choose without asking here,
//! 3. carry out the [`Action`]s that came back, in their order: after the pool, so that a connection that was just chosen
//!    either sees that its node is gone or hears the reset.

mod failover;
mod history;
mod node;
mod report;
mod schedule;
mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

pub use failover::{FAILOVERS_MAX, Failover};
pub use history::{OUTCOMES_MAX, Outcome, REASON_CHARS_MAX, TRANSITIONS_MAX};
pub use node::Node;
pub use report::{Action, Event, NodeId, ProbeNumber, Report, Standing, State, Transition};
pub use settings::{
    DRAIN_TIME_MAX, FALL, PROBE_GAP_MIN, PROBE_GRACE, PROBE_INTERVAL, PROBE_TIMEOUT, REQUEST_AGE_MAX, RISE,
    SLOW_START, Settings,
};

use crate::choose::{Candidate, Pool};

/// What clients can count on, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Reads and changes.
    Serving,
    /// Reads of what is held, no changes: no node is with a majority.
    Degraded,
    /// No node that answers probes can be read.
    Down,
}

/// All nodes, and what the front makes of them.
#[derive(Clone, Debug)]
pub struct Health {
    settings: Settings,
    nodes: BTreeMap<NodeId, Node>,
    /// Nodes that a reload took out, and when what is left of their sessions is reset.
    leaving: Vec<(NodeId, Duration)>,
    failovers: failover::Watch,
}

impl Health {
    /// These nodes, none of them probed yet. The first [`Health::tick`] probes them all.
    pub fn new(settings: Settings, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let nodes = nodes.into_iter().map(|id| (id, Node::new(id))).collect();
        Self { settings, nodes, leaving: Vec::new(), failovers: failover::Watch::default() }
    }

    /// Takes in what happened to a node, and does what is due by `now`. A node that is not here (any more) is
    /// passed over.
    pub fn on(&mut self, now: Duration, node: NodeId, event: Event) -> Vec<Action> {
        self.step(now, Some((node, event)))
    }

    /// Does what is due by `now`. It may be called at any time; too late, and only that is late.
    pub fn tick(&mut self, now: Duration) -> Vec<Action> {
        self.step(now, None)
    }

    /// When something is due next; None only without nodes.
    pub fn wakes_at(&self) -> Option<Duration> {
        let nodes = self.nodes.values().filter_map(|node| node.wakes_at(&self.settings));
        nodes.chain(self.leaving.iter().map(|(_, until)| *until)).min()
    }

    /// After a reload: these settings and nodes. Nodes that stay keep what is known of them, new ones are probed at once,
    /// and sessions of those that are gone may end as on a Draining one.
    pub fn reload(
        &mut self,
        now: Duration,
        settings: Settings,
        nodes: impl IntoIterator<Item = NodeId>,
    ) -> Vec<Action> {
        self.settings = settings;
        let mut before = std::mem::take(&mut self.nodes);
        self.nodes = nodes.into_iter().map(|id| (id, before.remove(&id).unwrap_or(Node::new(id)))).collect();
        let until = now.saturating_add(self.settings.drain_time_max);
        self.leaving.extend(before.keys().map(|id| (*id, until)));
        let mut actions: Vec<_> =
            before.into_keys().map(|node| Action::EndSessions { node, until }).collect();
        actions.append(&mut self.tick(now));
        actions
    }

    fn step(&mut self, now: Duration, event: Option<(NodeId, Event)>) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some((id, event)) = event
            && let Some(node) = self.nodes.get_mut(&id)
        {
            node.on(now, event, &self.settings, &mut actions);
        }
        for node in self.nodes.values_mut() {
            node.tick(now, &self.settings, &mut actions);
        }
        for (node, _) in self.leaving.extract_if(.., |(_, until)| *until <= now) {
            actions.push(Action::ResetSessions { node });
        }
        for action in &actions {
            if let Action::Announce { node, change } = action
                && (change.from, change.to) == (State::Up, State::Down)
                && let Some(node) = self.nodes.get(node)
            {
                self.failovers.fell(node, node.trouble_since().unwrap_or(now));
            }
        }
        self.failovers.look(now, &self.nodes);
        actions
    }

    /// The nodes, by number.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// One node; None if it is not here.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// What connections and requests choose from until the next call of [`Health::on`] or [`Health::tick`].
    pub fn pool(&self) -> Pool {
        Pool::new(self.nodes.values().map(Candidate::of), self.settings.slow_start)
    }

    /// What clients can count on.
    pub fn service(&self) -> Service {
        let answering = || self.nodes.values().filter(|node| node.state() != State::Down);
        let any = |standing| answering().any(|node| node.standing() == standing);
        match (any(Standing::Whole), any(Standing::Cut)) {
            (true, _) => Service::Serving,
            (false, true) => Service::Degraded,
            (false, false) => Service::Down,
        }
    }

    /// The node that leads, by its own word; None with third-party servers and during an election.
    pub fn leader(&self) -> Option<NodeId> {
        failover::leader(&self.nodes)
    }

    /// The last failover, which may not be over yet.
    pub fn last_failover(&self) -> Option<&Failover> {
        self.failovers.last()
    }

    /// The last failovers, oldest first; at most [`FAILOVERS_MAX`].
    pub fn failovers(&self) -> impl Iterator<Item = &Failover> {
        self.failovers.past().iter()
    }
}
