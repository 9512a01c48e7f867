//! Who is a member: how the cluster is seen, and how it grows and shrinks. Changes are the leader's to make; any node
//! passes them on.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use super::ask;
use super::standing::Standing;
use super::taker::Taker;
use crate::engine::{ChangeError, Member, NodeId, Role};
use crate::operator::{ClusterView, Denied, NodeRole, NodeView};

/// Entries that a learner may be behind when it is given a vote: what it lacks then arrives in a moment.
const BEHIND_MAX: u64 = 256;

/// Between two looks at learners that caught up.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How long a change of members may take: two log entries on a majority.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the leader may take to say how the cluster is.
const STATUS_TIMEOUT: Duration = Duration::from_millis(500);

/// Between two tries to make a change while there is no leader.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// A change of who is a member, as one node asks another for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum MemberChange {
    /// A node that got its number is sent the log; it has no vote yet.
    Add { node: NodeId, name: String, link: String, kmip: String },
    /// A node that caught up gets a vote.
    Promote { node: NodeId },
    /// A member has another name, or is reached elsewhere.
    Move { node: NodeId, name: String, link: String, kmip: String },
    /// A node is no member any more; its number is never used again.
    Remove { node: NodeId },
}

/// What came of asking for a change once, as one node tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Attempt {
    Done,
    /// Nothing was changed, and a moment later it may be.
    NotNow(String),
    Refused(String),
    /// It may be changed, or be changed yet.
    Unknown(String),
}

