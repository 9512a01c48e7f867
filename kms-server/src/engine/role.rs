//! Where this node stands, for the rest of the server; and what a leader does by itself when that changes.

use std::sync::Arc;

use openraft::ServerState;
use openraft::error::Fatal;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::error;

use super::log::LogStore;
use super::machine::MachineStore;
use super::members;
use super::reads;
use super::runtime::{Metrics, Raft, place_or_0};
use super::types::{Ended, NodeId, Peer, Role};

/// Follows openraft until it ends.
pub(super) struct Follower {
    pub(super) raft: Raft,
    pub(super) log: LogStore,
    pub(super) machine: MachineStore,
    pub(super) role: watch::Sender<Role>,
    /// Set when nothing more comes of this engine.
    pub(super) stopped: Arc<watch::Sender<Option<Ended>>>,
    pub(super) changing: Arc<tokio::sync::Mutex<()>>,
    /// Since when this node leads.
    pub(super) leads_since: Option<Instant>,
}

impl Follower {
    pub(super) async fn follow(mut self) {
        let mut metrics = self.raft.metrics();
        let mut progress = self.log.progress();
        loop {
            let gone = tokio::select! {
                biased;
                changed = metrics.changed() => changed.is_err(),
                changed = progress.changed() => changed.is_err(),
            };
            let fault = progress.borrow_and_update().ended().map(str::to_owned);
            let now = metrics.borrow_and_update().clone();
            let fault = fault.map(Ended).or_else(|| now.running_state.as_ref().err().map(reads::ended));
            if let Some(fault) = fault.or_else(|| gone.then(|| reads::ended(&Fatal::Panicked))) {
                return self.stop(fault);
            }
            self.update(&now);
            if self.log.owes_decided() && now.state == ServerState::Leader {
                // An error is an engine that has ended, which the next round sees.
                let _ = self.raft.trigger().heartbeat().await;
            }
            members::settle(&self.raft, &now, &self.changing);
        }
    }

    /// Says where this node stands by these metrics.
    pub(super) fn update(&mut self, metrics: &Metrics) {
        let leads = metrics.state == ServerState::Leader;
        self.leads_since = self.leads_since.filter(|_| leads).or_else(|| leads.then(Instant::now));
        let age = metrics.millis_since_quorum_ack;
        let waited =
            self.leads_since.map(|since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        let (first, last) = self.log.range();
        let snapshot = self.machine.snapshot_index();
        self.role.send_if_modified(|role| {
            let before =
                (role.term, role.leader, role.leads, role.applied, role.last, role.first, role.snapshot);
            role.term = metrics.current_term;
            role.leads = leads;
            // One that was removed still holds its own vote.
            role.leader = metrics.current_leader.filter(|id| leads || *id != metrics.id);
            role.applied = place_or_0(metrics.last_applied.as_ref());
            (role.first, role.last, role.snapshot) = (first, last, snapshot);
            let after =
                (role.term, role.leader, role.leads, role.applied, role.last, role.first, role.snapshot);
            let quorum_age_ms = waited.map(|waited| age.unwrap_or(waited));
            let aged = role.quorum_age_ms != quorum_age_ms;
            role.quorum_age_ms = quorum_age_ms;
            let moved = update_members(role, metrics);
            before != after || aged || moved
        });
    }

    fn stop(self, fault: Ended) {
        let stopped = self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            stopped.get_or_insert_with(|| fault.clone());
            first
        });
        self.role.send_modify(|role| {
            (role.leads, role.quorum_age_ms) = (false, None);
            // Whoever ended it on purpose said so before.
            if stopped {
                error!("this node takes part in nothing any more: {}", fault.0);
                role.ended = Some(fault.0);
            }
        });
    }
}

/// Brings the members up to date; most times only how far each is has changed.
fn update_members(role: &mut Role, metrics: &Metrics) -> bool {
    let membership = metrics.membership_config.membership();
    let mut changed = false;
    let before = role.members.len();
    role.members.retain(|id, _| membership.get_node(id).is_some());
    changed |= before != role.members.len();
    for (id, member) in membership.nodes() {
        let voter = membership.get_joint_config().iter().any(|voters| voters.contains(id));
        let matched = matched(metrics, id);
        let peer = role.members.entry(*id).or_insert_with(|| {
            changed = true;
            Peer::default()
        });
        if (peer.voter, peer.matched) != (voter, matched) || peer.member != *member {
            *peer = Peer { member: member.clone(), voter, matched };
            changed = true;
        }
    }
    changed
}

fn matched(metrics: &Metrics, id: &NodeId) -> Option<u64> {
    metrics.replication.as_ref()?.get(id)?.as_ref().map(super::runtime::place)
}
