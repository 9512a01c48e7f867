//! The certificate authority of a tenant, which signs what its Certify and Re-certify make: a Private Key that never leaves and
//! its self-signed Certificate, objects of the tenant like any other. It has nothing to do with the authority that decides
//! who may connect.
//!
//! Made at the first Certify, and anew when it nears its end, or when its client has taken key or certificate out of use. A
//! backup holds both objects, and not that they are the authority: behind a restore there is a new one.

use std::sync::Arc;

use kmip::attribute::{Attribute, Link};
use kmip::enumeration::{
    CertificateType, CryptographicAlgorithm, HashingAlgorithm, KeyFormatType, LinkType, State,
};
use kmip::mask::CryptographicUsageMask;
use kmip::object::{KeyBlock, ManagedObject};
use kmip::{Secret, StandardAttribute};
use ttlv::Value;
use x509_cert::der;
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

use super::create::made_here;
use super::register::draft_created;
use super::{Call, certificate};
use crate::attributes::NewAttributes;
use crate::cryptography::{AsymmetricForm, AsymmetricKey, PairKind, Signed, Signing};
use crate::x509::issue::{self, SERIAL_NUMBER_BYTES};
use crate::{Event, Object, Refusal};

/// Bits of an authority's RSA key: enough past 2030 (NIST SP 800-57), and RSA, as every client can check it.
const KEY_BITS: u32 = 3072;

/// Seconds that an authority is valid: ten years.
const VALIDITY_S: i64 = 10 * 365 * 86_400;

/// Seconds that a certificate is valid where its request does not say: a year.
pub(super) const CERTIFICATE_VALIDITY_S: i64 = 365 * 86_400;

/// Seconds that a certificate may be valid: three years, which an authority that signs has always left. More is refused with
/// Invalid Field.
pub(super) const CERTIFICATE_VALIDITY_S_MAX: i64 = 3 * 365 * 86_400;

/// Characters of a common name at most (RFC 5280 appendix A.1).
pub(super) const COMMON_NAME_CHARS_MAX: usize = 64;

/// What a certificate is to say.
pub(super) struct Wanted<'w> {
    /// The subject's name, in DER.
    pub(super) subject: &'w [u8],
    /// SubjectPublicKeyInfo, in DER.
    pub(super) public_key: &'w [u8],
    /// Extensions, beside those that every certificate has.
    pub(super) extensions: Extensions,
    /// Seconds since 1970.
    pub(super) not_before: i64,
    /// Seconds since 1970.
    pub(super) not_after: i64,
}

/// Who signs: the key, and the certificate in DER.
struct Signer {
    key: ManagedObject,
    certificate: Vec<u8>,
}

/// A certificate signed by the tenant's authority, which is made where there is none that may sign.
pub(super) fn issue(call: &mut Call<'_, '_, '_>, wanted: &Wanted<'_>) -> Result<Vec<u8>, Refusal> {
    let signer = match usable(call)? {
        Some(signer) => signer,
        None => make(call)?,
    };
    let authority = certificate::read(&signer.certificate)?;
    let mut extensions = wanted.extensions.clone();
    let end = BasicConstraints { ca: false, path_len_constraint: None };
    extensions.insert(0, issue::extension(true, &end).map_err(unwritable)?);
    let draft = issue::Draft {
        serial_number: serial_number(call),
        issuer: authority.subject,
        not_before: wanted.not_before,
        not_after: wanted.not_after,
        subject: wanted.subject,
        public_key: wanted.public_key,
        extensions,
    };
    sign(call, &signer.key, &draft, authority.public_key)
}

/// The authority there is, if both its halves are Active and it outlives what it may sign.
fn usable(call: &Call<'_, '_, '_>) -> Result<Option<Signer>, Refusal> {
    let Some(authority) = call.draft.authority(&call.authorised) else { return Ok(None) };
    let active = |id: crate::Id| -> Option<Arc<Object>> {
        let object = call.draft.object(&call.authorised, &id.to_string()).ok()?;
        let ready = object.state_at(call.now()) == State::Active && !object.is_archived();
        ready.then(|| Arc::clone(object))
    };
    let (Some(key), Some(own)) = (active(authority.private_key), active(authority.certificate)) else {
        return Ok(None);
    };
    let (key, ManagedObject::Certificate { certificate_value, .. }) = (call.open(&key)?, call.open(&own)?)
    else {
        return Ok(None);
    };
    let left = certificate::read(&certificate_value)?.not_after.saturating_sub(call.now());
    let signer = Signer { key, certificate: certificate_value };
    Ok((left >= CERTIFICATE_VALIDITY_S_MAX).then_some(signer))
}

