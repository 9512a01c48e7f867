//! What Encrypt and Decrypt have in common: the form of a symmetric cipher, from the key and its parameters.

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{
    BlockCipherMode, CryptographicAlgorithm, HashingAlgorithm, PaddingMethod, ResultReason,
};

use crate::Refusal;
use crate::cryptography::{Cipher, RsaPadding};
use crate::usage::InUse;

/// Bytes of a tag: AES-GCM's at least and at most (NIST SP 800-38D, 5.2.1.2); CCM's and Poly1305's lie between.
const TAG_BYTES_MIN: i32 = 4;
const TAG_BYTES_MAX: i32 = 16;

/// Bits of the longest initialization vector that is made here.
const IV_BITS_MAX: i32 = 1024;

/// Whether a cipher wants an initialization vector, counter or nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Iv {
    None,
    /// Of so many bytes usually.
    Bytes(usize),
}

/// A symmetric cipher as parameters describe it, without key and data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    algorithm: CryptographicAlgorithm,
    mode: Option<BlockCipherMode>,
    padding: PaddingMethod,
    pub(crate) iv: Iv,
    /// None where the mode has no tag.
    pub(crate) tag_bytes: usize,
}

impl Form {
    pub(crate) fn of(key: &InUse, parameters: &CryptographicParameters) -> Result<Self, Refusal> {
        let Some(algorithm) = key.algorithm(parameters) else {
            return Err(Refusal::invalid_field(
                "neither the key nor the request names a Cryptographic Algorithm",
            ));
        };
        let padding = parameters.padding_method.unwrap_or(PaddingMethod::None);
        let mode = parameters.block_cipher_mode;
        let (iv, has_tag) = match (algorithm, mode) {
            (CryptographicAlgorithm::ChaCha20, _) => (Iv::Bytes(16), false),
            (CryptographicAlgorithm::ChaCha20Poly1305, _) => (Iv::Bytes(12), true),
            (_, None) => {
                return Err(Refusal::invalid_field(
                    "no Block Cipher Mode is given, by the request or by the key",
                ));
            }
            (_, Some(BlockCipherMode::Gcm | BlockCipherMode::Ccm)) => (Iv::Bytes(12), true),
            (
                _,
                Some(
                    BlockCipherMode::Ecb | BlockCipherMode::NistKeyWrap | BlockCipherMode::AesKeyWrapPadding,
                ),
            ) => (Iv::None, false),
            (algorithm, Some(_)) => (Iv::Bytes(block_bytes(algorithm)), false),
        };
        let tag_bytes = if has_tag { tag_bytes(algorithm, parameters)? } else { 0 };
        Ok(Self { algorithm, mode, padding, iv, tag_bytes })
    }

    /// The cipher, yet without key, initialization vector and additional data.
    pub(crate) fn cipher(&self) -> Cipher<'static> {
        let Self { algorithm, mode, padding, tag_bytes, .. } = *self;
        Cipher { algorithm, mode, padding, key: &[], iv: &[], additional: &[], tag_bytes }
    }
}

fn block_bytes(algorithm: CryptographicAlgorithm) -> usize {
    match algorithm {
        CryptographicAlgorithm::TripleDes
        | CryptographicAlgorithm::Des
        | CryptographicAlgorithm::Blowfish
        | CryptographicAlgorithm::Cast5
        | CryptographicAlgorithm::Idea
        | CryptographicAlgorithm::Rc2 => 8,
        _ => 16,
    }
}

/// "This parameter SHALL be provided when the Block Cipher Mode is GCM or CCM."
fn tag_bytes(
    algorithm: CryptographicAlgorithm,
    parameters: &CryptographicParameters,
) -> Result<usize, Refusal> {
    let asked = match (parameters.tag_length, algorithm) {
        (Some(length), _) => length,
        (None, CryptographicAlgorithm::ChaCha20Poly1305) => TAG_BYTES_MAX,
        (None, _) => return Err(Refusal::invalid_field("GCM and CCM need a Tag Length, in bytes")),
    };
    // General Failure, as the public test case CS-BC-M-GCM-1 has it.
    usize::try_from(asked).ok().filter(|_| (TAG_BYTES_MIN..=TAG_BYTES_MAX).contains(&asked)).ok_or_else(
        || {
            Refusal::general_failure(format!(
                "a Tag Length is {TAG_BYTES_MIN} to {TAG_BYTES_MAX} bytes, got {asked}"
            ))
        },
    )
}

/// Bytes of an initialization vector that the server chooses.
pub(crate) fn iv_bytes(parameters: &CryptographicParameters, usual: usize) -> Result<usize, Refusal> {
    match parameters.iv_length {
        None => Ok(usual),
        Some(bits) if bits > 0 && bits % 8 == 0 && bits <= IV_BITS_MAX => {
            Ok(usize::try_from(bits / 8).unwrap_or(usual))
        }
        Some(bits) => Err(Refusal::invalid_field(format!(
            "an IV Length of {bits} bits is no whole bytes up to {IV_BITS_MAX}"
        ))),
    }
}

/// How RSA frames what it encrypts.
pub(crate) fn rsa_padding(parameters: &CryptographicParameters) -> Result<RsaPadding<'_>, Refusal> {
    let sha1 = HashingAlgorithm::Sha1;
    match parameters.padding_method {
        // Bare RSA is no safe default, so it has to be said.
        None => {
            Err(Refusal::invalid_field("no Padding Method is given for RSA, by the request or by the key"))
        }
        Some(PaddingMethod::None) => Ok(RsaPadding::None),
        Some(PaddingMethod::Pkcs1V1_5) => Ok(RsaPadding::Pkcs1V1_5),
        Some(PaddingMethod::Oaep) => Ok(RsaPadding::Oaep {
            hash: parameters.hashing_algorithm.unwrap_or(sha1),
            mask_hash: parameters.mask_generator_hashing_algorithm.unwrap_or(sha1),
            label: parameters.p_source.as_deref().unwrap_or_default(),
        }),
        Some(other) => Err(Refusal::invalid_field(format!("{other} is no padding of RSA encryption"))),
    }
}

/// The key, if it is one whose data may come in parts.
pub(crate) fn symmetric_key<'k>(
    key: &'k InUse,
    parameters: &CryptographicParameters,
) -> Result<&'k InUse, Refusal> {
    if key.algorithm(parameters) != Some(CryptographicAlgorithm::Rsa) {
        return Ok(key);
    }
    Err(Refusal::new(
        ResultReason::FeatureNotSupported,
        "RSA takes what it encrypts as a whole, not in parts; hint: encrypt a symmetric key with it",
    ))
}

/// What belongs to the first part alone stands beside a later one.
pub(crate) fn only_first() -> Refusal {
    Refusal::invalid_field(
        "IV/Counter/Nonce and additional data belong to the first part; hint: leave them out of the later ones",
    )
}

/// Invalid Message, as the public test cases CS-BC-M-11 to 13 have it.
pub(crate) fn missing_iv() -> Refusal {
    Refusal::invalid_message(
        "this cipher needs an IV/Counter/Nonce; hint: to encrypt, Random IV has the server choose one",
    )
}
