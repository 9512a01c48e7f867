//! A disk in memory that forgets what was not synced, with an eye on what the log holds: so that invariants see every
//! node's log without asking the node.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use kms_server::disk::{Entry, Log, LogError, MemoryLog};

use crate::world::lock;

/// What a node's log holds, as hashes of its entries; of a running node, durable or not.
#[derive(Debug, Default)]
pub(crate) struct Shadow {
    pub(crate) entries: BTreeMap<u64, u64>,
}

/// A log that tells its [`Shadow`] of every change.
#[derive(Debug)]
pub(crate) struct Watched {
    log: MemoryLog,
    shadow: Arc<Mutex<Shadow>>,
}

impl Watched {
    /// What is on the disk now.
    pub(crate) fn new(log: MemoryLog, shadow: Arc<Mutex<Shadow>>) -> Self {
        let held = log.read(log.first()..log.last() + 1, usize::MAX).unwrap_or_default();
        lock(&shadow).entries = held.iter().map(|entry| (entry.index, hash(&entry.bytes))).collect();
        Self { log, shadow }
    }
}

impl Log for Watched {
    fn first(&self) -> u64 {
        self.log.first()
    }

    fn last(&self) -> u64 {
        self.log.last()
    }

    fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        self.log.append(entries)?;
        lock(&self.shadow).entries.extend(entries.iter().map(|entry| (entry.index, hash(&entry.bytes))));
        Ok(())
    }

    fn truncate_from(&mut self, index: u64) -> Result<(), LogError> {
        self.log.truncate_from(index)?;
        lock(&self.shadow).entries.split_off(&index);
        Ok(())
    }

    fn purge_to(&mut self, index: u64) -> Result<(), LogError> {
        self.log.purge_to(index)?;
        let mut shadow = lock(&self.shadow);
        shadow.entries = shadow.entries.split_off(&(index + 1));
        Ok(())
    }

    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        self.log.read(range, bytes_max)
    }

    fn put_metadata(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        self.log.put_metadata(bytes)
    }

    fn metadata(&self) -> Option<&[u8]> {
        self.log.metadata()
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.log.sync()
    }

    fn syncs(&self) -> u64 {
        self.log.syncs()
    }
}

/// FNV-1a: entries are told apart, not protected.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
