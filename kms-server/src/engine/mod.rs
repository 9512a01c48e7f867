//! The replicated log: what a majority of nodes holds on disk is decided, and every node carries it out in one order.
//!
//! Consensus is openraft's; none of its types leave this module. A lone node is a cluster of one through the same code.
//! Log indexes are counted from 1 outside (openraft counts from 0).

mod calls;
mod elections;
mod encoding;
mod hand;
mod log;
mod machine;
mod members;
mod messages;
mod network;
mod reads;
mod role;
mod runtime;
mod snapshots;
mod start;
mod transfer;
mod types;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use openraft::error::{ClientWriteError, RaftError};
use openraft::raft::{AppendEntriesResponse, ClientWriteResponse};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::elections::Elections;
use self::encoding::SnapshotHead;
use self::log::LogStore;
use self::machine::MachineStore;
use self::members::Change;
use self::runtime::{Command, Fate, Raft, Types, place, place_or_0};
use self::transfer::Receiver;

pub use calls::{
    APPEND_BYTES_MAX, Answering, CallError, Calls, RAFT_APPEND, RAFT_PRE_VOTE, RAFT_SNAPSHOT, RAFT_VOTE,
    RAFT_WITNESS, SNAPSHOT_PIECE_BYTES_MAX,
};
pub use reads::Witness;
pub use snapshots::{Files, Incoming, MemorySnapshots, SnapshotFile, SnapshotStore};
pub use types::{
    ChangeError, Ended, EngineError, Frozen, Machine, Member, NodeId, Parts, Peer, Proposed, Role, Timing,
    Unread, Writing,
};

/// The longest that [`Engine::read_index`] looks for a quorum.
pub const READ_WAIT_MAX: Duration = Duration::from_millis(1200);

/// The longest that a change of the membership is waited for.
pub const CHANGE_WAIT_MAX: Duration = Duration::from_secs(10);

/// The longest that [`Engine::snapshot`] waits.
const SNAPSHOT_WAIT_MAX: Duration = Duration::from_secs(600);

/// How long one attempt at a snapshot is waited for before the next is asked for: openraft says nothing when it is
/// already making one.
const SNAPSHOT_ASK_EVERY: Duration = Duration::from_secs(1);

/// One node's part in the replicated log. Clones are the same engine.
///
/// It goes on until [`end`](Self::end), also when all clones are dropped.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("me", &self.inner.me).finish_non_exhaustive()
    }
}

struct Inner {
    me: NodeId,
    raft: Raft,
    log: LogStore,
    machine: MachineStore,
    role: watch::Receiver<Role>,
    /// Set when nothing more comes of this engine.
    stopped: Arc<watch::Sender<Option<Ended>>>,
    readers: mpsc::UnboundedSender<reads::Reader>,
    receiver: Receiver,
    elections: Arc<Elections>,
    changing: Arc<Mutex<()>>,
    tasks: Vec<AbortHandle>,
}

impl Engine {
    /// Loads the newest whole snapshot into the machine, carries out what is known to be decided behind it, and takes
    /// part from then on.
    ///
    /// # Errors
    /// [`EngineError::Storage`] with what is damaged or does not join up, [`EngineError::Settings`].
    pub async fn start(parts: Parts) -> Result<Engine, EngineError> {
        Ok(Engine { inner: Arc::new(start::start(parts).await?) })
    }

    /// Whether this node never took part in anything: no vote, no entry, no membership.
    pub fn is_pristine(&self) -> bool {
        self.inner.log.is_pristine() && *self.inner.machine.applied().borrow() == 0
    }

    /// Makes a cluster of this node alone, and waits until it leads.
    ///
    /// # Errors
    /// [`EngineError::NotPristine`], [`EngineError::Ended`].
    pub async fn found(&self, me: Member) -> Result<(), EngineError> {
        match self.inner.raft.initialize(BTreeMap::from([(self.inner.me, me)])).await {
            Ok(()) => {}
            Err(RaftError::APIError(_)) => return Err(EngineError::NotPristine),
            Err(RaftError::Fatal(fatal)) => return Err(EngineError::Ended(reads::ended(&fatal))),
        }
        let mut role = self.role();
        tokio::select! {
            biased;
            ended = self.stopped() => Err(EngineError::Ended(ended)),
            _ = role.wait_for(|role| role.leads) => Ok(()),
        }
    }

