//! What a restored node still has to propose: `restore.kms`, which a restore or salvage left in the data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kms_core::Event;

use crate::disk::{SnapshotError, SnapshotReader, parent_of, sync_dir};

/// The most records of one batch.
pub const BATCH_RECORDS_MAX: usize = 1000;

/// A batch ends with the record that brings it to so many bytes; it exceeds them by one record at most.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// The file's name in the data directory.
pub(super) const RESTORE_FILE: &str = "restore.kms";

/// Records that a founding node is to propose before it serves.
#[derive(Debug)]
pub struct RestoreFile {
    path: PathBuf,
    count: u64,
}

/// Looks whether a restore is to be finished in this data directory, and reads the file through once.
///
/// # Errors
/// [`SnapshotError`]: a damaged file is refused before anything of it was proposed. The way out is another restore.
pub fn pending(data_dir: &Path) -> Result<Option<RestoreFile>, SnapshotError> {
    let path = data_dir.join(RESTORE_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let mut reader = SnapshotReader::open(&path)?;
    while reader.next_record()?.is_some() {}
    Ok(Some(RestoreFile { count: reader.count(), path }))
}

impl RestoreFile {
    /// How many records it holds.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All records as events in batches of at most [`BATCH_RECORDS_MAX`], each for one command.
    ///
    /// Taking a record in twice is the same as once, so whoever was interrupted begins again.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn batches(&self) -> Result<Batches, SnapshotError> {
        Ok(Batches { reader: SnapshotReader::open(&self.path)?, failed: false })
    }

    /// Removes the file: all is committed and synced. On return it survives a power cut.
    ///
    /// # Errors
    /// What the system said; the file may then be there at the next start, which does no harm.
    pub fn done(self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        sync_dir(parent_of(&self.path))
    }
}

/// The batches of a [`RestoreFile`].
#[derive(Debug)]
pub struct Batches {
    reader: SnapshotReader,
    failed: bool,
}

impl Iterator for Batches {
    type Item = Result<Vec<Event>, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        while !self.failed && events.len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            match self.reader.next_record() {
                Ok(Some(record)) => {
                    bytes += record.len();
                    events.push(Event::Restored { record });
                }
                Ok(None) => break,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        (!events.is_empty()).then_some(Ok(events))
    }
}
