//! Data in parts. OpenSSL's contexts cannot be written down, so what goes on from part to part is ours.
//!
//! A cipher in ECB, CBC, CFB, OFB or CTR goes on from its chain, a block, and the bytes that make no whole block yet; encryption in
//! GCM from its GHASH too ([`super::gcm`]). SHA-2, and HMAC with it, go on from the digest's own state, which the crate
//! `sha2` gives. All else, and what must not leave before its tag is checked, is held as it came until the last part, up to
//! [`HELD_BYTES_MAX`].

use kmip::enumeration::{BlockCipherMode, CryptographicAlgorithm, HashingAlgorithm, PaddingMethod};
use kms_core::cryptography::{Cipher, CryptographyError, Encrypted, Finished, Mac, MacKey, Progress, Stream};
use zeroize::Zeroizing;

use super::{digest, gcm, running, symmetric};

/// Bytes of data in parts that are held until the last of them, where nothing shorter stands for them: 256 KiB, since they travel
/// with each part, in the Correlation Value.
pub(super) const HELD_BYTES_MAX: usize = 256 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Encrypt,
    Decrypt,
}

pub(super) fn part(stream: &Stream<'_>, state: &[u8], data: &[u8]) -> Result<Progress, CryptographyError> {
    match stream {
        Stream::Encrypt(cipher) if cipher.mode == Some(BlockCipherMode::Gcm) => {
            gcm::part(cipher, state, data)
        }
        Stream::Encrypt(cipher) if chains(cipher) => chained(cipher, Way::Encrypt, state, data),
        Stream::Decrypt(cipher) if chains(cipher) => chained(cipher, Way::Decrypt, state, data),
        Stream::Hash(algorithm) if running::knows(*algorithm) => running::hash_part(*algorithm, state, data),
        Stream::Mac(MacKey { algorithm: Mac::Hmac(hash), key }) if running::knows(*hash) => {
            running::hmac_part(*hash, key, state, data)
        }
        Stream::Encrypt(_) | Stream::Decrypt(_) | Stream::Hash(_) | Stream::Mac(_) => held(state, data),
    }
}

pub(super) fn last_part(
    stream: &Stream<'_>,
    state: &[u8],
    data: &[u8],
    tag: &[u8],
) -> Result<Finished, CryptographyError> {
    let whole = || Zeroizing::new([state, data].concat());
    let rest = match stream {
        Stream::Encrypt(cipher) if cipher.mode == Some(BlockCipherMode::Gcm) => {
            return gcm::last_part(cipher, state, data);
        }
        Stream::Encrypt(cipher) if chains(cipher) => ended(cipher, Way::Encrypt, state, data)?,
        Stream::Decrypt(cipher) if chains(cipher) => ended(cipher, Way::Decrypt, state, data)?,
        Stream::Encrypt(cipher) => {
            let Encrypted { data, tag } = symmetric::encrypt(cipher, &whole())?;
            return Ok(Finished { rest: Zeroizing::new(data), tag });
        }
        Stream::Decrypt(cipher) => {
            symmetric::decrypt(cipher, &Encrypted { data: whole().to_vec(), tag: tag.to_vec() })?
        }
        Stream::Hash(algorithm) if running::knows(*algorithm) => running::hash_last(*algorithm, state, data)?,
        Stream::Hash(algorithm) => Zeroizing::new(digest::hash(*algorithm, &whole())?),
        Stream::Mac(MacKey { algorithm: Mac::Hmac(hash), key }) if running::knows(*hash) => {
            running::hmac_last(*hash, key, state, data)?
        }
        Stream::Mac(MacKey { algorithm, key }) => Zeroizing::new(digest::mac(*algorithm, key, &whole())?),
    };
    Ok(Finished { rest, tag: Vec::new() })
}

/// Holds the data as they are.
fn held(state: &[u8], data: &[u8]) -> Result<Progress, CryptographyError> {
    if state.len().saturating_add(data.len()) > HELD_BYTES_MAX {
        return Err(CryptographyError::Unsupported(format!(
            "this server holds at most {HELD_BYTES_MAX} bytes of data in parts for this algorithm; hint: SHA-2, or AES in CBC, CTR \
             or, to encrypt, GCM go on without a bound"
        )));
    }
    Ok(Progress { ready: Zeroizing::default(), state: Zeroizing::new([state, data].concat()) })
}