impl Attempt {
    fn write(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

impl Taker {
    /// Makes a change of members, by the leader, whichever it is.
    pub(super) async fn change_members(&self, change: &MemberChange) -> Result<(), Denied> {
        let question = serde_json::to_vec(change).map_err(|error| Denied::Failed(error.to_string()))?;
        let deadline = Instant::now() + CHANGE_TIMEOUT;
        let (mut perhaps_done, mut why) = (false, "no leader could be asked".to_owned());
        loop {
            let (leads, leader) = {
                let role = self.roles.borrow();
                (role.leads, role.leader)
            };
            let within = deadline.saturating_duration_since(Instant::now());
            let attempt = match leader.filter(|leader| *leader != self.me) {
                _ if leads => Some(self.attempt(change).await),
                Some(leader) => Some(
                    self.peers
                        .call(leader, ask::MEMBERS, question.clone(), within)
                        .await
                        .map_err(|error| error.to_string())
                        .and_then(|answer| Attempt::read(&answer))
                        .unwrap_or_else(Attempt::Unknown),
                ),
                None => None,
            };
            match attempt {
                Some(Attempt::Done) => return Ok(()),
                // It is gone because of what was asked before.
                Some(Attempt::Refused(_)) if perhaps_done && self.is_removed_by(change) => return Ok(()),
                Some(Attempt::Refused(why)) => return Err(Denied::Conflict(why)),
                Some(Attempt::NotNow(words)) => why = words,
                Some(Attempt::Unknown(words)) => (perhaps_done, why) = (true, words),
                None => {}
            }
            if Instant::now() >= deadline || *self.standing.borrow() != Standing::Whole {
                let done = if perhaps_done {
                    "whether anything was changed is not known"
                } else {
                    "nothing was changed"
                };
                let why = why.split("; hint:").next().unwrap_or_default();
                let message = format!("{why}, and {done}; hint: kms cluster status, then try again");
                return Err(Denied::Unavailable(message));
            }
            // No event tells when a leader can be reached again, or another change is finished.
            sleep(RETRY_INTERVAL).await;
        }
    }

    pub(super) async fn change_members_for(&self, question: &[u8]) -> Result<Vec<u8>, String> {
        let change = serde_json::from_slice(question).map_err(|error| error.to_string())?;
        self.attempt(&change).await.write()
    }

    fn is_removed_by(&self, change: &MemberChange) -> bool {
        matches!(change, MemberChange::Remove { node } if !self.roles.borrow().members.contains_key(node))
    }

    /// Makes a change of members if this node leads, and no other change is under way.
    async fn attempt(&self, change: &MemberChange) -> Attempt {
        let done = match change {
            MemberChange::Add { node, name, link, kmip } => {
                let member = Member { name: name.clone(), link: link.clone(), kmip: kmip.clone() };
                self.engine.add_learner(*node, member).await
            }
            MemberChange::Promote { node } => self.engine.promote(*node).await,
            MemberChange::Move { node, name, link, kmip } => {
                let member = Member { name: name.clone(), link: link.clone(), kmip: kmip.clone() };
                self.engine.move_member(*node, member).await
            }
            MemberChange::Remove { node } => self.engine.remove(*node).await,
        };
        match done {
            Ok(()) => {
                info!("members changed: {change:?}");
                Attempt::Done
            }
            Err(error @ (ChangeError::NotLeader | ChangeError::InProgress)) => {
                Attempt::NotNow(error.to_string())
            }
            Err(error @ (ChangeError::TimedOut | ChangeError::Ended(_))) => {
                Attempt::Unknown(error.to_string())
            }
            Err(
                error @ (ChangeError::NoMember(_) | ChangeError::OtherMember(_) | ChangeError::LastVoter(_)),
            ) => Attempt::Refused(error.to_string()),
        }
    }

    /// The cluster as the leader sees it, or this node where no leader answers.
    pub(super) async fn cluster(&self) -> ClusterView {
        let leader = {
            let role = self.roles.borrow();
            role.leader.filter(|leader| !role.leads && *leader != self.me)
        };
        if let Some(leader) = leader
            && let Ok(answer) = self.peers.call(leader, ask::STATUS, Vec::new(), STATUS_TIMEOUT).await
            && let Ok(seen) = serde_json::from_slice::<ClusterView>(&answer)
        {
            return ClusterView { number: self.me, ..seen };
        }
        self.cluster_from_here()
    }

    pub(super) fn status_for_others(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(&self.cluster_from_here()).map_err(|error| error.to_string())
    }

    fn cluster_from_here(&self) -> ClusterView {
        let role = self.roles.borrow();
        let nodes = role.members.iter().map(|(number, peer)| {
            let applied = match *number == self.me {
                true => Some(role.applied),
                false => peer.matched.map(|matched| matched.min(role.applied)),
            };
            NodeView {
                number: *number,
                name: peer.member.name.clone(),
                link: peer.member.link.clone(),
                kmip: peer.member.kmip.clone(),
                role: match (Some(*number) == role.leader, peer.voter) {
                    (true, _) => NodeRole::Leader,
                    (false, true) => NodeRole::Voter,
                    (false, false) => NodeRole::Learner,
                },
                reachable: *number == self.me || self.peers.reaches(*number),
                applied,
                lag: applied.filter(|_| role.leads).map(|applied| role.applied.saturating_sub(applied)),
            }
        });
        ClusterView {
            number: self.me,
            term: role.term,
            leader: role.leader,
            quorum: *self.standing.borrow() == Standing::Whole && role.leader.is_some(),
            nodes: nodes.collect(),
        }
    }
}

/// Sees that the cluster knows this node by the name and addresses that its configuration gives it now: one that was
/// moved, or stood alone before, must be found by the others.
pub(super) async fn keep_known(taker: Taker, member: Member) {
    let mut roles = taker.roles.clone();
    let node = taker.me;
    let is_other = |role: &Role| {
        role.leader.is_some() && role.members.get(&node).is_some_and(|peer| peer.member != member)
    };
    while roles.wait_for(is_other).await.is_ok() {
        let Member { name, link, kmip } = member.clone();
        match taker.change_members(&MemberChange::Move { node, name, link, kmip }).await {
            Ok(()) => {
                info!(link = member.link, kmip = member.kmip, "the cluster knows this node's addresses")
            }
            Err(why) => {
                warn!("the cluster does not know this node's addresses yet: {why}");
                // What kept it from being changed gives no sign when it is over.
                sleep(CHANGE_TIMEOUT).await;
            }
        }
    }
}

/// Gives learners that caught up their vote, for as long as this node runs and leads.
pub(super) async fn promote_learners(taker: Taker) {
    let mut look = interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // An error of a watch is an engine that has ended.
    while taker.roles.has_changed().is_ok() {
        look.tick().await;
        let Some(node) = taker.caught_up() else { continue };
        match taker.attempt(&MemberChange::Promote { node }).await {
            Attempt::Done | Attempt::NotNow(_) => {}
            Attempt::Refused(why) | Attempt::Unknown(why) => {
                warn!(node, "a node that caught up got no vote yet: {why}");
            }
        }
    }
}

impl Taker {
    /// A learner that has nearly all of the log and can be reached: the vote of one that is gone would only be missed.
    fn caught_up(&self) -> Option<NodeId> {
        let role = self.roles.borrow();
        let held = self.state.held();
        let stays_learner = |id: NodeId| held.objects.numbered().any(|node| node.node == id && node.learner);
        let caught_up =
            |matched: Option<u64>| matched.is_some_and(|matched| matched + BEHIND_MAX >= role.last);
        role.members
            .iter()
            .filter(|_| role.leads)
            .find(|(id, peer)| {
                !peer.voter && caught_up(peer.matched) && self.peers.reaches(**id) && !stays_learner(**id)
            })
            .map(|(id, _)| *id)
    }
}
