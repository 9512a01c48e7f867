//! Changes of the membership, one at a time. Each is carried through even when its caller stops waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::{ChangeMembers, ServerState};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tracing::warn;

use super::CHANGE_WAIT_MAX;
use super::reads;
use super::runtime::{Membership, Metrics, Raft};
use super::types::{ChangeError, Member, NodeId};

type Changes = ChangeMembers<NodeId, Member>;

/// What one asks of the membership.
pub(super) enum Change {
    AddLearner(NodeId, Member),
    Promote(NodeId),
    Move(NodeId, Member),
    Remove(NodeId),
}

/// Makes a change and waits until it is decided, for [`CHANGE_WAIT_MAX`].
pub(super) async fn change(
    raft: &Raft,
    changing: &Arc<Mutex<()>>,
    mut jumps: watch::Receiver<u64>,
    change: Change,
) -> Result<(), ChangeError> {
    let Ok(turn) = Arc::clone(changing).try_lock_owned() else { return Err(ChangeError::InProgress) };
    let metrics = raft.metrics().borrow().clone();
    if metrics.state != ServerState::Leader {
        return Err(ChangeError::NotLeader);
    }
    let Some(changes) = plan(metrics.membership_config.membership(), change)? else { return Ok(()) };
    // Nobody who is removed stays as a learner.
    let raft = raft.clone();
    let decided = tokio::spawn(async move {
        tokio::select! {
            biased;
            decided = carry_through(&raft, changes, turn) => decided,
            // A snapshot took the place of the change; nobody will hear of it.
            _ = jumps.changed() => Err(ChangeError::TimedOut),
        }
    });
    match tokio::time::timeout(CHANGE_WAIT_MAX, decided).await {
        Ok(Ok(decided)) => decided,
        Ok(Err(_)) | Err(_) => Err(ChangeError::TimedOut),
    }
}

/// What is to be done for a change; nothing when it is so already.
fn plan(now: &Membership, change: Change) -> Result<Option<Changes>, ChangeError> {
    let votes = |id: &NodeId| now.get_joint_config().iter().any(|voters| voters.contains(id));
    match change {
        Change::AddLearner(id, member) => match now.get_node(&id) {
            Some(known) if *known == member => Ok(None),
            Some(_) => Err(ChangeError::OtherMember(id)),
            None => Ok(Some(ChangeMembers::AddNodes(BTreeMap::from([(id, member)])))),
        },
        Change::Promote(id) | Change::Remove(id) | Change::Move(id, _) if now.get_node(&id).is_none() => {
            Err(ChangeError::NoMember(id))
        }
        Change::Move(id, member) if now.get_node(&id) == Some(&member) => Ok(None),
        // It is the same node, by its certificate, wherever it is reached; so no second one can answer for it.
        Change::Move(id, member) => Ok(Some(ChangeMembers::SetNodes(BTreeMap::from([(id, member)])))),
        Change::Promote(id) if votes(&id) => Ok(None),
        Change::Promote(id) => Ok(Some(ChangeMembers::AddVoterIds(BTreeSet::from([id])))),
        Change::Remove(id) if !votes(&id) => Ok(Some(ChangeMembers::RemoveNodes(BTreeSet::from([id])))),
        Change::Remove(id) if now.voter_ids().count() == 1 => Err(ChangeError::LastVoter(id)),
        Change::Remove(id) => Ok(Some(ChangeMembers::RemoveVoters(BTreeSet::from([id])))),
    }
}

async fn carry_through(raft: &Raft, changes: Changes, _turn: OwnedMutexGuard<()>) -> Result<(), ChangeError> {
    match raft.change_membership(changes, false).await {
        Ok(_) => Ok(()),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Err(ChangeError::NotLeader),
        Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => Err(match error {
            ChangeMembershipError::InProgress(_) => ChangeError::InProgress,
            ChangeMembershipError::LearnerNotFound(missing) => ChangeError::NoMember(missing.node_id),
            // Cannot be: the last voter is not removed.
            ChangeMembershipError::EmptyMembership(_) => ChangeError::InProgress,
        }),
        Err(RaftError::Fatal(fatal)) => Err(ChangeError::Ended(reads::ended(&fatal))),
    }
}

/// Finishes a change that another leader began and could not finish: with a membership in two halves, both would have
/// to agree to everything.
pub(super) fn settle(raft: &Raft, metrics: &Metrics, changing: &Arc<Mutex<()>>) {
    let stored = &metrics.membership_config;
    let joint = stored.membership().get_joint_config();
    let [_, .., goal] = joint.as_slice() else { return };
    let settled = metrics.last_applied >= *stored.log_id();
    if metrics.state != ServerState::Leader || !settled {
        return;
    }
    let Ok(turn) = Arc::clone(changing).try_lock_owned() else { return };
    let (raft, goal) = (raft.clone(), goal.clone());
    drop(tokio::spawn(async move {
        let changes = ChangeMembers::ReplaceAllVoters(goal);
        if let Err(error) = carry_through(&raft, changes, turn).await {
            warn!("a change of the membership that another leader began is not finished: {error}");
        }
    }));
}
