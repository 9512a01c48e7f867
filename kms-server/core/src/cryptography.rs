//! What the core asks of a library of cryptography: the algorithms themselves, which decide nothing. Which key may be used
//! how, and when, is decided in [`crate::operations`].

mod keys;

mod stream;

use kmip::enumeration::{BlockCipherMode, CryptographicAlgorithm, HashingAlgorithm, PaddingMethod};
use zeroize::Zeroizing;

pub use keys::{Container, KeyNumbers, MadePair, Number, PairKind, Stretching};
pub use stream::{Finished, MacKey, Progress, Stream};

/// A library of cryptography. Its methods compute, and keep nothing.
pub trait Cryptography {
    /// The plaintext under the key. Gives the ciphertext, and the tag where the mode has one.
    ///
    /// # Errors
    /// Where the cipher is unknown here, or key, initialization vector or plaintext are of a length that it does not take.
    fn encrypt(&self, cipher: &Cipher<'_>, plain: &[u8]) -> Result<Encrypted, CryptographyError>;

    /// The plaintext of a ciphertext, with its tag where the mode has one.
    ///
    /// # Errors
    /// As [`encrypt`](Self::encrypt), and where tag or padding are wrong: whichever of both, in the same words.
    fn decrypt(
        &self,
        cipher: &Cipher<'_>,
        encrypted: &Encrypted,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError>;

    /// The plaintext under the public half of an RSA key.
    ///
    /// # Errors
    /// Where the padding is unknown here, or the plaintext too long for it.
    fn encrypt_to(
        &self,
        key: &AsymmetricKey<'_>,
        padding: &RsaPadding<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptographyError>;

    /// The plaintext of what was encrypted to an RSA key.
    ///
    /// # Errors
    /// As [`encrypt_to`](Self::encrypt_to), and where the padding is wrong.
    fn decrypt_with(
        &self,
        key: &AsymmetricKey<'_>,
        padding: &RsaPadding<'_>,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError>;

    /// A signature of the data, or of the digest that is given in its place.
    ///
    /// # Errors
    /// Where the kind of signature is unknown here, or the key is none for it.
    fn sign(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
    ) -> Result<Vec<u8>, CryptographyError>;

    /// Whether the signature is one of the data, or of the digest, by this key.
    ///
    /// # Errors
    /// As [`sign`](Self::sign). A signature that is wrong is no error.
    fn verify(
        &self,
        key: &AsymmetricKey<'_>,
        signing: &Signing,
        signed: Signed<'_>,
        signature: &[u8],
    ) -> Result<bool, CryptographyError>;

    /// The message authentication code of the data.
    ///
    /// # Errors
    /// Where the algorithm is unknown here, or the key of a length that it does not take.
    fn mac(&self, algorithm: Mac, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptographyError>;

    /// The digest of the data.
    ///
    /// # Errors
    /// Where the algorithm is unknown here.
    fn hash(&self, algorithm: HashingAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptographyError>;

    /// Takes the next part of data in. `state` is what the part before left, and empty before the first.
    ///
    /// # Errors
    /// As for data as a whole, and where more is left than a state may hold.
    fn part(&self, stream: &Stream<'_>, state: &[u8], data: &[u8]) -> Result<Progress, CryptographyError>;

    /// Takes the last part of data in, and ends: what is left of the ciphertext with its tag, or of the plaintext, or the
    /// digest or code. `tag` is the one to be checked, where a mode has one and it decrypts.
    ///
    /// # Errors
    /// As for data as a whole.
    fn last_part(
        &self,
        stream: &Stream<'_>,
        state: &[u8],
        data: &[u8],
        tag: &[u8],
    ) -> Result<Finished, CryptographyError>;

    /// What the two halves of two pairs agree on: the x-coordinate of ECDH's point, or DH's number, in as many bytes as the
    /// field has (NIST SP 800-56A, 5.7.1).
    ///
    /// # Errors
    /// Where the first is no private key, or the second none of its curve or group.
    fn agree(
        &self,
        private: &AsymmetricKey<'_>,
        public: &AsymmetricKey<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError>;

    /// A key as its numbers.
    ///
    /// # Errors
    /// Where the bytes are none of their form, or of an algorithm or a curve that is unknown here.
    fn numbers(&self, key: &AsymmetricKey<'_>) -> Result<KeyNumbers, CryptographyError>;

    /// A private key and its certificates as a PKCS#12 container (RFC 7292).
    ///
    /// # Errors
    /// Where the password is no text, or the first certificate is not the key's.
    fn container(&self, container: &Container<'_>) -> Result<Zeroizing<Vec<u8>>, CryptographyError>;

    /// A key of these numbers, in the DER of a form.
    ///
    /// # Errors
    /// Where the numbers are no key, or the form is none for them.
    fn der(
        &self,
        numbers: &KeyNumbers,
        form: AsymmetricForm,
    ) -> Result<Zeroizing<Vec<u8>>, CryptographyError>;
}

/// What takes long: seconds for a long RSA key, and as long as its iterations say for a password. Whoever decides must not wait
/// for it, so an implementation may say that it comes [`Later`](CryptographyError::Later).
pub trait Workshop {
    /// A new pair.
    ///
    /// # Errors
    /// Where the kind is unknown here, and where it comes later.
    fn make_pair(&self, kind: PairKind) -> Result<MadePair, CryptographyError>;

    /// A password, stretched.
    ///
    /// # Errors
    /// Where the digest is unknown here, and where it comes later.
    fn stretch(&self, stretching: &Stretching) -> Result<Zeroizing<Vec<u8>>, CryptographyError>;
}

/// A symmetric cipher, as it is used once.
#[derive(Clone, Copy)]
pub struct Cipher<'a> {
    /// Which.
    pub algorithm: CryptographicAlgorithm,
    /// How its blocks are chained; `None` for a cipher that has none.
    pub mode: Option<BlockCipherMode>,
    /// How data is filled up to whole blocks; None where it is not.
    pub padding: PaddingMethod,
    /// The key.
    pub key: &'a [u8],
    /// The initialization vector, counter or nonce; empty where the mode has none.
    pub iv: &'a [u8],
    /// What the tag covers beside the data.
    pub additional: &'a [u8],
    /// Bytes of the tag, where the mode has one.
    pub tag_bytes: usize,
}

impl std::fmt::Debug for Cipher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cipher")
            .field("algorithm", &self.algorithm)
            .field("mode", &self.mode)
            .field("padding", &self.padding)
            .finish_non_exhaustive()
    }
}

/// What a symmetric cipher makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encrypted {
    /// The ciphertext.
    pub data: Vec<u8>,
    /// The tag; empty where the mode has none.
    pub tag: Vec<u8>,
}

/// One half of an asymmetric pair, in the DER of its form.
#[derive(Clone, Copy)]
pub struct AsymmetricKey<'a> {
    /// What the bytes are.
    pub form: AsymmetricForm,
    /// They.
    pub der: &'a [u8],
}

impl std::fmt::Debug for AsymmetricKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsymmetricKey").field("form", &self.form).finish_non_exhaustive()
    }
}

/// A form of an asymmetric key's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsymmetricForm {
    /// RSAPrivateKey (RFC 8017, A.1.2).
    Pkcs1Private,
    /// RSAPublicKey (RFC 8017, A.1.1).
    Pkcs1Public,
    /// PrivateKeyInfo (RFC 5208).
    Pkcs8,
    /// ECPrivateKey (RFC 5915).
    EcPrivate,
    /// SubjectPublicKeyInfo (RFC 5280, 4.1).
    SubjectPublicKeyInfo,
    /// A certificate, for its public key (RFC 5280).
    Certificate,
}

/// How RSA frames what it encrypts (RFC 8017, chapter 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaPadding<'a> {
    /// EME-PKCS1-v1_5.
    Pkcs1V1_5,
    /// OAEP.
    Oaep {
        /// Of the label.
        hash: HashingAlgorithm,
        /// Of MGF1.
        mask_hash: HashingAlgorithm,
        /// The label.
        label: &'a [u8],
    },
    /// None: the plaintext is a number below the modulus, in as many bytes.
    None,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2).
    RsaPkcs1V1_5(HashingAlgorithm),
    /// RSASSA-PSS (RFC 8017, 8.1).
    RsaPss {
        /// Of the data.
        hash: HashingAlgorithm,
        /// Of MGF1.
        mask_hash: HashingAlgorithm,
        /// Bytes of the salt; of the digest's length where not said.
        salt_bytes: Option<i32>,
    },
    /// ECDSA (FIPS 186-4), in the DER of RFC 3279, 2.2.3.
    Ecdsa(HashingAlgorithm),
    /// RSASSA-PKCS1-v1_5 of what is given in the place of a digest and its algorithm's name: nothing says how it was made.
    RsaPkcs1V1_5Bare,
    /// ECDSA of a digest of which nothing says how it was made.
    EcdsaBare,
}

impl Signing {
    /// How the data are hashed; `None` where only a digest is signed.
    pub fn hash(&self) -> Option<HashingAlgorithm> {
        match *self {
            Self::RsaPkcs1V1_5(hash) | Self::RsaPss { hash, .. } | Self::Ecdsa(hash) => Some(hash),
            Self::RsaPkcs1V1_5Bare | Self::EcdsaBare => None,
        }
    }
}

/// What a signature is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed<'a> {
    /// Data, which is hashed first.
    Data(&'a [u8]),
    /// The digest of the data.
    Digest(&'a [u8]),
}

/// A kind of message authentication code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mac {
    /// HMAC (RFC 2104).
    Hmac(HashingAlgorithm),
    /// CMAC of a block cipher (NIST SP 800-38B).
    Cmac(CryptographicAlgorithm),
}

/// Why nothing was computed. Its text is for the client, and holds nothing of keys and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CryptographyError {
    /// The library has no such algorithm, or not with these parameters.
    Unsupported(String),
    /// What was given does not fit the algorithm, or is not what was encrypted.
    Failed(String),
    /// It takes long, and is computed where nobody waits for it; the whole request is decided anew when it is there, and what
    /// is answered now reaches nobody.
    Later,
}
