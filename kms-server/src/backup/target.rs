//! The data directory that a restore or a salvage makes: what a new cluster is founded from.
//!
//! `birth.json` says that the node is the first of a cluster, `keyring` holds the data keys and a new one that seals from
//! now on, `restore.kms` the records that the node proposes at its first start. What stood there before is moved aside, never deleted.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kms_core::{Event, Record};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::BackupError;
use super::pending::RESTORE_FILE;
use crate::certificate::utc;
use crate::disk::{SnapshotError, SnapshotWriter, parent_of, replace_file, sync_dir};
use crate::root_key::RootKey;
use crate::seal::{Keyring, SealError};

const BIRTH_FILE: &str = "birth.json";
/// A cluster is founded by its node 1.
const BIRTH: &[u8] = b"{\"number\":1,\"founds\":true}\n";
const KEYRING_FILE: &str = "keyring";
const LOCK_FILE: &str = "lock";
/// What only a directory has in which a node lived or was prepared.
const SIGNS_OF_LIFE: [&str; 4] = ["node.json", "log", KEYRING_FILE, RESTORE_FILE];

/// A data directory as it was found, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    /// Whether a node's data is in it.
    pub(super) holds_data: bool,
    exists: bool,
    owner: Option<(u32, u32)>,
    _lock: Option<Flock<File>>,
}

impl Target {
    /// Looks at a directory, which need not be there, and locks it if it is.
    pub(super) fn examine(path: &Path) -> Result<Target, RestoreError> {
        let io = io(path, "looking at it");
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let path = path.to_owned();
                return Ok(Target { path, holds_data: false, exists: false, owner: None, _lock: None });
            }
            Err(error) => return Err(io(error)),
        };
        let mut holds_data = SIGNS_OF_LIFE.iter().any(|name| path.join(name).exists());
        for file in fs::read_dir(path).map_err(self::io(path, "listing it"))? {
            let name = file.map_err(self::io(path, "listing it"))?.file_name();
            let name = name.to_string_lossy();
            holds_data |= name.starts_with("snapshot-") && name.ends_with(".kms");
        }
        Ok(Target {
            path: path.to_owned(),
            holds_data,
            exists: true,
            owner: Some((metadata.uid(), metadata.gid())),
            _lock: Some(lock(path)?),
        })
    }

    /// Makes the directory, or puts a new one in the place of the one that is there, which is moved aside; returns where
    /// to.
    ///
    /// Until the last step, which is one rename, what was there stays as it was.
    pub(super) fn fill(
        self,
        root: &RootKey,
        now: i64,
        data_keys: &[(u32, Vec<u8>)],
        records: u64,
        next: impl FnMut() -> Result<Option<Vec<u8>>, RestoreError>,
    ) -> Result<Option<PathBuf>, RestoreError> {
        let path = &self.path;
        if !self.holds_data && self.exists {
            // `kms init` made it; it may be a mount point, which cannot be renamed.
            if let Err(error) = write_into(path, root, data_keys, records, next) {
                // Half of it would look like a node's data; neither was there before.
                let _ = fs::remove_file(path.join(RESTORE_FILE));
                let _ = fs::remove_file(path.join(KEYRING_FILE));
                return Err(error);
            }
            self.hand_over(path)?;
            return Ok(None);
        }
        let staging = beside(path, "restoring");
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io(&staging, "removing what an interrupted restore left")(error));
            }
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&staging).map_err(io(&staging, "making it"))?;
        write_into(&staging, root, data_keys, records, next)?;
        self.hand_over(&staging)?;
        let aside = match self.exists {
            true => {
                let aside = free_name(path, now);
                fs::rename(path, &aside)
                    .map_err(|source| RestoreError::Aside { path: path.clone(), source })?;
                Some(aside)
            }
            false => None,
        };
        if let Err(error) = fs::rename(&staging, path) {
            if let Some(aside) = &aside {
                // The old one back into its place: better than none.
                let _ = fs::rename(aside, path);
            }
            return Err(io(path, "putting the new directory in its place")(error));
        }
        sync_dir(parent_of(path)).map_err(io(parent_of(path), "syncing it"))?;
        Ok(aside)
    }

    /// Gives what root wrote to whom the directory belonged: the server refuses another's.
    fn hand_over(&self, made: &Path) -> Result<(), RestoreError> {
        let Some((user, group)) = self.owner.filter(|_| nix::unistd::geteuid().is_root()) else {
            return Ok(());
        };
        let io = |path: &Path| io(path, "giving it to the owner of the data directory");
        for name in ["", KEYRING_FILE, RESTORE_FILE, BIRTH_FILE, LOCK_FILE] {
            let path = if name.is_empty() { made.to_owned() } else { made.join(name) };
            if path.exists() {
                std::os::unix::fs::chown(&path, Some(user), Some(group)).map_err(io(&path))?;
            }
        }
        Ok(())
    }
}

