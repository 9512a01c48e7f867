//! Validate (KMIP 1.4 sections 4.24 and 11.25): whether certificates make a chain that holds.
//!
//! The policy, which the specification leaves to the server: the chain begins with the one certificate that issued none of the
//! others, and each issuer is one of those given, or a certificate that the tenant holds. A chain ends with a self-signed
//! certificate; it is Valid where the tenant holds that one, and Unknown where it does not, or where an issuer is not to be
//! found or something of the chain cannot be checked here. Whatever is wrong makes it Invalid.

use std::borrow::Cow;

use kmip::StandardAttribute;
use kmip::enumeration::{CertificateType, ObjectType, State, ValidityIndicator};
use kmip::object::ManagedObject;
use kmip::operations::validate::{Request, Response};
use kmip::tag;
use ttlv::Value;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};

use super::{Call, certificate};
use crate::cryptography::{AsymmetricForm, AsymmetricKey, CryptographyError, Signed};
use crate::x509::{self, Certificate};
use crate::{Object, Refusal};

/// Certificates of a request, and of a chain, at most: more than any chain in use has. More is Invalid Message.
const CERTIFICATES_MAX: usize = 16;

/// A certificate in DER, and whether the tenant holds it.
#[derive(Clone)]
struct Known {
    der: Vec<u8>,
    held: bool,
    /// Whether it was taken out of use.
    revoked: bool,
}

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let given = given(request, call)?;
    let at = request.validity_date.unwrap_or(call.now());
    let validity_indicator = chain(call, &given, at)?;
    Ok(Response { validity_indicator })
}

fn no_list(what: impl std::fmt::Display) -> Refusal {
    Refusal::invalid_message(format!("the request names no list of certificates: {what}"))
}

fn given(request: &Request, call: &Call<'_, '_, '_>) -> Result<Vec<Known>, Refusal> {
    let count = request.certificates.len() + request.unique_identifiers.len();
    if count == 0 {
        return Err(no_list("it is empty"));
    }
    if count > CERTIFICATES_MAX {
        return Err(no_list(format!("a chain has at most {CERTIFICATES_MAX} certificates, got {count}")));
    }
    let mut all: Vec<Known> = Vec::new();
    for object in &request.certificates {
        let der = x509_of(object).ok_or_else(|| no_list("one is no X.509 certificate"))?;
        all.push(Known { der: der.to_vec(), held: false, revoked: false });
    }
    for id in &request.unique_identifiers {
        let object = call.object(Some(id))?;
        let known = held(call, &object)?;
        all.push(known.ok_or_else(|| no_list(format!("{id} is no X.509 certificate with its value")))?);
    }
    for known in &all {
        Certificate::read(&known.der).map_err(|error| no_list(format!("one cannot be read ({error})")))?;
    }
    Ok(all)
}

fn x509_of(object: &ManagedObject) -> Option<&[u8]> {
    match object {
        ManagedObject::Certificate { certificate_type: CertificateType::X509, certificate_value } => {
            Some(certificate_value)
        }
        _ => None,
    }
}

/// A certificate that the tenant holds, opened; nothing for what is none, or was destroyed.
fn held(call: &Call<'_, '_, '_>, object: &Object) -> Result<Option<Known>, Refusal> {
    if object.object_type != ObjectType::Certificate || object.is_destroyed() || object.is_archived() {
        return Ok(None);
    }
    let opened = call.open(object)?;
    let revoked = matches!(object.state_at(call.now()), State::Deactivated | State::Compromised);
    Ok(x509_of(&opened).map(|der| Known { der: der.to_vec(), held: true, revoked }))
}

/// Follows the chain from its beginning.
fn chain(call: &Call<'_, '_, '_>, given: &[Known], at: i64) -> Result<ValidityIndicator, Refusal> {
    use ValidityIndicator::{Invalid, Undetermined, Valid};
    let mut unsure = false;
    let mut current = Cow::Borrowed(beginning(given)?);
    for below in 0..CERTIFICATES_MAX {
        let certificate = certificate::read(&current.der)?;
        let in_time = certificate.not_before <= at && at <= certificate.not_after;
        if current.revoked || !in_time || (below > 0 && !may_issue(&certificate, below - 1)) {
            return Ok(Invalid);
        }
        unsure |= !is_understood(&certificate);
        let ends = certificate.issuer == certificate.subject;
        let candidates =
            if ends { vec![current.clone().into_owned()] } else { issuers(call, given, &certificate)? };
        if candidates.is_empty() {
            return Ok(Undetermined);
        }
        let mut found = None;
        for candidate in candidates {
            match signed_by(call, &certificate, &certificate::read(&candidate.der)?) {
                Some(true) => found = Some(candidate),
                Some(false) => continue,
                None => return Ok(Undetermined),
            }
            break;
        }
        let Some(issuer) = found else { return Ok(Invalid) };
        if ends {
            let anchored = issuer.held || is_held(call, &issuer.der, &certificate)?;
            return Ok(if unsure || !anchored { Undetermined } else { Valid });
        }
        current = Cow::Owned(issuer);
    }
    Ok(Undetermined)
}

