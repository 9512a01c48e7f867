//! The algorithms of certificates in KMIP's words, by their object identifiers.

use kmip::enumeration::{CryptographicAlgorithm, DigitalSignatureAlgorithm, HashingAlgorithm};
use x509_cert::der::asn1::UintRef;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Reader, SliceReader};
use x509_cert::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::cryptography::Signing;

const fn id(dotted: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(dotted)
}

/// KMIP 1.4 section 9.1.3.2.7, in its order. Signatures that it has no word for, Ed25519 among them, get none.
#[rustfmt::skip]
const SIGNATURES: &[(ObjectIdentifier, DigitalSignatureAlgorithm)] = &[
    (id("1.2.840.113549.1.1.2"),   DigitalSignatureAlgorithm::Md2WithRsaEncryption),
    (id("1.2.840.113549.1.1.4"),   DigitalSignatureAlgorithm::Md5WithRsaEncryption),
    (id("1.2.840.113549.1.1.5"),   DigitalSignatureAlgorithm::Sha1WithRsaEncryption),
    (id("1.2.840.113549.1.1.14"),  DigitalSignatureAlgorithm::Sha224WithRsaEncryption),
    (id("1.2.840.113549.1.1.11"),  DigitalSignatureAlgorithm::Sha256WithRsaEncryption),
    (id("1.2.840.113549.1.1.12"),  DigitalSignatureAlgorithm::Sha384WithRsaEncryption),
    (id("1.2.840.113549.1.1.13"),  DigitalSignatureAlgorithm::Sha512WithRsaEncryption),
    (RSA_PSS,                      DigitalSignatureAlgorithm::RsassaPss),
    (id("1.2.840.10040.4.3"),      DigitalSignatureAlgorithm::DsaWithSha1),
    (id("2.16.840.1.101.3.4.3.1"), DigitalSignatureAlgorithm::DsaWithSha224),
    (id("2.16.840.1.101.3.4.3.2"), DigitalSignatureAlgorithm::DsaWithSha256),
    (id("1.2.840.10045.4.1"),      DigitalSignatureAlgorithm::EcdsaWithSha1),
    (id("1.2.840.10045.4.3.1"),    DigitalSignatureAlgorithm::EcdsaWithSha224),
    (id("1.2.840.10045.4.3.2"),    DigitalSignatureAlgorithm::EcdsaWithSha256),
    (id("1.2.840.10045.4.3.3"),    DigitalSignatureAlgorithm::EcdsaWithSha384),
    (id("1.2.840.10045.4.3.4"),    DigitalSignatureAlgorithm::EcdsaWithSha512),
    (id("2.16.840.1.101.3.4.3.14"), DigitalSignatureAlgorithm::Sha3_256WithRsaEncryption),
    (id("2.16.840.1.101.3.4.3.15"), DigitalSignatureAlgorithm::Sha3_384WithRsaEncryption),
    (id("2.16.840.1.101.3.4.3.16"), DigitalSignatureAlgorithm::Sha3_512WithRsaEncryption),
];

