//! Digests, and message authentication codes.

use kmip::enumeration::{CryptographicAlgorithm, HashingAlgorithm};
use kms_core::cryptography::{CryptographyError, Mac};
use openssl::hash::MessageDigest;
use openssl::md::Md;
use openssl::md_ctx::MdCtx;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm;

use super::failed;

/// OpenSSL's names of KMIP's digests.
#[rustfmt::skip]
fn name(algorithm: HashingAlgorithm) -> Option<&'static str> {
    match algorithm {
        HashingAlgorithm::Md5        => Some("MD5"),
        HashingAlgorithm::Sha1       => Some("SHA1"),
        HashingAlgorithm::Sha224     => Some("SHA224"),
        HashingAlgorithm::Sha256     => Some("SHA256"),
        HashingAlgorithm::Sha384     => Some("SHA384"),
        HashingAlgorithm::Sha512     => Some("SHA512"),
        HashingAlgorithm::Ripemd160  => Some("RIPEMD160"),
        HashingAlgorithm::Sha512_224 => Some("SHA512-224"),
        HashingAlgorithm::Sha512_256 => Some("SHA512-256"),
        HashingAlgorithm::Sha3_224   => Some("SHA3-224"),
        HashingAlgorithm::Sha3_256   => Some("SHA3-256"),
        HashingAlgorithm::Sha3_384   => Some("SHA3-384"),
        HashingAlgorithm::Sha3_512   => Some("SHA3-512"),
        HashingAlgorithm::Md2
        | HashingAlgorithm::Md4
        | HashingAlgorithm::Tiger
        | HashingAlgorithm::Whirlpool
        | HashingAlgorithm::Unknown(_) => None,
    }
}

fn unsupported(what: impl std::fmt::Display) -> CryptographyError {
    CryptographyError::Unsupported(format!("this server does not compute {what}"))
}

pub(super) fn md(algorithm: HashingAlgorithm) -> Result<Md, CryptographyError> {
    let fetched = name(algorithm).and_then(|name| Md::fetch(None, name, None).ok());
    fetched.ok_or_else(|| unsupported(algorithm))
}

pub(super) fn hash(algorithm: HashingAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
    let md = md(algorithm)?;
    let digest = || {
        let mut context = MdCtx::new()?;
        context.digest_init(&md)?;
        context.digest_update(data)?;
        let mut digest = vec![0; md.size()];
        context.digest_final(&mut digest)?;
        Ok(digest)
    };
    digest().map_err(failed("the digest could not be computed"))
}

pub(super) fn mac(algorithm: Mac, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
    let wrong = failed("the message authentication code could not be computed");
    match algorithm {
        Mac::Hmac(hash) => {
            let digest = name(hash).and_then(MessageDigest::from_name).ok_or_else(|| unsupported(hash))?;
            let code = || {
                let key = PKey::hmac(key)?;
                Signer::new(digest, &key)?.sign_oneshot_to_vec(data)
            };
            code().map_err(wrong)
        }
        Mac::Cmac(algorithm) => {
            let cipher = match (algorithm, key.len()) {
                (CryptographicAlgorithm::Aes, 16) => symm::Cipher::aes_128_cbc(),
                (CryptographicAlgorithm::Aes, 24) => symm::Cipher::aes_192_cbc(),
                (CryptographicAlgorithm::Aes, 32) => symm::Cipher::aes_256_cbc(),
                (CryptographicAlgorithm::TripleDes, 24) => symm::Cipher::des_ede3_cbc(),
                (other, bytes) => {
                    return Err(unsupported(format_args!("CMAC of {other} with a key of {bytes} bytes")));
                }
            };
            let code = || {
                let key = PKey::cmac(&cipher, key)?;
                Signer::new_without_digest(&key)?.sign_oneshot_to_vec(data)
            };
            code().map_err(wrong)
        }
    }
}