    /// Proposes a command, which takes its place in the order when this is called, not when the future is polled.
    ///
    /// `decided_in` is the term in which the command was made, by a leader that had carried out everything before it:
    /// when its entry falls into another term, no node carries it out. Dropping the future does not take it back.
    ///
    /// The future may take long on a leader that is cut off: the caller bounds it.
    pub fn propose(
        &self,
        decided_in: u64,
        command: Vec<u8>,
    ) -> impl Future<Output = Proposed> + Send + 'static {
        let command = Command { decided_in, bytes: Arc::new(command) };
        let mut jumps = self.inner.machine.jumps();
        // It is in openraft's queue after one poll, or never: it waits only to learn why openraft has ended.
        let mut queued = pin!(self.inner.raft.client_write_ff(command));
        let decided = match queued.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(decided)) => Some(decided),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        };
        async move {
            let Some(decided) = decided else { return Proposed::NotLeader };
            tokio::select! {
                biased;
                decided = decided => outcome(decided.ok()),
                // A snapshot of another leader took the place of entries; nobody will hear of those.
                _ = jumps.changed() => Proposed::Unknown,
            }
        }
    }

    /// Leader: an index that a read must wait for ([`wait_applied`](Self::wait_applied)) to be current, within
    /// [`READ_WAIT_MAX`]. Callers that come together share one round with a quorum.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn read_index(&self) -> Result<u64, Unread> {
        let (reader, index) = oneshot::channel();
        if self.inner.readers.send((Instant::now() + READ_WAIT_MAX, reader)).is_err() {
            return Err(Unread::Ended(self.why_stopped()));
        }
        tokio::select! {
            biased;
            index = index => index.unwrap_or_else(|_| Err(Unread::Ended(self.why_stopped()))),
            ended = self.stopped() => Err(Unread::Ended(ended)),
        }
    }

    /// The same for another node, which says for whom it voted last ([`witness`](Self::witness), taken after the read
    /// began). The caller made sure that it is that node.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn read_index_for(&self, node: NodeId, witness: Witness) -> Result<u64, Unread> {
        let inner = &*self.inner;
        let seen = tokio::select! {
            biased;
            seen = reads::index_for(&inner.raft, inner.me, node, witness) => seen?,
            ended = self.stopped() => return Err(Unread::Ended(ended)),
        };
        match seen {
            Some(index) => Ok(index),
            None => self.read_index().await,
        }
    }

    /// For whom this node voted last; none where it never did.
    pub fn witness(&self) -> Option<Witness> {
        self.inner.log.vote().as_ref().map(Witness::of)
    }

    /// Waits until the machine has carried out everything up to `index`.
    ///
    /// It may be long on a node that is cut off: the caller bounds it.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn wait_applied(&self, index: u64) -> Result<(), Ended> {
        let mut applied = self.inner.machine.applied();
        tokio::select! {
            biased;
            _ = applied.wait_for(|applied| *applied >= index) => Ok(()),
            ended = self.stopped() => Err(ended),
        }
    }

    /// The place of the newest entry in this node's log, decided or not; 0 where it is empty.
    pub fn last(&self) -> u64 {
        self.inner.log.range().1
    }

    /// Where this node stands, now and at every change.
    pub fn role(&self) -> watch::Receiver<Role> {
        self.inner.role.clone()
    }

    /// Answers a raft message of another node ([`RAFT_APPEND`], [`RAFT_VOTE`], [`RAFT_SNAPSHOT`], [`RAFT_PRE_VOTE`],
    /// [`RAFT_WITNESS`]). The caller made sure that it comes from a member.
    ///
    /// # Errors
    /// Why the message is not taken, for [`CallError::Refused`].
    pub async fn answer(&self, kind: u8, request: &[u8]) -> Result<Vec<u8>, String> {
        let inner = &*self.inner;
        if let Some(ended) = &*inner.stopped.borrow() {
            return Err(ended.to_string());
        }
        let unread = |error: ttlv::Error| format!("a message of kind 0x{kind:02x} cannot be read: {error}");
        match kind {
            RAFT_APPEND => {
                let request = messages::decode_append(request).map_err(unread)?;
                let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
                let answer = inner.raft.append_entries(request).await.map_err(|error| error.to_string())?;
                match answer {
                    AppendEntriesResponse::Success | AppendEntriesResponse::PartialSuccess(_) => {
                        let durable = inner.log.durable(place_or_0(last.as_ref())).await;
                        durable.map_err(|ended| ended.to_string())?;
                    }
                    AppendEntriesResponse::Conflict | AppendEntriesResponse::HigherVote(_) => {}
                }
                Ok(messages::encode_appended(&answer))
            }
            RAFT_VOTE => {
                let request = messages::decode_ask(request).map_err(unread)?;
                let answer = inner.raft.vote(request).await.map_err(|error| error.to_string())?;
                Ok(messages::encode_asked(&answer))
            }
            RAFT_WITNESS if request.is_empty() => match self.witness() {
                Some(witness) => Ok(witness.to_bytes().to_vec()),
                None => Err("this node never voted".to_owned()),
            },
            RAFT_SNAPSHOT => {
                let piece = messages::decode_piece(request).map_err(unread)?;
                Ok(messages::encode_taken(&inner.receiver.take(piece).await?))
            }
            RAFT_PRE_VOTE => {
                let asked = messages::decode_pre_ask(request).map_err(unread)?;
                Ok(messages::encode_pre_asked(inner.elections.would_vote(&asked).await?))
            }
            _ => Err(format!("messages of kind 0x{kind:02x} are not known here")),
        }
    }

    /// Leader: makes a node a learner, and does not wait for it to catch up. It may be one already.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn add_learner(&self, id: NodeId, member: Member) -> Result<(), ChangeError> {
        self.change(Change::AddLearner(id, member)).await
    }

    /// Leader: makes a learner a voter. It may be one already.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn promote(&self, id: NodeId) -> Result<(), ChangeError> {
        self.change(Change::Promote(id)).await
    }

    /// Leader: puts another name or other addresses in the place of a member's.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn move_member(&self, id: NodeId, member: Member) -> Result<(), ChangeError> {
        self.change(Change::Move(id, member)).await
    }

    /// Leader: removes a voter or a learner, also itself; it then leads for a moment more, until the others know.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn remove(&self, id: NodeId) -> Result<(), ChangeError> {
        self.change(Change::Remove(id)).await
    }

    /// Makes a snapshot now and waits until it is written. Without a new entry since the last one it does nothing.
    ///
    /// # Errors
    /// [`EngineError::Storage`] with what kept it from being written; [`EngineError::Ended`].
    pub async fn snapshot(&self) -> Result<(), EngineError> {
        let machine = &self.inner.machine;
        let index = *machine.applied().borrow();
        let written = async {
            while machine.snapshot_index() < index {
                let mut attempts = machine.ask_for_snapshot();
                attempts.mark_unchanged();
                let asked = self.inner.raft.trigger().snapshot().await;
                asked.map_err(|fatal| EngineError::Ended(reads::ended(&fatal)))?;
                if tokio::time::timeout(SNAPSHOT_ASK_EVERY, attempts.changed()).await.is_ok()
                    && let (_, Some(why)) = &*attempts.borrow()
                {
                    return Err(EngineError::Storage(why.clone()));
                }
            }
            Ok(())
        };
        match tokio::time::timeout(SNAPSHOT_WAIT_MAX, written).await {
            Ok(written) => written,
            Err(_) => Err(EngineError::Storage("the snapshot was not written in time".to_owned())),
        }
    }

    /// How many times the log was synced since the start.
    pub fn syncs(&self) -> u64 {
        self.inner.log.syncs()
    }

    /// Stops taking part, and waits until nothing more is written to the log, which may then be opened again. What was
    /// proposed and not decided is [`Proposed::Unknown`].
    pub async fn end(&self) {
        let inner = &*self.inner;
        inner.stopped.send_modify(|stopped| {
            stopped.get_or_insert_with(|| Ended("it was stopped".to_owned()));
        });
        // An error is a task of openraft that ended by a fault; it has ended, too.
        let _ = inner.raft.shutdown().await;
        inner.log.close().await;
        inner.tasks.iter().for_each(AbortHandle::abort);
    }

    async fn change(&self, change: Change) -> Result<(), ChangeError> {
        members::change(&self.inner.raft, &self.inner.changing, self.inner.machine.jumps(), change).await
    }

    async fn stopped(&self) -> Ended {
        let mut stopped = self.inner.stopped.subscribe();
        match stopped.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or_else(|| Ended(String::new())),
            Err(_) => Ended("it was stopped".to_owned()),
        }
    }

    fn why_stopped(&self) -> Ended {
        self.inner.stopped.borrow().clone().unwrap_or_else(|| Ended("it was stopped".to_owned()))
    }
}

