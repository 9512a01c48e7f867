//! Which types openraft works with here, and on what it runs: tokio, and no randomness, so that a simulation can repeat
//! itself. Its only random number is the time that a node would let pass before it stands for election, which
//! [`elections`](super::elections) settles in its place.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use openraft::{AsyncRuntime, OptionalSend, RaftTypeConfig, TokioInstant, TokioRuntime};
use rand08::RngCore;

use super::snapshots::SnapshotFile;
use super::types::{Member, NodeId};

pub(super) type Entry = openraft::Entry<Types>;
pub(super) type LogId = openraft::LogId<NodeId>;
pub(super) type Vote = openraft::Vote<NodeId>;
pub(super) type Membership = openraft::Membership<NodeId, Member>;
pub(super) type StoredMembership = openraft::StoredMembership<NodeId, Member>;
pub(super) type SnapshotMeta = openraft::SnapshotMeta<NodeId, Member>;
pub(super) type StorageError = openraft::StorageError<NodeId>;
pub(super) type Raft = openraft::Raft<Types>;
pub(super) type Moment = TokioInstant;
pub(super) type Metrics = openraft::RaftMetrics<NodeId, Member>;

/// A command on its way through the log.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// The term it was made in; in an entry of another term it is passed over.
    pub(super) decided_in: u64,
    pub(super) bytes: Arc<Vec<u8>>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command {{ decided_in: {}, {} bytes }}", self.decided_in, self.bytes.len())
    }
}

/// What the machine made of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A command was carried out, or the entry was raft's own.
    Done,
    /// The command was decided in another term.
    PassedOver,
}

/// The place of an entry as everything outside this module counts it: from 1.
pub(super) fn place(id: &LogId) -> u64 {
    id.index + 1
}

/// The place of an entry; 0 where there is none.
pub(super) fn place_or_0(id: Option<&LogId>) -> u64 {
    id.map_or(0, place)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Types;

impl RaftTypeConfig for Types {
    type D = Command;
    type R = Fate;
    type NodeId = NodeId;
    type Node = Member;
    type Entry = Entry;
    type SnapshotData = SnapshotFile;
    type AsyncRuntime = Runtime;
    type Responder = openraft::impls::OneshotResponder<Self>;
}

/// SplitMix64: enough for numbers that only have to differ from node to node, and for simulation.
#[derive(Debug)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }
}

impl RngCore for Draw {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand08::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// tokio, but for the random numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Runtime;

impl AsyncRuntime for Runtime {
    type JoinError = tokio::task::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = tokio::task::JoinHandle<T>;
    type Sleep = tokio::time::Sleep;
    type Instant = TokioInstant;
    type TimeoutError = tokio::time::error::Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = tokio::time::Timeout<T>;
    type ThreadLocalRng = Draw;
    type OneshotSender<T: OptionalSend> = <TokioRuntime as AsyncRuntime>::OneshotSender<T>;
    type OneshotReceiver<T: OptionalSend> = tokio::sync::oneshot::Receiver<T>;
    type OneshotReceiverError = tokio::sync::oneshot::error::RecvError;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        tokio::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        tokio::time::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        tokio::time::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        tokio::time::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        join_error.is_panic()
    }

    /// What it draws is not used.
    fn thread_rng() -> Self::ThreadLocalRng {
        Draw::of(0)
    }

    fn oneshot<T: OptionalSend>() -> (Self::OneshotSender<T>, Self::OneshotReceiver<T>) {
        <TokioRuntime as AsyncRuntime>::oneshot()
    }
}
