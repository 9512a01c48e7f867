//! The log as openraft sees it, on top of [`disk::Log`].
//!
//! openraft 0.9 waits for each append before it does anything else, so a leader would sync once an entry, one after the
//! other. Here an append is done when it stands in memory and in the queue of the [`hand`], and nothing
//! that an entry's durability is needed for gets past it before its sync:
//!
//! - a vote is saved when it is durable, and everything queued before it with it;
//! - a follower's answer to an append waits for the sync ([`LogStore::durable`], in `answer`);
//! - no entry is carried out before it is durable here (`apply`), so no proposer and no reader hears of it;
//! - a leader tells others that an entry is decided only when it is durable here ([`LogStore::durable_part`]);
//! - an append that changes the membership waits for its sync as openraft would have it.
//!
//! So a leader may count itself for an entry that it would lose in a crash, but nobody learns of that before it cannot.
//!
//! Recent entries stay in memory, within [`RECENT_BYTES_MAX`], so that replication does not read the disk.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader, StorageIOError};
use tokio::sync::{mpsc, oneshot, watch};

use super::calls::APPEND_BYTES_MAX;
use super::encoding::{Metadata, decode_entry, encode_entry, entry_bytes};
use super::hand::{self, Work};
use super::runtime::{Entry, LogId, StorageError, Types, Vote, place, place_or_0};
use super::types::{Ended, EngineError, NodeId, Writing};
use crate::disk;
use crate::planted::{self, Fault};

/// Bytes of recent entries that are kept in memory; entries that are not yet durable are kept beyond it.
const RECENT_BYTES_MAX: usize = 64 << 20;

/// The log, for openraft and for whoever else waits on it. Clones are the same log.
#[derive(Clone)]
pub(super) struct LogStore {
    shared: Arc<Shared>,
}

/// What the log's users and the hand share.
pub(super) struct Shared {
    state: Mutex<State>,
    work: mpsc::UnboundedSender<Work>,
    progress: watch::Sender<Progress>,
}

/// How far the hand is.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Number of changes that are durable.
    done: u64,
    syncs: u64,
    /// Why nothing more is done.
    ended: Option<String>,
}

#[derive(Default)]
struct State {
    /// Place of the oldest entry.
    first: u64,
    /// Place of the newest entry; `first - 1` where there is none.
    last: u64,
    metadata: Metadata,
    /// `metadata.decided` is newer than what the hand was given.
    decided_waits: bool,
    /// The newest entries, without a gap up to `last`.
    recent: VecDeque<Entry>,
    recent_bytes: usize,
    /// Number of changes that the hand was given.
    given: u64,
    /// Changes that are not durable, and the first entry that each touches.
    unsynced: VecDeque<(u64, u64)>,
    /// The log is not purged further than this, so that the oldest snapshot can stand in for a damaged newer one.
    floor: u64,
    /// What a leader told others to be decided was cut short, because it was not durable here.
    owes_decided: bool,
}

impl LogStore {
    /// Takes over a log beside a snapshot that holds everything up to `snapshot`, while the oldest one that is kept
    /// holds everything up to `floor`; 0 where there is none. `writing` comes with a seed for simulation.
    ///
    /// When the last vote was this node's own, it counts as not settled: a leader that was killed and started again at
    /// once would otherwise go on leading with what it knew then, and serve reads that are stale.
    pub(super) fn open(
        log: Box<dyn disk::Log>,
        writing: (Writing, u64),
        me: NodeId,
        snapshot: u64,
        floor: u64,
    ) -> Result<Self, EngineError> {
        let storage = |what: String| EngineError::Storage(what);
        let mut metadata = match log.metadata() {
            Some(bytes) => Metadata::decode(bytes)
                .map_err(|error| storage(format!("the log's metadata is not of this version: {error}")))?,
            None => Metadata::default(),
        };
        if let Some(vote) = &mut metadata.vote
            && vote.leader_id.node_id == me
        {
            vote.committed = false;
        }
        let purged = place_or_0(metadata.purged.as_ref());
        if log.first() > purged + 1 {
            return Err(storage(format!(
                "the log begins at entry {}, but says that it was purged up to entry {purged}; hint: restore this node \
                 from the other nodes or from a backup",
                log.first()
            )));
        }
        let last = log.last().max(purged);
        if place_or_0(metadata.decided.as_ref()) > last.max(snapshot) {
            return Err(storage(format!(
                "the log ends at entry {last}, but entry {} was decided; hint: restore this node from the other nodes \
                 or from a backup",
                place_or_0(metadata.decided.as_ref())
            )));
        }
        let state = State { first: purged + 1, last, metadata, floor, ..State::default() };
        let (work, queue) = mpsc::unbounded_channel();
        let progress = watch::Sender::new(Progress { syncs: log.syncs(), ..Progress::default() });
        let shared = Arc::new(Shared { state: Mutex::new(state), work, progress });
        hand::start(log, purged, writing, Arc::clone(&shared), queue)
            .map_err(|error| storage(format!("cannot start the thread that writes the log: {error}")))?;
        Ok(Self { shared })
    }

