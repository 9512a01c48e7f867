//! The log: numbered entries of opaque bytes, and one small blob of metadata beside them.
//!
//! The trait is narrow so that an engine that replicates can stand on it as well as a lone node, and so
//! that [`MemoryLog`](super::MemoryLog) can take the disk's place in simulation. Both pass one test-suite.
//! Changes become durable at [`Log::sync`], not before; a caller gathers many and syncs once.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// The most bytes one entry may carry; a longer one is refused with [`LogError::EntryTooLarge`].
///
/// Well above a full group of gathered requests; low enough that a damaged length cannot claim the memory.
pub const ENTRY_BYTES_MAX: usize = 64 << 20;

/// The most bytes the metadata blob may carry; a longer one is refused with [`LogError::MetadataTooLarge`].
pub const METADATA_BYTES_MAX: usize = 4096;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place, counted from 1 without gaps.
    pub index: u64,
    /// What it says; the log does not look inside.
    pub bytes: Vec<u8>,
}

/// A durable, ordered list of entries and one blob of metadata.
///
/// The entries held are `first()..=last()`. What lies before was purged because a snapshot covers it.
pub trait Log: Send {
    /// The index of the oldest entry held; `last() + 1` when none is held.
    fn first(&self) -> u64;

    /// The index of the newest entry; when none is held, the index up to which all was purged (0 at birth).
    fn last(&self) -> u64;

    /// Adds entries at the end; durable after the next [`sync`](Log::sync).
    ///
    /// # Errors
    /// [`LogError::OutOfOrder`] unless the indexes continue `last()` without a gap, [`LogError::EntryTooLarge`];
    /// in both cases nothing was added.
    fn append(&mut self, entries: &[Entry]) -> Result<(), LogError>;

    /// Removes `index` and all entries after it; durable after the next [`sync`](Log::sync).
    ///
    /// Beyond `last()` it does nothing.
    ///
    /// # Errors
    /// [`LogError::Purged`] when `index` lies before `first()`.
    fn truncate_from(&mut self, index: u64) -> Result<(), LogError>;

    /// Removes all entries up to and including `index`, which a durable snapshot must cover.
    ///
    /// An `index` beyond `last()` empties the log and the next entry is `index + 1`: so a snapshot that came
    /// from another node is taken over. At or before what was purged already, it does nothing.
    ///
    /// # Errors
    /// Only what every change can meet: [`LogError::Ended`].
    fn purge_to(&mut self, index: u64) -> Result<(), LogError>;

    /// Reads the entries of `range` in order until they exceed `bytes_max` together; at least one if one is there.
    ///
    /// The range is cut to what the log holds at its end; an empty answer means that the range holds nothing.
    ///
    /// # Errors
    /// [`LogError::Purged`] when the range begins before `first()`, [`LogError::Damaged`] with the entry.
    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, LogError>;

    /// Replaces the metadata blob; durable after the next [`sync`](Log::sync).
    ///
    /// # Errors
    /// [`LogError::MetadataTooLarge`].
    fn put_metadata(&mut self, bytes: &[u8]) -> Result<(), LogError>;

    /// The metadata blob as last put, or nothing if none ever was.
    fn metadata(&self) -> Option<&[u8]>;

    /// Makes all changes so far durable: what returned before this call survives a power cut after it.
    ///
    /// Without a change since the last call it does nothing and costs nothing.
    ///
    /// # Errors
    /// A failed sync ends the process; [`LogError::Ended`] is seen by tests alone.
    fn sync(&mut self) -> Result<(), LogError>;

    /// How many syncs really reached for the disk since this log was opened.
    fn syncs(&self) -> u64;
}

/// Why the log did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The caller skipped or repeated an index.
    #[error("log: expected entry {expected} next, got entry {got}")]
    OutOfOrder {
        /// The index that continues the log.
        expected: u64,
        /// The index that was given.
        got: u64,
    },
    /// The caller gave an entry above [`ENTRY_BYTES_MAX`].
    #[error("log: entry {index} has {length} bytes, at most {ENTRY_BYTES_MAX} are taken")]
    EntryTooLarge {
        /// The entry.
        index: u64,
        /// Its bytes.
        length: usize,
    },
    /// The caller gave metadata above [`METADATA_BYTES_MAX`].
    #[error("log: the metadata has {length} bytes, at most {METADATA_BYTES_MAX} are taken")]
    MetadataTooLarge {
        /// Its bytes.
        length: usize,
    },
    /// The caller asked for an entry that a snapshot has replaced.
    #[error("log: entry {index} was purged, the oldest one held is {first}")]
    Purged {
        /// The index asked for.
        index: u64,
        /// The oldest entry held.
        first: u64,
    },
    /// An entry that the log must hold is not what was written, or is not there.
    #[error(
        "log {}: entry {index} is damaged: {what}; hint: the log is not cut and carried on from; check the disk, \
         then restore this node from a backup or from the other nodes", path.display()
    )]
    Damaged {
        /// The log's directory.
        path: PathBuf,
        /// The entry.
        index: u64,
        /// What was expected and what was found.
        what: String,
    },
    /// Something other than an entry is not what was written.
    #[error(
        "log {}: {what}; hint: the log is not repaired by guessing; check the disk, then restore this node from a \
         backup or from the other nodes", path.display()
    )]
    Broken {
        /// The log's directory.
        path: PathBuf,
        /// What was expected and what was found.
        what: String,
    },
    /// Another process has the log open.
    #[error("log {}: another process has it open; hint: stop the other server of this data directory", path.display())]
    Locked {
        /// The log's directory.
        path: PathBuf,
    },
    /// The system refused while the log was opened or read.
    #[error("log {}: {doing}: {source}", path.display())]
    Io {
        /// The log's directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The disk failed earlier; a production process has ended by then.
    #[error("log: the disk failed, nothing more is done")]
    Ended,
}

/// Refuses entries that do not continue after `last` or are too large.
pub(super) fn check_append(last: u64, entries: &[Entry]) -> Result<(), LogError> {
    for (expected, entry) in (last + 1..).zip(entries) {
        if entry.index != expected {
            return Err(LogError::OutOfOrder { expected, got: entry.index });
        }
        if entry.bytes.len() > ENTRY_BYTES_MAX {
            return Err(LogError::EntryTooLarge { index: entry.index, length: entry.bytes.len() });
        }
    }
    Ok(())
}
