//! What was decided, carried out: openraft's state machine on top of a [`Machine`], with its snapshots.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::RaftStateMachine;
use openraft::{EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot};
use tokio::sync::watch;
use tracing::{error, info};

use super::encoding::SnapshotHead;
use super::log::{LogStore, failed};
use super::runtime::{
    Entry, Fate, LogId, SnapshotMeta, StorageError, StoredMembership, Types, place, place_or_0,
};
use super::snapshots::{SnapshotFile, SnapshotStore};
use super::types::{Frozen, Machine, Writing};
use crate::disk::SnapshotReader;
use crate::planted::{self, Fault};

/// openraft's worker holds it; clones share everything.
#[derive(Clone)]
pub(super) struct MachineStore {
    machine: Arc<dyn Machine>,
    store: Arc<dyn SnapshotStore>,
    log: LogStore,
    writing: Writing,
    /// Entries between two snapshots; after one that failed, too.
    every: u64,
    shared: Arc<Shared>,
}

/// What others may know of the machine.
struct Shared {
    state: Mutex<State>,
    applied: watch::Sender<u64>,
    /// Counts snapshots that took the place of entries: proposals among those are never heard of again.
    jumps: watch::Sender<u64>,
    /// Counts attempts at a snapshot, and why the last one failed.
    attempts: watch::Sender<(u64, Option<String>)>,
}

#[derive(Clone, Default)]
struct State {
    /// Where the machine stands.
    now: SnapshotHead,
    /// The newest snapshot.
    snapshot: Option<SnapshotHead>,
    /// Where the last attempt at a snapshot failed; 0 after a success.
    failed_at: u64,
    /// Someone asks for a snapshot, whatever failed before.
    asked: bool,
}

/// Brings the machine to what a snapshot says, and gives the snapshot's head.
pub(super) fn load(machine: &dyn Machine, mut reader: SnapshotReader) -> Result<SnapshotHead, String> {
    let index = reader.index();
    let first = reader.next_record().map_err(|error| error.to_string())?;
    let Some(first) = first.filter(|record| SnapshotHead::is(record)) else {
        return Err(format!(
            "the snapshot of entry {index} was written by a version that did not replicate; hint: salvage it into a \
             new node"
        ));
    };
    let head = SnapshotHead::decode(&first)
        .map_err(|error| format!("the head of the snapshot of entry {index}: {error}"))?;
    if place_or_0(head.applied.as_ref()) != index {
        let says = place_or_0(head.applied.as_ref());
        return Err(format!(
            "the snapshot of entry {index} says that it holds everything up to entry {says}"
        ));
    }
    let mut left = if planted::is(Fault::SnapshotHalf) { reader.count() / 2 } else { u64::MAX };
    machine.replace(&mut || {
        left = left.saturating_sub(1);
        if left == 0 {
            return Ok(None);
        }
        reader.next_record().map_err(|error| error.to_string())
    })?;
    Ok(head)
}

/// Runs what may block where it may, and in line in simulation.
pub(super) async fn blocking<T: Send + 'static>(
    writing: Writing,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    match writing {
        Writing::Inline => work(),
        Writing::Thread => match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(format!("a task ended: {error}")),
        },
    }
}

impl MachineStore {
    /// A machine that was brought to `snapshot`, if there was one.
    pub(super) fn new(
        machine: Arc<dyn Machine>,
        store: Arc<dyn SnapshotStore>,
        log: LogStore,
        writing: Writing,
        every: u64,
        snapshot: Option<SnapshotHead>,
    ) -> Self {
        let now = snapshot.clone().unwrap_or_default();
        let applied = watch::Sender::new(place_or_0(now.applied.as_ref()));
        let state = Mutex::new(State { now, snapshot, ..State::default() });
        let (jumps, attempts) = (watch::Sender::new(0), watch::Sender::new((0, None)));
        let shared = Arc::new(Shared { state, applied, jumps, attempts });
        Self { machine, store, log, writing, every, shared }
    }

