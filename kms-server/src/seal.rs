//! Sealing: the only place of this server where key material is plain.
//!
//! Key material is AES-256-GCM under a data key, bound to the object it belongs to. Data keys form a keyring in a
//! file of its own, wrapped by the root key. A new data key takes over after a bounded number of seals; old ones
//! stay for opening. Another root key re-wraps the keyring and touches no object.

mod keyring_file;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::entropy;
use crate::root_key::RootKey;

/// After so many seals a new data key takes over.
///
/// With random 96-bit nonces, the chance that two are ever the same is then below 2^-34 a data key; NIST SP 800-38D
/// sets the limit at 2^32 seals.
pub const SEALS_PER_DATA_KEY_MAX: u64 = 1 << 31;

/// The most data keys a keyring holds; [`Keyring::rotate`] refuses to make another.
pub const DATA_KEYS_MAX: usize = 65_536;

/// Seals are counted on disk in steps of so many, ahead of use; a restart gives up what is left of a step.
const SEALS_RESERVED: u64 = 1 << 16;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// First byte of sealed bytes.
const SEALED_VERSION: u8 = 1;

/// What sealed bytes are bound to: they open for the same words and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealContext<'a> {
    /// The object's Unique Identifier.
    pub id: &'a str,
    /// The number of its Object Type (KMIP 1.4 section 9.1.3.2.3).
    pub object_type: u32,
    /// The tenant it belongs to.
    pub tenant: &'a str,
}

/// Sealed key material, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The data key's version.
    pub key_version: u32,
    /// The nonce, random for each seal.
    pub nonce: [u8; NONCE_BYTES],
    /// Ciphertext, then a tag of 16 bytes.
    pub ciphertext: Vec<u8>,
}

impl Sealed {
    /// The compact form: version byte, data key version, nonce, ciphertext and tag; 33 bytes more than the plain ones.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + 4 + NONCE_BYTES + self.ciphertext.len());
        out.push(SEALED_VERSION);
        out.extend_from_slice(&self.key_version.to_be_bytes());
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.ciphertext);
        out
    }

    /// Takes the compact form apart.
    ///
    /// # Errors
    /// [`SealError::Form`] for bytes that are too short or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Sealed, SealError> {
        let Some(([version], rest)) = bytes.split_first_chunk::<1>() else { return Err(SealError::Form) };
        let Some((key_version, rest)) = rest.split_first_chunk::<4>() else { return Err(SealError::Form) };
        let Some((nonce, ciphertext)) = rest.split_first_chunk::<NONCE_BYTES>() else {
            return Err(SealError::Form);
        };
        if *version != SEALED_VERSION || ciphertext.len() < TAG_BYTES {
            return Err(SealError::Form);
        }
        Ok(Sealed {
            key_version: u32::from_be_bytes(*key_version),
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }
}

/// The data keys of a node, in memory and in their file.
pub struct Keyring {
    path: PathBuf,
    seals_per_data_key_max: u64,
    state: RwLock<State>,
}

struct State {
    root: RootKey,
    /// Ascending by version; the last one seals.
    keys: Vec<DataKey>,
}

struct DataKey {
    version: u32,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    cipher: LessSafeKey,
    /// Seals made and given up.
    used: AtomicU64,
    /// Seals counted on disk.
    reserved: u64,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Makes a keyring with one data key in a new file (mode 0600).
    ///
    /// # Errors
    /// [`SealError::Exists`] when the file is there: what its keys sealed would be lost; [`SealError::Io`].
    pub fn create(root: RootKey, path: &Path) -> Result<Keyring, SealError> {
        if path.exists() {
            return Err(SealError::Exists { path: path.to_owned() });
        }
        let state = State { root, keys: vec![DataKey::random(1)?] };
        let keyring = Keyring::with(path, state);
        keyring.write(|state| keyring.store(state))?;
        Ok(keyring)
    }

    /// Opens the keyring in `path` with the root key that wrapped it.
    ///
    /// # Errors
    /// [`SealError::WrongRootKey`], [`SealError::Damaged`], [`SealError::Io`].
    pub fn open(root: RootKey, path: &Path) -> Result<Keyring, SealError> {
        let keys = keyring_file::read(&root, path)?;
        Ok(Keyring::with(path, State { root, keys }))
    }

    /// The same keyring with another bound than [`SEALS_PER_DATA_KEY_MAX`], which it cannot exceed; at least 1.
    pub fn with_seals_per_data_key_max(mut self, seals: u64) -> Keyring {
        self.seals_per_data_key_max = seals.clamp(1, SEALS_PER_DATA_KEY_MAX);
        self
    }

    /// Seals `plain` for the object that `about` names; the answer is [`Sealed`] in its compact form.
    ///
    /// # Errors
    /// [`SealError::Io`] when a count or a new data key could not be written, [`SealError::Full`].
    pub fn seal(&self, about: &SealContext<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        loop {
            let sealed = self.read(|state| {
                let key = state.current()?;
                // Taken before use: no two seals share a count, whatever happens between.
                let seal = key.used.fetch_add(1, Ordering::AcqRel);
                if seal >= key.reserved.min(self.seals_per_data_key_max) {
                    return Ok(None);
                }
                key.seal(about, plain).map(Some)
            })?;
            match sealed {
                Some(sealed) => return Ok(sealed.to_bytes()),
                None => self.reserve()?,
            }
        }
    }

