//! Why a backup was not read, in words for whoever stands before it with a dead cluster.

use std::io;
use std::path::PathBuf;

use super::format::VERSION;

/// Why a backup could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing in the file.
    #[error("backup {}: the file is empty; hint: was the disk full when it was made? use another one", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{}: this is not a backup: {what}; hint: a backup is what kms backup create wrote", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: &'static str,
    },
    /// A newer version wrote it.
    #[error(
        "backup {}: it has format {version}, this server reads up to format {VERSION}; hint: use the version of the \
         server that made it, or a newer one", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u8,
    },
    /// The end is missing.
    #[error(
        "backup {}: it was cut off: {what}; hint: use another copy or an older backup; kms salvage reads what is left \
         of this one", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// Another root key is needed.
    #[error(
        "backup {}: it was made under another root key (its check value is {backup}, that of the configured root key is \
         {ours}); hint: configure the root key of the cluster that made it: {manifest}", path.display()
    )]
    OtherRootKey {
        /// The file.
        path: PathBuf,
        /// The check value in its manifest.
        backup: String,
        /// That of the root key given.
        ours: String,
        /// What the backup says of itself.
        manifest: String,
    },
    /// It is not what was written.
    #[error(
        "backup {}: damaged or changed at offset {offset}: {what}; nothing of it was used; hint: use another copy or an \
         older backup; kms salvage reads what is left of this one", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the start.
        offset: u64,
        /// What was expected and what was found.
        what: String,
    },
    /// It is whole, but a key in it cannot be opened.
    #[error(
        "backup {}: it is as it was written, but the material of {id} cannot be opened: {why}; hint: the node that made \
         it was damaged already; use an older backup, or kms salvage with all nodes and backups", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The object.
        id: String,
        /// What sealing said.
        why: String,
    },
    /// It is whole, but something in it is unknown to this version.
    #[error(
        "backup {}: it is as it was written, but {what} in it is not to be read: {why}; hint: was it made by a newer \
         version? use that one", path.display()
    )]
    Record {
        /// The file.
        path: PathBuf,
        /// Which thing.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The caller announced or gave something that cannot be written.
    #[error("backup: it cannot be written: {what}")]
    Unwritable {
        /// What is wrong.
        what: String,
    },
    /// The system refused.
    #[error("backup {}: {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