type Written = Result<ClientWriteResponse<Types>, ClientWriteError<NodeId, Member>>;

/// None when openraft ended and said nothing.
fn outcome(decided: Option<Written>) -> Proposed {
    match decided {
        Some(Ok(written)) => match written.data {
            Fate::Done => Proposed::Applied { index: place(&written.log_id) },
            Fate::PassedOver => Proposed::PassedOver,
        },
        Some(Err(ClientWriteError::ForwardToLeader(_))) => Proposed::NotLeader,
        // Not said of commands.
        Some(Err(ClientWriteError::ChangeMembershipError(_))) | None => Proposed::Unknown,
    }
}

/// What a log entry's bytes hold, for a reader of damaged or foreign data folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A command that was proposed; `decided_in` other than the entry's term means that no node carried it out.
    Command {
        /// The term of the entry, and the node that led in it: openraft lets a node of a higher number win an election in
        /// a term that has a leader already, so of two entries of one term at one place, the higher leader's is newer.
        written: (u64, NodeId),
        /// The term the command was made in.
        decided_in: u64,
        /// The command.
        command: Vec<u8>,
    },
    /// Raft's own: a membership, or a new leader's first entry.
    Other {
        /// Term and leader of the entry.
        written: (u64, NodeId),
    },
}

/// Reads the bytes of one log entry ([`crate::disk::Entry`]).
///
/// # Errors
/// Bytes that are no entry of this version, with the place.
pub fn read_entry(bytes: &[u8]) -> Result<Content, String> {
    encoding::content(bytes)
}

/// An entry's bytes, for tests of those who read them, of this term and leader: of a command with the term it was decided
/// in, or of a new leader's first entry.
#[cfg(test)]
pub(crate) fn entry_for_tests(written: (u64, NodeId), command: Option<(u64, Vec<u8>)>) -> Vec<u8> {
    encoding::entry_for_tests(written, command)
}

/// Whether a snapshot's record is raft's own (its first one), not one of the machine's.
pub fn is_own_record(record: &[u8]) -> bool {
    SnapshotHead::is(record)
}
