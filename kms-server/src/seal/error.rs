//! Why something was not sealed or opened, with the way out.

use std::io;
use std::path::PathBuf;

use super::DATA_KEYS_MAX;

/// Why nothing was sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The bytes are not sealed bytes.
    #[error("sealed key material: the bytes do not have its form")]
    Form,
    /// The keyring does not hold the data key.
    #[error(
        "sealed key material: it names data key {version}, which this keyring does not hold; hint: was an older keyring restored?"
    )]
    UnknownKey {
        /// The version named.
        version: u32,
    },
    /// The tag does not fit: changed bytes, or another object's.
    #[error("sealed key material of {id}: it was changed, or belongs to another object")]
    Refused {
        /// The object it was to be opened for.
        id: String,
    },
    /// The root key given is not the one that wrapped the keyring.
    #[error("keyring {}: the root key does not open it; hint: is it the root key of another node, or was it replaced?", path.display())]
    WrongRootKey {
        /// The file.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("keyring {}: damaged: {what}; hint: restore the file from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        what: String,
    },
    /// A keyring is there already.
    #[error("keyring {}: it exists; a new one would make everything sealed with it unreadable", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The root key here is not the one that wrapped a data key.
    #[error(
        "data key {version}: the root key does not open it; hint: all nodes of a cluster, and what is restored from its \
         backups, need the same root key"
    )]
    Unwrap {
        /// The data key's version.
        version: u32,
    },
    /// Two data keys have one version.
    #[error(
        "data key {version}: another key of this version is in the keyring; hint: does the keyring belong to another \
         cluster?"
    )]
    Conflict {
        /// The version of both.
        version: u32,
    },
    /// A keyring without a data key.
    #[error("keyring: there is no data key to put into it")]
    NoKey,
    /// The data key has sealed as often as it may, and no other came.
    #[error(
        "keyring: data key {version} has made its {seals} seals and may make no more; hint: the next one comes with the \
         log; see kms cluster status"
    )]
    UsedUp {
        /// The data key's version.
        version: u32,
        /// The bound.
        seals: u64,
    },
    /// There is no room for another data key.
    #[error("keyring: it holds {DATA_KEYS_MAX} data keys, no more are made")]
    Full,
    /// The cipher itself failed, which only a broken library does.
    #[error("sealing: the cipher failed")]
    Cipher,
    /// The system refused.
    #[error("keyring {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
