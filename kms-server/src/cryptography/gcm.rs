//! Encryption in GCM (NIST SP 800-38D), part by part: OpenSSL runs the counter, GHASH is ours, as nothing else could be written
//! down between two parts. Decryption is not here: no plaintext leaves before its tag is checked.

use kmip::enumeration::{BlockCipherMode, PaddingMethod};
use kms_core::cryptography::{Cipher, CryptographyError, Finished, Progress};
use zeroize::Zeroizing;

use super::symmetric;

const BLOCK: usize = 16;

/// x^128 + x^7 + x^2 + x + 1, its bits the other way round (section 6.3).
const R: u128 = 0xe1 << 120;

/// Bytes that one IV may encrypt (section 5.2.1.1): 2^36 - 32.
const PLAIN_BYTES_MAX: u64 = (1 << 36) - 32;

/// What goes on from part to part: the GHASH so far, the bytes that were encrypted, and those that make no block yet.
struct State {
    hash: u128,
    bytes: u64,
    waiting: Zeroizing<Vec<u8>>,
}

impl State {
    fn read(h: u128, cipher: &Cipher<'_>, state: &[u8]) -> Result<Self, CryptographyError> {
        if state.is_empty() {
            return Ok(Self {
                hash: ghash(h, 0, cipher.additional),
                bytes: 0,
                waiting: Zeroizing::default(),
            });
        }
        let short =
            || CryptographyError::Failed("what the parts before left is shorter than a GHASH".to_owned());
        let (hash, rest) = state.split_first_chunk().ok_or_else(short)?;
        let (bytes, waiting) = rest.split_first_chunk().ok_or_else(short)?;
        Ok(Self {
            hash: u128::from_be_bytes(*hash),
            bytes: u64::from_be_bytes(*bytes),
            waiting: Zeroizing::new(waiting.to_vec()),
        })
    }

    fn write(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&self.hash.to_be_bytes()[..], &self.bytes.to_be_bytes(), &self.waiting].concat())
    }
}

pub(super) fn part(cipher: &Cipher<'_>, state: &[u8], data: &[u8]) -> Result<Progress, CryptographyError> {
    let h = u128::from_be_bytes(encrypt_block(cipher, [0; BLOCK])?);
    let mut state = State::read(h, cipher, state)?;
    let all = Zeroizing::new([&state.waiting, data].concat());
    let (now, later) = all.split_at(all.len() / BLOCK * BLOCK);
    let ready = encrypt(cipher, h, &mut state, now)?;
    state.waiting = Zeroizing::new(later.to_vec());
    Ok(Progress { ready, state: state.write() })
}

pub(super) fn last_part(
    cipher: &Cipher<'_>,
    state: &[u8],
    data: &[u8],
) -> Result<Finished, CryptographyError> {
    let h = u128::from_be_bytes(encrypt_block(cipher, [0; BLOCK])?);
    let mut state = State::read(h, cipher, state)?;
    let all = Zeroizing::new([&state.waiting, data].concat());
    let rest = encrypt(cipher, h, &mut state, &all)?;
    let lengths = u128::from(bits(cipher.additional.len())) << 64 | u128::from(state.bytes * 8);
    let hash = multiply(state.hash ^ lengths, h);
    let mask = u128::from_be_bytes(encrypt_block(cipher, first_counter(cipher, h).to_be_bytes())?);
    let mut tag = (hash ^ mask).to_be_bytes().to_vec();
    tag.truncate(cipher.tag_bytes);
    Ok(Finished { rest, tag })
}

fn bits(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8)
}

/// Encrypts whole blocks, or what is left.
fn encrypt(
    cipher: &Cipher<'_>,
    h: u128,
    state: &mut State,
    plain: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let total = state.bytes.saturating_add(u64::try_from(plain.len()).unwrap_or(u64::MAX));
    if total > PLAIN_BYTES_MAX {
        return Err(CryptographyError::Failed(
            "one IV/Counter/Nonce encrypts less than 64 GiB in GCM".to_owned(),
        ));
    }
    let blocks = u32::try_from(state.bytes / 16).unwrap_or(u32::MAX);
    let mut counter = add_32(first_counter(cipher, h), blocks.wrapping_add(1));
    let mut out = Zeroizing::new(Vec::with_capacity(plain.len()));
    let mut rest = plain;
    while !rest.is_empty() {
        // The counter's lowest 32 bits count alone; OpenSSL's CTR would carry into the others.
        let [.., a, b, c, d] = counter.to_be_bytes();
        let until_wrap = u64::from(u32::MAX - u32::from_be_bytes([a, b, c, d])) + 1;
        let fit = usize::try_from(until_wrap * 16).unwrap_or(usize::MAX).min(rest.len());
        let (now, later) = rest.split_at(fit);
        out.extend(run(cipher, BlockCipherMode::Ctr, &counter.to_be_bytes(), now)?);
        let blocks = u32::try_from(now.len().div_ceil(BLOCK) & 0xffff_ffff).unwrap_or(0);
        counter = add_32(counter, blocks);
        rest = later;
    }
    state.hash = ghash(h, state.hash, &out);
    state.bytes = total;
    Ok(out)
}

