//! A snapshot from one node to another, in pieces. The receiver says where it wants to go on, so a piece may be lost,
//! come twice or come late. Each piece carries a checksum; the whole file is checked before it counts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{Fatal, NetworkError, StreamingError, Timeout, Unreachable};
use openraft::network::RPCTypes;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse};
use openraft::{ErrorSubject, ErrorVerb, Snapshot, SnapshotMeta};
use tokio::sync::Mutex;

use super::calls::{CallError, Calls, RAFT_SNAPSHOT, SNAPSHOT_PIECE_BYTES_MAX};
use super::encoding::SnapshotHead;
use super::log::{LogStore, failed};
use super::machine::{MachineStore, blocking};
use super::messages::{Piece, Taken, decode_taken, encode_piece};
use super::runtime::{Raft, Types, Vote, place_or_0};
use super::snapshots::{Incoming, SnapshotFile, SnapshotStore};
use super::types::{NodeId, Writing};
use crate::disk::SnapshotError;

/// How long the answer to a piece may take.
const PIECE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long the answer to the last piece may take: the receiver checks the file and takes it over.
const LAST_PIECE_WAIT_MAX: Duration = Duration::from_secs(60);

/// Pieces that may bring nothing forward before the sending is given up and begun anew by openraft.
const IDLE_PIECES_MAX: u32 = 5;

type Sent = Result<SnapshotResponse<NodeId>, StreamingError<Types, Fatal<NodeId>>>;

/// One snapshot on its way to one node.
pub(super) struct Sending {
    pub(super) me: NodeId,
    pub(super) to: NodeId,
    pub(super) links: Arc<dyn Calls>,
    pub(super) store: Arc<dyn SnapshotStore>,
    pub(super) vote: Vote,
    pub(super) snapshot: Snapshot<Types>,
}

impl Sending {
    /// Sends all of it, and waits until the other node has taken it over.
    pub(super) async fn send(self) -> Sent {
        let file = &*self.snapshot.snapshot;
        let length = file.length().map_err(|error| self.unreadable(&error))?;
        let (mut offset, mut furthest, mut idle) = (0, 0, 0);
        loop {
            let piece = self.piece(file, offset, length).map_err(|error| self.unreadable(&error))?;
            let last = offset + piece.bytes.len() as u64 == length;
            let within = if last { LAST_PIECE_WAIT_MAX } else { PIECE_WAIT_MAX };
            let answer = self.links.call(self.to, RAFT_SNAPSHOT, encode_piece(&piece), within).await;
            let why = match answer {
                Ok(bytes) => {
                    let taken = decode_taken(&bytes)
                        .map_err(|error| StreamingError::Network(NetworkError::new(&error)))?;
                    if taken.vote > self.vote || taken.next == length {
                        return Ok(SnapshotResponse::new(taken.vote));
                    }
                    let went_on = taken.next > offset;
                    offset = taken.next.min(length);
                    if offset > furthest {
                        (furthest, idle) = (offset, 0);
                    }
                    if went_on {
                        continue;
                    }
                    CallError::Refused(format!("it wants to go on at byte {offset} again"))
                }
                Err(error @ CallError::Refused(_)) => error,
                Err(CallError::TimedOut) => {
                    return Err(StreamingError::Timeout(Timeout {
                        action: RPCTypes::InstallSnapshot,
                        id: self.me,
                        target: self.to,
                        timeout: within,
                    }));
                }
                Err(error @ CallError::Unreachable(_)) => {
                    return Err(StreamingError::Unreachable(Unreachable::new(&error)));
                }
            };
            idle += 1;
            if idle >= IDLE_PIECES_MAX {
                self.check().map_err(|error| self.unreadable(&error))?;
                return Err(StreamingError::Unreachable(Unreachable::new(&why)));
            }
        }
    }

    fn piece(&self, file: &SnapshotFile, offset: u64, length: u64) -> io::Result<Piece> {
        let bytes = file.read_at(offset, SNAPSHOT_PIECE_BYTES_MAX)?;
        let meta = &self.snapshot.meta;
        let head = SnapshotHead { applied: meta.last_log_id, membership: meta.last_membership.clone() };
        Ok(Piece { vote: self.vote, head, offset, length, bytes })
    }