    /// Whether nothing was ever written.
    pub(super) fn is_pristine(&self) -> bool {
        let state = self.state();
        state.metadata.vote.is_none() && state.last == 0
    }

    pub(super) fn vote(&self) -> Option<Vote> {
        self.state().metadata.vote
    }

    /// Places of the oldest and the newest entry; the oldest is one further where there is none.
    pub(super) fn range(&self) -> (u64, u64) {
        let state = self.state();
        (state.first, state.last)
    }

    /// How many times the disk was synced.
    pub(super) fn syncs(&self) -> u64 {
        self.shared.progress.borrow().syncs
    }

    /// Tells when the hand made progress or ended.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// A snapshot that is kept holds everything up to here, and all before may go.
    pub(super) fn set_floor(&self, floor: u64) {
        let mut state = self.state();
        state.floor = state.floor.max(floor);
    }

    /// Waits until everything up to the entry at `place` is durable.
    pub(super) async fn durable(&self, place: u64) -> Result<(), Ended> {
        if planted::is(Fault::AcknowledgeBeforeSync) {
            return Ok(());
        }
        let wanted =
            self.state().unsynced.iter().rev().find(|(_, low)| *low <= place).map(|(number, _)| *number);
        match wanted {
            Some(number) => self.wait(number).await,
            None => Ok(()),
        }
    }

    /// As much of what is decided as is durable here, so that others may hear of it.
    pub(super) fn durable_part(&self, decided: LogId) -> Option<LogId> {
        let mut state = self.state();
        let durable = state.unsynced.iter().map(|(_, low)| low - 1).min().unwrap_or(u64::MAX);
        if place(&decided) <= durable {
            return Some(decided);
        }
        state.owes_decided = true;
        state.recent(durable).map(|entry| entry.log_id)
    }

    /// Whether others are to hear more of what is decided than they did; said once.
    pub(super) fn owes_decided(&self) -> bool {
        let mut state = self.state();
        state.unsynced.is_empty() && std::mem::take(&mut state.owes_decided)
    }

    /// Writes what waits, closes the log and waits until it is closed.
    pub(super) async fn close(&self) {
        let (ended, end) = oneshot::channel();
        if self.shared.work.send(Work::End(ended)).is_ok() {
            let _ = end.await;
        }
    }

    async fn wait(&self, number: u64) -> Result<(), Ended> {
        let mut progress = self.shared.progress.subscribe();
        let seen = progress.wait_for(|progress| progress.done >= number || progress.ended.is_some()).await;
        match seen {
            Ok(progress) if progress.done >= number => Ok(()),
            Ok(progress) => Err(Ended(progress.ended.clone().unwrap_or_default())),
            Err(_) => Err(Ended("the log was closed".to_owned())),
        }
    }

    /// Reads entries until they exceed `bytes_max`; one at least if there is one.
    async fn read(&self, mut places: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        loop {
            let from_disk = {
                let state = self.state();
                places = places.start.max(state.first)..places.end.min(state.last + 1);
                let recent_first = state.last + 1 - state.recent.len() as u64;
                if places.is_empty() {
                    return Ok(entries);
                }
                if places.start >= recent_first {
                    let skipped = (places.start - recent_first) as usize;
                    let wanted = (places.end - places.start) as usize;
                    for entry in state.recent.iter().skip(skipped).take(wanted) {
                        bytes += entry_bytes(entry);
                        if bytes > bytes_max && !entries.is_empty() {
                            break;
                        }
                        entries.push(entry.clone());
                    }
                    return Ok(entries);
                }
                places.start..places.end.min(recent_first)
            };
            let (answer, read) = oneshot::channel();
            let left = bytes_max.saturating_sub(bytes);
            let work = Work::Read { range: from_disk, bytes_max: left.min(RECENT_BYTES_MAX), answer };
            self.shared.work.send(work).map_err(|_| self.why_ended())?;
            let read = read.await.map_err(|_| self.why_ended())??;
            if read.is_empty() {
                return Err(format!("entry {} of the log is not there", places.start));
            }
            for raw in read {
                bytes += raw.bytes.len();
                if bytes > bytes_max && !entries.is_empty() {
                    return Ok(entries);
                }
                places.start = raw.index + 1;
                entries.push(decode_entry(raw.index, &raw.bytes)?);
            }
        }
    }

