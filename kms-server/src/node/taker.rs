//! The way of a request through the node that took it.
//!
//! A read is answered here, once this node is known to be current. Whatever may change something is decided by the
//! leader, wherever that is; when it dies on the way, the next one is waited for and asked with the same token, so that
//! nothing is carried out twice. A node that reaches no majority says so soon: changes are refused, and reads are
//! answered from what it holds, where the configuration allows it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use kmip::{ProtocolVersion, RequestMessage};
use kms_core::{Client, Draft, Event, Outcome, Refusal, Token, is_read_only, may_only_read, refuse_all};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use zeroize::Zeroizing;

use super::ask::{self, Reply, Ticket};
use super::decider::{Decider, Decision, Matter};
use super::notices::Notices;
use super::peers::Peers;
use super::standing::{Currency, Standing, watch_standing};
use super::state::{Asker, State};
use super::vault::KeyringVault;
use crate::clock::Clock;
use crate::cryptography::OpenSsl;
use crate::disk::Log;
use crate::engine::{self, Engine, EngineError, NodeId, Role, SnapshotStore, Timing, Writing};
use crate::entropy;
use crate::metrics::Metrics;
use crate::seal::Keyring;
use crate::trust::LiveTrust;

/// Between two tries while no leader is known, unless one becomes known before.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// How often a node that does not lead may pass a question on: a neighbour may reach a leader that we do not.
const HOPS_MAX: u8 = 1;

/// What a request may cost in time, and what it is worth without the others.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long a request waits for a leader.
    pub leader_wait: Duration,
    /// Whether objects are read from what is held when no majority is reached.
    pub reads_without_quorum: bool,
}

/// What a replica is made of; in production and in simulation, which brings other disks, links and times.
pub struct Parts {
    /// This node's number.
    pub me: NodeId,
    /// Opens and seals key material.
    pub keyring: Keyring,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// Follows the registered clients.
    pub trust: Arc<LiveTrust>,
    /// What listeners are to be told.
    pub notices: Arc<Notices>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What a request, an object and a tenant may hold.
    pub core_limits: kms_core::Limits,
    /// The bounds of a request message that another node passes on.
    pub message_limits: ttlv::Limits,
    /// The way to the other nodes.
    pub peers: Arc<dyn Peers>,
    /// How long requests wait.
    pub patience: Patience,
    /// Heartbeats and elections.
    pub timing: Timing,
    /// Log and vote.
    pub log: Box<dyn Log>,
    /// Who writes them.
    pub writing: Writing,
    /// Where snapshots are kept.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// Entries between two snapshots.
    pub snapshot_every: u64,
    /// Draws this node's election times.
    pub election_seed: u64,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("me", &self.me).field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// One node's part in the cluster: what its connections and its neighbours ask. Clones are the same replica.
#[derive(Clone, Debug)]
pub struct Taker {
    pub(super) me: NodeId,
    pub(super) state: Arc<State>,
    pub(super) engine: Engine,
    pub(super) decider: Decider,
    pub(super) currency: Currency,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) roles: watch::Receiver<Role>,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) patience: Patience,
    /// The bounds of a request message.
    pub(super) limits: ttlv::Limits,
    /// The highest number that a member was seen to have since the start.
    pub(super) highest_member: Arc<AtomicU64>,
}

/// What is carried to the leader.
pub(super) enum Cargo<'a> {
    Request { request: &'a Arc<RequestMessage>, bytes: &'a [u8], asker: &'a Asker },
    Change(&'a Event),
}

/// What came of it.
pub(super) enum Carried {
    Outcome(Outcome),
    Changed(Result<Box<Event>, Refusal>),
}

/// Why nothing came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    /// Where the node stood when it gave up.
    pub(super) standing: Standing,
    /// Whether a leader may have carried it out all the same.
    pub(super) perhaps_done: bool,
    /// Nothing was done, and will be only when whoever made the token says that this many answers were seen. Never where
    /// that is this node.
    pub(super) outrun: Option<u64>,
}

/// A token that another made, and may have sent to other nodes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) token: Token,
    /// Whether it may have been carried out already.
    pub(super) again: bool,
    /// How many answers had been remembered before it was first sent.
    pub(super) seen: u64,
}

