//! The writer: the one thread that changes anything. It gathers the requests that wait, decides them in order in one
//! draft, writes their events as one entry, syncs once, applies, and only then answers.
//!
//! A replicated log takes the place of `commit` here; what is decided, and how, stays.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use kmip::RequestMessage;
use kms_core::{Client, Draft, Event, Outcome, Refusal};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use super::state::State;
use crate::disk::{Entry, Log, SledLog, Snapshots, fatal};
use crate::metrics::Metrics;
use crate::run::Shared;

/// Requests that one entry and one sync carry at most.
pub(super) const GATHER_MAX: usize = 256;

/// Bytes of requests that one entry carries at most, but for a single request that is larger; so an entry stays far
/// below what the log takes.
const GATHER_BYTES_MAX: usize = 8 << 20;

/// Requests that may wait for the writer; one more waits outside, in its connection.
const QUEUE_MAX: usize = 1024;

/// Entries purged between two groups, so that no request waits for the whole of a purge.
const PURGE_STEP: u64 = 256;

/// A change that the operator wants, decided like a request: on a draft, by a function that may refuse.
pub(super) type Change = Box<dyn FnOnce(&mut Draft<'_>) -> Result<(), Refusal> + Send>;

/// What the writer is asked to do.
pub(super) enum Work {
    /// A client's request.
    Request {
        request: Arc<RequestMessage>,
        client: Arc<Client>,
        bytes: usize,
        answer: oneshot::Sender<Outcome>,
    },
    /// An operator's change.
    Change { change: Change, answer: oneshot::Sender<Result<(), Refusal>> },
    /// A snapshot was written, and the log may be purged up to here.
    Purge { index: u64 },
    /// No snapshot came of it.
    SnapshotFailed,
    /// Everything that waits is done; end.
    End,
}

/// Where the log stands, for the operator.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogPosition {
    pub(super) applied: u64,
    pub(super) first: u64,
    pub(super) snapshot: u64,
}

