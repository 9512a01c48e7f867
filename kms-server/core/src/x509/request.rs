//! Requests for certificates (PKCS#10, RFC 2986) as the core reads them.

use x509_cert::AlgorithmIdentifier;
use x509_cert::der::asn1::BitString;
use x509_cert::der::{self, AnyRef, Decode, Encode, Reader, SliceReader};
use x509_cert::ext::Extensions;
use x509_cert::request::{CertReqInfo, ExtensionReq};

/// A request, and what it is signed with.
pub(crate) struct CertificateRequest<'a> {
    /// What the signature is of: CertificationRequestInfo, in DER.
    pub(crate) signed: &'a [u8],
    /// How it is signed.
    pub(crate) signature_algorithm: AlgorithmIdentifier,
    /// The signature.
    pub(crate) signature: BitString,
    /// The subject's name, in DER.
    pub(crate) subject: Vec<u8>,
    /// SubjectPublicKeyInfo, in DER.
    pub(crate) public_key: Vec<u8>,
    /// Extensions that are asked for.
    pub(crate) extensions: Extensions,
}

impl<'a> CertificateRequest<'a> {
    /// Reads a request, from its DER.
    pub(crate) fn read(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let (signed, signature_algorithm, signature) = reader.sequence(|outer| -> der::Result<_> {
            Ok((outer.tlv_bytes()?, AlgorithmIdentifier::decode(outer)?, BitString::decode(outer)?))
        })?;
        reader.finish()?;
        let info = CertReqInfo::from_der(signed)?;
        let mut extensions = Extensions::new();
        for attribute in info.attributes.iter() {
            if attribute.oid == <ExtensionReq as der::oid::AssociatedOid>::OID {
                for value in attribute.values.iter() {
                    extensions.extend(AnyRef::from(value).decode_as::<Extensions>()?);
                }
            }
        }
        Ok(Self {
            signed,
            signature_algorithm,
            signature,
            subject: info.subject.to_der()?,
            public_key: info.public_key.to_der()?,
            extensions,
        })
    }
}