/// What became of a request that a front handed over.
#[derive(Debug)]
pub(super) enum Fate {
    Answered {
        outcome: Outcome,
        without_quorum: bool,
    },
    /// It may have been carried out, or be yet.
    Lost,
    /// Nothing was done, and will be.
    NotTaken(&'static str),
    /// Nothing was done; see [`Stuck::outrun`].
    Outrun(u64),
}

impl Taker {
    /// Reads back what log and snapshots hold, and takes part from then on.
    ///
    /// # Errors
    /// [`EngineError`]: what is on disk is damaged or does not join up.
    pub async fn start(parts: Parts) -> Result<Self, EngineError> {
        let vault = KeyringVault(parts.keyring);
        let state = State::new(
            vault,
            parts.clock,
            parts.core_limits,
            parts.trust,
            parts.notices,
            Arc::clone(&parts.metrics),
        );
        let state = Arc::new(state);
        let engine = Engine::start(engine::Parts {
            me: parts.me,
            timing: parts.timing,
            log: parts.log,
            writing: parts.writing,
            snapshots: parts.snapshots,
            snapshot_every: parts.snapshot_every,
            machine: Arc::clone(&state) as Arc<dyn engine::Machine>,
            links: Arc::clone(&parts.peers) as Arc<dyn engine::Calls>,
            election_seed: parts.election_seed,
        })
        .await?;
        let standing = watch_standing(parts.me, &engine, Arc::clone(&parts.peers));
        let peers = Arc::clone(&parts.peers);
        Ok(Self {
            me: parts.me,
            decider: Decider::start(Arc::clone(&state), engine.clone(), parts.metrics),
            currency: Currency::start(parts.me, engine.clone(), peers, standing.clone()),
            standing,
            roles: engine.role(),
            state,
            engine,
            peers: parts.peers,
            patience: parts.patience,
            limits: parts.message_limits,
            highest_member: Arc::default(),
        })
    }

    /// The replicated log, to found a cluster, change its members, or end.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What becomes of a request that could be read, and whether it was answered without a majority; `bytes` is the
    /// message as it came. `client` is taken at its word.
    pub async fn outcome(
        &self,
        request: &Arc<RequestMessage>,
        bytes: &[u8],
        client: &Arc<Client>,
    ) -> (Outcome, bool) {
        self.outcome_for(&Asker::trusted(client), request, bytes).await
    }

    /// The same, of somebody who may have to be registered still.
    pub(super) async fn outcome_for(
        &self,
        asker: &Asker,
        request: &Arc<RequestMessage>,
        bytes: &[u8],
    ) -> (Outcome, bool) {
        let stuck = match self.see_through(asker, request, bytes, None).await {
            Ok(outcome) => return (outcome, false),
            Err(stuck) => stuck,
        };
        if let Some(outcome) = self.read_alone(request, asker, stuck) {
            return (outcome, true);
        }
        let version = request.header.protocol_version.min(ProtocolVersion::V1_4);
        let now = self.state.clock.unix_seconds();
        (refuse_all(request, version, now, &stuck.refusal(is_read_only(request))), true)
    }

    /// What becomes of a request that a front handed over, which has other nodes to ask. Only with `alone` may it be
    /// answered by a node that is not sure; a read only, and what such a node holds.
    pub(super) async fn take_for_front(
        &self,
        asker: &Asker,
        request: &Arc<RequestMessage>,
        bytes: &[u8],
        claim: Claim,
        alone: bool,
    ) -> Fate {
        let reads = is_read_only(request);
        // A read may be answered any number of times: whether its token is known does not matter.
        let claim = (!reads).then_some(claim);
        let stuck = match self.see_through(asker, request, bytes, claim).await {
            Ok(outcome) => return Fate::Answered { outcome, without_quorum: false },
            Err(stuck) => stuck,
        };
        if alone && let Some(outcome) = self.read_alone(request, asker, stuck) {
            return Fate::Answered { outcome, without_quorum: true };
        }
        match stuck.outrun {
            Some(seen) => Fate::Outrun(seen),
            None if stuck.perhaps_done && !reads => Fate::Lost,
            None => Fate::NotTaken(stuck.why()),
        }
    }

    /// Answers what changes nothing here, if this node is current, and has all else decided by the leader.
    async fn see_through(
        &self,
        asker: &Asker,
        request: &Arc<RequestMessage>,
        bytes: &[u8],
        claim: Option<Claim>,
    ) -> Result<Outcome, Stuck> {
        if may_only_read(request)
            && self.is_current().await
            && let Some(outcome) = self.read(request, asker)
        {
            return Ok(outcome);
        }
        match self.carry(&Cargo::Request { request, bytes, asker }, claim).await? {
            Carried::Outcome(outcome) => Ok(outcome),
            Carried::Changed(_) => Err(Stuck::whole(true)),
        }
    }

    /// The answer to a read of a node that is stuck: from what it holds, where that is allowed.
    fn read_alone(&self, request: &RequestMessage, asker: &Asker, stuck: Stuck) -> Option<Outcome> {
        let allowed = is_read_only(request)
            && self.patience.reads_without_quorum
            && stuck.standing != Standing::Outside;
        allowed.then(|| self.read_what_is_held(request, asker))
    }

