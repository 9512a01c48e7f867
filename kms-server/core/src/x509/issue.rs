//! Certificates to be issued: their bytes, before and after they are signed.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use x509_cert::AlgorithmIdentifier;
use x509_cert::certificate::{Rfc5280, Version};
use x509_cert::der::asn1::{Any, BitString, ContextSpecific, GeneralizedTime, Null, OctetString, UtcTime};
use x509_cert::der::oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::der::{self, DateTime, Decode, Encode, Tag, TagMode};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};
use x509_cert::{SubjectPublicKeyInfo, attr, name};

use super::{EXTENSIONS, VERSION};

/// Bytes of a serial number: as many as RFC 5280 section 4.1.2.2 lets everyone read, and more than 64 bits of chance.
pub(crate) const SERIAL_NUMBER_BYTES: usize = 16;

/// sha256WithRSAEncryption (RFC 4055).
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// rsaEncryption (RFC 8017).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Bytes of a key identifier: the first 160 bits of SHA-256 (RFC 7093 section 2, method 1).
const KEY_IDENTIFIER_BYTES: usize = 20;

/// What a certificate is to say.
pub(crate) struct Draft<'a> {
    /// Random bytes; made a positive number.
    pub(crate) serial_number: [u8; SERIAL_NUMBER_BYTES],
    /// The issuer's name, in DER.
    pub(crate) issuer: &'a [u8],
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    /// Seconds since 1970.
    pub(crate) not_after: i64,
    /// The subject's name, in DER.
    pub(crate) subject: &'a [u8],
    /// SubjectPublicKeyInfo, in DER.
    pub(crate) public_key: &'a [u8],
    /// Extensions, beside those that identify keys.
    pub(crate) extensions: Extensions,
}

impl Draft<'_> {
    /// The part to be signed with SHA-256 and RSA, by the holder of the key whose identifier is given.
    ///
    /// Fails where names or key are not DER, or a date is one that X.509 cannot write.
    pub(crate) fn to_be_signed(&self, authority_key: &[u8]) -> der::Result<Vec<u8>> {
        let mut serial_number = self.serial_number;
        // Positive, and never shorter.
        serial_number[0] = serial_number[0] & 0x7f | 0x40;
        let mut extensions = self.extensions.clone();
        extensions.push(extension(false, &SubjectKeyIdentifier(key_identifier(self.public_key)?))?);
        let authority = AuthorityKeyIdentifier {
            key_identifier: Some(key_identifier(authority_key)?),
            ..AuthorityKeyIdentifier::default()
        };
        extensions.push(extension(false, &authority)?);
        let validity: Validity<Rfc5280> = Validity::new(time(self.not_before)?, time(self.not_after)?);
        sequence(&[
            &explicit(VERSION, Version::V3)?,
            &SerialNumber::<Rfc5280>::new(&serial_number)?.to_der()?,
            &signature_algorithm().to_der()?,
            self.issuer,
            &validity.to_der()?,
            self.subject,
            self.public_key,
            &explicit(EXTENSIONS, extensions)?,
        ])
    }
}

/// A certificate, of its signed part and the signature.
pub(crate) fn certificate(signed: &[u8], signature: &[u8]) -> der::Result<Vec<u8>> {
    let signature = BitString::from_bytes(signature)?.to_der()?;
    sequence(&[signed, &signature_algorithm().to_der()?, &signature])
}

/// SubjectPublicKeyInfo of an RSA key, of its RSAPublicKey (RFC 8017, A.1.1).
pub(crate) fn rsa_public_key(pkcs1: &[u8]) -> der::Result<Vec<u8>> {
    SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifier { oid: RSA_ENCRYPTION, parameters: Some(Any::encode_from(&Null)?) },
        subject_public_key: BitString::from_bytes(pkcs1)?,
    }
    .to_der()
}

/// A name of one part, in DER.
pub(crate) fn common_name(text: &str) -> der::Result<Vec<u8>> {
    let part = attr::AttributeTypeAndValue {
        oid: ObjectIdentifier::new_unwrap("2.5.4.3"),
        value: Any::new(Tag::Utf8String, text.as_bytes())?,
    };
    let relative = name::RelativeDistinguishedName::from_der(&Any::new(Tag::Set, part.to_der()?)?.to_der()?)?;
    sequence(&[&relative.to_der()?])
}

/// An extension, of its value.
pub(crate) fn extension<T: Encode + AssociatedOid>(critical: bool, value: &T) -> der::Result<Extension> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

fn key_identifier(public_key: &[u8]) -> der::Result<OctetString> {
    let key = SubjectPublicKeyInfo::from_der(public_key)?;
    let digest = Sha256::digest(key.subject_public_key.raw_bytes());
    OctetString::new(&digest[..KEY_IDENTIFIER_BYTES])
}

fn signature_algorithm() -> AlgorithmIdentifier {
    AlgorithmIdentifier { oid: SHA256_WITH_RSA, parameters: Some(Any::null()) }
}

/// RFC 5280 section 4.1.2.5: two digits of the year up to 2049, four from then on.
fn time(seconds: i64) -> der::Result<Time> {
    let since_1970 = u64::try_from(seconds).map_err(|_| Tag::GeneralizedTime.value_error())?;
    let date = DateTime::from_unix_duration(Duration::from_secs(since_1970))?;
    Ok(match UtcTime::from_date_time(date) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(GeneralizedTime::from_date_time(date)),
    })
}

fn explicit<T: der::EncodeValue + der::Tagged>(number: der::TagNumber, value: T) -> der::Result<Vec<u8>> {
    ContextSpecific { tag_number: number, tag_mode: TagMode::Explicit, value }.to_der()
}

fn sequence(items: &[&[u8]]) -> der::Result<Vec<u8>> {
    Any::new(Tag::Sequence, items.concat())?.to_der()
}
