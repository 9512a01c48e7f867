//! RSA, and ECDSA.

use kms_core::cryptography::{AsymmetricForm, AsymmetricKey, CryptographyError, RsaPadding, Signed, Signing};
use openssl::ec::EcKey;
use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, Id, PKey, Private, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::RsaPssSaltlen;
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::{digest, failed};

const NO_KEY: &str = "the key could not be read";
const NOT_ENCRYPTED: &str =
    "the data could not be encrypted: too long for the key, or the key is none for it";
const NOT_DECRYPTED: &str = "the data could not be decrypted: wrong key, padding or length";
const NOT_SIGNED: &str = "the data could not be signed: the key is none for it";

/// Has OpenSSL find the salt's length in the signature.
const SALT_AS_FOUND: i32 = -2;

pub(super) fn private(key: &AsymmetricKey<'_>) -> Result<PKey<Private>, CryptographyError> {
    let read = match key.form {
        AsymmetricForm::Pkcs1Private => Rsa::private_key_from_der(key.der).and_then(PKey::from_rsa),
        AsymmetricForm::Pkcs8 => PKey::private_key_from_pkcs8(key.der),
        AsymmetricForm::EcPrivate => EcKey::private_key_from_der(key.der).and_then(PKey::from_ec_key),
        AsymmetricForm::Pkcs1Public | AsymmetricForm::SubjectPublicKeyInfo | AsymmetricForm::Certificate => {
            return Err(CryptographyError::Failed(
                "this needs a private key, and the key is a public one".to_owned(),
            ));
        }
    };
    read.map_err(failed(NO_KEY))
}

/// The public half, also of a private key.
pub(super) fn public(key: &AsymmetricKey<'_>) -> Result<PKey<Public>, CryptographyError> {
    let read = match key.form {
        AsymmetricForm::Pkcs1Public => Rsa::public_key_from_der_pkcs1(key.der).and_then(PKey::from_rsa),
        AsymmetricForm::SubjectPublicKeyInfo => PKey::public_key_from_der(key.der),
        AsymmetricForm::Certificate => {
            X509::from_der(key.der).and_then(|certificate| certificate.public_key())
        }
        AsymmetricForm::Pkcs1Private | AsymmetricForm::Pkcs8 | AsymmetricForm::EcPrivate => {
            let whole = private(key)?;
            whole.public_key_to_der().and_then(|der| PKey::public_key_from_der(&der))
        }
    };
    read.map_err(failed(NO_KEY))
}

fn pad<T>(context: &mut PkeyCtx<T>, padding: &RsaPadding<'_>) -> Result<(), CryptographyError> {
    let wrong = failed("the padding does not fit the key");
    match padding {
        RsaPadding::None => context.set_rsa_padding(Padding::NONE).map_err(wrong),
        RsaPadding::Pkcs1V1_5 => context.set_rsa_padding(Padding::PKCS1).map_err(wrong),
        RsaPadding::Oaep { hash, mask_hash, label } => {
            let (hash, mask_hash) = (digest::md(*hash)?, digest::md(*mask_hash)?);
            let mut set = || {
                context.set_rsa_padding(Padding::PKCS1_OAEP)?;
                context.set_rsa_oaep_md(&hash)?;
                context.set_rsa_mgf1_md(&mask_hash)?;
                if label.is_empty() { Ok(()) } else { context.set_rsa_oaep_label(label) }
            };
            set().map_err(wrong)
        }
    }
}

pub(super) fn encrypt(
    key: &AsymmetricKey<'_>,
    padding: &RsaPadding<'_>,
    plain: &[u8],
) -> Result<Vec<u8>, CryptographyError> {
    let wrong = failed(NOT_ENCRYPTED);
    let key = public(key)?;
    let mut context = PkeyCtx::new(&key).map_err(&wrong)?;
    context.encrypt_init().map_err(&wrong)?;
    pad(&mut context, padding)?;
    let mut encrypted = Vec::new();
    context.encrypt_to_vec(plain, &mut encrypted).map_err(wrong)?;
    Ok(encrypted)
}

pub(super) fn decrypt(
    key: &AsymmetricKey<'_>,
    padding: &RsaPadding<'_>,
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
    let wrong = failed(NOT_DECRYPTED);
    let key = private(key)?;
    let mut context = PkeyCtx::new(&key).map_err(&wrong)?;
    context.decrypt_init().map_err(&wrong)?;
    pad(&mut context, padding)?;
    // As large as the key, so that it does not grow and leave a copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(key.size()));
    context.decrypt_to_vec(encrypted, &mut plain).map_err(wrong)?;
    Ok(plain)
}

