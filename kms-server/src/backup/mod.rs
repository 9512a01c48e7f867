//! Backup, restore and salvage: what stands between a dead cluster and lost VMs.
//!
//! A backup ([`Backup`], [`Reader`], [`verify()`]) is one encrypted file of all objects and clients as they were at one entry
//! of the log, with the data keys that their material is sealed under. The root key is not in it. [`restore()`] makes a
//! data directory of one, [`salvage()`] of whatever damaged folders and backups still hold; a server that starts on it
//! founds a new cluster and proposes what is [`pending()`]. What belonged to the old cluster alone (answers, invitations,
//! node numbers) stays behind.

mod backup_left;
mod cipher;
mod command;
mod entry;
mod error;
mod folder;
mod format;
mod merge;
mod pending;
mod read;
mod report;
mod restore;
mod salvage;
mod target;
mod verify;
mod write;

#[cfg(test)]
mod backup_tests;
#[cfg(test)]
mod fuzzed;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod salvage_tests;
#[cfg(test)]
mod test_bed;

pub use command::{Command, Ended};
pub(crate) use entry::COMMAND_HEAD_BYTES;
pub use error::BackupError;
pub use format::{Manifest, VERSION};
pub use pending::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Batches, RestoreFile, pending};
pub use read::Reader;
pub use report::{SourceReport, Summary};
pub use restore::restore;
pub use salvage::salvage;
pub use target::RestoreError;
pub use verify::verify;
pub use write::{Backup, Made};
