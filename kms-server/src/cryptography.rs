//! KMIP's cryptography, over OpenSSL: kms-core says what is computed with which key, and this computes it.

mod asymmetric;
mod digest;
mod gcm;
mod pairs;
mod parts;
mod running;
mod symmetric;

use kmip::enumeration::HashingAlgorithm;
use kms_core::cryptography::{
    AsymmetricForm, AsymmetricKey, Cipher, Container, Cryptography, CryptographyError, Encrypted, Finished,
    KeyNumbers, Mac, MadePair, PairKind, Progress, RsaPadding, Signed, Signing, Stream, Stretching, Workshop,
};
use openssl::error::ErrorStack;
use zeroize::Zeroizing;

/// OpenSSL, as kms-core asks it.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSsl;

impl Cryptography for OpenSsl {
    fn encrypt(&self, cipher: &Cipher<'_>, plain: &[u8]) -> Result<Encrypted, CryptographyError> {
        symmetric::encrypt(cipher, plain)
    }

    fn decrypt(
        &self,
        cipher: &Cipher<'_>,
        encrypted: &Encrypted,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        symmetric::decrypt(cipher, encrypted)
    }

    fn encrypt_to(
        &self,
        key: &AsymmetricKey<'_>,
        padding: &RsaPadding<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptographyError> {
        asymmetric::encrypt(key, padding, plain)
    }

    fn decrypt_with(
        &self,
        key: &AsymmetricKey<'_>,
        padding: &RsaPadding<'_>,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        asymmetric::decrypt(key, padding, encrypted)
    }

    fn sign(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
    ) -> Result<Vec<u8>, CryptographyError> {
        asymmetric::sign(key, signing, signed)
    }

    fn verify(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
        signature: &[u8],
    ) -> Result<bool, CryptographyError> {
        asymmetric::verify(key, signing, signed, signature)
    }

    fn mac(&self, algorithm: Mac, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
        digest::mac(algorithm, key, data)
    }

    fn hash(&self, algorithm: HashingAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
        digest::hash(algorithm, data)
    }

    fn part(&self, stream: &Stream<'_>, state: &[u8], data: &[u8]) -> Result<Progress, CryptographyError> {
        parts::part(stream, state, data)
    }

    fn last_part(
        &self,
        stream: &Stream<'_>,
        state: &[u8],
        data: &[u8],
        tag: &[u8],
    ) -> Result<Finished, CryptographyError> {
        parts::last_part(stream, state, data, tag)
    }

    fn agree(
        &self,
        private: &AsymmetricKey<'_>,
        public: &AsymmetricKey<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        pairs::agree(private, public)
    }

    fn numbers(&self, key: &AsymmetricKey<'_>) -> Result<KeyNumbers, CryptographyError> {
        pairs::numbers(key)
    }

    fn container(&self, container: &Container<'_>) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        pairs::container(container)
    }

    fn der(
        &self,
        numbers: &KeyNumbers,
        form: AsymmetricForm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        pairs::der(numbers, form)
    }
}

impl Workshop for OpenSsl {
    fn make_pair(&self, kind: PairKind) -> Result<MadePair, CryptographyError> {
        pairs::make_pair(kind)
    }

    fn stretch(&self, stretching: &Stretching) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        pairs::stretch(stretching)
    }
}

/// What OpenSSL did not do, without its words, which speak of its insides.
fn failed(what: &'static str) -> impl Fn(ErrorStack) -> CryptographyError {
    move |_| CryptographyError::Failed(what.to_owned())
}

#[cfg(test)]
mod derived_tests;
#[cfg(test)]
mod pairs_tests;
#[cfg(test)]
mod tests;