fn write_into(
    dir: &Path,
    root: &RootKey,
    data_keys: &[(u32, Vec<u8>)],
    records: u64,
    mut next: impl FnMut() -> Result<Option<Vec<u8>>, RestoreError>,
) -> Result<(), RestoreError> {
    let keyring = Keyring::import(root.clone(), &dir.join(KEYRING_FILE), data_keys)?;
    let (version, wrapped) = keyring.new_data_key_apart()?;
    keyring.adopt(version, &wrapped)?;
    let mut data_keys = data_keys.to_vec();
    data_keys.push((version, wrapped));
    let total = records + data_keys.len() as u64;
    let mut writer = SnapshotWriter::create(&dir.join(RESTORE_FILE), 0, total)?;
    // The cluster's log knows its data keys, for the nodes that join.
    for (version, wrapped) in data_keys {
        let mut bytes = Vec::new();
        let event = Event::DataKey { version, wrapped };
        Record::Event(event).encode(&mut bytes);
        writer.write(&bytes)?;
    }
    while let Some(record) = next()? {
        writer.write(&record)?;
    }
    writer.finish()?;
    // Last: without it nothing is founded from what an interrupted restore left.
    replace_file(&dir.join(BIRTH_FILE), BIRTH).map_err(io(dir, "writing birth.json"))
}

fn lock(path: &Path) -> Result<Flock<File>, RestoreError> {
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(path.join(LOCK_FILE));
    let file = file.map_err(io(path, "opening its lock"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => RestoreError::Locked { path: path.to_owned() },
        other => io(path, "locking it")(other.into()),
    })
}

/// Refuses a directory on which a server runs, for a moment or for good; changes nothing in it.
pub(super) fn refuse_running(path: &Path) -> Result<(), RestoreError> {
    let Ok(file) = File::open(path.join(LOCK_FILE)) else { return Ok(()) };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Err((_, Errno::EWOULDBLOCK)) => Err(RestoreError::Locked { path: path.to_owned() }),
        // A file system without locks is one on which no server runs.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// `<path>.before-restore-2026-11-24T05-00-00Z`, numbered if that is taken.
fn free_name(path: &Path, now: i64) -> PathBuf {
    let base = format!("before-restore-{}", utc(now).replace(':', "-"));
    let mut name = beside(path, &base);
    let mut number = 2u32;
    while name.exists() {
        name = beside(path, &format!("{base}-{number}"));
        number += 1;
    }
    name
}

/// Why nothing was restored. What was in the data directory is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup is not to be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A server runs.
    #[error("data directory {}: a server is running on it; hint: stop it first", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Something is there already.
    #[error(
        "data directory {}: a node's data is in it. {what} Nothing was changed; hint: with --lose-newer the directory \
         is moved aside, not deleted, and the backup takes its place; to keep what both hold, use kms salvage with both", path.display()
    )]
    WouldLose {
        /// The directory.
        path: PathBuf,
        /// What would be lost, in sentences.
        what: String,
    },
    /// The directory cannot be moved.
    #[error(
        "data directory {}: it cannot be moved aside: {source}; hint: run as who may write to the directory above; where \
         it is a mount point, move what is in it elsewhere yourself, then restore again", path.display()
    )]
    Aside {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Two sources have different data keys under one version.
    #[error(
        "{}: its data key {version} is another than that of the sources before it; hint: these are not of one cluster; \
         salvage each cluster by itself", path.display()
    )]
    OtherCluster {
        /// The source.
        path: PathBuf,
        /// The version.
        version: u32,
    },
    /// Nothing can be read anywhere.
    #[error(
        "salvage: no source holds an object and a data key that the configured root key opens; hint: is it the root key \
         of that cluster? What was found: {found}"
    )]
    Nothing {
        /// The sources and what became of them.
        found: String,
    },
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The records could not be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The system refused.
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> RestoreError + use<> {
    let path = path.to_owned();
    move |source| RestoreError::Io { path, doing, source }
}
