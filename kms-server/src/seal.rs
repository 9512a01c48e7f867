//! Sealing: the only place of this server where key material is plain.
//!
//! Key material is AES-256-GCM under a data key, bound to the object it belongs to. Data keys form a keyring in a
//! file of its own, wrapped by the root key. All nodes of a cluster have the same root key and the same data keys: a new
//! one is made by the node that decides, goes through the log wrapped, and is adopted where the log is applied. It takes
//! over after a bounded number of seals; old ones stay for opening. Another root key re-wraps the keyring and touches
//! no object.

mod error;
mod keyring_file;
mod opener;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

pub use self::opener::{Added, Opener, keyring_rows_left};
use crate::entropy;
use crate::root_key::RootKey;

pub use error::SealError;

/// One node seals no more often than this under one data key; then it refuses.
///
/// With random 96-bit nonces, the chance that two of 2^31 are ever the same is below 2^-34; NIST SP 800-38D sets the
/// limit at 2^32 seals. Each node counts its own seals alone, so each has but a share: after
/// 1/[`SEALS_SHARES`] of the bound it asks for a new key ([`Keyring::needs_new_key`]), which three nodes that all led reach
/// together at this bound, and six at NIST's limit. Beyond the share it seals only while the log takes no new key.
pub const SEALS_PER_DATA_KEY_MAX: u64 = 1 << 31;

/// Shares into which the seals of a data key are cut, one a node: as many as a usual cluster has nodes.
pub const SEALS_SHARES: u64 = 3;

/// The most data keys a keyring holds; another is neither made nor adopted.
pub const DATA_KEYS_MAX: usize = 65_536;

