//! The keyring's file: data keys, each wrapped, and a tag of the root key over all of it.
//!
//! ```text
//! "KMSKEYS" version(1)  count(4)
//! data key  version(4)  seals counted(8)  nonce(12)  wrapped key and tag(48)    `count` times
//! nonce(12)  tag(16) of the root key over everything before
//! CRC-32C of everything before(4)
//! ```
//! The CRC tells damage from a wrong root key; the tag binds count and order, which no wrapped key does alone.

use std::fs;
use std::path::Path;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use zeroize::Zeroizing;

use super::{DATA_KEYS_MAX, DataKey, KEY_BYTES, NONCE_BYTES, SealError, TAG_BYTES, cipher};
use crate::disk::replace_file;
use crate::entropy;
use crate::root_key::RootKey;

const MAGIC: &[u8; 7] = b"KMSKEYS";
const VERSION: u8 = 1;
pub(super) const HEADER_BYTES: usize = 12;
/// Bytes of a wrapped data key: nonce, key, tag.
pub(super) const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
pub(super) const ROW_BYTES: usize = 4 + 8 + WRAPPED_BYTES;
const TRAILER_BYTES: usize = NONCE_BYTES + TAG_BYTES + 4;

/// Writes the file anew in one step.
pub(super) fn write(root: &RootKey, keys: &[DataKey], path: &Path) -> Result<(), SealError> {
    let wrapping = cipher(root.danger_bytes())?;
    let mut out = Vec::with_capacity(HEADER_BYTES + keys.len() * ROW_BYTES + TRAILER_BYTES);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&(keys.len() as u32).to_be_bytes());
    for key in keys {
        out.extend_from_slice(&key.version.to_be_bytes());
        out.extend_from_slice(&key.reserved.to_be_bytes());
        wrap_onto(&mut out, &wrapping, key)?;
    }
    let all = out.clone();
    seal_onto(&mut out, &wrapping, &all, &mut [])?;
    let checksum = crc32c::crc32c(&out);
    out.extend_from_slice(&checksum.to_be_bytes());
    replace_file(path, &out).map_err(|source| SealError::Io { path: path.to_owned(), source })
}

/// Reads the file and unwraps its keys.
pub(super) fn read(root: &RootKey, path: &Path) -> Result<Vec<DataKey>, SealError> {
    let bytes = fs::read(path).map_err(|source| SealError::Io { path: path.to_owned(), source })?;
    let damaged = |what: String| SealError::Damaged { path: path.to_owned(), what };
    let Some((all, stored)) = bytes.split_last_chunk::<4>() else {
        return Err(damaged(format!("it has {} bytes", bytes.len())));
    };
    let (stored, computed) = (u32::from_be_bytes(*stored), crc32c::crc32c(all));
    if stored != computed {
        return Err(damaged(format!("its checksum is {stored:08x}, computed {computed:08x}")));
    }
    let Some((header, rest)) = all.split_first_chunk::<HEADER_BYTES>() else {
        return Err(damaged(format!("it has {} bytes", bytes.len())));
    };
    if header[..7] != *MAGIC || header[7] != VERSION {
        return Err(damaged(format!("expected a keyring of version {VERSION}")));
    }
    let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if count == 0 || count > DATA_KEYS_MAX || rest.len() != count * ROW_BYTES + TRAILER_BYTES - 4 {
        return Err(damaged(format!("{count} data keys do not fit its {} bytes", bytes.len())));
    }
    let wrapping = cipher(root.danger_bytes())?;
    let (rows, tag) = rest.split_at(count * ROW_BYTES);
    if open_from(&wrapping, &all[..HEADER_BYTES + rows.len()], tag, &mut []).is_none() {
        return Err(SealError::WrongRootKey { path: path.to_owned() });
    }
    let mut keys: Vec<DataKey> = Vec::with_capacity(count);
    for row in rows.chunks_exact(ROW_BYTES) {
        let (Some((version, rest)), mut key) = (row.split_first_chunk::<4>(), Zeroizing::new([0; KEY_BYTES]))
        else {
            return Err(damaged("a row is cut".to_owned()));
        };
        let Some((seals, wrapped)) = rest.split_first_chunk::<8>() else {
            return Err(damaged("a row is cut".to_owned()));
        };
        let version = u32::from_be_bytes(*version);
        if keys.last().is_some_and(|last| last.version >= version) {
            return Err(damaged(format!("data key {version} is out of order")));
        }
        if open_from(&wrapping, &row_data(version), wrapped, &mut *key).is_none() {
            return Err(damaged(format!("data key {version} does not unwrap")));
        }
        keys.push(DataKey::new(version, key, u64::from_be_bytes(*seals))?);
    }
    Ok(keys)
}

/// A data key as it leaves this node: nonce(12), wrapped key and tag(48), as in a row of the file.
pub(super) fn wrap(root: &RootKey, key: &DataKey) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::with_capacity(WRAPPED_BYTES);
    wrap_onto(&mut out, &cipher(root.danger_bytes())?, key)?;
    Ok(out)
}

/// The bytes of a wrapped data key; `None` where another root key wrapped it, or other bytes.
pub(super) fn unwrap(
    root: &RootKey,
    version: u32,
    wrapped: &[u8],
) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, SealError> {
    let wrapping = cipher(root.danger_bytes())?;
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    Ok(open_from(&wrapping, &row_data(version), wrapped, &mut *bytes).map(|()| bytes))
}

fn wrap_onto(out: &mut Vec<u8>, wrapping: &LessSafeKey, key: &DataKey) -> Result<(), SealError> {
    let mut bytes = Zeroizing::new(*key.bytes);
    seal_onto(out, wrapping, &row_data(key.version), &mut *bytes)
}

/// Appends nonce, ciphertext and tag; `plain` is overwritten.
fn seal_onto(
    out: &mut Vec<u8>,
    key: &LessSafeKey,
    associated: &[u8],
    plain: &mut [u8],
) -> Result<(), SealError> {
    let nonce = entropy::array::<NONCE_BYTES>();
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), plain)
        .map_err(|_| SealError::Cipher)?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Opens nonce, ciphertext and tag into `out`, whose length must be the plain one's.
fn open_from(key: &LessSafeKey, associated: &[u8], sealed: &[u8], out: &mut [u8]) -> Option<()> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let mut work = Zeroizing::new(rest.to_vec());
    let plain =
        key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(associated), &mut work).ok()?;
    if plain.len() != out.len() {
        return None;
    }
    out.copy_from_slice(plain);
    Some(())
}

fn row_data(version: u32) -> [u8; 18] {
    let mut out = *b"kms data key 1....";
    out[14..].copy_from_slice(&version.to_be_bytes());
    out
}
