//! The data directory and who the node in it is.
//!
//! `node.json` is made once, when the directory is empty. A node id is never reused: a directory that holds a log
//! or snapshots but no identity is refused, since a node that comes back under a known name without its memory
//! would lose what it had promised. A node of a cluster is therefore born by word of another alone: `birth.json` holds
//! the number it was given, and an empty directory without it is refused.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::{Log, LogError, SledLog, parent_of, remove_if_there, replace_file, sync_dir};

/// The version of the layout of the data directory; another one is refused.
pub const FORMAT: u32 = 1;

const IDENTITY_FILE: &str = "node.json";
const BIRTH_FILE: &str = "birth.json";
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
    /// Its number in its cluster, from 1; never another node's, also when this one is gone. 1 where the file does not say,
    /// as before there were clusters.
    #[serde(default = "founder")]
    pub number: u64,
    /// Whether it founds a cluster, alone at first, rather than wait until one takes it in. True where the file does not
    /// say.
    #[serde(default = "founding")]
    pub founds: bool,
}

/// What an empty directory becomes that holds no `birth.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newborn {
    /// Node 1, which founds a cluster of its own: a lone server.
    Founds,
    /// Nothing: the node belongs to a cluster, and only another node can say under which number.
    Refused,
}

/// The content of `birth.json`: what was decided about a node before it first starts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Birth {
    number: u64,
    founds: bool,
}

fn founder() -> u64 {
    1
}

fn founding() -> bool {
    true
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
    /// A new node takes its number from `birth.json`, which is removed once `node.json` is durable; where both are there,
    /// `node.json` holds. Without `birth.json`, `newborn` decides.
    ///
    /// # Errors
    /// [`IdentityError::Empty`] for a new node without `birth.json` and with [`Newborn::Refused`],
    /// [`IdentityError::Writable`] when others can write to it, [`IdentityError::Owner`] when it is another user's,
    /// [`IdentityError::Locked`], [`IdentityError::Lost`] when there is data but no identity, [`IdentityError::Format`],
    /// [`IdentityError::Log`], [`IdentityError::Io`].
    pub fn open(
        path: &Path,
        random: [u8; 16],
        now: i64,
        newborn: Newborn,
    ) -> Result<(DataDir, SledLog), IdentityError> {
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
                let birth = birth(path, newborn)?;
                let log = SledLog::open(&log_dir, Some(random))?;
                if log.last() != 0 || log.metadata().is_some() {
                    return Err(IdentityError::Lost { path: path.to_owned(), found: "a log".to_owned() });
                }
                let Birth { number, founds } = birth;
                let identity =
                    Identity { id: hex::encode(random), created: now, format: FORMAT, number, founds };
                let json = serde_json::to_vec_pretty(&identity)
                    .map_err(|error| io("writing its identity")(io::Error::other(error)))?;
                replace_file(&file, &json).map_err(io("writing its identity"))?;
                (identity, log)
            }
            Err(error) => return Err(io("reading its identity")(error)),
        };
        // Born: a second birth from the same file would be another node under its number.
        remove_if_there(&path.join(BIRTH_FILE))
            .and_then(|()| sync_dir(path))
            .map_err(io("removing its birth.json"))?;
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
    /// It is empty, and its node is to be one of a cluster.
    #[error(
        "data directory {}: the data directory is empty, but this node belongs to a cluster, and a node that comes back \
         without its memory would lose what it had promised; hint: if its disk was lost: run kms cluster remove N, with \
         its number, on another node, then kms join here under a new number", path.display()
    )]
    Empty {
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
    /// `node.json` or `birth.json` is not one of this version's.
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
    check_number(file, identity.number)?;
    Ok(identity)
}

/// What a new node is born as.
/// Says, before a node first starts in `path`, which number it gets and whether it founds the cluster.
///
/// # Errors
/// What the system said; nothing is there then.
pub fn write_birth(path: &Path, number: u64, founds: bool) -> io::Result<()> {
    let json = serde_json::to_vec(&Birth { number, founds }).map_err(io::Error::other)?;
    replace_file(&path.join(BIRTH_FILE), &json)
}

fn birth(path: &Path, newborn: Newborn) -> Result<Birth, IdentityError> {
    let file = path.join(BIRTH_FILE);
    match fs::read(&file) {
        Ok(bytes) => {
            let birth: Birth = serde_json::from_slice(&bytes)
                .map_err(|error| IdentityError::Format { path: file.clone(), what: error.to_string() })?;
            check_number(&file, birth.number)?;
            Ok(birth)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match newborn {
            Newborn::Founds => Ok(Birth { number: founder(), founds: founding() }),
            // Not as empty as it should be: what is there must not be taken for a lost disk.
            Newborn::Refused if path.join(LOG_DIR).exists() => {
                Err(IdentityError::Lost { path: path.to_owned(), found: "a log".to_owned() })
            }
            Newborn::Refused => Err(IdentityError::Empty { path: path.to_owned() }),
        },
        Err(source) => {
            Err(IdentityError::Io { path: path.to_owned(), doing: "reading its birth.json", source })
        }
    }
}

fn check_number(file: &Path, number: u64) -> Result<(), IdentityError> {
    if number == 0 {
        let what = "expected a node number from 1, got 0".to_owned();
        return Err(IdentityError::Format { path: file.to_owned(), what });
    }
    Ok(())
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