    async fn read_one(&self, place: u64) -> Result<Option<Entry>, StorageError> {
        let read = self.read(place..place + 1, usize::MAX).await.map_err(|what| reading(&what))?;
        Ok(read.into_iter().next())
    }

    fn why_ended(&self) -> String {
        self.shared.progress.borrow().ended.clone().unwrap_or_else(|| "the log was closed".to_owned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The hand: so many changes are durable.
    pub(super) fn durable_up_to(&self, done: u64, syncs: u64) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            while state.unsynced.front().is_some_and(|(number, _)| *number <= done) {
                state.unsynced.pop_front();
            }
            state.forget_old();
        }
        self.progress.send_modify(|progress| (progress.done, progress.syncs) = (done, syncs));
    }

    /// The hand: nothing more is done.
    pub(super) fn ended(&self, why: &str) {
        self.progress.send_modify(|progress| {
            progress.ended.get_or_insert_with(|| why.to_owned());
        });
    }

    /// Gives the hand something to do that changes the log from the entry `low` on. Whoever holds the state's lock
    /// keeps the order.
    fn give(&self, state: &mut State, low: u64, work: Work) -> Result<u64, String> {
        if let Some(why) = &self.progress.borrow().ended {
            return Err(why.clone());
        }
        state.given += 1;
        state.unsynced.push_back((state.given, low));
        self.work.send(work).map_err(|_| "the log was closed".to_owned())?;
        Ok(state.given)
    }
}

impl State {
    fn recent(&self, place: u64) -> Option<&Entry> {
        let back = usize::try_from(self.last.checked_sub(place)?).ok()?;
        self.recent.get(self.recent.len().checked_sub(back + 1)?)
    }

    fn push(&mut self, entry: Entry) {
        self.last = place(&entry.log_id);
        self.recent_bytes += entry_bytes(&entry);
        self.recent.push_back(entry);
    }

    fn forget_old(&mut self) {
        let durable = self.unsynced.iter().map(|(_, low)| low - 1).min().unwrap_or(u64::MAX);
        while self.recent_bytes > RECENT_BYTES_MAX
            && self.recent.front().is_some_and(|entry| place(&entry.log_id) <= durable)
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(entry) = self.recent.pop_front() {
            self.recent_bytes -= entry_bytes(&entry);
        }
    }

    /// The metadata, if it is to be written with the next entries.
    fn waiting_metadata(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.decided_waits).then(|| self.metadata.encode())
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        self.read(places(&range), usize::MAX).await.map_err(|what| reading(&what))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        self.read(start + 1..end + 1, APPEND_BYTES_MAX).await.map_err(|what| reading(&what))
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let (purged, first, last) = {
            let state = self.state();
            (state.metadata.purged, state.first, state.last)
        };
        let last_entry = if last >= first { self.read_one(last).await? } else { None };
        let last_log_id = last_entry.map(|entry| entry.log_id).or(purged);
        Ok(LogState { last_purged_log_id: purged, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let given = {
            let mut state = self.state();
            state.metadata.vote = Some(*vote);
            if planted::is(Fault::VoteNotSynced) {
                return Ok(());
            }
            state.decided_waits = false;
            let (low, bytes) = (state.last + 1, state.metadata.encode());
            self.shared.give(&mut state, low, Work::Metadata(bytes))
        };
        let number = given.map_err(|what| failed(ErrorSubject::Vote, ErrorVerb::Write, &what))?;
        self.wait(number).await.map_err(|ended| failed(ErrorSubject::Vote, ErrorVerb::Write, &ended.0))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.vote())
    }