/// The digest that is signed, of the length that its algorithm makes.
fn digest_of(signing: &Signing, signed: Signed<'_>) -> Result<Vec<u8>, CryptographyError> {
    let Some(hash) = signing.hash() else {
        return match signed {
            Signed::Digest(digest) => Ok(digest.to_vec()),
            Signed::Data(_) => {
                Err(CryptographyError::Failed("the data need a digest to be signed".to_owned()))
            }
        };
    };
    match signed {
        Signed::Data(data) => digest::hash(hash, data),
        Signed::Digest(digest) if digest.len() == digest::md(hash)?.size() => Ok(digest.to_vec()),
        Signed::Digest(digest) => Err(CryptographyError::Failed(format!(
            "the Digested Data have {} bytes, which {hash} does not make",
            digest.len()
        ))),
    }
}

/// The kind of key that makes such signatures.
fn wanted(signing: &Signing) -> Id {
    match signing {
        Signing::Ecdsa(_) | Signing::EcdsaBare => Id::EC,
        Signing::RsaPkcs1V1_5(_) | Signing::RsaPkcs1V1_5Bare | Signing::RsaPss { .. } => Id::RSA,
    }
}

/// Says how, after the context was told what it is to do.
fn describe<T: HasPublic>(
    context: &mut PkeyCtx<T>,
    id: Id,
    signing: &Signing,
    salt_unsaid: RsaPssSaltlen,
) -> Result<(), CryptographyError> {
    if id != wanted(signing) {
        return Err(CryptographyError::Failed(NOT_SIGNED.to_owned()));
    }
    let wrong = failed(NOT_SIGNED);
    match *signing {
        Signing::Ecdsa(hash) => context.set_signature_md(&*digest::md(hash)?).map_err(wrong),
        Signing::EcdsaBare => Ok(()),
        Signing::RsaPkcs1V1_5Bare => context.set_rsa_padding(Padding::PKCS1).map_err(wrong),
        Signing::RsaPkcs1V1_5(hash) => {
            let hash = digest::md(hash)?;
            let mut set = || {
                context.set_rsa_padding(Padding::PKCS1)?;
                context.set_signature_md(&hash)
            };
            set().map_err(wrong)
        }
        Signing::RsaPss { hash, mask_hash, salt_bytes } => {
            let hash = digest::md(hash)?;
            let mask_hash = digest::md(mask_hash)?;
            let set = || -> Result<(), ErrorStack> {
                context.set_rsa_padding(Padding::PKCS1_PSS)?;
                context.set_signature_md(&hash)?;
                context.set_rsa_mgf1_md(&mask_hash)?;
                context.set_rsa_pss_saltlen(salt_bytes.map_or(salt_unsaid, RsaPssSaltlen::custom))
            };
            set().map_err(wrong)
        }
    }
}

pub(super) fn sign(
    key: &AsymmetricKey<'_>,
    signing: &Signing,
    signed: Signed<'_>,
) -> Result<Vec<u8>, CryptographyError> {
    let digest = digest_of(signing, signed)?;
    let key = private(key)?;
    let wrong = failed(NOT_SIGNED);
    let mut context = PkeyCtx::new(&key).map_err(&wrong)?;
    context.sign_init().map_err(&wrong)?;
    describe(&mut context, key.id(), signing, RsaPssSaltlen::DIGEST_LENGTH)?;
    let mut signature = Vec::new();
    context.sign_to_vec(&digest, &mut signature).map_err(wrong)?;
    Ok(signature)
}

pub(super) fn verify(
    key: &AsymmetricKey<'_>,
    signing: &Signing,
    signed: Signed<'_>,
    signature: &[u8],
) -> Result<bool, CryptographyError> {
    let digest = digest_of(signing, signed)?;
    let key = public(key)?;
    // A signature of another kind than the key makes is none of the key.
    if key.id() != wanted(signing) {
        return Ok(false);
    }
    let wrong = failed("the signature could not be looked at");
    let mut context = PkeyCtx::new(&key).map_err(&wrong)?;
    context.verify_init().map_err(&wrong)?;
    describe(&mut context, key.id(), signing, RsaPssSaltlen::custom(SALT_AS_FOUND))?;
    // One that is none at all, as to its form, is as wrong as any other.
    Ok(context.verify(&digest, signature).unwrap_or(false))
}