    /// Whether this node holds all that was committed when this was called.
    pub(super) async fn is_current(&self) -> bool {
        self.currency.leads_alone() || self.currency.confirm().await.is_ok()
    }

    /// The answer to a request that changes nothing; `None` where it turns out to change something after all.
    fn read(&self, request: &RequestMessage, asker: &Asker) -> Option<Outcome> {
        let held = self.state.held();
        let mut draft = Draft::new(&held.objects);
        let outcome = self.state.decide(request, asker, &OpenSsl, &mut draft);
        draft.events().is_empty().then_some(outcome)
    }

    /// The answer of a node that may have missed something: what is not here may be elsewhere.
    fn read_what_is_held(&self, request: &RequestMessage, asker: &Asker) -> Outcome {
        let held = self.state.held();
        let mut draft = Draft::stale(&held.objects);
        self.state.decide(request, asker, &OpenSsl, &mut draft)
    }

    /// Waits until this node is cut off or outside, and says which; for ever while it is whole.
    async fn cut_off(&self) -> Standing {
        let mut standing = self.standing.clone();
        let cut = standing.wait_for(|standing| *standing != Standing::Whole).await.map(|standing| *standing);
        match cut {
            Ok(standing) => standing,
            Err(_) => std::future::pending().await,
        }
    }

    /// Has the leader decide, whichever it is by then. Without a claim under a token that is made here.
    ///
    /// Fails when this node is cut off, when no leader was found in `leader_wait`, and when a claim's token may have
    /// been forgotten.
    pub(super) async fn carry(&self, cargo: &Cargo<'_>, claim: Option<Claim>) -> Result<Carried, Stuck> {
        let deadline = Instant::now() + self.patience.leader_wait;
        let mut ticket = self.ticket(claim);
        let mut perhaps_done = false;
        let mut detour = 0;
        let mut roles = self.roles.clone();
        loop {
            let standing = *self.standing.borrow();
            if standing != Standing::Whole {
                // Before anything is sent: a leader that is cut off would keep it, and might carry it out much later.
                return Err(Stuck { standing, perhaps_done, outrun: None });
            }
            let office = self.office();
            let tried = tokio::select! {
                tried = self.try_once(cargo, &ticket, &mut detour, deadline) => tried,
                // Perhaps: what this try began is not waited for any more.
                standing = self.cut_off() => {
                    return Err(Stuck { standing, perhaps_done: true, outrun: None });
                }
                () = sleep_until(deadline) => return Err(Stuck::whole(true)),
            };
            match tried {
                Tried::Carried(carried) => return Ok(carried),
                Tried::NotTaken => {}
                Tried::Unknown => (ticket.again, perhaps_done) = (true, true),
                // Whoever made the token may have had it carried out by another node meanwhile.
                Tried::Outrun(seen) if claim.is_some() => {
                    return Err(Stuck { outrun: Some(seen), ..Stuck::whole(false) });
                }
                Tried::Outrun(seen) => ticket.seen = seen,
            }
            tokio::select! {
                // Not any change: under load there is one with every entry, and as many tries would follow.
                changed = roles.wait_for(|role| (role.term, role.leader, role.leads) != office) => {
                    if changed.is_err() {
                        return Err(Stuck::whole(perhaps_done));
                    }
                }
                () = sleep(RETRY_INTERVAL) => {}
                standing = self.cut_off() => return Err(Stuck { standing, perhaps_done, outrun: None }),
                () = sleep_until(deadline) => return Err(Stuck::whole(perhaps_done)),
            }
        }
    }

    fn ticket(&self, claim: Option<Claim>) -> Ticket {
        let Claim { token, again, seen } = claim.unwrap_or_else(|| Claim {
            token: entropy::array(),
            again: false,
            seen: self.state.held().objects.answers_seen(),
        });
        Ticket { token, again, seen, hops: HOPS_MAX }
    }

    /// Who leads, and in which term, as far as this node knows.
    fn office(&self) -> (u64, Option<NodeId>, bool) {
        let role = self.roles.borrow();
        (role.term, role.leader, role.leads)
    }

    async fn try_once(
        &self,
        cargo: &Cargo<'_>,
        ticket: &Ticket,
        detour: &mut usize,
        deadline: Instant,
    ) -> Tried {
        let (_, leader, leads) = self.office();
        if leads {
            let decision = self.decider.decide(cargo.matter(), ticket.token, ticket.again, ticket.seen).await;
            return Tried::of(decision);
        }
        let direct = leader.filter(|leader| *leader != self.me && self.peers.reaches(*leader));
        let Some(target) = direct.or_else(|| self.any_neighbour(detour)) else { return Tried::NotTaken };
        let (kind, question) = cargo.question(ticket);
        let within = deadline.saturating_duration_since(Instant::now());
        let answer = tokio::select! {
            answer = self.peers.call(target, kind, question, within) => answer,
            // A frozen leader keeps its connections; whoever follows it has answers.
            () = self.leads_other_than(target) => return Tried::Unknown,
        };
        match answer.map_err(|_| ()).and_then(|bytes| Reply::read(&Zeroizing::new(bytes)).map_err(|_| ())) {
            Ok(Reply::Done(answer)) => cargo.carried(answer),
            Ok(Reply::Refused(refusal)) => cargo.refused(refusal),
            Ok(Reply::NotLeading) => Tried::NotTaken,
            Ok(Reply::Outrun(seen)) => Tried::Outrun(seen),
            Ok(Reply::Lost) | Err(()) => Tried::Unknown,
        }
    }