    /// Written with whatever is written next: it only saves time at the next start.
    async fn save_committed(&mut self, decided: Option<LogId>) -> Result<(), StorageError> {
        let mut state = self.state();
        state.metadata.decided = decided;
        state.decided_waits = true;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.state().metadata.decided)
    }

    async fn append<I>(&mut self, entries: I, flushed: LogFlushed<Types>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let Some(low) = entries.first().map(|entry| place(&entry.log_id)) else {
            flushed.log_io_completed(Ok(()));
            return Ok(());
        };
        let waits =
            entries.iter().any(|entry| matches!(entry.payload, openraft::EntryPayload::Membership(_)));
        let raw = entries
            .iter()
            .map(|entry| disk::Entry { index: place(&entry.log_id), bytes: encode_entry(entry) });
        let raw = raw.collect();
        let (now, later) = if waits { (None, Some(flushed)) } else { (Some(flushed), None) };
        {
            let mut state = self.state();
            let metadata = state.waiting_metadata();
            let work = Work::Append { entries: raw, metadata, flushed: later };
            self.shared.give(&mut state, low, work).map_err(|what| writing(&what))?;
            entries.into_iter().for_each(|entry| state.push(entry));
            state.forget_old();
        }
        if let Some(flushed) = now {
            flushed.log_io_completed(Ok(()));
        }
        Ok(())
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        let from = place(&since);
        let mut state = self.state();
        while state.recent.back().is_some_and(|entry| place(&entry.log_id) >= from) {
            if let Some(entry) = state.recent.pop_back() {
                state.recent_bytes -= entry_bytes(&entry);
            }
        }
        state.last = state.last.min(from - 1);
        self.shared.give(&mut state, from, Work::Truncate { from }).map_err(|what| writing(&what))?;
        Ok(())
    }

    async fn purge(&mut self, up_to: LogId) -> Result<(), StorageError> {
        let wanted = place(&up_to);
        let (first, last, floor) = {
            let state = self.state();
            (state.first, state.last, state.floor)
        };
        // A snapshot from another node may hold another entry here than this log: then what follows is void as well.
        let here = if (first..=last).contains(&wanted) { self.read_one(wanted).await? } else { None };
        if wanted > last || here.is_some_and(|entry| entry.log_id != up_to) {
            let mut state = self.state();
            state.metadata.purged = Some(up_to);
            state.metadata.decided = state.metadata.decided.max(Some(up_to));
            (state.first, state.last) = (wanted + 1, wanted);
            state.recent.clear();
            (state.recent_bytes, state.decided_waits) = (0, false);
            let work = Work::Restart { at: wanted, metadata: state.metadata.encode() };
            self.shared.give(&mut state, first, work).map_err(|what| writing(&what))?;
            return Ok(());
        }
        let to = wanted.min(floor);
        if to < first {
            return Ok(());
        }
        let id = if to == wanted { Some(up_to) } else { self.read_one(to).await?.map(|entry| entry.log_id) };
        let mut state = self.state();
        state.metadata.purged = id;
        state.first = to + 1;
        state.decided_waits = false;
        while state.recent.front().is_some_and(|entry| place(&entry.log_id) <= to) {
            state.forget_first();
        }
        // It touches no entry that anyone waits for.
        let (low, work) = (state.last + 1, Work::Purge { to, metadata: state.metadata.encode() });
        self.shared.give(&mut state, low, work).map_err(|what| writing(&what))?;
        Ok(())
    }
}

/// openraft's range of indexes, counted from 0, as places, counted from 1.
fn places(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(index) => index + 1,
        Bound::Excluded(index) => index + 2,
        Bound::Unbounded => 1,
    };
    let end = match range.end_bound() {
        Bound::Included(index) => index + 2,
        Bound::Excluded(index) => index + 1,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

pub(super) fn failed(subject: ErrorSubject<NodeId>, verb: ErrorVerb, what: &str) -> StorageError {
    StorageError::IO { source: StorageIOError::new(subject, verb, AnyError::error(what)) }
}

fn reading(what: &str) -> StorageError {
    failed(ErrorSubject::Logs, ErrorVerb::Read, what)
}

fn writing(what: &str) -> StorageError {
    failed(ErrorSubject::Logs, ErrorVerb::Write, what)
}

impl Progress {
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }
}