/// How far the version of a restored cluster's own data key may lie behind the last one. Of a million: two clusters restored
/// from one backup take the same with a chance of 10^-6, and 8,000 restores in a row fit into the number.
pub const APART_VERSIONS: u32 = 1 << 20;

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

    /// Makes a keyring of data keys that another node [`export`](Keyring::export)ed, in a new file (mode 0600): for a node
    /// that joins, or a restore. `root` must be the root key that they are wrapped under.
    ///
    /// How often they sealed is not known here, so this node's share of the newest counts as used up: it asks for a new key
    /// when it first decides.
    ///
    /// # Errors
    /// [`SealError::Unwrap`] for another root key, [`SealError::Conflict`] for two keys of one version,
    /// [`SealError::NoKey`] for none at all, [`SealError::Full`], [`SealError::Exists`], [`SealError::Io`].
    pub fn import(root: RootKey, path: &Path, keys: &[(u32, Vec<u8>)]) -> Result<Keyring, SealError> {
        if path.exists() {
            return Err(SealError::Exists { path: path.to_owned() });
        }
        let mut state = State { root, keys: Vec::new() };
        for (version, wrapped) in keys {
            state.take(*version, wrapped, share(SEALS_PER_DATA_KEY_MAX))?;
        }
        state.current()?;
        let keyring = Keyring::with(path, state);
        keyring.write(|state| keyring.store(state))?;
        Ok(keyring)
    }

    /// The same keyring with another bound than [`SEALS_PER_DATA_KEY_MAX`], which it cannot exceed; at least 1.
    pub fn with_seals_per_data_key_max(mut self, seals: u64) -> Keyring {
        self.seals_per_data_key_max = seals.clamp(1, SEALS_PER_DATA_KEY_MAX);
        self
    }

    /// Seals `plain` for the object that `about` names; the answer is [`Sealed`] in its compact form.
    ///
    /// # Errors
    /// [`SealError::Io`] when a count could not be written, [`SealError::UsedUp`] at the bound.
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

    /// Seals the answer to a request that carried `token`; it opens for this token alone, and as no object.
    ///
    /// # Errors
    /// Those of [`seal`](Keyring::seal).
    pub fn seal_answer(&self, token: &[u8; 16], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal(&answer_context(&hex::encode(token)), plain)
    }

    /// Opens what [`seal_answer`](Keyring::seal_answer) made for the same token.
    ///
    /// # Errors
    /// Those of [`open_sealed`](Keyring::open_sealed).
    pub fn open_answer(&self, token: &[u8; 16], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.open_sealed(&answer_context(&hex::encode(token)), sealed)
    }

    /// Whether the data key that seals has done this node's share, and another is due. Cheap.
    ///
    /// It stays so until one is [adopted](Keyring::adopt): who asks must not make a second one meanwhile.
    pub fn needs_new_key(&self) -> bool {
        let share = share(self.seals_per_data_key_max);
        self.read(|state| state.keys.last().is_none_or(|key| key.used.load(Ordering::Acquire) >= share))
    }

    /// Makes a new data key: its version, and its bytes wrapped under the root key, to go through the log. It seals nothing
    /// and is not kept before it is [adopted](Keyring::adopt).
    ///
    /// # Errors
    /// [`SealError::Full`] above [`DATA_KEYS_MAX`].
    pub fn new_data_key(&self) -> Result<(u32, Vec<u8>), SealError> {
        self.new_data_key_after(1)
    }

    /// The same for a cluster that parts from another one here: a restored one. Its version is drawn from the next
    /// [`APART_VERSIONS`], since the other may go on, or be restored again, and must not make another key of the same
    /// version: what both sealed could then never be brought together.
    ///
    /// # Errors
    /// Those of [`new_data_key`](Keyring::new_data_key).
    pub fn new_data_key_apart(&self) -> Result<(u32, Vec<u8>), SealError> {
        // Even: 2^32 is a multiple of the range.
        self.new_data_key_after(1 + u32::from_be_bytes(entropy::array()) % APART_VERSIONS)
    }

    fn new_data_key_after(&self, step: u32) -> Result<(u32, Vec<u8>), SealError> {
        self.read(|state| {
            let version = state.current()?.version.checked_add(step).ok_or(SealError::Full)?;
            if state.keys.len() >= DATA_KEYS_MAX {
                return Err(SealError::Full);
            }
            Ok((version, keyring_file::wrap(&state.root, &DataKey::random(version)?)?))
        })
    }

    /// Takes a data key of the log in, and into the file; the newest seals from now on. One that is here already changes
    /// nothing, so a log may be replayed.
    ///
    /// # Errors
    /// [`SealError::Unwrap`] when another root key wrapped it, [`SealError::Conflict`] when another key has its version,
    /// [`SealError::Full`], [`SealError::Io`]; nothing is changed then.
    pub fn adopt(&self, version: u32, wrapped: &[u8]) -> Result<(), SealError> {
        self.write(|state| {
            if !state.take(version, wrapped, 0)? {
                return Ok(());
            }
            // On disk either way, a key that is taken back has sealed nothing.
            self.store(state).inspect_err(|_| state.keys.retain(|key| key.version != version))
        })
    }

    /// All data keys, each with its version and wrapped under the root key: for a node that joins, or a backup.
    ///
    /// # Errors
    /// [`SealError::Cipher`].
    pub fn export(&self) -> Result<Vec<(u32, Vec<u8>)>, SealError> {
        self.read(|state| {
            state.keys.iter().map(|key| Ok((key.version, keyring_file::wrap(&state.root, key)?))).collect()
        })
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

    /// Counts further seals on disk.
    fn reserve(&self) -> Result<(), SealError> {
        self.write(|state| {
            let max = self.seals_per_data_key_max;
            let Some(key) = state.keys.last_mut() else { return Err(SealError::NoKey) };
            if *key.used.get_mut() < key.reserved.min(max) {
                return Ok(());
            }
            if key.reserved >= max {
                return Err(SealError::UsedUp { version: key.version, seals: max });
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
        self.keys.last().ok_or(SealError::NoKey)
    }

    /// Takes a wrapped key in, of which so many seals count as made; false where it is here already.
    fn take(&mut self, version: u32, wrapped: &[u8], reserved: u64) -> Result<bool, SealError> {
        let unwrapped = keyring_file::unwrap(&self.root, version, wrapped)?;
        match (self.keys.binary_search_by_key(&version, |key| key.version), unwrapped) {
            (Ok(place), Some(bytes)) => {
                let same = |known: &DataKey| verify_slices_are_equal(&*known.bytes, &*bytes).is_ok();
                if self.keys.get(place).is_some_and(same) {
                    Ok(false)
                } else {
                    Err(SealError::Conflict { version })
                }
            }
            // The log may have it as a root key wrapped it that was replaced since.
            (Ok(_), None) => Ok(false),
            (Err(_), None) => Err(SealError::Unwrap { version }),
            (Err(_), Some(_)) if self.keys.len() >= DATA_KEYS_MAX => Err(SealError::Full),
            (Err(place), Some(bytes)) => {
                self.keys.insert(place, DataKey::new(version, bytes, reserved)?);
                Ok(true)
            }
        }
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

fn share(seals_per_data_key_max: u64) -> u64 {
    (seals_per_data_key_max / SEALS_SHARES).max(1)
}

/// What an answer is bound to: its token, and object type 0, which no object has.
fn answer_context(token: &str) -> SealContext<'_> {
    SealContext { id: token, object_type: 0, tenant: "" }
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
