//! The cipher of a backup: a random key of its own, wrapped by the root key, used for one file and never again.
//!
//! Key material inside a backup is sealed already; names and attributes are not, and concern nobody else. Since the key
//! serves one file, a chunk's number is its nonce.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::entropy;
use crate::root_key::RootKey;

/// Bytes that encryption adds.
pub(super) const TAG_BYTES: usize = 16;
/// Bytes of a wrapped backup key: nonce, key, tag.
pub(super) const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
const ROOT_KEY_CHECK_BYTES: usize = 8;
const WRAPPED_DATA: &[u8] = b"kms backup key 1";
const HEADER_DATA: &[u8] = b"kms backup header 1";
const CHUNK_DATA: &[u8] = b"kms backup chunk 1";

/// The key of one backup.
pub(super) struct BackupKey(LessSafeKey);

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupKey(masked)")
    }
}

impl BackupKey {
    /// A random key, and itself wrapped by the root key.
    pub(super) fn random(root: &RootKey) -> Option<(BackupKey, [u8; WRAPPED_BYTES])> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy::fill(&mut *bytes);
        let key = BackupKey(key(&bytes)?);
        let nonce = entropy::array::<NONCE_BYTES>();
        let tag = self::key(root.danger_bytes())?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(WRAPPED_DATA),
                &mut *bytes,
            )
            .ok()?;
        let mut wrapped = [0; WRAPPED_BYTES];
        wrapped[..NONCE_BYTES].copy_from_slice(&nonce);
        wrapped[NONCE_BYTES..NONCE_BYTES + KEY_BYTES].copy_from_slice(&*bytes);
        wrapped[NONCE_BYTES + KEY_BYTES..].copy_from_slice(tag.as_ref());
        Some((key, wrapped))
    }

    /// Unwraps a key; nothing when it was changed, or wrapped by another root key.
    pub(super) fn unwrap(root: &RootKey, wrapped: &[u8; WRAPPED_BYTES]) -> Option<BackupKey> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_BYTES>()?;
        let mut work = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain =
            key(root.danger_bytes())?.open_in_place(nonce, Aad::from(WRAPPED_DATA), &mut work).ok()?;
        key(plain.first_chunk::<KEY_BYTES>()?).map(BackupKey)
    }

    /// A tag over the header, which stays readable.
    pub(super) fn tag_header(&self, header: &[u8]) -> Option<[u8; TAG_BYTES]> {
        let data = header_data(header);
        let tag = self.0.seal_in_place_separate_tag(nonce(u64::MAX), Aad::from(data), &mut []).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Whether the header is the one that was tagged.
    pub(super) fn is_header(&self, header: &[u8], tag: &[u8; TAG_BYTES]) -> bool {
        let mut work = tag.to_vec();
        self.0.open_in_place(nonce(u64::MAX), Aad::from(header_data(header)), &mut work).is_ok()
    }

    /// Encrypts a chunk in place and appends its tag.
    pub(super) fn seal(&self, number: u64, last: bool, chunk: &mut Vec<u8>) -> Option<()> {
        self.0.seal_in_place_append_tag(nonce(number), Aad::from(chunk_data(number, last)), chunk).ok()
    }

    /// Decrypts a chunk; nothing when it was changed, stands at another place, or is last where it was not.
    pub(super) fn open(&self, number: u64, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut work = sealed.to_vec();
        let data = Aad::from(chunk_data(number, last));
        let length = self.0.open_in_place(nonce(number), data, &mut work).ok()?.len();
        work.truncate(length);
        Some(work)
    }
}

/// What tells one root key from another and nothing about either: part of an HMAC under it.
pub(super) fn root_key_check(root: &RootKey) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, root.danger_bytes()), b"kms root key check 1");
    hex::encode(tag.as_ref().get(..ROOT_KEY_CHECK_BYTES).unwrap_or_default())
}

fn key(bytes: &[u8; KEY_BYTES]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).ok()
}

fn nonce(number: u64) -> Nonce {
    let mut out = [0; NONCE_BYTES];
    out[NONCE_BYTES - 8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(out)
}

fn header_data(header: &[u8]) -> Vec<u8> {
    [HEADER_DATA, header].concat()
}

fn chunk_data(number: u64, last: bool) -> Vec<u8> {
    [CHUNK_DATA, &number.to_be_bytes(), &[u8::from(last)]].concat()
}
