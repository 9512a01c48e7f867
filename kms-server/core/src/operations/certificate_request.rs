//! The Certificate Request of Certify and Re-certify: read, and its signature checked (KMIP 1.4 section 9.1.3.2.22).

use std::borrow::Cow;

use kmip::enumeration::{CertificateRequestType, ResultReason};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, pem};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, Extensions};

use super::{Call, authority};
use crate::Refusal;
use crate::cryptography::{AsymmetricForm, AsymmetricKey, CryptographyError, Signed};
use crate::x509::{self, CertificateRequest, issue};

/// What a request asks for.
pub(super) struct Asked {
    /// The subject's name, in DER.
    pub(super) subject: Vec<u8>,
    /// SubjectPublicKeyInfo, in DER.
    pub(super) public_key: Vec<u8>,
    /// Those extensions that the certificate gets.
    pub(super) extensions: Extensions,
}

const PEM_LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// Reads a request, if there is one.
///
/// Fails with Invalid Field where it "does not contain a signed certificate request of the specified Certificate Request
/// Type", Invalid Message where type or request is missing, Feature Not Supported for a type that is not read here.
pub(super) fn read(
    call: &Call<'_, '_, '_>,
    request_type: Option<CertificateRequestType>,
    request: Option<&[u8]>,
) -> Result<Option<Asked>, Refusal> {
    let (request_type, request) = match (request_type, request) {
        (None, None) => return Ok(None),
        (Some(request_type), Some(request)) => (request_type, request),
        (None, Some(_)) => {
            return Err(Refusal::invalid_message("the Certificate Request has no Certificate Request Type"));
        }
        (Some(_), None) => {
            return Err(Refusal::invalid_message(
                "the Certificate Request is missing, and its type is there",
            ));
        }
    };
    let der = match request_type {
        CertificateRequestType::Pkcs10 => Cow::Borrowed(request),
        CertificateRequestType::Pem => Cow::Owned(from_pem(request)?),
        CertificateRequestType::Crmf | CertificateRequestType::Pgp | CertificateRequestType::Unknown(_) => {
            return Err(Refusal::new(
                ResultReason::FeatureNotSupported,
                format!(
                    "this server reads no Certificate Request of the type {request_type}; hint: PKCS#10, or PEM"
                ),
            ));
        }
    };
    let request = CertificateRequest::read(&der)
        .map_err(|error| no_request(format!("is no PKCS#10 request ({error})")))?;
    check_signature(call, &request)?;
    let extensions = allowed(&request.extensions)?;
    Ok(Some(Asked { subject: request.subject, public_key: request.public_key, extensions }))
}

fn from_pem(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    match pem::decode_vec(text) {
        Ok((label, der)) if PEM_LABELS.contains(&label) => Ok(der),
        Ok((label, _)) => Err(no_request(format!("is PEM of a {label}"))),
        Err(error) => Err(no_request(format!("is no PEM ({error})"))),
    }
}

fn no_request(what: String) -> Refusal {
    Refusal::invalid_field(format!("the Certificate Request {what}"))
}

/// Who asks has to hold the private key.
fn check_signature(call: &Call<'_, '_, '_>, request: &CertificateRequest<'_>) -> Result<(), Refusal> {
    let Some(signing) = x509::signing(&request.signature_algorithm) else {
        let algorithm = request.signature_algorithm.oid;
        return Err(no_request(format!("is signed with {algorithm}, which this server cannot check")));
    };
    let key = AsymmetricKey { form: AsymmetricForm::SubjectPublicKeyInfo, der: &request.public_key };
    let signature = request.signature.as_bytes().unwrap_or_default();
    match call.context.cryptography.verify(&key, &signing, Signed::Data(request.signed), signature) {
        Ok(true) => Ok(()),
        Ok(false) => Err(no_request("is not signed with the key that it is for".to_owned())),
        Err(CryptographyError::Unsupported(why) | CryptographyError::Failed(why)) => {
            Err(no_request(format!("has a signature that cannot be checked: {why}")))
        }
        Err(later @ CryptographyError::Later) => Err(later.into()),
    }
}

/// Alternative names and what the key is for; the rest is the authority's own affair, and nobody becomes one here.
fn allowed(asked: &[Extension]) -> Result<Extensions, Refusal> {
    let mut extensions = Extensions::new();
    for extension in asked {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            SubjectAltName::OID => {
                SubjectAltName::from_der(value).map_err(authority::unwritable)?;
                extensions.push(extension.clone());
            }
            ExtendedKeyUsage::OID => {
                ExtendedKeyUsage::from_der(value).map_err(authority::unwritable)?;
                extensions.push(extension.clone());
            }
            KeyUsage::OID => {
                let usage = KeyUsage::from_der(value).map_err(authority::unwritable)?;
                let signs = usage.0.contains(KeyUsages::KeyCertSign) || usage.0.contains(KeyUsages::CRLSign);
                refuse_authority(signs)?;
                extensions.push(issue::extension(true, &usage).map_err(authority::unwritable)?);
            }
            BasicConstraints::OID => {
                refuse_authority(BasicConstraints::from_der(value).map_err(authority::unwritable)?.ca)?;
            }
            _ => {}
        }
    }
    Ok(extensions)
}

fn refuse_authority(asked: bool) -> Result<(), Refusal> {
    if asked {
        return Err(no_request("asks for an authority of its own, and Certify makes none".to_owned()));
    }
    Ok(())
}
