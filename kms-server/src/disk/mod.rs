//! What a node keeps on its disk: who it is ([`identity`]), the log of what was decided ([`log`]), and
//! snapshots of what came of it ([`snapshot`]).
//!
//! Everything here deals in opaque bytes and indexes; nothing here knows an event or a key. Two rules
//! hold throughout (ARCHITECTURE.md, decision 4): a write that could not be synced ends the process and is never
//! tried again, because the kernel may have dropped the dirty pages while marking them clean; and what
//! was damaged is reported with its place, never cut off and carried on from.

pub mod identity;
pub mod log;
mod log_left;
pub mod memory;
mod pieces;
mod record;
mod sled_files;
mod sled_log;
pub mod snapshot;
mod snapshot_left;
mod snapshot_received;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod left_tests;
#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod snapshot_tests;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use identity::{DataDir, Identity, IdentityError, Newborn, write_birth};
pub use log::{Entry, Log, LogError};
pub use log_left::LogLeft;
pub use memory::{MemoryDisk, MemoryLog};
pub use sled_log::SledLog;
pub use snapshot::{SnapshotError, SnapshotReader, SnapshotWriter, Snapshots};
pub use snapshot_left::{SnapshotLeft, read_snapshot_left};
pub use snapshot_received::SnapshotReceiver;

/// The exit code of a process whose disk failed (`EX_IOERR` of sysexits.h).
///
/// A service file should restart on it only with the operator's eyes on the disk.
pub const EXIT_DISK: i32 = 74;

/// What is called when the disk failed; in production it does not return ([`fatal`]).
///
/// Tests hand in a function that takes note instead; the caller then refuses all further work.
pub type OnFatal = Box<dyn Fn(&str) + Send + Sync>;

/// Ends the process because the disk failed: one error line, then exit code [`EXIT_DISK`].
///
/// Nothing may be retried or answered after a failed sync: what the kernel holds and what the disk holds
/// have parted, and only a fresh start from what the disk holds makes them one again.
pub fn fatal(what: &str) -> ! {
    tracing::error!(
        exit_code = EXIT_DISK,
        "the disk failed, the process ends: {what}; hint: check the disk and its file system before starting again"
    );
    std::process::exit(EXIT_DISK)
}

/// Makes creations, renames and removals in a directory durable.
///
/// # Errors
/// What the system said when the directory was opened or synced.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Replaces a file as one step: temporary name, mode 0600, sync, rename, directory sync.
///
/// A reader, also one after a power cut, sees the old bytes or the new ones, never a mixture.
///
/// # Errors
/// What the system said at the first step that failed; the old file is then still in place.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = partial_path(path);
    remove_if_there(&partial)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    sync_dir(parent_of(path))
}

/// The name under which a file is written before it is renamed into place.
fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
