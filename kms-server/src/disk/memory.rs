//! The log's twin in memory, which forgets what was not synced: for tests and simulation.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::log::{Entry, Log, LogError, METADATA_BYTES_MAX, check_append};

/// A log whose disk is a second copy that [`Log::sync`] brings up to date.
///
/// A clone is another log with a disk of its own, as this one is now.
#[derive(Debug, Default)]
pub struct MemoryLog {
    now: Held,
    disk: MemoryDisk,
    /// Which of the logs on the disk this is; an older one writes to it no more.
    number: u64,
    /// The first entry that the disk does not have as it is now.
    changed_from: u64,
    changed: bool,
    syncs: u64,
    ended: bool,
}

/// The disk under a [`MemoryLog`]: what is left when the power is cut, also while someone else holds the log.
///
/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    durable: Arc<Mutex<Durable>>,
}

#[derive(Clone, Debug, Default)]
struct Durable {
    held: Held,
    /// The number of the log that may write here.
    number: u64,
    fail_next_sync: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    purged_to: u64,
    entries: Vec<Entry>,
    metadata: Option<Vec<u8>>,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// The log as the disk has it. A log that was opened before has lost its disk: it refuses everything from its next
    /// sync on, so this is a power cut for it.
    pub fn open(&self) -> MemoryLog {
        let (held, number) = {
            let mut durable = self.durable();
            durable.number += 1;
            durable.fail_next_sync = false;
            (durable.held.clone(), durable.number)
        };
        MemoryLog { now: held, disk: self.clone(), number, changed_from: u64::MAX, ..MemoryLog::default() }
    }

    /// The newest entry that would survive a power cut now; 0 for none.
    pub fn last(&self) -> u64 {
        let durable = self.durable();
        durable.held.purged_to + durable.held.entries.len() as u64
    }

    /// The metadata that would survive a power cut now.
    pub fn metadata(&self) -> Option<Vec<u8>> {
        self.durable().held.metadata.clone()
    }

    /// The next sync of the log that has something to do fails, and with it everything after it.
    pub fn fail_next_sync(&self) {
        self.durable().fail_next_sync = true;
    }

    fn durable(&self) -> MutexGuard<'_, Durable> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> MemoryLog {
        MemoryDisk::new().open()
    }

    /// Its disk.
    pub fn disk(&self) -> MemoryDisk {
        self.disk.clone()
    }

    /// The power is cut and comes back: what was not synced is gone.
    pub fn crash(self) -> MemoryLog {
        self.disk.open()
    }

    /// The next sync that has something to do fails, and with it everything after it until [`crash`](Self::crash).
    pub fn fail_next_sync(&mut self) {
        self.disk.fail_next_sync();
    }

    fn running(&self) -> Result<(), LogError> {
        if self.ended { Err(LogError::Ended) } else { Ok(()) }
    }

    fn change(&mut self, from: u64) {
        self.changed = true;
        self.changed_from = self.changed_from.min(from);
    }
}

impl Clone for MemoryLog {
    fn clone(&self) -> Self {
        let durable = self.disk.durable().clone();
        Self {
            now: self.now.clone(),
            disk: MemoryDisk { durable: Arc::new(Mutex::new(durable)) },
            number: self.number,
            changed_from: self.changed_from,
            changed: self.changed,
            syncs: self.syncs,
            ended: self.ended,
        }
    }
}

impl Log for MemoryLog {
    fn first(&self) -> u64 {
        self.now.purged_to + 1
    }

    fn last(&self) -> u64 {
        self.now.purged_to + self.now.entries.len() as u64
    }

    fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        self.running()?;
        check_append(self.last(), entries)?;
        if !entries.is_empty() {
            self.change(self.last() + 1);
        }
        self.now.entries.extend_from_slice(entries);
        Ok(())
    }

    fn truncate_from(&mut self, index: u64) -> Result<(), LogError> {
        self.running()?;
        if index < self.first() {
            return Err(LogError::Purged { index, first: self.first() });
        }
        if index <= self.last() {
            self.change(index);
            self.now.entries.truncate((index - self.first()) as usize);
        }
        Ok(())
    }

    fn purge_to(&mut self, index: u64) -> Result<(), LogError> {
        self.running()?;
        if index > self.now.purged_to {
            self.change(u64::MAX);
            let gone = (index.min(self.last()) - self.now.purged_to) as usize;
            self.now.entries.drain(..gone);
            self.now.purged_to = index;
        }
        Ok(())
    }

    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        self.running()?;
        let range = range.start..range.end.min(self.last().saturating_add(1));
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.first();
        if range.start < first {
            return Err(LogError::Purged { index: range.start, first });
        }
        let mut total = 0usize;
        let wanted = &self.now.entries[(range.start - first) as usize..(range.end - first) as usize];
        let fitting = wanted.iter().enumerate().take_while(|(place, entry)| {
            total += entry.bytes.len();
            *place == 0 || total <= bytes_max
        });
        Ok(fitting.map(|(_, entry)| entry.clone()).collect())
    }

    fn put_metadata(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        self.running()?;
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(LogError::MetadataTooLarge { length: bytes.len() });
        }
        self.change(u64::MAX);
        self.now.metadata = Some(bytes.to_vec());
        Ok(())
    }

    fn metadata(&self) -> Option<&[u8]> {
        self.now.metadata.as_deref()
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.running()?;
        if !self.changed {
            return Ok(());
        }
        let mut durable = self.disk.durable();
        if durable.number != self.number || std::mem::take(&mut durable.fail_next_sync) {
            drop(durable);
            self.ended = true;
            return Err(LogError::Ended);
        }
        durable.held.take_over(&self.now, self.changed_from);
        drop(durable);
        (self.changed, self.changed_from) = (false, u64::MAX);
        self.syncs += 1;
        Ok(())
    }

    fn syncs(&self) -> u64 {
        self.syncs
    }
}

impl Held {
    /// Becomes `now`, which differs in entries from `changed_from` on and in what was purged; so a sync costs what has
    /// changed, not what there is.
    fn take_over(&mut self, now: &Held, changed_from: u64) {
        let last = self.purged_to + self.entries.len() as u64;
        self.entries
            .truncate((changed_from.saturating_sub(1).clamp(self.purged_to, last) - self.purged_to) as usize);
        let gone = now.purged_to.saturating_sub(self.purged_to).min(self.entries.len() as u64);
        self.entries.drain(..gone as usize);
        self.purged_to = now.purged_to;
        self.entries.extend_from_slice(&now.entries[self.entries.len()..]);
        self.metadata.clone_from(&now.metadata);
    }
}
