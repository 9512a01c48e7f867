//! Cryptography that anyone can do in their head, so that a test sees what the core asked for.

use kmip::enumeration::HashingAlgorithm;
use kms_core::cryptography::{
    AsymmetricKey, Cipher, Cryptography, CryptographyError, Encrypted, Mac, RsaPadding, Signed, Signing,
};
use zeroize::Zeroizing;

/// Adds up, and turns bits over.
pub struct Toy;

/// What a cipher is made of, in one byte that any change of it changes.
fn sum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u8 {
    let bytes = parts.into_iter().flatten();
    bytes.fold(0, |sum: u8, byte| sum.rotate_left(1).wrapping_add(*byte))
}

fn mask(cipher: &Cipher<'_>) -> u8 {
    sum([cipher.key, cipher.iv]) ^ u8::try_from(cipher.mode.map_or(0, |mode| mode.number())).unwrap()
}

fn tag(cipher: &Cipher<'_>, data: &[u8]) -> Vec<u8> {
    vec![sum([cipher.key, cipher.iv, cipher.additional, data]); cipher.tag_bytes]
}

impl Cryptography for Toy {
    fn encrypt(&self, cipher: &Cipher<'_>, plain: &[u8]) -> Result<Encrypted, CryptographyError> {
        let data: Vec<u8> = plain.iter().map(|byte| byte ^ mask(cipher)).collect();
        Ok(Encrypted { tag: tag(cipher, &data), data })
    }

    fn decrypt(
        &self,
        cipher: &Cipher<'_>,
        encrypted: &Encrypted,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        if tag(cipher, &encrypted.data) != encrypted.tag {
            return Err(CryptographyError::Failed("the tag is wrong".into()));
        }
        Ok(Zeroizing::new(encrypted.data.iter().map(|byte| byte ^ mask(cipher)).collect()))
    }

    fn encrypt_to(
        &self,
        key: &AsymmetricKey<'_>,
        _: &RsaPadding<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptographyError> {
        Ok(plain.iter().map(|byte| byte ^ sum([key.der])).collect())
    }

    fn decrypt_with(
        &self,
        key: &AsymmetricKey<'_>,
        _: &RsaPadding<'_>,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        Ok(Zeroizing::new(encrypted.iter().map(|byte| byte ^ sum([key.der])).collect()))
    }

    fn sign(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
    ) -> Result<Vec<u8>, CryptographyError> {
        let (Signed::Data(bytes) | Signed::Digest(bytes)) = signed;
        Ok([&[sum([key.der, bytes])], format!("{signing:?}").as_bytes()].concat())
    }

    fn verify(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
        signature: &[u8],
    ) -> Result<bool, CryptographyError> {
        Ok(self.sign(key, signing, signed)? == signature)
    }

    fn mac(&self, algorithm: Mac, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
        Ok([&[sum([key, data])], format!("{algorithm:?}").as_bytes()].concat())
    }

    fn hash(&self, algorithm: HashingAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptographyError> {
        match algorithm {
            HashingAlgorithm::Md2 => Err(CryptographyError::Unsupported("no MD2 here".into())),
            _ => Ok(vec![sum([data])]),
        }
    }
}
