//! Read indexes: up to where the log was committed when a read began, once a majority has shown that no later leader had
//! been elected by then.
//!
//! Whoever asks from another node is a witness itself: it says which vote it gave last, after the read began. A leader of
//! three nodes needs no other, so such a read costs one question. For its own reads it asks as many others as a majority
//! lacks. A node notes a vote before it grants it, so one whose last vote is still for this leader has elected no other;
//! and any two majorities have a node in common.
//!
//! Many readers share one round. One that comes while a round is under way waits for the next: that round could have
//! begun before something that the reader must see. No lease is used, since leases trust clocks.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{CheckIsLeaderError, Fatal, RaftError};
use openraft::{RaftState, ServerState};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::calls::{Calls, RAFT_WITNESS};
use super::runtime::{Moment, Raft, Vote, place, place_or_0};
use super::types::{Ended, Member, NodeId, Unread};

/// An asked node that is silent for so long is not waited for alone.
const NEXT_ASKED_AFTER: Duration = Duration::from_millis(5);

/// A [`Witness`], as bytes.
const WITNESS_BYTES: usize = 16;

/// For whom a node voted last. So long as that is the leader, it has elected no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    term: u64,
    leader: NodeId,
}

/// One that waits for a read index, until when.
pub(super) type Reader = (Instant, oneshot::Sender<Result<u64, Unread>>);

/// Who serves readers, and by what.
pub(super) struct Rounds {
    pub(super) me: NodeId,
    pub(super) raft: Raft,
    pub(super) links: Arc<dyn Calls>,
    /// How long a round may take, and lies between one without a quorum and the next.
    pub(super) pause: Duration,
    /// The node that answered first the last time.
    pub(super) first: Option<NodeId>,
}

/// A leader's office, as it was within one step of raft.
#[derive(Clone, Debug)]
struct Office {
    witness: Witness,
    /// Up to where the log was committed.
    index: u64,
    /// The voters; two groups while they change, of which each must agree.
    groups: Vec<BTreeSet<NodeId>>,
}

impl Witness {
    pub(super) fn of(vote: &Vote) -> Self {
        Self { term: vote.leader_id.term, leader: vote.leader_id.node_id }
    }

    /// The term and the leader that it was voted for in it, in the order of votes.
    pub fn term_and_leader(self) -> (u64, NodeId) {
        (self.term, self.leader)
    }

    /// Term and leader, 8 bytes each, big-endian.
    pub fn to_bytes(self) -> [u8; WITNESS_BYTES] {
        (u128::from(self.term) << 64 | u128::from(self.leader)).to_be_bytes()
    }

    /// Reads [`to_bytes`](Self::to_bytes); none where there are more or fewer bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (term, leader) = bytes.split_at_checked(8)?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
        Some(Self { term: number(term)?, leader: number(leader)? })
    }
}

impl Office {
    /// None where this node does not lead, or does not know yet up to where the log is committed: a leader learns that
    /// with the first entry of its own.
    fn of(state: &RaftState<NodeId, Member, Moment>, me: NodeId) -> Option<Self> {
        let vote = state.vote_ref();
        let leads =
            state.server_state == ServerState::Leader && vote.committed && vote.leader_id.node_id == me;
        let committed = state.committed.as_ref().filter(|_| leads)?;
        (committed.leader_id == vote.leader_id).then(|| Self {
            witness: Witness::of(vote),
            index: place(committed),
            groups: state.membership_state.effective().membership().get_joint_config().clone(),
        })
    }

    /// How many more voters must agree at least; 0 with a majority.
    fn lacks(&self, agreeing: &BTreeSet<NodeId>) -> usize {
        let lacks = |group: &BTreeSet<NodeId>| {
            (group.len() / 2 + 1).saturating_sub(group.intersection(agreeing).count())
        };
        self.groups.iter().map(lacks).max().unwrap_or(0)
    }
}

/// The index for another node's read, where that node and this leader are a majority.
pub(super) async fn index_for(
    raft: &Raft,
    me: NodeId,
    node: NodeId,
    witness: Witness,
) -> Result<Option<u64>, Unread> {
    let confirmed =
        |office: &Office| office.witness == witness && office.lacks(&BTreeSet::from([me, node])) == 0;
    Ok(office(raft, me).await?.filter(confirmed).map(|office| office.index))
}

