//! `--verify-backup`, `--restore` and `--salvage`: answers of the command line that are no daemon.

use std::path::PathBuf;

use super::error::BackupError;
use super::target::RestoreError;
use super::{restore, salvage, verify};
use crate::config::{Config, credentials_directory};
use crate::root_key::RootKey;

/// The root key is not to be had, or the disk refused.
const EXIT_FAILED: u8 = 3;
/// The backup is not whole, not a backup, or under another root key.
const EXIT_REFUSED: u8 = 4;
/// A node's data is in the data directory and was not to be moved aside.
const EXIT_WOULD_LOSE: u8 = 5;
/// The salvage is done, and some objects are lost.
const EXIT_INCOMPLETE: u8 = 6;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read a backup to its end and open every key in it.
    Verify(PathBuf),
    /// Make the data directory out of a backup.
    Restore {
        /// The backup.
        path: PathBuf,
        /// Whether a node's data that is there may be moved aside.
        lose_newer: bool,
    },
    /// Make the data directory out of whatever these folders and backups hold.
    Salvage(Vec<PathBuf>),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The process's exit code: 0 done; 3 failed; 4 the backup was refused; 5 something would be lost; 6 salvaged, but
    /// some objects are lost.
    pub exit_code: u8,
    /// For standard output when the exit code is 0 or 6, for standard error otherwise.
    pub text: String,
}

impl Ended {
    /// Whether it was done, if not of everything.
    pub fn is_done(&self) -> bool {
        matches!(self.exit_code, 0 | EXIT_INCOMPLETE)
    }
}

impl Command {
    /// Does it, with the configuration's root key and data directory. `now` is seconds since 1970.
    pub fn run(&self, config: &Config, now: i64) -> Ended {
        let root = match RootKey::load(&config.root_key, credentials_directory().as_deref()) {
            Ok(root) => root,
            Err(error) => return Ended { exit_code: EXIT_FAILED, text: error.to_string() },
        };
        let data_dir = &config.data_dir;
        let summary = match self {
            Command::Verify(path) => {
                let text = verify(path, &root).map(|manifest| {
                    format!("{}: whole, and every key in it opens; {manifest}", path.display())
                });
                return Ended::of(text.map_err(RestoreError::from));
            }
            Command::Restore { path, lose_newer } => restore(path, &root, data_dir, *lose_newer, now),
            Command::Salvage(paths) => salvage(paths, &root, data_dir, now),
        };
        let whole = summary.as_ref().map_or(true, super::Summary::is_whole);
        let mut ended = Ended::of(summary.map(|summary| summary.to_string()));
        if !whole {
            ended.exit_code = EXIT_INCOMPLETE;
        }
        ended
    }
}

impl Ended {
    fn of(result: Result<String, RestoreError>) -> Ended {
        match result {
            Ok(text) => Ended { exit_code: 0, text },
            Err(error) => Ended { exit_code: exit_code(&error), text: error.to_string() },
        }
    }
}

fn exit_code(error: &RestoreError) -> u8 {
    match error {
        RestoreError::WouldLose { .. } => EXIT_WOULD_LOSE,
        RestoreError::Backup(BackupError::Io { .. } | BackupError::Unwritable { .. }) => EXIT_FAILED,
        RestoreError::Backup(_) | RestoreError::OtherCluster { .. } | RestoreError::Nothing { .. } => {
            EXIT_REFUSED
        }
        RestoreError::Locked { .. }
        | RestoreError::Aside { .. }
        | RestoreError::Seal(_)
        | RestoreError::Snapshot(_)
        | RestoreError::Io { .. } => EXIT_FAILED,
    }
}