    /// A neighbour that may know a leader, each time another.
    fn any_neighbour(&self, detour: &mut usize) -> Option<NodeId> {
        let role = self.roles.borrow();
        let reached: Vec<NodeId> =
            role.members.keys().copied().filter(|id| *id != self.me && self.peers.reaches(*id)).collect();
        *detour += 1;
        reached.get(*detour % reached.len().max(1)).copied()
    }

    async fn leads_other_than(&self, target: NodeId) {
        let mut roles = self.roles.clone();
        let other = |role: &Role| role.leader.is_some_and(|leader| leader != target);
        // Known from the start where the question goes by a neighbour.
        let from_start = other(&roles.borrow());
        let changed = !from_start && roles.wait_for(other).await.is_ok();
        if !changed {
            std::future::pending().await
        }
    }
}

/// What came of one try.
enum Tried {
    Carried(Carried),
    /// Nobody took it: nothing was done.
    NotTaken,
    /// It may be carried out yet.
    Unknown,
    /// Nothing was done, as this node is far behind: so many answers are remembered by now.
    Outrun(u64),
}

impl Tried {
    fn of(decision: Decision) -> Self {
        match decision {
            Decision::Outcome(outcome) => Self::Carried(Carried::Outcome(outcome)),
            Decision::Changed(changed) => Self::Carried(Carried::Changed(changed)),
            Decision::NotLeading => Self::NotTaken,
            // The decider makes what a request needs before it answers.
            Decision::Lost | Decision::Needs(_) => Self::Unknown,
            Decision::Outrun(seen) => Self::Outrun(seen),
        }
    }
}

impl Cargo<'_> {
    fn matter(&self) -> Matter {
        match self {
            Self::Request { request, bytes, asker } => Matter::Request {
                request: Arc::clone(request),
                asker: Asker::clone(asker),
                bytes: bytes.len(),
            },
            Self::Change(event) => Matter::Change(Box::new(Event::clone(event))),
        }
    }

    fn question(&self, ticket: &Ticket) -> (u8, Vec<u8>) {
        match self {
            Self::Request { bytes, asker, .. } => (ask::REQUEST, ask::request(ticket, asker, bytes)),
            Self::Change(event) => (ask::CHANGE, ask::change(ticket, event)),
        }
    }

    fn carried(&self, answer: Zeroizing<Vec<u8>>) -> Tried {
        match self {
            Self::Request { request, .. } => {
                let outcome = Outcome::of_answer(request, answer);
                Tried::Carried(Carried::Outcome(outcome))
            }
            Self::Change(_) => match Event::decode_all(&answer).ok().and_then(|mut events| events.pop()) {
                Some(event) => Tried::Carried(Carried::Changed(Ok(Box::new(event)))),
                None => Tried::Unknown,
            },
        }
    }

    fn refused(&self, refusal: Refusal) -> Tried {
        match self {
            Self::Change(_) => Tried::Carried(Carried::Changed(Err(refusal))),
            // A request's refusal is a whole response message; this is a neighbour that could not read it.
            Self::Request { .. } => Tried::NotTaken,
        }
    }
}

impl Stuck {
    /// No leader was found in time, though this node is with the majority.
    fn whole(perhaps_done: bool) -> Self {
        Self { standing: Standing::Whole, perhaps_done, outrun: None }
    }

    fn why(self) -> &'static str {
        match self.standing {
            Standing::Cut(_) => "this node cannot reach a majority of the nodes",
            Standing::Outside => "this node is not, or no longer, a member of its cluster",
            Standing::Whole => "the nodes have not agreed on a leader in time",
        }
    }

    /// What the client reads.
    pub(super) fn refusal(self, reads: bool) -> Refusal {
        let why = self.why();
        let what = match (reads, self.perhaps_done) {
            (true, _) => "so it cannot say what is true now",
            (false, false) => "so nothing was changed",
            (false, true) => "so whether this was carried out is not known yet",
        };
        Refusal::general_failure(format!("{why}, {what}; hint: ask another node, or see kms cluster status"))
            .logged(why)
    }
}
