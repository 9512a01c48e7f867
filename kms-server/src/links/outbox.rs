//! What waits to be written on one connection, and the writer: urgent frames first, many small ones in one write, and
//! a sign of life when there is nothing to say.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;
use zeroize::{Zeroize, Zeroizing};

use super::wire::{self, Broken};

/// Bytes that are gathered into one write; a larger frame is written whole.
const WRITE_BYTES: usize = 64 << 10;

/// Which frames go first: raft's own messages must not stand in line behind what nodes ask each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Kinds 0x01 to 0x0f, and their answers.
    Raft,
    /// All others.
    Asks,
}

impl Lane {
    /// The lane of calls of this kind.
    pub(super) fn of(kind: u8) -> Self {
        match kind {
            0x01..=0x0f => Self::Raft,
            _ => Self::Asks,
        }
    }
}

/// Frames that wait. Each is known by its number, so that one that nobody wants any more can be taken out.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    raft: BTreeMap<u64, Queued>,
    asks: BTreeMap<u64, Queued>,
    bytes: usize,
    closed: bool,
}

struct Queued {
    kind: u8,
    body: Zeroizing<Vec<u8>>,
}

impl Outbox {
    /// Puts a frame in line, after those with smaller numbers in its lane.
    pub(super) fn put(&self, lane: Lane, id: u64, kind: u8, body: Vec<u8>) {
        let mut waiting = self.lock();
        waiting.bytes += body.len();
        let replaced = waiting.lane(lane).insert(id, Queued { kind, body: Zeroizing::new(body) });
        waiting.bytes -= replaced.map_or(0, |queued| queued.body.len());
        drop(waiting);
        self.more.notify_one();
    }

    /// Takes a frame out of the line, if it is still there.
    pub(super) fn withdraw(&self, lane: Lane, id: u64) {
        let mut waiting = self.lock();
        let queued = waiting.lane(lane).remove(&id);
        waiting.bytes -= queued.map_or(0, |queued| queued.body.len());
    }

    /// Takes out all.
    pub(super) fn clear(&self) {
        let mut waiting = self.lock();
        waiting.raft.clear();
        waiting.asks.clear();
        waiting.bytes = 0;
    }

    /// Bytes of the bodies that wait.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Lets the writer end the connection once all that waits is written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_one();
    }

    /// Moves what waits to the end of `out`, urgent frames first, until there are [`WRITE_BYTES`]; waits while there is
    /// nothing. Whether more can come.
    async fn fill(&self, out: &mut Vec<u8>) -> bool {
        loop {
            {
                let mut waiting = self.lock();
                while out.len() < WRITE_BYTES
                    && let Some((id, queued)) = waiting.first()
                {
                    wire::encode(out, id, queued.kind, &queued.body);
                }
                if !out.is_empty() || waiting.closed {
                    return !out.is_empty();
                }
            }
            self.more.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn lane(&mut self, lane: Lane) -> &mut BTreeMap<u64, Queued> {
        match lane {
            Lane::Raft => &mut self.raft,
            Lane::Asks => &mut self.asks,
        }
    }

    fn first(&mut self) -> Option<(u64, Queued)> {
        let (id, queued) = self.raft.pop_first().or_else(|| self.asks.pop_first())?;
        self.bytes -= queued.body.len();
        Some((id, queued))
    }
}

/// Writes what comes into `outbox`, and a sign of life after each `beat_every` without anything, until the outbox is
/// closed and empty. Fails when the stream does, and when more than `bytes_max` wait.
pub(super) async fn write_all(
    outbox: &Outbox,
    mut stream: impl AsyncWrite + Unpin,
    beat_every: Duration,
    bytes_max: usize,
) -> Result<(), Broken> {
    let mut out = Zeroizing::new(Vec::new());
    loop {
        match timeout(beat_every, outbox.fill(&mut out)).await {
            Ok(true) => {}
            Ok(false) => return Ok(stream.shutdown().await?),
            Err(_) => wire::encode(&mut out, 0, wire::BEAT, &[]),
        }
        {
            let mut writing = std::pin::pin!(async {
                stream.write_all(&out).await?;
                stream.flush().await
            });
            loop {
                let written = timeout(beat_every, &mut writing).await;
                if outbox.bytes() > bytes_max {
                    return Err(Broken::Unread(bytes_max));
                }
                if let Ok(written) = written {
                    break written?;
                }
            }
        }
        out.as_mut_slice().zeroize();
        out.clear();
        if out.capacity() > wire::KEEP_BYTES_MAX {
            out = Zeroizing::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ids(mut bytes: &[u8]) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk() {
            ids.push(u64::from_be_bytes(*rest.first_chunk().unwrap()));
            bytes = &rest[u32::from_be_bytes(*length) as usize..];
        }
        ids
    }

    #[tokio::test]
    async fn urgent_frames_go_first_and_withdrawn_ones_not_at_all() {
        let outbox = Outbox::default();
        for (id, kind) in [(1, 0x10), (2, 0x01), (3, 0x20), (4, 0x0f), (5, 0x02)] {
            outbox.put(Lane::of(kind), id, kind, vec![0; 8]);
        }
        outbox.withdraw(Lane::Raft, 4);
        outbox.withdraw(Lane::Raft, 4);
        assert_eq!(outbox.bytes(), 32);
        let mut out = Vec::new();
        assert!(outbox.fill(&mut out).await);
        assert_eq!((ids(&out), outbox.bytes()), (vec![2, 5, 1, 3], 0));
    }

    #[tokio::test]
    async fn a_large_frame_is_written_whole_and_the_next_waits_for_the_next_write() {
        let outbox = Outbox::default();
        outbox.put(Lane::Raft, 1, 0x03, vec![0; 512 << 10]);
        outbox.put(Lane::Raft, 2, 0x01, Vec::new());
        let mut out = Vec::new();
        assert!(outbox.fill(&mut out).await);
        assert_eq!(ids(&out), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_with_nothing_to_say_gives_signs_of_life() {
        let (near, far) = tokio::io::duplex(1024);
        let outbox = std::sync::Arc::new(Outbox::default());
        let writer = std::sync::Arc::clone(&outbox);
        let task = tokio::spawn(async move { write_all(&writer, near, SECOND / 4, 1 << 20).await });
        let mut reader = wire::Reader::new(far, 64);
        for _ in 0..3 {
            assert_eq!(reader.next(SECOND).await.unwrap().kind, wire::BEAT);
        }
        outbox.put(Lane::Asks, 9, wire::ANSWER, b"last".to_vec());
        outbox.close();
        let last = loop {
            match reader.next(SECOND).await.unwrap() {
                beat if beat.kind == wire::BEAT => {}
                last => break last,
            }
        };
        assert_eq!((last.id, &last.body[..]), (9, &b"last"[..]));
        assert!(matches!(reader.next(SECOND).await, Err(Broken::Closed)));
        task.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_ends_the_connection_when_too_much_waits() {
        let (near, _far) = tokio::io::duplex(16);
        let outbox = Outbox::default();
        outbox.put(Lane::Asks, 1, wire::ANSWER, vec![0; 64]);
        outbox.put(Lane::Asks, 2, wire::ANSWER, vec![0; WRITE_BYTES]);
        outbox.put(Lane::Asks, 3, wire::ANSWER, vec![0; 65]);
        let ended = write_all(&outbox, near, SECOND / 4, 64).await;
        assert!(matches!(ended, Err(Broken::Unread(64))), "{ended:?}");
    }
}