async fn office(raft: &Raft, me: NodeId) -> Result<Option<Office>, Unread> {
    let office = raft.with_raft_state(move |state| Office::of(state, me)).await;
    office.map_err(|fatal| Unread::Ended(ended(&fatal)))
}

/// Serves readers until the engine ends.
pub(super) async fn serve(mut rounds: Rounds, mut readers: mpsc::UnboundedReceiver<Reader>) {
    let mut waiting: Vec<Reader> = Vec::new();
    loop {
        if waiting.is_empty() {
            let Some(reader) = readers.recv().await else { return };
            waiting.push(reader);
        }
        while let Ok(reader) = readers.try_recv() {
            waiting.push(reader);
        }
        // The oldest one is first.
        let Some((deadline, _)) = waiting.first() else { continue };
        let outcome = timeout_at(*deadline, rounds.round()).await.unwrap_or(Err(Unread::NoQuorum));
        // An error of `send` is a reader that no longer waits.
        if outcome == Err(Unread::NoQuorum) {
            let soon = Instant::now() + rounds.pause;
            for (_, reader) in waiting.extract_if(.., |(deadline, _)| *deadline <= soon) {
                let _ = reader.send(Err(Unread::NoQuorum));
            }
            sleep(rounds.pause).await;
        } else {
            for (_, reader) in waiting.drain(..) {
                let _ = reader.send(outcome.clone());
            }
        }
    }
}

impl Rounds {
    /// What there is to say to all who wait.
    async fn round(&mut self) -> Result<u64, Unread> {
        if let Some(office) = office(&self.raft, self.me).await?
            && self.is_confirmed(&office).await
        {
            return Ok(office.index);
        }
        // Where that is not enough openraft asks everybody, and steps down where it must.
        match self.raft.get_read_log_id().await {
            Ok((index, _)) => Ok(place_or_0(index.as_ref())),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(_))) => Err(Unread::NotLeader),
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => Err(Unread::NoQuorum),
            Err(RaftError::Fatal(fatal)) => Err(Unread::Ended(ended(&fatal))),
        }
    }

    /// Asks as many voters as a majority lacks, and others where one is silent.
    async fn is_confirmed(&mut self, office: &Office) -> bool {
        let mut agreeing = BTreeSet::from([self.me]);
        let mut wanted = office.lacks(&agreeing);
        if wanted == 0 {
            return true;
        }
        let voters: BTreeSet<_> = office.groups.iter().flatten().filter(|id| **id != self.me).collect();
        let mut others: VecDeque<NodeId> = voters.into_iter().copied().collect();
        if let Some(place) = others.iter().position(|id| Some(*id) == self.first) {
            others.rotate_left(place);
        }
        let ends = Instant::now() + self.pause;
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < wanted
                && let Some(next) = others.pop_front()
            {
                asked.spawn(agrees(Arc::clone(&self.links), next, office.witness, self.pause));
            }
            let look = if others.is_empty() { ends } else { ends.min(Instant::now() + NEXT_ASKED_AFTER) };
            tokio::select! {
                answer = asked.join_next() => match answer {
                    Some(Ok(Some(id))) => {
                        agreeing.insert(id);
                        wanted = office.lacks(&agreeing);
                        if wanted == 0 {
                            self.first = Some(id);
                            return true;
                        }
                    }
                    // Another takes the place of one that does not agree.
                    Some(_) => {}
                    None => return false,
                },
                () = sleep_until(look) => {
                    if Instant::now() >= ends {
                        return false;
                    }
                    wanted = asked.len() + 1;
                }
            }
        }
    }
}

/// The node, if its last vote is this one.
async fn agrees(links: Arc<dyn Calls>, node: NodeId, witness: Witness, within: Duration) -> Option<NodeId> {
    let call = links.call(node, RAFT_WITNESS, Vec::new(), within);
    let answer = timeout(within, call).await.ok()?.ok()?;
    (Witness::from_bytes(&answer)? == witness).then_some(node)
}

pub(super) fn ended(fatal: &Fatal<super::NodeId>) -> Ended {
    Ended(match fatal {
        Fatal::Stopped => "it was stopped".to_owned(),
        Fatal::Panicked => "a fault in the program, see the log".to_owned(),
        Fatal::StorageError(error) => error.to_string(),
    })
}
