//! Data keys without a file, for opening alone: those of a backup, or what is left of damaged keyrings.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

use super::keyring_file::{self, HEADER_BYTES, ROW_BYTES, WRAPPED_BYTES};
use super::{DataKey, SealContext, SealError, Sealed};
use crate::root_key::RootKey;

/// Data keys that open and never seal.
#[derive(Default)]
pub struct Opener {
    keys: BTreeMap<u32, DataKey>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("versions", &self.keys.keys()).finish_non_exhaustive()
    }
}

/// What became of a data key that was given to an [`Opener`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// This very key was there.
    Known,
    /// Another key of the same version was there, and stays.
    Other,
    /// The root key does not unwrap it: changed, or wrapped by another.
    Refused,
}

impl Opener {
    /// Unwraps a data key, as the keyring exports it, and keeps it.
    ///
    /// # Errors
    /// [`SealError::Cipher`].
    pub fn add(&mut self, root: &RootKey, version: u32, wrapped: &[u8]) -> Result<Added, SealError> {
        let Some(bytes) = keyring_file::unwrap(root, version, wrapped)? else { return Ok(Added::Refused) };
        match self.keys.get(&version) {
            Some(known) if verify_slices_are_equal(&*known.bytes, &*bytes).is_ok() => Ok(Added::Known),
            Some(_) => Ok(Added::Other),
            None => {
                self.keys.insert(version, DataKey::new(version, bytes, 0)?);
                Ok(Added::New)
            }
        }
    }

    /// Opens sealed key material, as the keyring does.
    ///
    /// # Errors
    /// [`SealError::Form`], [`SealError::UnknownKey`], [`SealError::Refused`].
    pub fn open_sealed(
        &self,
        about: &SealContext<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let sealed = Sealed::from_bytes(sealed)?;
        let Some(key) = self.keys.get(&sealed.key_version) else {
            return Err(SealError::UnknownKey { version: sealed.key_version });
        };
        key.open(about, &sealed).ok_or_else(|| SealError::Refused { id: about.id.to_owned() })
    }
}

/// The rows of a keyring's file, whole or damaged: versions and wrapped keys. [`Opener::add`] tells which are right, as each
/// is bound to its version.
///
/// # Errors
/// What the system said about the file.
pub fn keyring_rows_left(path: &Path) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let bytes = fs::read(path)?;
    let rows = bytes.get(HEADER_BYTES..).unwrap_or_default().chunks_exact(ROW_BYTES);
    Ok(rows
        .filter_map(|row| {
            let (version, _) = row.split_first_chunk::<4>()?;
            Some((u32::from_be_bytes(*version), row.get(ROW_BYTES - WRAPPED_BYTES..)?.to_vec()))
        })
        .collect())
}
