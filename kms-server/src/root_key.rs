//! The root key: the one secret that a node is given and does not make out of another.
//!
//! It wraps the data keys of the [keyring](crate::seal) and the keys of [backups](crate::backup), nothing else. It comes
//! from a file that only its owner can read, or from a systemd credential.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::disk::sync_dir;

/// Bytes of a root key: AES-256.
pub const ROOT_KEY_BYTES: usize = 32;

/// Hexadecimal digits in its file.
const DIGITS: usize = 2 * ROOT_KEY_BYTES;

/// Where the root key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of 64 hexadecimal digits, mode 0600 or stricter.
    File(PathBuf),
    /// The name of a systemd credential (`LoadCredential=`, `LoadCredentialEncrypted=`) with the same content.
    Credential(String),
}

/// The root key; wiped when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RootKey([u8; ROOT_KEY_BYTES]);

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey(masked)")
    }
}

impl RootKey {
    /// A root key of the given bytes, which must be random and are the caller's to wipe.
    pub fn new(bytes: &[u8; ROOT_KEY_BYTES]) -> RootKey {
        RootKey(*bytes)
    }

    /// Reads the root key. `credentials` is the value of `$CREDENTIALS_DIRECTORY`, where systemd puts credentials.
    ///
    /// # Errors
    /// [`RootKeyError`]; a file that anybody but its owner can read or write is refused, so is another user's.
    pub fn load(source: &Source, credentials: Option<&Path>) -> Result<RootKey, RootKeyError> {
        match source {
            Source::File(path) => read(path, 0o077),
            Source::Credential(name) => {
                if name.is_empty() || name.contains('/') || name == "." || name == ".." {
                    return Err(RootKeyError::CredentialName { name: name.clone() });
                }
                let Some(credentials) = credentials else {
                    return Err(RootKeyError::NoCredentials { name: name.clone() });
                };
                // systemd lets a service read its credentials through an access list, which shows as group bits.
                read(&credentials.join(name), 0o007)
            }
        }
    }

    /// Makes a random root key and writes it to a new file, mode 0600, synced.
    ///
    /// # Errors
    /// [`RootKeyError::Io`]; a file that is there is never overwritten, for what it wraps would be lost.
    pub fn create(path: &Path) -> Result<RootKey, RootKeyError> {
        let io = |doing| move |source| RootKeyError::Io { path: path.to_owned(), doing, source };
        let mut key = RootKey([0; ROOT_KEY_BYTES]);
        crate::entropy::fill(&mut key.0);
        let mut line = Zeroizing::new([b'\n'; DIGITS + 1]);
        hex::encode_to_slice(key.0, &mut line[..DIGITS])
            .map_err(|error| io("encoding it")(io::Error::other(error)))?;
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(io("making a new file"))?;
        file.write_all(&*line).and_then(|()| file.sync_all()).map_err(io("writing it"))?;
        sync_dir(crate::disk::parent_of(path)).map_err(io("syncing its directory"))?;
        Ok(key)
    }

    /// The bytes, for wrapping alone.
    pub(crate) fn danger_bytes(&self) -> &[u8; ROOT_KEY_BYTES] {
        &self.0
    }
}

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// Others can read or change it.
    #[error("root key {}: its mode is {mode:04o}, others than its owner have access; hint: run chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("root key {}: it belongs to user {owner}, the server runs as user {user}; hint: run chown on it", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The file's owner.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// It is not a root key.
    #[error("root key {}: expected {DIGITS} hexadecimal digits and a line end, got {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it holds, without showing it.
        what: &'static str,
    },
    /// The configured name cannot be a credential's.
    #[error("root key: {name:?} cannot be the name of a systemd credential")]
    CredentialName {
        /// The name.
        name: String,
    },
    /// systemd passed no credentials.
    #[error(
        "root key: the credential {name:?} is configured, but systemd passed none (CREDENTIALS_DIRECTORY is not set); \
         hint: add LoadCredentialEncrypted={name} to the unit, or configure a file"
    )]
    NoCredentials {
        /// The name.
        name: String,
    },
    /// The system refused.
    #[error("root key {}: {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn read(path: &Path, refused_bits: u32) -> Result<RootKey, RootKeyError> {
    let io = |doing| move |source| RootKeyError::Io { path: path.to_owned(), doing, source };
    let content = |what| RootKeyError::Content { path: path.to_owned(), what };
    let file = File::open(path).map_err(io("opening it"))?;
    // Of the open file, not of the name: it cannot be exchanged in between.
    let metadata = file.metadata().map_err(io("reading its permissions"))?;
    if !metadata.is_file() {
        return Err(content("something that is not a file"));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & refused_bits != 0 {
        return Err(RootKeyError::Exposed { path: path.to_owned(), mode });
    }
    let user = nix::unistd::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(RootKeyError::Owner { path: path.to_owned(), owner: metadata.uid(), user });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(DIGITS + 3));
    file.take(DIGITS as u64 + 3).read_to_end(&mut text).map_err(io("reading it"))?;
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
    if digits.len() != DIGITS {
        return Err(content("another length"));
    }
    let mut key = RootKey([0; ROOT_KEY_BYTES]);
    hex::decode_to_slice(digits, &mut key.0).map_err(|_| content("other characters"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_root_key_that_was_made_is_read_again_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        let made = RootKey::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap().len(), 65);
        let source = Source::File(path.clone());
        assert_eq!(RootKey::load(&source, None).unwrap().danger_bytes(), made.danger_bytes());
        assert!(matches!(RootKey::create(&path), Err(RootKeyError::Io { .. })));
        assert_eq!(format!("{made:?}"), "RootKey(masked)");
    }

    #[test]
    fn a_root_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        RootKey::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o601] {
            chmod(&path, mode);
            let error = RootKey::load(&Source::File(path.clone()), None).unwrap_err();
            assert!(error.to_string().contains("hint: run chmod 600"), "{error}");
        }
        chmod(&path, 0o400);
        RootKey::load(&Source::File(path), None).unwrap();
    }

    #[test]
    fn a_credential_comes_from_systemds_directory_alone() {
        let dir = tempfile::tempdir().unwrap();
        let made = RootKey::create(&dir.path().join("kms-root-key")).unwrap();
        chmod(&dir.path().join("kms-root-key"), 0o440);
        let load = |name: &str, dir| RootKey::load(&Source::Credential(name.to_owned()), dir);
        let read = load("kms-root-key", Some(dir.path())).unwrap();
        assert_eq!(read.danger_bytes(), made.danger_bytes());
        assert!(matches!(load("kms-root-key", None), Err(RootKeyError::NoCredentials { .. })));
        for name in ["", "..", "../kms-root-key"] {
            assert!(matches!(load(name, Some(dir.path())), Err(RootKeyError::CredentialName { .. })));
        }
    }

    #[test]
    fn what_is_not_a_root_key_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        for content in ["", "abcd\n", &"0".repeat(65), &"xy".repeat(32), &format!("{}\n\n", "0".repeat(64))] {
            fs::write(&path, content).unwrap();
            chmod(&path, 0o600);
            let error = RootKey::load(&Source::File(path.clone()), None).unwrap_err();
            assert!(matches!(error, RootKeyError::Content { .. }), "{content:?}");
            assert!(!error.to_string().contains("abcd"));
        }
    }
}