const RSA: ObjectIdentifier = id("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = id("1.2.840.113549.1.1.10");
const DSA: ObjectIdentifier = id("1.2.840.10040.4.1");
const DH: ObjectIdentifier = id("1.2.840.10046.2.1");
const EC: ObjectIdentifier = id("1.2.840.10045.2.1");

/// Named curves (SEC 2, RFC 5639), and the bits of their fields.
#[rustfmt::skip]
const CURVES: &[(ObjectIdentifier, i32)] = &[
    (id("1.2.840.10045.3.1.1"),    192),
    (id("1.2.840.10045.3.1.7"),    256),
    (id("1.3.132.0.1"),            163),
    (id("1.3.132.0.15"),           163),
    (id("1.3.132.0.10"),           256),
    (id("1.3.132.0.16"),           283),
    (id("1.3.132.0.17"),           283),
    (id("1.3.132.0.26"),           233),
    (id("1.3.132.0.27"),           233),
    (id("1.3.132.0.33"),           224),
    (id("1.3.132.0.34"),           384),
    (id("1.3.132.0.35"),           521),
    (id("1.3.132.0.36"),           409),
    (id("1.3.132.0.37"),           409),
    (id("1.3.132.0.38"),           571),
    (id("1.3.132.0.39"),           571),
    (id("1.3.36.3.3.2.8.1.1.1"),   160),
    (id("1.3.36.3.3.2.8.1.1.3"),   192),
    (id("1.3.36.3.3.2.8.1.1.5"),   224),
    (id("1.3.36.3.3.2.8.1.1.7"),   256),
    (id("1.3.36.3.3.2.8.1.1.9"),   320),
    (id("1.3.36.3.3.2.8.1.1.11"),  384),
    (id("1.3.36.3.3.2.8.1.1.13"),  512),
];

/// How something is signed; `None` where KMIP has no word for it.
pub(super) fn of_signature(algorithm: &AlgorithmIdentifier) -> Option<DigitalSignatureAlgorithm> {
    SIGNATURES.iter().find(|(known, _)| *known == algorithm.oid).map(|(_, algorithm)| *algorithm)
}

/// How a signature is checked; `None` for one that is not checked here, RSASSA-PSS among them.
pub(crate) fn signing(algorithm: &AlgorithmIdentifier) -> Option<Signing> {
    use DigitalSignatureAlgorithm as A;
    use HashingAlgorithm as Hash;
    Some(match of_signature(algorithm)? {
        A::Sha1WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha1),
        A::Sha224WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha224),
        A::Sha256WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha256),
        A::Sha384WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha384),
        A::Sha512WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha512),
        A::Sha3_256WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha3_256),
        A::Sha3_384WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha3_384),
        A::Sha3_512WithRsaEncryption => Signing::RsaPkcs1V1_5(Hash::Sha3_512),
        A::EcdsaWithSha1 => Signing::Ecdsa(Hash::Sha1),
        A::EcdsaWithSha224 => Signing::Ecdsa(Hash::Sha224),
        A::EcdsaWithSha256 => Signing::Ecdsa(Hash::Sha256),
        A::EcdsaWithSha384 => Signing::Ecdsa(Hash::Sha384),
        A::EcdsaWithSha512 => Signing::Ecdsa(Hash::Sha512),
        // MD2 and MD5 prove nothing; DSA is not computed here, and PSS not with what its parameters say.
        A::Md2WithRsaEncryption
        | A::Md5WithRsaEncryption
        | A::RsassaPss
        | A::DsaWithSha1
        | A::DsaWithSha224
        | A::DsaWithSha256
        | A::Unknown(_) => return None,
    })
}

/// What kind of key it is, and its bits; `None` where KMIP has no word for it, or the bits are not known here.
pub(super) fn of_key(key: &SubjectPublicKeyInfo) -> (Option<CryptographicAlgorithm>, Option<i32>) {
    match key.algorithm.oid {
        RSA | RSA_PSS => (Some(CryptographicAlgorithm::Rsa), modulus_bits(key)),
        DSA => (Some(CryptographicAlgorithm::Dsa), prime_bits(key)),
        DH => (Some(CryptographicAlgorithm::Dh), prime_bits(key)),
        // The key alone does not say whether it signs or agrees; one in a certificate signs as a rule.
        EC => (Some(CryptographicAlgorithm::Ecdsa), curve_bits(key)),
        _ => (None, None),
    }
}

/// RSAPublicKey begins with the modulus (RFC 8017, A.1.1).
fn modulus_bits(key: &SubjectPublicKeyInfo) -> Option<i32> {
    first_number_bits(key.subject_public_key.as_bytes()?)
}

/// Dss-Parms and DomainParameters begin with the prime (RFC 3279, 2.3.2 and 2.3.3).
fn prime_bits(key: &SubjectPublicKeyInfo) -> Option<i32> {
    use x509_cert::der::Encode;
    first_number_bits(&key.algorithm.parameters.as_ref()?.to_der().ok()?)
}

fn curve_bits(key: &SubjectPublicKeyInfo) -> Option<i32> {
    let curve: ObjectIdentifier = key.algorithm.parameters.as_ref()?.decode_as().ok()?;
    CURVES.iter().find(|(known, _)| *known == curve).map(|(_, bits)| *bits)
}

fn first_number_bits(sequence: &[u8]) -> Option<i32> {
    let mut reader = SliceReader::new(sequence).ok()?;
    let bits = reader.sequence(|fields| -> x509_cert::der::Result<usize> {
        let number = UintRef::decode(fields)?;
        let bytes = number.as_bytes();
        let spare = bytes.first().map_or(0, |first| first.leading_zeros() as usize);
        while !fields.is_finished() {
            fields.tlv_bytes()?;
        }
        Ok(bytes.len() * 8 - spare)
    });
    i32::try_from(bits.ok()?).ok()
}
