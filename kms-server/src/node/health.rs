//! What the node can do now: for readiness, and for the fronts, which ask several times a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::Node;
use super::desk::Desk;
use super::standing::Standing;
use super::taker::Taker;
use crate::admin::{Health, Readiness};
use crate::engine::NodeId;

/// How long a look whether a key can be opened holds for all fronts: they ask often, and are told within it.
const KEY_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What a front is told of a node, as JSON with these names; none is ever left out.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FrontStatus {
    /// The node's number.
    pub(super) node: NodeId,
    /// Its name: `[node] name`.
    pub(super) name: String,
    /// Whether it is a member of the cluster, as far as it knows.
    pub(super) member: bool,
    /// Whether it leads.
    pub(super) leads: bool,
    /// Who leads, as far as it knows.
    pub(super) leader: Option<NodeId>,
    /// Whether it can read a key, as `/readyz` judges; without a majority from what it holds.
    pub(super) read: bool,
    /// Whether it can change something, as `/readyz` judges.
    pub(super) write: bool,
    /// The first reason where it cannot do both.
    pub(super) reason: Option<String>,
    /// The term it knows of.
    pub(super) term: u64,
    /// The last entry of the log that it has carried out.
    pub(super) applied: u64,
    /// Entries of its own log that it has not carried out; null where it knows no leader or no majority. What did not
    /// reach it yet is not in it: that is the leader's `applied` less this node's.
    pub(super) lag: Option<u64>,
    /// How many answers were ever remembered: see `seen` of a request.
    pub(super) answers_seen: u64,
    /// Connections that are open at its own KMIP port.
    pub(super) connections: u64,
    /// Messages that it answered since its start, those that fronts handed over among them.
    pub(super) requests: u64,
}

/// The last look whether a key can be opened.
#[derive(Debug, Default)]
pub(super) struct KeyLook(Mutex<Option<(Instant, Option<String>)>>);

impl KeyLook {
    /// What `look` says, or said less than [`KEY_LOOK_INTERVAL`] ago. Who comes meanwhile waits for it.
    fn recent(&self, look: impl FnOnce() -> Option<String>) -> Option<String> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, fault)) if at.elapsed() < KEY_LOOK_INTERVAL => fault.clone(),
            _ => {
                let fault = look();
                *last = Some((Instant::now(), fault.clone()));
                fault
            }
        }
    }
}

impl Desk {
    /// What a front is told. Leaves no line anywhere.
    pub(super) fn front_status(&self) -> FrontStatus {
        let taker = &self.taker;
        let mut readiness = taker.readiness(self.key_look.recent(|| taker.state.cannot_open()));
        if *self.draining.borrow() {
            readiness.drains();
        }
        let (read, write) = (readiness.cannot_read.is_empty(), readiness.cannot_write.is_empty());
        let standing = *taker.standing.borrow();
        let role = taker.roles.borrow();
        let knows_leader = standing == Standing::Whole && role.leader.is_some();
        FrontStatus {
            node: taker.me,
            name: self.name.clone(),
            member: standing != Standing::Outside,
            leads: role.leads,
            leader: role.leader,
            read,
            write,
            reason: readiness.cannot_read.into_iter().chain(readiness.cannot_write).next(),
            term: role.term,
            applied: role.applied,
            lag: knows_leader.then(|| role.last.saturating_sub(role.applied)),
            answers_seen: taker.state.held().objects.answers_seen(),
            connections: self.metrics.connections_open(),
            requests: self.metrics.messages_answered(),
        }
    }
}

impl Taker {
    /// What this node can do now, where `cannot_open` says why no key can be opened.
    pub(super) fn readiness(&self, cannot_open: Option<String>) -> Readiness {
        let mut readiness = Readiness::default();
        let standing = *self.standing.borrow();
        let (leader, ended) = {
            let role = self.roles.borrow();
            (role.leader, role.ended.clone())
        };
        let fault = cannot_open.or(ended);
        readiness.cannot_read.extend(fault.clone());
        readiness.cannot_write.extend(fault);
        match standing {
            Standing::Whole if leader.is_none() => {
                readiness.cannot_write.push("no leader is known".to_owned());
            }
            Standing::Whole => {}
            Standing::Outside => {
                let reason = "this node is not, or no longer, a member of its cluster";
                readiness.cannot_read.push(reason.to_owned());
                readiness.cannot_write.push(reason.to_owned());
            }
            Standing::Cut(_) => {
                let reason = "a majority of the nodes cannot be reached";
                readiness.cannot_write.push(reason.to_owned());
                if !self.patience.reads_without_quorum {
                    readiness.cannot_read.push(format!("{reason}, and reads_without_quorum is false"));
                }
            }
        }
        readiness
    }
}

impl Health for Node {
    fn ailing(&self) -> Option<String> {
        self.taker.roles.borrow().ended.clone()
    }

    fn syncs(&self) -> u64 {
        self.taker.engine.syncs()
    }

    /// Really opens a key: the vault may be gone while everything listens.
    async fn readiness(&self) -> Readiness {
        self.taker.readiness(self.taker.state.cannot_open())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_opened_for_fronts_once_a_second_however_often_they_ask() {
        let looks = std::cell::Cell::new(0);
        let look = KeyLook::default();
        let ask = || {
            look.recent(|| {
                looks.set(looks.get() + 1);
                Some(format!("look {}", looks.get()))
            })
        };
        for _ in 0..10 {
            assert_eq!(ask().as_deref(), Some("look 1"));
        }
        tokio::time::advance(KEY_LOOK_INTERVAL).await;
        assert_eq!(ask().as_deref(), Some("look 2"));
    }
}
