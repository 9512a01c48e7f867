//! How raft's messages reach another node: what the engine asks of the links, and of a simulation in their place.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::NodeId;

/// Calls to the other nodes of the cluster.
pub trait Calls: Send + Sync + 'static {
    /// Sends `request` to node `to` and waits for its answer, at most `within`. Dropping the future gives the call up;
    /// the other node may carry it out all the same.
    fn call(
        &self,
        to: NodeId,
        kind: u8,
        request: Vec<u8>,
        within: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, CallError>> + Send + '_>>;
}

/// Why a call has no answer. After [`CallError::Unreachable`] and [`CallError::TimedOut`] nobody here knows whether it
/// was carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no connection, or it broke; the text says why.
    #[error("{0}")]
    Unreachable(String),
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The other node, or the link's bounds, refused it; the text says why.
    #[error("refused: {0}")]
    Refused(String),
}
