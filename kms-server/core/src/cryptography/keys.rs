//! Key pairs as they are made, and as the numbers that they are: what each form of an asymmetric key is turned into and made from.

use kmip::enumeration::{HashingAlgorithm, RecommendedCurve};
use zeroize::Zeroizing;

use super::AsymmetricKey;

/// A kind of pair to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairKind {
    /// With a modulus of so many bits, and 65537 as its public exponent.
    Rsa {
        /// Of the modulus.
        bits: u32,
    },
    /// On a named curve.
    Ec(RecommendedCurve),
}

/// A pair that was made: RSA as RSAPrivateKey and RSAPublicKey, EC as ECPrivateKey and SubjectPublicKeyInfo.
#[derive(Clone, PartialEq, Eq)]
pub struct MadePair {
    /// The private half's DER.
    pub private: Zeroizing<Vec<u8>>,
    /// The public half's DER.
    pub public: Vec<u8>,
}

impl std::fmt::Debug for MadePair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadePair").field("public", &self.public.len()).finish_non_exhaustive()
    }
}

/// A password to be stretched (PBKDF2, RFC 8018 section 5.2), with the HMAC of `hash`.
#[derive(Clone, PartialEq, Eq)]
pub struct Stretching {
    /// Of the HMAC.
    pub hash: HashingAlgorithm,
    /// What is stretched.
    pub password: Zeroizing<Vec<u8>>,
    /// The salt.
    pub salt: Vec<u8>,
    /// Of them.
    pub iterations: u32,
    /// Bytes to be made.
    pub bytes: usize,
}

impl std::fmt::Debug for Stretching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stretching")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// A number that is not negative, big-endian.
pub type Number = Zeroizing<Vec<u8>>;

/// An asymmetric key as its numbers (KMIP 1.4 section 2.1.7).
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub enum KeyNumbers {
    /// Table 17. One of the exponent, the two primes, or the primes' exponents has to be there.
    RsaPrivate {
        modulus: Number,
        private_exponent: Option<Number>,
        public_exponent: Option<Number>,
        p: Option<Number>,
        q: Option<Number>,
        prime_exponent_p: Option<Number>,
        prime_exponent_q: Option<Number>,
        crt_coefficient: Option<Number>,
    },
    /// Table 18.
    RsaPublic { modulus: Number, public_exponent: Number },
    /// Table 27.
    EcPrivate { curve: RecommendedCurve, d: Number },
    /// Table 28; the point as SEC 1, 2.3.3, has it.
    EcPublic { curve: RecommendedCurve, q_string: Vec<u8> },
    /// Table 15.
    DsaPrivate { p: Number, q: Number, g: Number, x: Number },
    /// Table 16.
    DsaPublic { p: Number, q: Number, g: Number, y: Number },
    /// Table 19.
    DhPrivate { p: Number, q: Option<Number>, g: Number, x: Number },
    /// Table 20.
    DhPublic { p: Number, q: Option<Number>, g: Number, y: Number },
}

impl std::fmt::Debug for KeyNumbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RsaPrivate { .. } => "RsaPrivate",
            Self::RsaPublic { .. } => "RsaPublic",
            Self::EcPrivate { .. } => "EcPrivate",
            Self::EcPublic { .. } => "EcPublic",
            Self::DsaPrivate { .. } => "DsaPrivate",
            Self::DsaPublic { .. } => "DsaPublic",
            Self::DhPrivate { .. } => "DhPrivate",
            Self::DhPublic { .. } => "DhPublic",
        })
    }
}

/// What goes into a PKCS#12 container (RFC 7292).
pub struct Container<'a> {
    /// The private key.
    pub key: AsymmetricKey<'a>,
    /// What protects it, as UTF-8.
    pub password: &'a [u8],
    /// The friendly name of the key and its certificate.
    pub alias: &'a str,
    /// Certificates, the key's own first.
    pub certificates: &'a [Vec<u8>],
}

impl std::fmt::Debug for Container<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container")
            .field("key", &self.key)
            .field("alias", &self.alias)
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}