fn add_32(counter: u128, blocks: u32) -> u128 {
    let [.., a, b, c, d] = counter.to_be_bytes();
    let low = u32::from_be_bytes([a, b, c, d]).wrapping_add(blocks);
    counter >> 32 << 32 | u128::from(low)
}

/// The counter block that the tag is masked with (section 7.1, step 2).
fn first_counter(cipher: &Cipher<'_>, h: u128) -> u128 {
    if let Ok(iv) = <[u8; 12]>::try_from(cipher.iv) {
        let mut block = [0; BLOCK];
        block[..12].copy_from_slice(&iv);
        return u128::from_be_bytes(block) | 1;
    }
    multiply(ghash(h, 0, cipher.iv) ^ u128::from(bits(cipher.iv.len())), h)
}

/// GHASH (section 6.4) from where it was, over bytes filled up with zeros to whole blocks.
fn ghash(h: u128, from: u128, bytes: &[u8]) -> u128 {
    bytes.chunks(BLOCK).fold(from, |hash, chunk| {
        let mut block = [0; BLOCK];
        block[..chunk.len()].copy_from_slice(chunk);
        multiply(hash ^ u128::from_be_bytes(block), h)
    })
}

/// The product (section 6.3), in the same steps for all factors.
fn multiply(x: u128, mut v: u128) -> u128 {
    let mut z = 0;
    for bit in (0..u128::BITS).rev() {
        z ^= v & (x >> bit & 1).wrapping_neg();
        v = (v >> 1) ^ (R & (v & 1).wrapping_neg());
    }
    z
}

fn encrypt_block(cipher: &Cipher<'_>, block: [u8; BLOCK]) -> Result<[u8; BLOCK], CryptographyError> {
    let out = run(cipher, BlockCipherMode::Ecb, &[], &block)?;
    out.try_into()
        .map_err(|_| CryptographyError::Failed("GCM needs a cipher with blocks of 16 bytes".to_owned()))
}

fn run(
    cipher: &Cipher<'_>,
    mode: BlockCipherMode,
    iv: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, CryptographyError> {
    let bare = Cipher {
        mode: Some(mode),
        padding: PaddingMethod::None,
        iv,
        additional: &[],
        tag_bytes: 0,
        ..*cipher
    };
    Ok(symmetric::encrypt(&bare, data)?.data)
}

#[cfg(test)]
mod tests {
    use kmip::enumeration::CryptographicAlgorithm;
    use kms_core::cryptography::Cryptography;

    use super::*;
    use crate::cryptography::OpenSsl;

    const KEY: [u8; 16] = [0x5a; 16];

    /// One, with the bits the other way round.
    const ONE: u128 = 1 << 127;

    fn cipher(iv: &[u8]) -> Cipher<'_> {
        Cipher {
            algorithm: CryptographicAlgorithm::Aes,
            mode: Some(BlockCipherMode::Gcm),
            padding: PaddingMethod::None,
            key: &KEY,
            iv,
            additional: b"more",
            tag_bytes: 16,
        }
    }

    fn inverse(h: u128) -> u128 {
        // To the power of 2^128 - 2.
        (0..128).rev().fold(ONE, |power, bit| {
            let square = multiply(power, power);
            if bit > 0 { multiply(square, h) } else { square }
        })
    }

    #[test]
    fn the_counter_wraps_within_its_32_bits() {
        let h = u128::from_be_bytes(encrypt_block(&cipher(&[]), [0; BLOCK]).unwrap());
        let inverse = inverse(h);
        assert_eq!(multiply(h, inverse), ONE);
        // The initialization vector whose first counter is this: two blocks on it wraps.
        let first = u128::MAX - 1;
        let iv = (multiply(multiply(first, inverse) ^ 128, inverse)).to_be_bytes();
        let cipher = cipher(&iv);
        assert_eq!(first_counter(&cipher, h), first);
        let whole = OpenSsl.encrypt(&cipher, &[7; 100]).unwrap();
        let one = part(&cipher, &[], &[7; 33]).unwrap();
        let two = last_part(&cipher, &one.state, &[7; 67]).unwrap();
        assert_eq!([one.ready.to_vec(), two.rest.to_vec()].concat(), whole.data);
        assert_eq!(two.tag, whole.tag);
    }
}
