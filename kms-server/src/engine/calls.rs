//! How raft's messages reach another node. The links between nodes implement it, and so does the simulation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::NodeId;

/// Kind of a message that carries entries, or none as a heartbeat.
pub const RAFT_APPEND: u8 = 0x01;

/// Kind of a message that asks for a vote.
pub const RAFT_VOTE: u8 = 0x02;

/// Kind of a message that carries a piece of a snapshot.
pub const RAFT_SNAPSHOT: u8 = 0x03;

/// Kind of a message that asks whether a vote would be given.
pub const RAFT_PRE_VOTE: u8 = 0x04;

/// Kind of a message that asks for whom a node voted last; it holds nothing, and is answered with a
/// [`Witness`](super::Witness).
pub const RAFT_WITNESS: u8 = 0x05;

/// The most bytes of a snapshot that one message carries.
pub const SNAPSHOT_PIECE_BYTES_MAX: usize = 512 << 10;

/// Bytes of entries after which a message of [`RAFT_APPEND`] takes no further entry; a single larger one goes alone.
///
/// So a message is at most this and one entry, with a few hundred bytes around.
pub const APPEND_BYTES_MAX: usize = 8 << 20;

/// What comes of a call, in time.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, CallError>> + Send + 'a>>;

/// Sends one message to another node and brings its answer back.
pub trait Calls: Send + Sync + 'static {
    /// Hands `request` to [`Engine::answer`](super::Engine::answer) of node `to` under the same kind.
    ///
    /// It may arrive late, twice or never, but never changed. An answer after `within` is not waited for.
    fn call(&self, to: NodeId, kind: u8, request: Vec<u8>, within: Duration) -> Answering<'_>;
}

/// Why a call brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No connection; the message was not sent or its answer was lost with the connection.
    Unreachable(String),
    /// The answer did not come in time; the message may have arrived.
    TimedOut,
    /// The other node did not take the message, and says why.
    Refused(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the node cannot be reached: {why}"),
            Self::TimedOut => f.write_str("the node did not answer in time"),
            Self::Refused(why) => write!(f, "the node refused: {why}"),
        }
    }
}

impl std::error::Error for CallError {}
