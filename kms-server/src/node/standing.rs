//! Where the node stands: is what it holds current, and can anything be changed at all?
//!
//! Reads are linearizable: before one is answered, the leader says up to where the log was committed when the read
//! began, and this node waits until it has applied as much. Many reads share one such round. A node that reaches no
//! majority is *cut off*; what that means for a request, the taker decides.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::ask;
use super::peers::Peers;
use crate::engine::{Engine, NodeId, Role};
use crate::planted::{self, Fault};

/// A round under way for so long does not hold up the next any more. Until then those that come are gathered: the fewer
/// rounds, the less each read costs.
const ROUND_ALONE: Duration = Duration::from_millis(5);

/// How often other tasks, and what the network brought, have their turn before a round begins.
const YIELDS: usize = 3;

/// Rounds at once.
const ROUNDS_MAX: usize = 4;

/// Reads that may wait to be gathered into a round; one more waits outside.
const QUEUE_MAX: usize = 4096;

/// How long one round may take, with the wait for this node to catch up. Past it the read goes another way.
const ROUND_TIMEOUT: Duration = Duration::from_millis(1500);

/// Entries that this node may lack for a read to wait for them: a node that was away for long, or has just been taken in,
/// has its reads decided by the leader meanwhile.
const LAG_MAX: u64 = 2000;

/// Between two looks at who can be reached.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A majority out of reach for so long cuts a node off; a restarted neighbour is back sooner.
const CUT_AFTER: Duration = Duration::from_millis(500);

/// The same for a node that has not been with a majority since its start: where all nodes start at once, as after the power
/// was cut, one that answered alone would tell of objects as they were before their last change.
const CUT_AFTER_START: Duration = Duration::from_millis(1800);

/// A leader that heard of no majority for so long is cut off: an election or two would have been over.
const LEADER_SILENT_MS: u64 = 1000;

/// Whether this node is with the majority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is, or may be: there may be an election now.
    Whole,
    /// It is in no cluster: it has not been taken in yet, or was removed.
    Outside,
    /// It has not reached a majority since then.
    Cut(Instant),
}

/// What a read could not be made sure of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsure;

/// The end that requests hold.
#[derive(Clone, Debug)]
pub(super) struct Currency {
    me: NodeId,
    waiting: mpsc::Sender<oneshot::Sender<Result<(), Unsure>>>,
    roles: watch::Receiver<Role>,
}

impl Currency {
    /// Starts the task that makes rounds.
    pub(super) fn start(
        me: NodeId,
        engine: Engine,
        peers: Arc<dyn Peers>,
        standing: watch::Receiver<Standing>,
    ) -> Self {
        let (waiting, queue) = mpsc::channel(QUEUE_MAX);
        let roles = engine.role();
        tokio::spawn(rounds(engine, peers, standing, queue));
        Self { me, waiting, roles }
    }

    /// Whether this node is the only voter and in office: nobody else can have committed anything, so it is always
    /// current once it has carried out all of its log.
    ///
    /// Not where the only voter is another: a leader that was removed stays in office until it hears of the next one,
    /// which may have committed something by then.
    pub(super) fn leads_alone(&self) -> bool {
        let role = self.roles.borrow();
        let voters = role.members.iter().filter(|(_, peer)| peer.voter).map(|(id, _)| id);
        role.leads && role.applied >= role.last && voters.eq([&self.me])
    }

    /// Waits until this node holds all that was committed when this was called, or is cut off.
    pub(super) async fn confirm(&self) -> Result<(), Unsure> {
        if planted::is(Fault::ReadWithoutReadIndex) {
            return Ok(());
        }
        let (confirmed, answer) = oneshot::channel();
        self.waiting.send(confirmed).await.map_err(|_| Unsure)?;
        answer.await.unwrap_or(Err(Unsure))
    }
}