/// Makes an authority, as two more objects of the tenant.
fn make(call: &mut Call<'_, '_, '_>) -> Result<Signer, Refusal> {
    use CryptographicUsageMask as Mask;
    use StandardAttribute as A;
    let now = call.now();
    let pair = call.context.workshop.make_pair(PairKind::Rsa { bits: KEY_BITS })?;
    let public_key = issue::rsa_public_key(&pair.public).map_err(unwritable)?;
    let bits = KEY_BITS.cast_signed();
    let material = Secret::from(pair.private.as_slice());
    let algorithm = CryptographicAlgorithm::Rsa;
    let key = ManagedObject::PrivateKey(KeyBlock::plain(
        KeyFormatType::Pkcs1,
        material,
        Some(algorithm),
        Some(bits),
    ));
    let tenant = call.authorised.tenant().as_str();
    let name: String = format!("Authority of {tenant}").chars().take(COMMON_NAME_CHARS_MAX).collect();
    let subject = issue::common_name(&name).map_err(unwritable)?;
    let own = BasicConstraints { ca: true, path_len_constraint: Some(0) };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let extension = |value: der::Result<_>| value.map_err(unwritable);
    let draft = issue::Draft {
        serial_number: serial_number(call),
        issuer: &subject,
        not_before: now,
        not_after: now.saturating_add(VALIDITY_S),
        subject: &subject,
        public_key: &public_key,
        extensions: vec![
            extension(issue::extension(true, &own))?,
            extension(issue::extension(true, &usage))?,
        ],
    };
    let value = sign(call, &key, &draft, &public_key)?;
    let not_after = draft.not_after;

    call.check_room()?;
    let mut attributes = NewAttributes::default();
    attributes.set(A::CryptographicAlgorithm, Value::Enumeration(algorithm.number()));
    attributes.set(A::CryptographicLength, Value::Integer(bits));
    // Not Sign: what it signs is made here, and nothing that a client hands in.
    let mask = Mask::CERTIFICATE_SIGN | Mask::CRL_SIGN;
    attributes.set(A::CryptographicUsageMask, Value::Integer(mask.bits()));
    attributes.set(A::Sensitive, Value::Boolean(true));
    attributes.set(A::Extractable, Value::Boolean(false));
    describe(call, &mut attributes, "signs the certificates that Certify makes for this tenant");
    let private_key = draft_created(call, &key, attributes)?;

    call.check_room()?;
    let mut attributes = NewAttributes::default();
    let kind = CertificateType::X509;
    certificate::describe(kind, &value, &mut attributes)?;
    let mask = Mask::VERIFY | Mask::CERTIFICATE_SIGN | Mask::CRL_SIGN;
    attributes.set(A::CryptographicUsageMask, Value::Integer(mask.bits()));
    attributes.set(A::DeactivationDate, Value::DateTime(not_after));
    attributes.add(A::Link, link(LinkType::PrivateKeyLink, private_key));
    describe(call, &mut attributes, "the authority whose key signs the certificates that Certify makes");
    let object = ManagedObject::Certificate { certificate_type: kind, certificate_value: value.clone() };
    let certificate = draft_created(call, &object, attributes)?;

    let to_certificate = link(LinkType::CertificateLink, certificate);
    let attribute = Attribute { index: Some(0), ..Attribute::new(A::Link, to_certificate) };
    call.draft(Event::AttributeSet { id: private_key, at: now, attribute });
    let tenant = call.authorised.tenant().clone();
    call.draft(Event::AuthorityMade { tenant, certificate, private_key, at: now });
    Ok(Signer { key, certificate: value })
}

fn describe(call: &Call<'_, '_, '_>, attributes: &mut NewAttributes, what: &str) {
    attributes.set(StandardAttribute::ActivationDate, Value::DateTime(call.now()));
    attributes.set(StandardAttribute::Description, Value::TextString(what.to_owned()));
    made_here(call, attributes);
}

pub(super) fn link(link_type: LinkType, id: crate::Id) -> Value {
    Link { link_type, linked_object_identifier: id.to_string() }.to_value()
}

fn serial_number(call: &mut Call<'_, '_, '_>) -> [u8; SERIAL_NUMBER_BYTES] {
    let mut bytes = [0; SERIAL_NUMBER_BYTES];
    call.context.entropy.fill(&mut bytes);
    bytes
}

fn sign(
    call: &Call<'_, '_, '_>,
    key: &ManagedObject,
    draft: &issue::Draft<'_>,
    authority_key: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let signed = draft.to_be_signed(authority_key).map_err(unwritable)?;
    let material = key.key_block().and_then(KeyBlock::plain_bytes);
    let Some(material) = material else {
        return Err(Refusal::general_failure("the authority's key is not of its form"));
    };
    let key = AsymmetricKey { form: AsymmetricForm::Pkcs1Private, der: material.danger_bytes() };
    let signing = Signing::RsaPkcs1V1_5(HashingAlgorithm::Sha256);
    let signature = call.context.cryptography.sign(&key, &signing, Signed::Data(&signed))?;
    issue::certificate(&signed, &signature).map_err(unwritable)
}

/// What a client asked for cannot be written as a certificate.
pub(super) fn unwritable(error: der::Error) -> Refusal {
    Refusal::invalid_field(format!(
        "no certificate can say that ({error}); hint: names and dates are from the request"
    ))
}
