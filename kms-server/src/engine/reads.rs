//! Read indexes: many readers share one round with a quorum.
//!
//! A reader that comes while a round is under way waits for the next one: that round could have begun before something
//! that the reader must see. No lease is used, since leases trust clocks.

use std::time::Duration;

use openraft::error::{CheckIsLeaderError, Fatal, RaftError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::READ_WAIT_MAX;
use super::runtime::{Raft, place_or_0};
use super::types::{Ended, Unread};

/// One that waits for a read index.
pub(super) type Reader = oneshot::Sender<Result<u64, Unread>>;

/// Serves readers until the engine ends; `pause` lies between a round without a quorum and the next.
pub(super) async fn serve(raft: Raft, pause: Duration, mut readers: mpsc::UnboundedReceiver<Reader>) {
    let mut waiting: Vec<(Instant, Reader)> = Vec::new();
    loop {
        if waiting.is_empty() {
            let Some(reader) = readers.recv().await else { return };
            waiting.push((Instant::now() + READ_WAIT_MAX, reader));
        }
        while let Ok(reader) = readers.try_recv() {
            waiting.push((Instant::now() + READ_WAIT_MAX, reader));
        }
        // The oldest one is first.
        let Some(deadline) = waiting.first().map(|(deadline, _)| *deadline) else { continue };
        let outcome = match tokio::time::timeout_at(deadline, raft.get_read_log_id()).await {
            Ok(Ok((index, _))) => Ok(place_or_0(index.as_ref())),
            Ok(Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(_)))) => Err(Unread::NotLeader),
            Ok(Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_)))) | Err(_) => {
                Err(Unread::NoQuorum)
            }
            Ok(Err(RaftError::Fatal(fatal))) => Err(Unread::Ended(ended(&fatal))),
        };
        // An error of `send` is a reader that no longer waits.
        if outcome == Err(Unread::NoQuorum) {
            let now = Instant::now();
            for (_, reader) in waiting.extract_if(.., |(deadline, _)| *deadline <= now + pause) {
                let _ = reader.send(Err(Unread::NoQuorum));
            }
            tokio::time::sleep(pause).await;
        } else {
            for (_, reader) in waiting.drain(..) {
                let _ = reader.send(outcome.clone());
            }
        }
    }
}

pub(super) fn ended(fatal: &Fatal<super::NodeId>) -> Ended {
    Ended(match fatal {
        Fatal::Stopped => "it was stopped".to_owned(),
        Fatal::Panicked => "a fault in the program, see the log".to_owned(),
        Fatal::StorageError(error) => error.to_string(),
    })
}