async fn rounds(
    engine: Engine,
    peers: Arc<dyn Peers>,
    standing: watch::Receiver<Standing>,
    mut queue: mpsc::Receiver<oneshot::Sender<Result<(), Unsure>>>,
) {
    let permits = Arc::new(Semaphore::new(ROUNDS_MAX));
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        let Some(first) = queue.recv().await else { return };
        // Whoever is about to read a request is let in.
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
        }
        let mut waiters = vec![first];
        while let Ok(waiter) = queue.try_recv() {
            waiters.push(waiter);
        }
        let (engine, peers, mut standing) = (engine.clone(), Arc::clone(&peers), standing.clone());
        let under_way = tokio::spawn(async move {
            let confirmed = tokio::select! {
                confirmed = timeout(ROUND_TIMEOUT, round(&engine, &*peers)) => confirmed.unwrap_or(Err(Unsure)),
                _ = standing.wait_for(|standing| *standing != Standing::Whole) => Err(Unsure),
            };
            drop(permit);
            for waiter in waiters {
                let _ = waiter.send(confirmed);
            }
        });
        // An error is a round that goes on beside the next.
        let _ = timeout(ROUND_ALONE, under_way).await;
    }
}

/// One round: an index from the leader, and the wait for it.
async fn round(engine: &Engine, peers: &dyn Peers) -> Result<(), Unsure> {
    let (leads, leader) = {
        let role = engine.role();
        let role = role.borrow();
        (role.leads, role.leader)
    };
    let index = match leader {
        _ if leads => engine.read_index().await.map_err(|_| Unsure)?,
        Some(leader) => {
            let mut roles = engine.role();
            let witness = engine.witness().ok_or(Unsure)?.to_bytes().to_vec();
            let answer = tokio::select! {
                answer = peers.call(leader, ask::READ_INDEX, witness, ROUND_TIMEOUT) => answer,
                // A frozen leader keeps its connections for a while.
                _ = roles.wait_for(|role| role.leader != Some(leader)) => return Err(Unsure),
            };
            let bytes = answer.map_err(|_| Unsure)?;
            u64::from_be_bytes(bytes.try_into().map_err(|_| Unsure)?)
        }
        None => return Err(Unsure),
    };
    let applied = engine.role().borrow().applied;
    if index.saturating_sub(applied) > LAG_MAX {
        return Err(Unsure);
    }
    engine.wait_applied(index).await.map_err(|_| Unsure)
}

/// Starts the task that watches who can be reached.
pub(super) fn watch_standing(
    me: NodeId,
    engine: &Engine,
    peers: Arc<dyn Peers>,
) -> watch::Receiver<Standing> {
    let (seen, standing) = watch::channel(Standing::Whole);
    let mut roles = engine.role();
    tokio::spawn(async move {
        let mut unreached: Option<Instant> = None;
        let mut patience = CUT_AFTER_START;
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !seen.is_closed() {
            let standing = {
                let role = roles.borrow_and_update();
                peers.keep(&role.members);
                if !role.members.contains_key(&me) || is_disowned(&role, &*peers) {
                    Standing::Outside
                } else if reaches_majority(me, &role, &*peers) {
                    unreached = None;
                    if role.leader.is_some() {
                        patience = CUT_AFTER;
                    }
                    Standing::Whole
                } else {
                    let since = *unreached.get_or_insert_with(Instant::now);
                    if since.elapsed() >= patience { Standing::Cut(since) } else { Standing::Whole }
                }
            };
            seen.send_if_modified(|known| std::mem::replace(known, standing) != standing);
            tokio::select! {
                _ = look.tick() => {}
                // Who has just founded a cluster, or was taken in, is asked at once. While all is well a look now and then
                // is enough: roles change with every entry.
                changed = roles.changed(), if standing != Standing::Whole => if changed.is_err() { return },
            }
        }
    });
    standing
}

/// Whether so many say that we are no member that those who do not are no majority. One that lags may say so of a node
/// that was just taken in.
fn is_disowned(role: &Role, peers: &dyn Peers) -> bool {
    let voters = || role.members.iter().filter(|(_, peer)| peer.voter);
    let disowning = voters().filter(|(id, _)| peers.disowned_by(**id)).count();
    disowning > 0 && (voters().count() - disowning) * 2 <= voters().count()
}

fn reaches_majority(me: NodeId, role: &Role, peers: &dyn Peers) -> bool {
    let voters = || role.members.iter().filter(|(_, peer)| peer.voter);
    let reached = voters().filter(|(id, _)| **id == me || peers.reaches(**id)).count();
    let silent = role.leads && role.quorum_age_ms.is_some_and(|age| age > LEADER_SILENT_MS);
    reached * 2 > voters().count() && !silent
}