/// The one certificate that issued none of the others.
fn beginning(given: &[Known]) -> Result<&Known, Refusal> {
    let mut read = Vec::with_capacity(given.len());
    for known in given {
        read.push((known, certificate::read(&known.der)?));
    }
    let mut first: Option<&Known> = None;
    for (known, certificate) in &read {
        let issued_another = read.iter().any(|(other, below)| {
            other.der != known.der && below.issuer == certificate.subject && below.issuer != below.subject
        });
        match first {
            _ if issued_another => {}
            None => first = Some(known),
            // The same one may be given and named.
            Some(first) if first.der == known.der => {}
            Some(_) => return Err(no_list("they are not of one chain; hint: one chain in a request")),
        }
    }
    first.ok_or_else(|| no_list("each is issued by another of them"))
}

/// RFC 5280 section 6.1.4: (k) to (n).
fn may_issue(certificate: &Certificate<'_>, between: usize) -> bool {
    let constraints = certificate.extension::<BasicConstraints>();
    let is_authority = constraints.as_ref().is_some_and(|constraints| {
        let longest = constraints.path_len_constraint;
        constraints.ca && longest.is_none_or(|longest| between <= usize::from(longest))
    });
    let usage = certificate.extension::<KeyUsage>();
    is_authority && usage.is_none_or(|usage| usage.0.contains(KeyUsages::KeyCertSign))
}

/// Whether every extension that is critical is looked at here.
fn is_understood(certificate: &Certificate<'_>) -> bool {
    let known = [BasicConstraints::OID, KeyUsage::OID, ExtendedKeyUsage::OID, SubjectAltName::OID];
    certificate.extensions.iter().all(|extension| !extension.critical || known.contains(&extension.extn_id))
}

/// Whether `issuer` signed `certificate`; nothing where that cannot be checked here.
fn signed_by(
    call: &Call<'_, '_, '_>,
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
) -> Option<bool> {
    let signing = x509::signing(&certificate.signature_algorithm)?;
    let key = AsymmetricKey { form: AsymmetricForm::SubjectPublicKeyInfo, der: issuer.public_key };
    let signature = certificate.signature.as_bytes()?;
    match call.context.cryptography.verify(&key, &signing, Signed::Data(certificate.signed), signature) {
        Ok(valid) => Some(valid),
        // A key that is none for this signature did not make it.
        Err(CryptographyError::Failed(_)) => Some(false),
        Err(CryptographyError::Unsupported(_) | CryptographyError::Later) => None,
    }
}

/// Certificates whose subject is the issuer of this one: those given, then those that the tenant holds.
fn issuers(
    call: &Call<'_, '_, '_>,
    given: &[Known],
    certificate: &Certificate<'_>,
) -> Result<Vec<Known>, Refusal> {
    let mut found = Vec::new();
    for known in given {
        if certificate::read(&known.der)?.subject == certificate.issuer {
            found.push(known.clone());
        }
    }
    for object in call.draft.objects(&call.authorised).filter(|object| is_of(object, certificate.issuer)) {
        found.extend(held(call, object)?);
        if found.len() >= CERTIFICATES_MAX {
            break;
        }
    }
    Ok(found)
}

/// Whether the tenant holds this very certificate.
fn is_held(call: &Call<'_, '_, '_>, der: &[u8], certificate: &Certificate<'_>) -> Result<bool, Refusal> {
    for object in call.draft.objects(&call.authorised).filter(|object| is_of(object, certificate.subject)) {
        if held(call, object)?.is_some_and(|known| known.der == der && !known.revoked) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an object is a certificate of this subject, in DER.
fn is_of(object: &Object, subject: &[u8]) -> bool {
    let Some(value) = object.first(StandardAttribute::X509CertificateSubject) else { return false };
    let name = value.children().iter().find(|node| node.tag == tag::SUBJECT_DISTINGUISHED_NAME);
    name.is_some_and(|name| matches!(&name.value, Value::ByteString(bytes) if bytes == subject))
}