/// The writer's end that requests hold.
#[derive(Debug)]
pub(super) struct Writer {
    work: mpsc::Sender<Work>,
    position: tokio::sync::watch::Receiver<LogPosition>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        state: Arc<State>,
        shared: &Shared,
        log: SledLog,
        snapshots: Snapshots,
        position: LogPosition,
    ) -> std::io::Result<Self> {
        let (work, queue) = mpsc::channel(QUEUE_MAX);
        let (seen, watched) = tokio::sync::watch::channel(position);
        let thread = Thread {
            state,
            metrics: Arc::clone(&shared.metrics),
            log,
            snapshots,
            snapshot_every: shared.config.snapshot.every_entries,
            snapshot_runs: false,
            snapshot_failed_at: 0,
            purge_to: 0,
            position,
            seen,
            work: work.downgrade(),
        };
        let thread = thread::Builder::new().name("writer".to_owned()).spawn(move || thread.run(queue))?;
        Ok(Self { work, position: watched, thread: std::sync::Mutex::new(Some(thread)) })
    }

    /// Hands a request over, and waits until what came of it is on disk.
    ///
    /// `None` when the writer has ended.
    pub(super) async fn request(
        &self,
        request: Arc<RequestMessage>,
        client: Arc<Client>,
        bytes: usize,
    ) -> Option<Outcome> {
        let (answer, outcome) = oneshot::channel();
        self.work.send(Work::Request { request, client, bytes, answer }).await.ok()?;
        outcome.await.ok()
    }

    /// Hands an operator's change over, and waits until it is on disk.
    pub(super) async fn change(&self, change: Change) -> Option<Result<(), Refusal>> {
        let (answer, outcome) = oneshot::channel();
        self.work.send(Work::Change { change, answer }).await.ok()?;
        outcome.await.ok()
    }

    /// Where the log stands.
    pub(super) fn position(&self) -> LogPosition {
        *self.position.borrow()
    }

    /// Whether the thread still works.
    pub(super) fn is_alive(&self) -> bool {
        !self.work.is_closed()
    }

    /// Lets the thread finish what waits, and waits for it.
    pub(super) async fn end(&self) {
        // An error is a thread that has ended.
        let _ = self.work.send(Work::End).await;
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// Something decided, to be answered when it is on disk.
enum Decided {
    Request(Outcome, oneshot::Sender<Outcome>),
    Change(Result<(), Refusal>, oneshot::Sender<Result<(), Refusal>>),
}

struct Thread {
    state: Arc<State>,
    metrics: Arc<Metrics>,
    log: SledLog,
    snapshots: Snapshots,
    snapshot_every: u64,
    snapshot_runs: bool,
    /// The last entry when a snapshot failed; 0 before. The next is tried as many entries later as after a success.
    snapshot_failed_at: u64,
    /// The log is to be purged up to here.
    purge_to: u64,
    position: LogPosition,
    seen: tokio::sync::watch::Sender<LogPosition>,
    /// For the thread that writes a snapshot to report to; weak, so that it does not keep the queue open.
    work: mpsc::WeakSender<Work>,
}

impl Thread {
    fn run(mut self, mut queue: mpsc::Receiver<Work>) {
        let mut group = Vec::with_capacity(GATHER_MAX);
        loop {
            let first =
                if self.purge_to >= self.log.first() { queue.try_recv().ok() } else { queue.blocking_recv() };
            let Some(first) = first else {
                if queue.is_closed() && queue.is_empty() {
                    return;
                }
                self.purge_step();
                continue;
            };
            let mut bytes = 0;
            let mut next = Some(first);
            let mut end = false;
            while let Some(work) = next {
                match work {
                    Work::Purge { index } => {
                        self.snapshot_runs = false;
                        self.position.snapshot =
                            self.snapshots.indexes().ok().and_then(|i| i.first().copied()).unwrap_or(0);
                        self.purge_to = index;
                    }
                    Work::SnapshotFailed => {
                        self.snapshot_runs = false;
                        self.snapshot_failed_at = self.position.applied;
                    }
                    Work::End => end = true,
                    Work::Request { bytes: size, .. } => {
                        bytes += size;
                        group.push(work);
                    }
                    Work::Change { .. } => group.push(work),
                }
                let full = group.len() >= GATHER_MAX || bytes >= GATHER_BYTES_MAX;
                next = if full { None } else { queue.try_recv().ok() };
            }
            self.carry_out(&mut group);
            self.purge_step();
            if end {
                info!(applied = self.position.applied, "the log is closed");
                return;
            }
        }
    }

    /// Decides a group, commits its events, applies them, and answers; in this order.
    fn carry_out(&mut self, group: &mut Vec<Work>) {
        if group.is_empty() {
            return;
        }
        let mut decided = Vec::with_capacity(group.len());
        let events = {
            let objects = self.state.objects();
            let mut draft = Draft::new(&objects);
            self.state.draft_data_key(&mut draft);
            for work in group.drain(..) {
                match work {
                    Work::Request { request, client, answer, .. } => {
                        let outcome = self.state.decide(&request, &client, &mut draft);
                        decided.push(Decided::Request(outcome, answer));
                    }
                    Work::Change { change, answer } => {
                        let mark = draft.mark();
                        let result = change(&mut draft);
                        if result.is_err() {
                            draft.rollback(mark);
                        }
                        decided.push(Decided::Change(result, answer));
                    }
                    Work::Purge { .. } | Work::SnapshotFailed | Work::End => {}
                }
            }
            draft.into_events()
        };
        if !events.is_empty() {
            self.commit(&events, decided.len());
            if let Err(error) = self.state.apply(&events) {
                fatal(&format!(
                    "cannot put a data key of entry {} into the keyring: {error}",
                    self.position.applied
                ));
            }
            let objects = self.state.objects();
            self.metrics.holds(objects.len(), objects.clients().count());
        }
        for decided in decided {
            // An error is a client that no longer waits; what it asked for is done all the same.
            match decided {
                Decided::Request(outcome, answer) => drop(answer.send(outcome)),
                Decided::Change(result, answer) => drop(answer.send(result)),
            }
        }
        self.seen.send_replace(LogPosition { first: self.log.first(), ..self.position });
        self.snapshot_if_due();
    }

    /// Puts the events of a group on disk. There is no way on from a disk that does not take them.
    fn commit(&mut self, events: &[Event], requests: usize) {
        let began = Instant::now();
        let mut bytes = Vec::new();
        Event::encode_all(events, &mut bytes);
        let index = self.log.last() + 1;
        if let Err(error) = self.log.append(&[Entry { index, bytes }]).and_then(|()| self.log.sync()) {
            fatal(&format!("cannot write entry {index} to the log: {error}"));
        }
        self.position.applied = index;
        self.metrics.synced(requests, began.elapsed());
    }

    /// Purges some of what a snapshot covers; the next sync makes that durable.
    fn purge_step(&mut self) {
        if self.purge_to < self.log.first() {
            return;
        }
        let step = self.purge_to.min(self.log.first().saturating_add(PURGE_STEP));
        if let Err(error) = self.log.purge_to(step) {
            fatal(&format!("cannot purge the log up to entry {step}: {error}"));
        }
        self.seen.send_replace(LogPosition { first: self.log.first(), ..self.position });
    }

    fn snapshot_if_due(&mut self) {
        let since = self.position.applied.saturating_sub(self.position.snapshot.max(self.snapshot_failed_at));
        if self.snapshot_runs || since < self.snapshot_every {
            return;
        }
        let records = self.state.objects().records();
        let (index, snapshots, work) = (self.position.applied, self.snapshots.clone(), self.work.clone());
        let written = thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
            let report = match write_snapshot(&snapshots, index, &records) {
                Ok(Some(index)) => Work::Purge { index },
                Ok(None) => Work::SnapshotFailed,
                Err(error) => {
                    error!("no snapshot at entry {index}, the log stays as it is: {error}");
                    Work::SnapshotFailed
                }
            };
            if let Some(work) = work.upgrade() {
                let _ = work.blocking_send(report);
            }
        });
        match written {
            Ok(_) => self.snapshot_runs = true,
            Err(error) => error!("cannot start a thread for the snapshot at entry {index}: {error}"),
        }
    }
}

/// Writes all records, and says up to where the log may be purged.
fn write_snapshot(
    snapshots: &Snapshots,
    index: u64,
    records: &[kms_core::Record],
) -> Result<Option<u64>, crate::disk::SnapshotError> {
    let began = Instant::now();
    let mut writer = snapshots.create(index, u64::try_from(records.len()).unwrap_or(u64::MAX))?;
    let mut bytes = Vec::new();
    for record in records {
        bytes.clear();
        record.encode(&mut bytes);
        writer.write(&bytes)?;
    }
    writer.finish()?;
    let purge_to = snapshots.prune()?;
    info!(index, records = records.len(), milliseconds = began.elapsed().as_millis(), "snapshot written");
    Ok(purge_to)
}