    /// The last entry that was carried out.
    pub(super) fn applied(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// Changes when a snapshot takes the place of entries.
    pub(super) fn jumps(&self) -> watch::Receiver<u64> {
        self.shared.jumps.subscribe()
    }

    /// The last entry that the newest snapshot holds; 0 where there is none.
    pub(super) fn snapshot_index(&self) -> u64 {
        let state = self.state();
        state.snapshot.as_ref().map_or(0, |head| place_or_0(head.applied.as_ref()))
    }

    /// The next attempt at a snapshot is made whatever failed before; tells when it is over.
    pub(super) fn ask_for_snapshot(&self) -> watch::Receiver<(u64, Option<String>)> {
        self.state().asked = true;
        self.shared.attempts.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, entry: &Entry) -> Fate {
        let fate = match &entry.payload {
            EntryPayload::Blank | EntryPayload::Membership(_) => Fate::Done,
            EntryPayload::Normal(command) if command.decided_in != entry.log_id.leader_id.term => {
                Fate::PassedOver
            }
            EntryPayload::Normal(command) => {
                self.machine.apply(place(&entry.log_id), &command.bytes);
                Fate::Done
            }
        };
        let mut state = self.state();
        state.now.applied = Some(entry.log_id);
        if let EntryPayload::Membership(membership) = &entry.payload {
            state.now.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
        }
        fate
    }

    /// Writes the snapshot, and lets the log be purged up to the oldest one that is kept.
    fn write(&self, head: &SnapshotHead, frozen: Frozen) -> Result<(), String> {
        let (index, count) = (place_or_0(head.applied.as_ref()), frozen.count);
        let written = self.store.write(index, &head.encode(), frozen).and_then(|()| self.store.prune());
        match written {
            Ok(oldest) => {
                self.log.set_floor(oldest.unwrap_or(0));
                let mut state = self.state();
                state.snapshot = Some(head.clone());
                state.failed_at = 0;
                info!(index, records = count, "snapshot written");
                Ok(())
            }
            Err(error) => {
                self.state().failed_at = index;
                error!("no snapshot at entry {index}, the log stays as it is: {error}");
                Err(error.to_string())
            }
        }
    }

    fn current_meta(&self) -> SnapshotMeta {
        self.state().snapshot.as_ref().map(meta).unwrap_or_default()
    }
}

fn meta(head: &SnapshotHead) -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: head.applied,
        last_membership: head.membership.clone(),
        snapshot_id: head.id(),
    }
}

impl RaftStateMachine<Types> for MachineStore {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        let state = self.state();
        Ok((state.now.applied, state.now.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Fate>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let Some(last) = entries.last().map(|entry| entry.log_id) else { return Ok(Vec::new()) };
        // Nobody may hear of an entry before it is durable here: see `log`.
        let durable = self.log.durable(place(&last)).await;
        durable.map_err(|ended| failed(ErrorSubject::Apply(last), ErrorVerb::Write, &ended.0))?;
        let fates = entries.iter().map(|entry| self.carry_out(entry)).collect();
        self.shared.applied.send_replace(place(&last));
        Ok(fates)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let (due, head) = {
            let mut state = self.state();
            let index = place_or_0(state.now.applied.as_ref());
            let newer = state.snapshot.as_ref().is_none_or(|snapshot| snapshot.applied < state.now.applied);
            let waited = state.failed_at == 0 || index >= state.failed_at + self.every;
            (index > 0 && newer && (waited || std::mem::take(&mut state.asked)), state.now.clone())
        };
        let work = due.then(|| (head, self.machine.freeze()));
        Builder { machine: self.clone(), work: Mutex::new(work) }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, StorageError> {
        Ok(Box::new(SnapshotFile::none()))
    }

    /// The snapshot was adopted before openraft heard of it.
    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        _: Box<SnapshotFile>,
    ) -> Result<(), StorageError> {
        let index = place_or_0(meta.last_log_id.as_ref());
        let (store, machine) = (Arc::clone(&self.store), Arc::clone(&self.machine));
        let loaded = blocking(self.writing, move || {
            let reader = store.read(index).map_err(|error| error.to_string())?;
            load(&*machine, reader)
        });
        let head = loaded.await.map_err(|what| {
            failed(ErrorSubject::Snapshot(Some(meta.signature())), ErrorVerb::Write, &what)
        })?;
        {
            let mut state = self.state();
            (state.now, state.snapshot) = (head.clone(), Some(head));
        }
        info!(index, "took over a snapshot from another node");
        self.shared.applied.send_replace(index);
        self.shared.jumps.send_modify(|jumps| *jumps += 1);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let Some(head) = self.state().snapshot.clone() else { return Ok(None) };
        let file = self.store.open(place_or_0(head.applied.as_ref()));
        let file = file.map_err(|error| {
            failed(ErrorSubject::Snapshot(Some(meta(&head).signature())), ErrorVerb::Read, &error.to_string())
        })?;
        Ok(Some(Snapshot { meta: meta(&head), snapshot: Box::new(file) }))
    }
}

/// Writes one snapshot beside the machine's further work.
pub(super) struct Builder {
    machine: MachineStore,
    /// None when there is nothing new, or a failure is too recent. The lock is for openraft, which wants what may be shared.
    work: Mutex<Option<(SnapshotHead, Frozen)>>,
}

impl RaftSnapshotBuilder<Types> for Builder {
    /// A failure is no error here: the log still holds everything, and openraft would stop.
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        let work = self.work.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let written = match work {
            None => Ok(()),
            Some((head, frozen)) => {
                let machine = self.machine.clone();
                blocking(self.machine.writing, move || machine.write(&head, frozen)).await
            }
        };
        self.machine.shared.attempts.send_modify(|(count, why)| (*count, *why) = (*count + 1, written.err()));
        Ok(Snapshot { meta: self.machine.current_meta(), snapshot: Box::new(SnapshotFile::none()) })
    }
}
