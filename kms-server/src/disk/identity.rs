//! The data directory and who the node in it is.
//!
//! `node.json` is made once, when the directory is empty. A node id is never reused: a directory that holds a log
//! or snapshots but no identity is refused, since a node that comes back under a known name without its memory
//! would lose what it had promised.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::{Log, LogError, SledLog, parent_of, replace_file, sync_dir};

/// The version of the layout of the data directory; another one is refused.
pub const FORMAT: u32 = 1;

const IDENTITY_FILE: &str = "node.json";
const LOCK_FILE: &str = "lock";
const LOG_DIR: &str = "log";

/// Who the node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Random, 32 hexadecimal digits.
    pub id: String,
    /// When the directory was made, in seconds since 1970.
    pub created: i64,
    /// The version of the layout, [`FORMAT`].
    pub format: u32,
}

/// A data directory that is ours alone for as long as this lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    identity: Identity,
    _lock: Flock<File>,
}

impl DataDir {
    /// Locks the directory, reads its identity and opens its log; makes all of it when it is missing or empty.
    ///
    /// `random` becomes the id of a new node and `now` (seconds since 1970) its birthday. The directory is made
    /// with mode 0700. A log is made together with the identity only: a known node whose log is gone is refused.
    ///
    /// # Errors
    /// [`IdentityError::Writable`] when others can write to it, [`IdentityError::Owner`] when it is another user's,
    /// [`IdentityError::Locked`], [`IdentityError::Lost`] when there is data but no identity, [`IdentityError::Format`],
    /// [`IdentityError::Log`], [`IdentityError::Io`].
    pub fn open(path: &Path, random: [u8; 16], now: i64) -> Result<(DataDir, SledLog), IdentityError> {
        let io = |doing| move |source| IdentityError::Io { path: path.to_owned(), doing, source };
        if !path.exists() {
            fs::DirBuilder::new().mode(0o700).create(path).map_err(io("making the directory"))?;
            sync_dir(parent_of(path)).map_err(io("syncing the directory above"))?;
        }
        let metadata = fs::metadata(path).map_err(io("reading its permissions"))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(IdentityError::Writable { path: path.to_owned(), mode });
        }
        let user = nix::unistd::geteuid().as_raw();
        if metadata.uid() != user {
            return Err(IdentityError::Owner { path: path.to_owned(), owner: metadata.uid(), user });
        }
        let lock = lock(path)?;
        let file = path.join(IDENTITY_FILE);
        let log_dir = path.join(LOG_DIR);
        let (identity, log) = match fs::read(&file) {
            Ok(bytes) => (parse(&file, &bytes)?, SledLog::open(&log_dir, None)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                refuse_snapshots_without_identity(path)?;
                let log = SledLog::open(&log_dir, Some(random))?;
                if log.last() != 0 || log.metadata().is_some() {
                    return Err(IdentityError::Lost { path: path.to_owned(), found: "a log".to_owned() });
                }
                let identity = Identity { id: hex::encode(random), created: now, format: FORMAT };
                let json = serde_json::to_vec_pretty(&identity)
                    .map_err(|error| io("writing its identity")(io::Error::other(error)))?;
                replace_file(&file, &json).map_err(io("writing its identity"))?;
                (identity, log)
            }
            Err(error) => return Err(io("reading its identity")(error)),
        };
        Ok((DataDir { path: path.to_owned(), identity, _lock: lock }, log))
    }

    /// Who the node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the wrapped data keys, `keyring`.
    pub fn keyring(&self) -> PathBuf {
        self.path.join("keyring")
    }

    /// The admin socket, `admin.sock`.
    pub fn admin_socket(&self) -> PathBuf {
        self.path.join("admin.sock")
    }
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Others could replace what is in it.
    #[error(
        "data directory {}: its mode is {mode:04o}, others can write to it; hint: run chmod 700 {}", path.display(), path.display()
    )]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error(
        "data directory {}: it belongs to user {owner}, the server runs as user {user}; hint: run the server as its \
         owner, or change the owner of the directory and of everything in it", path.display()
    )]
    Owner {
        /// The directory.
        path: PathBuf,
        /// The directory's owner.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Another server runs on it.
    #[error("data directory {}: another server is running on it; hint: stop that one first", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// There is data, and nothing says whose.
    #[error(
        "data directory {}: it holds {found} but no node.json; hint: restore the directory as a whole; an identity is \
         not made up for existing data", path.display()
    )]
    Lost {
        /// The directory.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// `node.json` is not one of this version's.
    #[error("{}: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        what: String,
    },
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The system refused.
    #[error("data directory {}: {doing}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn lock(path: &Path) -> Result<Flock<File>, IdentityError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.join(LOCK_FILE))
        .map_err(|source| IdentityError::Io { path: path.to_owned(), doing: "opening its lock", source })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => IdentityError::Locked { path: path.to_owned() },
        other => IdentityError::Io { path: path.to_owned(), doing: "locking it", source: other.into() },
    })
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Identity, IdentityError> {
    let format = |what| IdentityError::Format { path: file.to_owned(), what };
    let identity: Identity = serde_json::from_slice(bytes).map_err(|error| format(error.to_string()))?;
    if identity.format != FORMAT {
        return Err(format(format!("expected format {FORMAT}, got {}", identity.format)));
    }
    if identity.id.len() != 32 || !identity.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format(format!("expected an id of 32 hexadecimal digits, got {:?}", identity.id)));
    }
    Ok(identity)
}