    /// Whether it is this node's own file that is damaged; it must not go on sending it, nor on standing on it.
    fn check(&self) -> Result<(), SnapshotError> {
        let index = place_or_0(self.snapshot.meta.last_log_id.as_ref());
        let whole = self.store.read(index).and_then(|mut reader| {
            while reader.next_record()?.is_some() {}
            Ok(())
        });
        match whole {
            // It was pruned since.
            Err(SnapshotError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            whole => whole,
        }
    }

    fn unreadable(&self, what: &dyn std::error::Error) -> StreamingError<Types, Fatal<NodeId>> {
        let subject = ErrorSubject::Snapshot(Some(self.snapshot.meta.signature()));
        StreamingError::StorageError(failed(subject, ErrorVerb::Read, &what.to_string()))
    }
}

/// Takes snapshots of other nodes in, one at a time.
pub(super) struct Receiver {
    pub(super) raft: Raft,
    pub(super) log: LogStore,
    pub(super) machine: MachineStore,
    pub(super) store: Arc<dyn SnapshotStore>,
    pub(super) writing: Writing,
    pub(super) coming: Mutex<Option<Coming>>,
}

/// The one that is coming in.
pub(super) struct Coming {
    head: SnapshotHead,
    length: u64,
    next: u64,
    file: Incoming,
}

impl Receiver {
    /// Takes one piece, and with the last one the snapshot.
    pub(super) async fn take(&self, piece: Piece) -> Result<Taken, String> {
        let vote = self.log.vote().unwrap_or_default();
        let index = place_or_0(piece.head.applied.as_ref());
        let end = piece.offset.checked_add(piece.bytes.len() as u64).filter(|end| *end <= piece.length);
        let Some(end) = end else {
            return Err("a piece of a snapshot reaches beyond its end".to_owned());
        };
        if index == 0 || piece.bytes.len() > SNAPSHOT_PIECE_BYTES_MAX {
            return Err("a piece of a snapshot of nothing, or too large".to_owned());
        }
        // Votes are ordered in part only.
        if !matches!(piece.vote.partial_cmp(&vote), Some(order) if order.is_ge()) {
            return Ok(Taken { vote, next: 0 });
        }
        let mut coming = self.coming.lock().await;
        if *self.machine.applied().borrow() >= index {
            *coming = None;
            return Ok(Taken { vote: piece.vote, next: piece.length });
        }
        let goes_on = coming
            .as_ref()
            .is_some_and(|coming| (&coming.head, coming.length) == (&piece.head, piece.length));
        if !goes_on {
            *coming = None;
            if piece.offset > 0 {
                return Ok(Taken { vote: piece.vote, next: 0 });
            }
            let store = Arc::clone(&self.store);
            let file =
                blocking(self.writing, move || store.receive(index).map_err(|error| error.to_string()));
            let (head, length) = (piece.head.clone(), piece.length);
            *coming = Some(Coming { head, length, next: 0, file: file.await? });
        }
        let Some(mut now) = coming.take() else { return Err("no snapshot is coming in".to_owned()) };
        if piece.offset != now.next {
            let next = now.next;
            *coming = Some(now);
            return Ok(Taken { vote: piece.vote, next });
        }
        // Into the page cache; the whole is synced when it is adopted.
        now.file.write(&piece.bytes).map_err(|error| error.to_string())?;
        now.next = end;
        if end < piece.length {
            *coming = Some(now);
            return Ok(Taken { vote: piece.vote, next: end });
        }
        self.take_over(piece.vote, piece.length, now).await
    }

    /// The lock on `coming` is held meanwhile: the last piece may come again.
    async fn take_over(&self, vote: Vote, length: u64, whole: Coming) -> Result<Taken, String> {
        let Coming { head, file, .. } = whole;
        // The leader's vote must be on disk before its snapshot is: a snapshot without any vote looks like a lost log.
        let heartbeat =
            AppendEntriesRequest { vote, prev_log_id: None, entries: Vec::new(), leader_commit: None };
        let heard = self.raft.append_entries(heartbeat).await.map_err(|error| error.to_string())?;
        if let AppendEntriesResponse::HigherVote(vote) = heard {
            return Ok(Taken { vote, next: 0 });
        }
        // Before openraft hears of it: it purges the log without waiting for the machine.
        blocking(self.writing, move || file.adopt().map_err(|error| error.to_string())).await?;
        let meta = SnapshotMeta {
            last_log_id: head.applied,
            last_membership: head.membership.clone(),
            snapshot_id: head.id(),
        };
        let snapshot = Snapshot { meta, snapshot: Box::new(SnapshotFile::none()) };
        let answer =
            self.raft.install_full_snapshot(vote, snapshot).await.map_err(|error| error.to_string())?;
        let next = if answer.vote > vote { 0 } else { length };
        Ok(Taken { vote: answer.vote, next })
    }
}
