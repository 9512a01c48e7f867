//! SHA-2, and HMAC (RFC 2104) with it, part by part: the digest's own state is what goes on. It is that of the crate `sha2`, which
//! is made to be written down; OpenSSL's is not.

use kmip::enumeration::HashingAlgorithm;
use kms_core::cryptography::{CryptographyError, Progress};
use sha2::digest::common::hazmat::SerializableState;
use sha2::digest::{Digest, common::BlockSizeUser};
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use zeroize::Zeroizing;

use super::parts::unsupported;

/// The inner and outer pads of HMAC.
const INNER: u8 = 0x36;
const OUTER: u8 = 0x5c;

/// Whether the state of this digest can be written down.
pub(super) fn knows(algorithm: HashingAlgorithm) -> bool {
    use HashingAlgorithm as H;
    matches!(algorithm, H::Sha224 | H::Sha256 | H::Sha384 | H::Sha512 | H::Sha512_224 | H::Sha512_256)
}

macro_rules! with {
    ($algorithm:expr, $work:ident($($argument:expr),*)) => {
        match $algorithm {
            HashingAlgorithm::Sha224 => $work::<Sha224>($($argument),*),
            HashingAlgorithm::Sha256 => $work::<Sha256>($($argument),*),
            HashingAlgorithm::Sha384 => $work::<Sha384>($($argument),*),
            HashingAlgorithm::Sha512 => $work::<Sha512>($($argument),*),
            HashingAlgorithm::Sha512_224 => $work::<Sha512_224>($($argument),*),
            HashingAlgorithm::Sha512_256 => $work::<Sha512_256>($($argument),*),
            other => Err(unsupported(other)),
        }
    };
}

pub(super) fn hash_part(
    algorithm: HashingAlgorithm,
    state: &[u8],
    data: &[u8],
) -> Result<Progress, CryptographyError> {
    with!(algorithm, further(&[], state, data))
}

pub(super) fn hash_last(
    algorithm: HashingAlgorithm,
    state: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    with!(algorithm, ended(&[], state, data))
}

pub(super) fn hmac_part(
    algorithm: HashingAlgorithm,
    key: &[u8],
    state: &[u8],
    data: &[u8],
) -> Result<Progress, CryptographyError> {
    let pad = with!(algorithm, pad(key, INNER))?;
    with!(algorithm, further(&pad, state, data))
}

pub(super) fn hmac_last(
    algorithm: HashingAlgorithm,
    key: &[u8],
    state: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let pad_inside = with!(algorithm, pad(key, INNER))?;
    let inside = with!(algorithm, ended(&pad_inside, state, data))?;
    let pad_outside = with!(algorithm, pad(key, OUTER))?;
    with!(algorithm, ended(&pad_outside, &[], &inside))
}

/// The key, of a block's length, under a pad.
fn pad<D: Digest + BlockSizeUser>(key: &[u8], pad: u8) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let mut block = Zeroizing::new(vec![0; D::block_size()]);
    if key.len() > block.len() {
        let digest = D::digest(key);
        block.iter_mut().zip(digest.iter()).for_each(|(byte, key)| *byte = *key);
    } else {
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte = *key);
    }
    block.iter_mut().for_each(|byte| *byte ^= pad);
    Ok(block)
}

/// The digest as it goes on: from its state, or from what stands before all data.
fn resumed<D: Digest + SerializableState>(before: &[u8], state: &[u8]) -> Result<D, CryptographyError> {
    if state.is_empty() {
        return Ok(D::new_with_prefix(before));
    }
    let damaged =
        || CryptographyError::Failed("what the parts before left is no state of this digest".to_owned());
    D::deserialize(state.try_into().map_err(|_| damaged())?).map_err(|_| damaged())
}

fn further<D: Digest + SerializableState>(
    before: &[u8],
    state: &[u8],
    data: &[u8],
) -> Result<Progress, CryptographyError> {
    let digest = resumed::<D>(before, state)?.chain_update(data);
    Ok(Progress { ready: Zeroizing::default(), state: Zeroizing::new(digest.serialize().to_vec()) })
}

fn ended<D: Digest + SerializableState>(
    before: &[u8],
    state: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    Ok(Zeroizing::new(resumed::<D>(before, state)?.chain_update(data).finalize().to_vec()))
}
