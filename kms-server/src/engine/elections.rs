//! Who stands for election, and when. openraft's own timer is off: it draws one pause for a node's whole life, and lets a
//! node stand that nobody will vote for, also against a leader that is well.
//!
//! A voter that has heard of no leader for `election_max` lets a short pause pass, drawn anew each time, and then asks the
//! others whether they would vote for it. It stands when a majority would. So a node that comes back from a cut or a
//! freeze does not raise the term, and one whose log is shorter does not spoil the other's election.
//!
//! Nothing of this is on a disk, and nothing has to be: whatever is answered here, wrong answers and forgotten ones too,
//! openraft's votes alone decide, and they are on the disk before they are given. At worst an election comes late or for
//! nothing.
//!
//! How long a leader has been silent is openraft's own reckoning, so what is answered here is what its votes will be: while
//! a leader's last message is not older than `election_max`, openraft gives no vote.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openraft::error::Fatal;
use openraft::raft::VoteRequest;
use openraft::storage::RaftLogStorage;
use openraft::{ServerState, StorageError};
use rand08::RngCore;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use super::calls::{Calls, RAFT_PRE_VOTE};
use super::log::LogStore;
use super::messages;
use super::runtime::{Draw, LogId, Raft, Vote};
use super::types::{Ended, NodeId, Role, Timing};

/// How many heartbeats the answers are waited for: no disk is written for one, and until it is over a node that asked in
/// vain asks no more.
const ANSWER_HEARTBEATS: u32 = 2;

/// One node's part in elections.
pub(super) struct Elections {
    pub(super) me: NodeId,
    pub(super) raft: Raft,
    pub(super) log: LogStore,
    pub(super) links: Arc<dyn Calls>,
    pub(super) role: watch::Receiver<Role>,
    /// Set when nothing more comes of this engine.
    pub(super) stopped: Arc<watch::Sender<Option<Ended>>>,
    pub(super) timing: Timing,
    pub(super) state: Mutex<State>,
}

/// What the asking and the answering side must know of each other.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Whom this node would vote for, and until when for nobody else. Saying so again does not prolong it: a node that
    /// asks for ever and never wins would keep all others from it.
    promised: Option<(NodeId, Instant)>,
    /// This node asks, and nobody has said no.
    asks: bool,
}

/// What openraft holds at one moment.
struct Seen {
    vote: Vote,
    /// When the leader, or a candidate, was last heard of.
    heard: Instant,
    leads: bool,
    /// Two sets while the membership changes: a majority of each is needed.
    voters: Vec<BTreeSet<NodeId>>,
}

impl Seen {
    fn votes(&self, id: NodeId) -> bool {
        self.voters.iter().any(|voters| voters.contains(&id))
    }

    fn is_majority(&self, of: &BTreeSet<NodeId>) -> bool {
        self.voters.iter().all(|voters| 2 * voters.intersection(of).count() > voters.len())
    }

    fn others(&self, me: NodeId) -> BTreeSet<NodeId> {
        self.voters.iter().flatten().copied().filter(|id| *id != me).collect()
    }
}

impl Elections {
    /// Stands for election when it is time to, until the engine ends. `seed` draws the pauses.
    pub(super) async fn run(self: Arc<Self>, seed: u64) {
        let mut draw = Draw::of(seed);
        let mut pause = self.pause(&mut draw);
        let (mut heard, mut not_before) = (None, Instant::now());
        while self.stopped.borrow().is_none() {
            // The engine has ended.
            let Ok(seen) = self.look().await else { return };
            if heard.replace(seen.heard) != Some(seen.heard) {
                pause = self.pause(&mut draw);
            }
            let now = Instant::now();
            match self.due(&seen, pause).map(|due| due.max(not_before)) {
                Some(due) if due <= now => {}
                // Much may have changed before long: who votes, and who was heard of.
                due => {
                    let look = now + self.timing.heartbeat;
                    sleep_until(due.map_or(look, |due| due.min(look))).await;
                    continue;
                }
            }
            let stands = self.would_win(&seen).await && self.is_still_so(&seen).await;
            if stands && self.raft.trigger().elect().await.is_err() {
                return;
            }
            let outcome = if stands { self.timing.election_min } else { Duration::ZERO };
            not_before = Instant::now() + outcome + self.pause(&mut draw);
        }
    }

