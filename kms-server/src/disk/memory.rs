//! The log's twin in memory, which forgets what was not synced: for tests and simulation.

use std::ops::Range;

use super::log::{Entry, Log, LogError, METADATA_BYTES_MAX, check_append};

/// A log whose disk is a second copy that [`Log::sync`] brings up to date.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    now: Held,
    durable: Held,
    changed: bool,
    syncs: u64,
    fail_next_sync: bool,
    ended: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    purged_to: u64,
    entries: Vec<Entry>,
    metadata: Option<Vec<u8>>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> MemoryLog {
        MemoryLog::default()
    }

    /// The power is cut and comes back: what was not synced is gone.
    pub fn crash(self) -> MemoryLog {
        MemoryLog { now: self.durable.clone(), durable: self.durable, ..MemoryLog::default() }
    }

    /// The next sync that has something to do fails, and with it everything after it until [`crash`](Self::crash).
    pub fn fail_next_sync(&mut self) {
        self.fail_next_sync = true;
    }

    fn running(&self) -> Result<(), LogError> {
        if self.ended { Err(LogError::Ended) } else { Ok(()) }
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
        self.changed |= !entries.is_empty();
        self.now.entries.extend_from_slice(entries);
        Ok(())
    }

    fn truncate_from(&mut self, index: u64) -> Result<(), LogError> {
        self.running()?;
        if index < self.first() {
            return Err(LogError::Purged { index, first: self.first() });
        }
        if index <= self.last() {
            self.changed = true;
            self.now.entries.truncate((index - self.first()) as usize);
        }
        Ok(())
    }

    fn purge_to(&mut self, index: u64) -> Result<(), LogError> {
        self.running()?;
        if index > self.now.purged_to {
            self.changed = true;
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
        self.changed = true;
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
        if self.fail_next_sync {
            self.ended = true;
            return Err(LogError::Ended);
        }
        self.durable = self.now.clone();
        self.changed = false;
        self.syncs += 1;
        Ok(())
    }

    fn syncs(&self) -> u64 {
        self.syncs
    }
}
