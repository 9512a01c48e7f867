//! What the rest of the server sees of the engine: plain data. Log indexes are counted from 1 here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::calls::Calls;
use super::snapshots::SnapshotStore;
use crate::disk::Log;

/// Number of a node, counted from 1. A number is never used again, not even for the same machine with an empty disk.
pub type NodeId = u64;

/// What the cluster knows of a node; part of the membership that is decided like everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its name for people.
    pub name: String,
    /// `host:port` where other nodes reach it.
    pub link: String,
    /// `host:port` where KMIP clients reach it.
    pub kmip: String,
}

/// When a leader is heard of, and missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader is heard of at least. Default 50 ms.
    pub heartbeat: Duration,
    /// How long votes are waited for. Default 150 ms. More than `heartbeat`.
    pub election_min: Duration,
    /// A leader that was silent for so long may be replaced. The others begin at different moments, spread over what this
    /// is more than `election_min`. Default 300 ms.
    pub election_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(50),
            election_min: Duration::from_millis(150),
            election_max: Duration::from_millis(300),
        }
    }
}

/// Where the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// By a thread of its own, which gathers what waits and syncs once for all of it.
    Thread,
    /// By a task of the runtime, for simulation: no thread and no system call, and a sync takes a moment of the
    /// runtime's own clock, so that a crash can fall between a write and its sync.
    Inline,
}

/// What an engine is made of.
pub struct Parts {
    /// This node's number.
    pub me: NodeId,
    /// Heartbeats and elections.
    pub timing: Timing,
    /// The log and the vote.
    pub log: Box<dyn Log>,
    /// Who writes the log.
    pub writing: Writing,
    /// Where snapshots are kept.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// Entries between two snapshots, at least 1.
    pub snapshot_every: u64,
    /// What carries out what was decided.
    pub machine: Arc<dyn Machine>,
    /// The way to the other nodes.
    pub links: Arc<dyn Calls>,
    /// Draws the pauses before this node's elections, and in simulation how long its syncs take. Two nodes with the same
    /// seed would ask for votes at the same moment.
    pub election_seed: u64,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("me", &self.me).field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// Carries out what was decided, on every node the same.
///
/// Called by one task at a time, in the order of the log, never twice for one index between two starts.
pub trait Machine: Send + Sync + 'static {
    /// Carries out the command at `index`. Commands that were decided in another term are never handed in, and not
    /// every index is a command: numbers may be skipped.
    fn apply(&self, index: u64, command: &[u8]);

    /// What a snapshot must hold, as of the last apply; cheap, since nothing is applied meanwhile.
    fn freeze(&self) -> Frozen;

    /// Takes all of a snapshot's records in place of what is there: all of it, or none of it when this fails.
    ///
    /// `records` gives one record at a time and nothing at the end. An error of it must be handed on.
    ///
    /// # Errors
    /// Records that this version does not know, or what `records` said.
    fn replace(&self, records: &mut dyn FnMut() -> Result<Option<Vec<u8>>, String>) -> Result<(), String>;
}

/// Everything a machine holds at one moment, as opaque records.
pub struct Frozen {
    /// How many records there are.
    pub count: u64,
    /// The records, made one by one while they are written.
    pub records: Box<dyn Iterator<Item = Vec<u8>> + Send>,
}

impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frozen").field("count", &self.count).finish_non_exhaustive()
    }
}

/// What came of a command that was proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposed {
    /// Decided and carried out here.
    Applied {
        /// Its place in the log.
        index: u64,
    },
    /// It is in the log, and no node carries it out: it was decided on top of another term's state.
    PassedOver,
    /// It is not in the log: this node does not lead, or does not any more. No node will carry it out.
    NotLeader,
    /// It may or may not be carried out: leadership was lost, or the engine ended, while it was on its way.
    Unknown,
}

/// Where this node stands. Changes many times a second under load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// The term, counted from 1; 0 before there was any.
    pub term: u64,
    /// Who leads, as far as this node knows. Kept while nothing newer is heard of.
    pub leader: Option<NodeId>,
    /// Whether it is this node that leads. A leader that was cut off believes it still; see `quorum_age_ms`.
    pub leads: bool,
    /// All nodes of the cluster.
    pub members: BTreeMap<NodeId, Peer>,
    /// The last entry that the machine has carried out; 0 for none.
    pub applied: u64,
    /// The last entry in this node's log, decided or not; 0 for none.
    pub last: u64,
    /// The oldest entry in this node's log; `last + 1` when it holds none.
    pub first: u64,
    /// The last entry that the newest snapshot holds; 0 for none.
    pub snapshot: u64,
    /// Leader only: milliseconds since a quorum last answered, or since it leads when none did yet. Brought up to date
    /// about once a heartbeat; 0 for the only voter.
    pub quorum_age_ms: Option<u64>,
    /// A fault that stopped the engine: it votes no more and takes nothing. Says what to do.
    pub ended: Option<String>,
}

/// A node of the cluster, as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// What the cluster knows of it.
    pub member: Member,
    /// Whether it votes; a learner only listens.
    pub voter: bool,
    /// Leader only: the last entry that is known to be on its disk; none before it answered.
    pub matched: Option<u64>,
}

/// The engine could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// What is on disk cannot be used.
    #[error("{0}")]
    Storage(String),
    /// The cluster exists already.
    #[error("this node belongs to a cluster already, it cannot found one")]
    NotPristine,
    /// A time, a number or the like that does not go with another.
    #[error("the engine's settings: {0}")]
    Settings(String),
    /// The engine stopped, or was ended.
    #[error("{0}")]
    Ended(Ended),
}

/// The engine stopped on a fault, or was ended; nothing more comes of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended: {0}")]
pub struct Ended(pub String);

/// Why no read index could be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Another node leads, or none does.
    #[error("this node does not lead")]
    NotLeader,
    /// No majority answered within [`READ_WAIT_MAX`](super::READ_WAIT_MAX).
    #[error("no majority of the nodes answered")]
    NoQuorum,
    /// The engine stopped.
    #[error("{0}")]
    Ended(Ended),
}

/// Why the membership was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another node leads, or none does.
    #[error("this node does not lead; hint: ask the leader")]
    NotLeader,
    /// Another change is not finished.
    #[error("another change of the membership is not finished; hint: try again in a moment")]
    InProgress,
    /// The node is no member.
    #[error("node {0} is not a member")]
    NoMember(NodeId),
    /// A node of this number is a member with other addresses or another name.
    #[error("node {0} is a member already, under another name or address; numbers are never used again")]
    OtherMember(NodeId),
    /// The only voter cannot go.
    #[error("node {0} is the only one that votes, it cannot be removed; hint: promote another one first")]
    LastVoter(NodeId),
    /// It was not decided within [`CHANGE_WAIT_MAX`](super::CHANGE_WAIT_MAX), and may still be.
    #[error(
        "the change was not decided in time and may still be; hint: look at the members before trying again"
    )]
    TimedOut,
    /// The engine stopped.
    #[error("{0}")]
    Ended(Ended),
}