/// Whether a block is all that the mode goes on from.
fn chains(cipher: &Cipher<'_>) -> bool {
    let mode = matches!(
        cipher.mode,
        Some(
            BlockCipherMode::Ecb
                | BlockCipherMode::Cbc
                | BlockCipherMode::Cfb
                | BlockCipherMode::Ofb
                | BlockCipherMode::Ctr
        )
    );
    mode && matches!(cipher.algorithm, CryptographicAlgorithm::Aes | CryptographicAlgorithm::TripleDes)
}

fn block_bytes(cipher: &Cipher<'_>) -> usize {
    if cipher.algorithm == CryptographicAlgorithm::TripleDes { 8 } else { 16 }
}

/// The chain, and the bytes that wait for more.
fn read<'s>(cipher: &'s Cipher<'_>, state: &'s [u8]) -> Result<(&'s [u8], &'s [u8]), CryptographyError> {
    if state.is_empty() {
        return Ok((cipher.iv, &[]));
    }
    // ECB has no chain.
    state.split_at_checked(cipher.iv.len()).ok_or_else(|| {
        CryptographyError::Failed("what the parts before left is shorter than the cipher's chain".to_owned())
    })
}

fn chained(cipher: &Cipher<'_>, way: Way, state: &[u8], data: &[u8]) -> Result<Progress, CryptographyError> {
    let (chain, waiting) = read(cipher, state)?;
    let block = block_bytes(cipher);
    let all = Zeroizing::new([waiting, data].concat());
    // What takes padding off must see the last block last.
    let kept = usize::from(way == Way::Decrypt && cipher.padding != PaddingMethod::None);
    let whole = all.len().saturating_sub(kept) / block * block;
    let (now, later) = all.split_at(whole);
    let bare = Cipher { iv: chain, padding: PaddingMethod::None, ..*cipher };
    let ready = if now.is_empty() { Zeroizing::default() } else { run(&bare, way, now)? };
    let chain = next_chain(cipher, way, chain, now, &ready);
    Ok(Progress { ready, state: Zeroizing::new([&chain, later].concat()) })
}

fn ended(
    cipher: &Cipher<'_>,
    way: Way,
    state: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let (chain, waiting) = read(cipher, state)?;
    let all = Zeroizing::new([waiting, data].concat());
    run(&Cipher { iv: chain, ..*cipher }, way, &all)
}

fn run(cipher: &Cipher<'_>, way: Way, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    match way {
        Way::Encrypt => Ok(Zeroizing::new(symmetric::encrypt(cipher, data)?.data)),
        Way::Decrypt => symmetric::decrypt(cipher, &Encrypted { data: data.to_vec(), tag: Vec::new() }),
    }
}

/// The chain behind whole blocks.
fn next_chain(cipher: &Cipher<'_>, way: Way, chain: &[u8], taken: &[u8], made: &[u8]) -> Vec<u8> {
    let last = |bytes: &[u8]| bytes.rchunks(chain.len().max(1)).next().map(<[u8]>::to_vec);
    let ciphertext = if way == Way::Encrypt { made } else { taken };
    let next = match cipher.mode {
        Some(BlockCipherMode::Cbc | BlockCipherMode::Cfb) => last(ciphertext),
        Some(BlockCipherMode::Ofb) => last(taken).zip(last(made)).map(|(mut chain, made)| {
            chain.iter_mut().zip(made).for_each(|(byte, made)| *byte ^= made);
            chain
        }),
        Some(BlockCipherMode::Ctr) => Some(advanced(chain, taken.len() / block_bytes(cipher))),
        _ => None,
    };
    next.unwrap_or_else(|| chain.to_vec())
}

/// A counter of the whole block's width, so many blocks on.
fn advanced(counter: &[u8], blocks: usize) -> Vec<u8> {
    let mut counter = counter.to_vec();
    let mut carry = blocks;
    for byte in counter.iter_mut().rev() {
        carry += usize::from(*byte);
        let [.., low] = carry.to_be_bytes();
        *byte = low;
        carry >>= u8::BITS;
    }
    counter
}

/// Where a digest is none of those that go on from a state of their own.
pub(super) fn unsupported(algorithm: HashingAlgorithm) -> CryptographyError {
    CryptographyError::Unsupported(format!("this server does not compute {algorithm} in parts"))
}

#[cfg(test)]
mod tests;
