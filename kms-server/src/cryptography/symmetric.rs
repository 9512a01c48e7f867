//! Block and stream ciphers.

use kmip::enumeration::{BlockCipherMode, CryptographicAlgorithm, PaddingMethod};
use kms_core::cryptography::{Cipher, CryptographyError, Encrypted};
use openssl::cipher::{Cipher as Evp, CipherRef};
use openssl::cipher_ctx::{CipherCtx, CipherCtxFlags};
use zeroize::Zeroizing;

use super::failed;

/// One text for all that may be wrong with a ciphertext: which it was helps only an attacker.
const NOT_DECRYPTED: &str = "the data could not be decrypted: wrong key, IV, tag, padding or length";
const NOT_ENCRYPTED: &str = "the data could not be encrypted";

/// OpenSSL's name of the cipher, its mode and the length of its key.
fn name(cipher: &Cipher<'_>) -> Option<String> {
    let algorithm = match (cipher.algorithm, cipher.key.len()) {
        (CryptographicAlgorithm::Aes, bytes @ (16 | 24 | 32))
            if cipher.mode != Some(BlockCipherMode::Xts) =>
        {
            format!("AES-{}", bytes * 8)
        }
        // Two keys in one.
        (CryptographicAlgorithm::Aes, bytes @ (32 | 64)) => format!("AES-{}", bytes * 4),
        (CryptographicAlgorithm::TripleDes, 24) => "DES-EDE3".to_owned(),
        (CryptographicAlgorithm::TripleDes, 16) => "DES-EDE".to_owned(),
        (CryptographicAlgorithm::ChaCha20, 32) => return Some("ChaCha20".to_owned()),
        (CryptographicAlgorithm::ChaCha20Poly1305, 32) => return Some("ChaCha20-Poly1305".to_owned()),
        _ => return None,
    };
    let mode = match cipher.mode? {
        BlockCipherMode::Ecb => "ECB",
        BlockCipherMode::Cbc => "CBC",
        BlockCipherMode::Cfb => "CFB",
        BlockCipherMode::Ofb => "OFB",
        BlockCipherMode::Ctr => "CTR",
        BlockCipherMode::Gcm => "GCM",
        BlockCipherMode::Ccm => "CCM",
        BlockCipherMode::Xts => "XTS",
        BlockCipherMode::NistKeyWrap => "WRAP",
        BlockCipherMode::AesKeyWrapPadding => "WRAP-PAD",
        _ => return None,
    };
    Some(format!("{algorithm}-{mode}"))
}

fn fetch(cipher: &Cipher<'_>) -> Result<Evp, CryptographyError> {
    let fetched = name(cipher).and_then(|name| Evp::fetch(None, &name, None).ok());
    fetched.ok_or_else(|| {
        let mode = cipher.mode.map(|mode| format!(" in {mode}")).unwrap_or_default();
        CryptographyError::Unsupported(format!(
            "this server has no {}{mode} with a key of {} bytes",
            cipher.algorithm,
            cipher.key.len()
        ))
    })
}

/// Whether OpenSSL is to fill up the last block, and take it off again.
fn pads(cipher: &Cipher<'_>) -> Result<bool, CryptographyError> {
    match cipher.padding {
        PaddingMethod::None => Ok(false),
        PaddingMethod::Pkcs5 => Ok(true),
        other => Err(CryptographyError::Unsupported(format!("this server does not pad with {other}"))),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Encrypt,
    Decrypt,
}

/// A context that knows all but the data.
fn begin(
    evp: &CipherRef,
    cipher: &Cipher<'_>,
    way: Way,
    tag: &[u8],
    data_bytes: usize,
) -> Result<CipherCtx, CryptographyError> {
    let wrong = failed(if way == Way::Encrypt { NOT_ENCRYPTED } else { NOT_DECRYPTED });
    let pads = pads(cipher)?;
    let mut context = CipherCtx::new().map_err(&wrong)?;
    let init =
        |context: &mut CipherCtx, evp: Option<&CipherRef>, key: Option<&[u8]>, iv: Option<&[u8]>| match way {
            Way::Encrypt => context.encrypt_init(evp, key, iv),
            Way::Decrypt => context.decrypt_init(evp, key, iv),
        };
    if matches!(cipher.mode, Some(BlockCipherMode::NistKeyWrap | BlockCipherMode::AesKeyWrapPadding)) {
        context.set_flags(CipherCtxFlags::FLAG_WRAP_ALLOW);
    }
    init(&mut context, Some(evp), None, None).map_err(&wrong)?;
    let has_tag = cipher.tag_bytes > 0;
    if has_tag {
        context.set_iv_length(cipher.iv.len()).map_err(|_| iv_length(cipher))?;
    } else if !cipher.iv.is_empty() && cipher.iv.len() != context.iv_length() {
        return Err(iv_length(cipher));
    }
    let ccm = cipher.mode == Some(BlockCipherMode::Ccm);
    match way {
        Way::Encrypt if ccm => context.set_tag_length(cipher.tag_bytes).map_err(&wrong)?,
        Way::Decrypt if has_tag => context.set_tag(tag).map_err(&wrong)?,
        _ => {}
    }
    let iv = (!cipher.iv.is_empty()).then_some(cipher.iv);
    init(&mut context, None, Some(cipher.key), iv).map_err(&wrong)?;
    context.set_padding(pads);
    if ccm {
        context.set_data_len(data_bytes).map_err(&wrong)?;
    }
    if !cipher.additional.is_empty() {
        context.cipher_update(cipher.additional, None).map_err(&wrong)?;
    }
    Ok(context)
}

fn iv_length(cipher: &Cipher<'_>) -> CryptographyError {
    CryptographyError::Failed(format!(
        "an IV/Counter/Nonce of {} bytes does not fit the cipher",
        cipher.iv.len()
    ))
}

pub(super) fn encrypt(cipher: &Cipher<'_>, plain: &[u8]) -> Result<Encrypted, CryptographyError> {
    let evp = fetch(cipher)?;
    let mut context = begin(&evp, cipher, Way::Encrypt, &[], plain.len())?;
    let wrong = failed(NOT_ENCRYPTED);
    let mut data = Vec::with_capacity(plain.len() + evp.block_size() + 8);
    context.cipher_update_vec(plain, &mut data).map_err(&wrong)?;
    // With CCM the first call has done it all.
    if cipher.mode != Some(BlockCipherMode::Ccm) {
        context.cipher_final_vec(&mut data).map_err(&wrong)?;
    }
    let mut tag = vec![0; cipher.tag_bytes];
    if !tag.is_empty() {
        context.tag(&mut tag).map_err(&wrong)?;
    }
    Ok(Encrypted { data, tag })
}

pub(super) fn decrypt(
    cipher: &Cipher<'_>,
    encrypted: &Encrypted,
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let evp = fetch(cipher)?;
    let mut context = begin(&evp, cipher, Way::Decrypt, &encrypted.tag, encrypted.data.len())?;
    let wrong = failed(NOT_DECRYPTED);
    // As much as it may become, so that no copy is left behind where it grew.
    let mut plain = Zeroizing::new(Vec::with_capacity(encrypted.data.len() + 2 * evp.block_size()));
    context.cipher_update_vec(&encrypted.data, &mut plain).map_err(&wrong)?;
    if cipher.mode != Some(BlockCipherMode::Ccm) {
        context.cipher_final_vec(&mut plain).map_err(&wrong)?;
    }
    Ok(plain)
}