    /// Opens what [`seal`](Keyring::seal) made for the same object.
    ///
    /// # Errors
    /// [`SealError::Form`], [`SealError::UnknownKey`], [`SealError::Refused`] for other words about the object or
    /// changed bytes.
    pub fn open_sealed(
        &self,
        about: &SealContext<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let sealed = Sealed::from_bytes(sealed)?;
        self.read(|state| {
            let found = state.keys.binary_search_by_key(&sealed.key_version, |key| key.version);
            let key = found.ok().and_then(|place| state.keys.get(place));
            let Some(key) = key else { return Err(SealError::UnknownKey { version: sealed.key_version }) };
            key.open(about, &sealed).ok_or_else(|| SealError::Refused { id: about.id.to_owned() })
        })
    }

    /// Makes a new data key, which seals from now on, and returns its version; old ones still open.
    ///
    /// # Errors
    /// [`SealError::Full`] above [`DATA_KEYS_MAX`], [`SealError::Io`]; the old key then goes on sealing.
    pub fn rotate(&self) -> Result<u32, SealError> {
        self.write(|state| self.rotate_in(state))
    }

    /// Wraps all data keys with another root key; nothing that was sealed changes.
    ///
    /// # Errors
    /// [`SealError::Io`]; the file is then wrapped by the old root key, or by the new one if only the sync of its
    /// directory failed: keep both until a rewrap succeeded.
    pub fn rewrap(&self, root: RootKey) -> Result<(), SealError> {
        self.write(|state| {
            let old = std::mem::replace(&mut state.root, root);
            self.store(state).inspect_err(|_| state.root = old)
        })
    }

    /// The version of the data key that seals now.
    ///
    /// # Errors
    /// None that a keyring from [`open`](Keyring::open) or [`create`](Keyring::create) can meet.
    pub fn current_version(&self) -> Result<u32, SealError> {
        self.read(|state| state.current().map(|key| key.version))
    }

    fn with(path: &Path, state: State) -> Keyring {
        Keyring {
            path: path.to_owned(),
            seals_per_data_key_max: SEALS_PER_DATA_KEY_MAX,
            state: RwLock::new(state),
        }
    }

    /// Counts further seals on disk, or makes a new data key when this one has had its share.
    fn reserve(&self) -> Result<(), SealError> {
        self.write(|state| {
            let max = self.seals_per_data_key_max;
            let Some(key) = state.keys.last_mut() else { return Err(SealError::Form) };
            if key.reserved >= max {
                if *key.used.get_mut() < max {
                    return Ok(());
                }
                return self.rotate_in(state).map(|_| ());
            }
            if *key.used.get_mut() < key.reserved {
                return Ok(());
            }
            let before = key.reserved;
            // Counts taken beyond the step sealed nothing and are given back.
            *key.used.get_mut() = before;
            key.reserved = before.saturating_add(SEALS_RESERVED).min(max);
            self.store(state).inspect_err(|_| {
                if let Some(key) = state.keys.last_mut() {
                    key.reserved = before;
                }
            })
        })
    }

    fn rotate_in(&self, state: &mut State) -> Result<u32, SealError> {
        let Some(version) = state.current()?.version.checked_add(1) else { return Err(SealError::Full) };
        if state.keys.len() >= DATA_KEYS_MAX {
            return Err(SealError::Full);
        }
        state.keys.push(DataKey::random(version)?);
        match self.store(state) {
            Ok(()) => Ok(version),
            Err(error) => {
                // On disk either way, this key has sealed nothing.
                state.keys.pop();
                Err(error)
            }
        }
    }

    fn store(&self, state: &State) -> Result<(), SealError> {
        keyring_file::write(&state.root, &state.keys, &self.path)
    }

    // A panic while the lock was held leaves whole keys behind: every change is one push, pop or store of a number.
    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl State {
    fn current(&self) -> Result<&DataKey, SealError> {
        self.keys.last().ok_or(SealError::Form)
    }
}

impl DataKey {
    fn random(version: u32) -> Result<DataKey, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy::fill(&mut *bytes);
        DataKey::new(version, bytes, 0)
    }

    fn new(version: u32, bytes: Zeroizing<[u8; KEY_BYTES]>, reserved: u64) -> Result<DataKey, SealError> {
        let cipher = cipher(&bytes)?;
        Ok(DataKey { version, bytes, cipher, used: AtomicU64::new(reserved), reserved })
    }

    fn seal(&self, about: &SealContext<'_>, plain: &[u8]) -> Result<Sealed, SealError> {
        let nonce = entropy::array::<NONCE_BYTES>();
        let mut ciphertext = Vec::with_capacity(plain.len() + TAG_BYTES);
        ciphertext.extend_from_slice(plain);
        let associated = Aad::from(associated_data(about, self.version));
        self.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated, &mut ciphertext)
            .map_err(|_| SealError::Cipher)?;
        Ok(Sealed { key_version: self.version, nonce, ciphertext })
    }

    fn open(&self, about: &SealContext<'_>, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(sealed.ciphertext.clone());
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let associated = Aad::from(associated_data(about, self.version));
        let length = self.cipher.open_in_place(nonce, associated, &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

fn cipher(bytes: &[u8; KEY_BYTES]) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| SealError::Cipher)
}

/// One text for one context: every part has its length in front.
fn associated_data(about: &SealContext<'_>, key_version: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(48 + about.id.len() + about.tenant.len());
    out.extend_from_slice(b"kms object 1");
    out.extend_from_slice(&key_version.to_be_bytes());
    out.extend_from_slice(&about.object_type.to_be_bytes());
    for text in [about.id, about.tenant] {
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

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