    /// Whether this node would vote for the one that asks: it has heard of no leader either, the other's log holds all
    /// that its own does, and it did not just say so to another, nor is it about to stand itself.
    pub(super) async fn would_vote(&self, asked: &VoteRequest<NodeId>) -> Result<bool, String> {
        let (seen, last) = (self.look().await?, self.last().await?);
        let (now, asker) = (Instant::now(), asked.vote.leader_id.node_id);
        if self.hears(&seen, now) || asked.last_log_id < last {
            return Ok(false);
        }
        let mut state = self.state();
        let promised = state.promised.filter(|(_, until)| now < *until);
        let goes_first = state.asks && (last, self.me) > (asked.last_log_id, asker);
        if goes_first || promised.is_some_and(|(to, _)| to != asker) {
            return Ok(false);
        }
        state.asks = false;
        state.promised = promised.or(Some((asker, now + self.spread())));
        Ok(true)
    }

    /// When this node is to ask, if nothing changes; never where it leads or has no vote.
    fn due(&self, seen: &Seen, pause: Duration) -> Option<Instant> {
        if seen.leads || !seen.votes(self.me) {
            return None;
        }
        if seen.others(self.me).is_empty() {
            // There is nobody to wait for, but an election of its own.
            let stands = !seen.vote.committed && seen.vote.leader_id.node_id == self.me;
            return Some(if stands { seen.heard + self.lease(seen) } else { seen.heard });
        }
        let due = seen.heard + self.lease(seen) + pause;
        Some(self.state().promised.map_or(due, |(_, until)| due.max(until)))
    }

    /// Asks all other voters; whether a majority would vote for this node, itself counted.
    async fn would_win(&self, seen: &Seen) -> bool {
        // What it cannot read it cannot lead with.
        let Ok(last) = self.last().await else { return false };
        let vote = Vote::new(seen.vote.leader_id.term.saturating_add(1), self.me);
        let question = messages::encode_pre_ask(&VoteRequest::new(vote, last));
        let within = self.timing.heartbeat * ANSWER_HEARTBEATS;
        let until = Instant::now() + within;
        let mut yes = BTreeSet::from([self.me]);
        let mut calls = JoinSet::new();
        for id in seen.others(self.me) {
            let (links, question) = (Arc::clone(&self.links), question.clone());
            calls.spawn(async move { (id, links.call(id, RAFT_PRE_VOTE, question, within).await) });
        }
        self.state().asks = true;
        while !seen.is_majority(&yes) {
            let Ok(Some(answer)) = timeout_at(until, calls.join_next()).await else { break };
            // Who cannot be asked says neither.
            let Ok((id, Ok(answer))) = answer else { continue };
            if messages::decode_pre_asked(&answer).unwrap_or(false) {
                yes.insert(id);
            } else {
                // Whoever asks meanwhile is not to wait for one that says nothing.
                self.state().asks = false;
            }
        }
        self.state().asks = false;
        let wins = seen.is_majority(&yes);
        debug!(node = self.me, term = vote.leader_id.term, ?yes, wins, "asked who would vote for this node");
        wins
    }

    /// Whether nobody was heard of while this node asked, nor was promised its vote.
    async fn is_still_so(&self, before: &Seen) -> bool {
        let Ok(seen) = self.look().await else { return false };
        let promised = self.state().promised.is_some_and(|(_, until)| Instant::now() < until);
        (seen.vote, seen.heard) == (before.vote, before.heard) && !promised
    }

    /// Whether there is a leader, or an election that is not over, as far as this node knows.
    fn hears(&self, seen: &Seen, now: Instant) -> bool {
        if seen.leads {
            // One that has just been elected has not said how old its quorum is.
            let age_ms = self.role.borrow().quorum_age_ms.unwrap_or(0);
            return Duration::from_millis(age_ms) <= self.timing.election_max;
        }
        now <= seen.heard + self.lease(seen)
    }

    /// How long after it was last heard of nobody else is voted for: a leader, as openraft has it; or a candidate, for as
    /// long as openraft waits for votes.
    fn lease(&self, seen: &Seen) -> Duration {
        if seen.vote.committed { self.timing.election_max } else { self.timing.election_min }
    }

    fn spread(&self) -> Duration {
        self.timing.election_max.saturating_sub(self.timing.election_min)
    }

    fn pause(&self, draw: &mut Draw) -> Duration {
        let most = u64::try_from(self.spread().as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(draw.next_u64() % most.max(1))
    }

    async fn look(&self) -> Result<Seen, String> {
        let now = Instant::now();
        let seen = self.raft.with_raft_state(move |state| {
            let membership = state.membership_state.effective().membership();
            Seen {
                vote: *state.vote_ref(),
                heard: state.vote_last_modified().unwrap_or(now),
                leads: state.server_state == ServerState::Leader,
                voters: membership.get_joint_config().clone(),
            }
        });
        seen.await.map_err(|fatal: Fatal<NodeId>| fatal.to_string())
    }

    /// The last entry of this node's log.
    async fn last(&self) -> Result<Option<LogId>, String> {
        let state = self.log.clone().get_log_state().await;
        state.map(|state| state.last_log_id).map_err(|error: StorageError<NodeId>| error.to_string())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