fn refuse_snapshots_without_identity(path: &Path) -> Result<(), IdentityError> {
    let io = |source| IdentityError::Io { path: path.to_owned(), doing: "listing it", source };
    for file in fs::read_dir(path).map_err(io)? {
        let name = file.map_err(io)?.file_name().to_string_lossy().into_owned();
        if name.starts_with("snapshot-") && name.ends_with(".kms") {
            return Err(IdentityError::Lost { path: path.to_owned(), found: name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Entry;

    /// sled's threads may hold its file a moment longer than its handle lives.
    fn reopen(dir: &Path) -> Result<(DataDir, SledLog), IdentityError> {
        loop {
            match DataDir::open(dir, [0xee; 16], 5) {
                Err(IdentityError::Log(LogError::Locked { .. })) => std::thread::yield_now(),
                other => return other,
            }
        }
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_node_keeps_the_identity_it_was_born_with() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        let (born, log) = DataDir::open(&dir, [0xab; 16], 1_700_000_000).unwrap();
        assert_eq!(born.identity().id, "ab".repeat(16));
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let identity = born.identity().clone();
        drop((born, log));
        assert_eq!(reopen(&dir).unwrap().0.identity(), &identity);
    }

    #[test]
    fn two_servers_cannot_have_one_data_directory() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        let (first, log) = DataDir::open(&dir, [1; 16], 1).unwrap();
        let error = DataDir::open(&dir, [2; 16], 2).unwrap_err();
        assert!(error.to_string().contains("another server is running on it"), "{error}");
        drop((first, log));
        reopen(&dir).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for mode in [0o770, 0o702, 0o720] {
            chmod(root.path(), mode);
            let error = DataDir::open(root.path(), [1; 16], 1).unwrap_err();
            assert!(matches!(error, IdentityError::Writable { mode: found, .. } if found == mode), "{error}");
        }
        chmod(root.path(), 0o700);
        DataDir::open(root.path(), [1; 16], 1).unwrap();
    }

    #[test]
    fn data_without_an_identity_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("snapshot-00000000000000000007.kms"), b"").unwrap();
        assert!(matches!(reopen(root.path()), Err(IdentityError::Lost { .. })));

        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        let (_, mut log) = DataDir::open(&dir, [1; 16], 1).unwrap();
        log.append(&[Entry { index: 1, bytes: vec![1] }]).unwrap();
        log.sync().unwrap();
        drop(log);
        fs::remove_file(dir.join("node.json")).unwrap();
        let error = reopen(&dir).unwrap_err();
        assert!(matches!(&error, IdentityError::Lost { found, .. } if found == "a log"), "{error}");
    }

    #[test]
    fn a_known_node_whose_log_is_gone_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        drop(DataDir::open(&dir, [1; 16], 1).unwrap());
        fs::remove_dir_all(dir.join("log")).unwrap();
        let error = reopen(&dir).unwrap_err();
        assert!(error.to_string().contains("there is no log, and this node is not new"), "{error}");
    }

    #[test]
    fn an_identity_of_another_format_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let id = "0".repeat(32);
        let json = format!(r#"{{"id":"{id}","created":1,"format":2}}"#);
        fs::write(root.path().join("node.json"), json).unwrap();
        let error = DataDir::open(root.path(), [1; 16], 1).unwrap_err();
        assert!(error.to_string().contains("expected format 1, got 2"), "{error}");
    }
}
