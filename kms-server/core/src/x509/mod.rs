//! X.509 certificates (RFC 5280) as the core reads them. Nothing here computes: who signed what is asked of the library of
//! cryptography.

mod algorithms;
pub(crate) mod issue;
mod name;
mod request;

use kmip::enumeration::{CryptographicAlgorithm, DigitalSignatureAlgorithm};
use x509_cert::certificate::Version;
use x509_cert::der::asn1::{BitString, Int};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader, TagMode, TagNumber};
use x509_cert::ext::pkix::{IssuerAltName, SubjectAltName};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::time::Validity;
use x509_cert::{AlgorithmIdentifier, SubjectPublicKeyInfo};

pub(crate) use algorithms::signing;
pub(crate) use name::{parts, text};
pub(crate) use request::CertificateRequest;

/// `[0]`, where the version stands.
const VERSION: TagNumber = TagNumber(0);
/// `[1]` and `[2]`, which identify issuer and subject otherwise than by name; nobody uses them.
const UNIQUE_IDENTIFIERS: [TagNumber; 2] = [TagNumber(1), TagNumber(2)];
/// `[3]`, where the extensions stand.
const EXTENSIONS: TagNumber = TagNumber(3);

/// A certificate. What is compared or signed is kept as the bytes that it was sent as.
#[derive(Clone, Debug)]
pub(crate) struct Certificate<'a> {
    /// What the signature is of: TBSCertificate, in DER.
    pub(crate) signed: &'a [u8],
    /// How it is signed.
    pub(crate) signature_algorithm: AlgorithmIdentifier,
    /// The signature.
    pub(crate) signature: BitString,
    /// The serial number, in DER.
    pub(crate) serial_number: &'a [u8],
    /// The issuer's name, in DER.
    pub(crate) issuer: &'a [u8],
    /// Seconds since 1970; valid from then on.
    pub(crate) not_before: i64,
    /// Seconds since 1970; valid up to and with it.
    pub(crate) not_after: i64,
    /// The subject's name, in DER.
    pub(crate) subject: &'a [u8],
    /// The subject's public key: SubjectPublicKeyInfo, in DER.
    pub(crate) public_key: &'a [u8],
    /// Extensions, in their order.
    pub(crate) extensions: Extensions,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate of any version of X.509, from its DER.
    ///
    /// Fails where it is none, or is followed by more, or names another algorithm inside the signed part than outside.
    pub(crate) fn read(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let (signed, algorithm, signature) = reader.sequence(|outer| -> der::Result<_> {
            Ok((outer.tlv_bytes()?, AlgorithmIdentifier::decode(outer)?, BitString::decode(outer)?))
        })?;
        reader.finish()?;
        let mut reader = SliceReader::new(signed)?;
        let certificate =
            reader.sequence(|fields| Self::read_signed(fields, signed, algorithm, signature))?;
        reader.finish()?;
        Ok(certificate)
    }

    fn read_signed(
        fields: &mut SliceReader<'a>,
        signed: &'a [u8],
        signature_algorithm: AlgorithmIdentifier,
        signature: BitString,
    ) -> der::Result<Self> {
        fields.context_specific::<Version>(VERSION, TagMode::Explicit)?;
        let serial_number = fields.tlv_bytes()?;
        Int::from_der(serial_number)?;
        if AlgorithmIdentifier::decode(fields)? != signature_algorithm {
            return Err(fields.error(der::ErrorKind::Failed));
        }
        let issuer = fields.tlv_bytes()?;
        let validity: Validity = Validity::decode(fields)?;
        let subject = fields.tlv_bytes()?;
        let public_key = fields.tlv_bytes()?;
        Name::from_der(issuer)?;
        Name::from_der(subject)?;
        SubjectPublicKeyInfo::from_der(public_key)?;
        for number in UNIQUE_IDENTIFIERS {
            fields.context_specific::<BitString>(number, TagMode::Implicit)?;
        }
        let extensions = fields.context_specific::<Extensions>(EXTENSIONS, TagMode::Explicit)?;
        Ok(Self {
            signed,
            signature_algorithm,
            signature,
            serial_number,
            issuer,
            not_before: seconds(validity.not_before),
            not_after: seconds(validity.not_after),
            subject,
            public_key,
            extensions: extensions.unwrap_or_default(),
        })
    }

    /// The serial number as people write it: its bytes in hexadecimal, without the zero that only says that it is positive.
    pub(crate) fn serial_number_text(&self) -> String {
        // What was read before can be read again.
        let number = Int::from_der(self.serial_number).map(|number| number.as_bytes().to_vec());
        let bytes = number.unwrap_or_default();
        let shown = match bytes.as_slice() {
            [0, rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        shown.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// The kind of public key and its bits, as far as they are known here.
    pub(crate) fn key(&self) -> (Option<CryptographicAlgorithm>, Option<i32>) {
        SubjectPublicKeyInfo::from_der(self.public_key).map_or((None, None), |key| algorithms::of_key(&key))
    }

    /// How it is signed, in KMIP's word.
    pub(crate) fn digital_signature_algorithm(&self) -> Option<DigitalSignatureAlgorithm> {
        algorithms::of_signature(&self.signature_algorithm)
    }

    /// Other names of the subject, each as its DER and as text; none where they cannot be read.
    pub(crate) fn subject_alternative_names(&self) -> Vec<(Vec<u8>, String)> {
        self.extension::<SubjectAltName>().map_or_else(Vec::new, |names| alternatives(&names.0))
    }

    /// Other names of the issuer, each as its DER and as text; none where they cannot be read.
    pub(crate) fn issuer_alternative_names(&self) -> Vec<(Vec<u8>, String)> {
        self.extension::<IssuerAltName>().map_or_else(Vec::new, |names| alternatives(&names.0))
    }

    /// An extension, where it is there and can be read.
    pub(crate) fn extension<T: der::oid::AssociatedOid + for<'b> Decode<'b, Error = der::Error>>(
        &self,
    ) -> Option<T> {
        let found = self.extension_of(T::OID)?;
        T::from_der(found.extn_value.as_bytes()).ok()
    }

    fn extension_of(&self, identifier: der::oid::ObjectIdentifier) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.extn_id == identifier)
    }
}

/// Whether two keys, each SubjectPublicKeyInfo in DER, are one; some leave out parameters that say nothing.
pub(crate) fn same_key(one: &[u8], other: &[u8]) -> bool {
    let read = SubjectPublicKeyInfo::from_der;
    let (Ok(one), Ok(other)) = (read(one), read(other)) else { return false };
    let parameters = |key: &SubjectPublicKeyInfo| key.algorithm.parameters.clone().filter(|it| !it.is_null());
    one.algorithm.oid == other.algorithm.oid
        && parameters(&one) == parameters(&other)
        && one.subject_public_key == other.subject_public_key
}

/// The bytes themselves, if they are SubjectPublicKeyInfo.
pub(crate) fn checked_key(bytes: &[u8]) -> der::Result<Vec<u8>> {
    SubjectPublicKeyInfo::from_der(bytes)?.to_der()
}

fn alternatives(names: &[x509_cert::ext::pkix::name::GeneralName]) -> Vec<(Vec<u8>, String)> {
    names.iter().filter_map(|name| Some((name.to_der().ok()?, name::general(name)))).collect()
}

fn seconds(time: x509_cert::time::Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}
