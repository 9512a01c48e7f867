//! Certify (KMIP 1.4 sections 4.7 and 11.8): a certificate for a public key, signed by the tenant's own authority.

use kmip::attribute::{Attribute, AttributeName, Link, Name};
use kmip::enumeration::{CertificateType, KeyFormatType, LinkType, ObjectType, ResultReason, State};
use kmip::object::ManagedObject;
use kmip::operations::certify::{Request, Response};
use kmip::{StandardAttribute, TemplateAttribute};
use ttlv::Value;
use x509_cert::ext::Extensions;

use super::authority::{
    CERTIFICATE_VALIDITY_S, CERTIFICATE_VALIDITY_S_MAX, COMMON_NAME_CHARS_MAX, Wanted, issue, link,
    unwritable,
};
use super::create::made_here;
use super::register::draft_created;
use super::{Call, certificate, certificate_request};
use crate::attributes::NewAttributes;
use crate::x509;
use crate::{Event, Id, Object, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let key = call.object(request.unique_identifier.as_deref())?;
    check_key(&key, call.now())?;
    let asked = certificate_request::read(
        call,
        request.certificate_request_type,
        request.certificate_request.as_deref(),
    )?;
    call.check_room()?;
    let mut attributes = wanted(call, request.template_attribute.as_ref())?;
    if asked.is_none() && attributes.first(StandardAttribute::CertificateType).is_none() {
        return Err(Refusal::invalid_field(
            "there is no Certificate Request, and no Certificate Type in its place; hint: Certificate Type X.509",
        ));
    }
    let public_key = public_key(call, &key)?;
    let (subject, extensions) = match asked {
        Some(asked) if x509::same_key(&asked.public_key, &public_key) => (asked.subject, asked.extensions),
        Some(_) => return Err(another_key("public key")),
        None => (subject_of(&key)?, Extensions::new()),
    };
    if let Some(mask) = key.first(StandardAttribute::CryptographicUsageMask) {
        attributes.set_if_absent(StandardAttribute::CryptographicUsageMask, mask.clone());
    }
    attributes.add(StandardAttribute::Link, link(LinkType::PublicKeyLink, key.id));
    let id = certified(call, attributes, &subject, &public_key, extensions)?;
    add_link(call, &key, LinkType::CertificateLink, id);
    Ok(Response { unique_identifier: id.to_string(), template_attribute: None })
}

fn check_key(key: &Object, now: i64) -> Result<(), Refusal> {
    let id = key.id;
    if key.object_type != ObjectType::PublicKey {
        let message = format!("{id} is a {}; hint: certified is a Public Key", key.object_type);
        return Err(Refusal::permission_denied(message));
    }
    check_state(key, now)
}

/// What was taken out of use is not certified.
pub(super) fn check_state(object: &Object, now: i64) -> Result<(), Refusal> {
    let state = object.state_at(now);
    if matches!(state, State::PreActive | State::Active) {
        return Ok(());
    }
    Err(Refusal::permission_denied(format!("{} is {state}, and is not certified any more", object.id)))
}

/// The attributes that the request wants, checked.
pub(super) fn wanted(
    call: &Call<'_, '_, '_>,
    template: Option<&TemplateAttribute>,
) -> Result<NewAttributes, Refusal> {
    let attributes = match template {
        Some(template) => NewAttributes::resolve(call, ObjectType::Certificate, template)?,
        None => NewAttributes::default(),
    };
    let kind = attributes.enumeration(StandardAttribute::CertificateType).map(CertificateType::from_number);
    match kind {
        None | Some(CertificateType::X509) => Ok(attributes),
        Some(kind) => Err(Refusal::invalid_field(format!(
            "this server makes no certificates of the type {kind}; hint: X.509"
        ))),
    }
}

pub(super) fn another_key(of: &str) -> Refusal {
    Refusal::invalid_field(format!("the Certificate Request is for another key than that of the {of}"))
}

/// Has a certificate signed, and drafts its object.
pub(super) fn certified(
    call: &mut Call<'_, '_, '_>,
    mut attributes: NewAttributes,
    subject: &[u8],
    public_key: &[u8],
    extensions: Extensions,
) -> Result<Id, Refusal> {
    attributes.set_if_absent(StandardAttribute::CryptographicUsageMask, Value::Integer(0));
    attributes.check_size(call.limits())?;
    let (not_before, not_after) = validity(&attributes, call.now())?;
    let wanted = Wanted { subject, public_key, extensions, not_before, not_after };
    let value = issue(call, &wanted)?;
    // The authority may have taken two places.
    call.check_room()?;
    let kind = CertificateType::X509;
    certificate::describe(kind, &value, &mut attributes)?;
    made_here(call, &mut attributes);
    attributes.remove(StandardAttribute::RandomNumberGenerator);
    let object = ManagedObject::Certificate { certificate_type: kind, certificate_value: value };
    draft_created(call, &object, attributes)
}

/// From the Activation Date that lies ahead, or now, to the Deactivation Date, or a year later; seconds since 1970.
fn validity(attributes: &NewAttributes, now: i64) -> Result<(i64, i64), Refusal> {
    let activation = attributes.date(StandardAttribute::ActivationDate);
    let not_before = activation.unwrap_or(now).max(now);
    let usual = not_before.saturating_add(CERTIFICATE_VALIDITY_S);
    let not_after = attributes.date(StandardAttribute::DeactivationDate).unwrap_or(usual);
    if not_after <= not_before {
        return Err(Refusal::invalid_field(
            "the certificate would end before it begins; hint: send another Deactivation Date, or an Offset",
        ));
    }
    let days = CERTIFICATE_VALIDITY_S_MAX / 86_400;
    if not_after.saturating_sub(now) > CERTIFICATE_VALIDITY_S_MAX {
        return Err(Refusal::invalid_field(format!(
            "a certificate ends at most {days} days from now; hint: an earlier Deactivation Date"
        )));
    }
    Ok((not_before, not_after))
}

/// Without a Certificate Request: the key's first Name that fits, or its identifier.
fn subject_of(key: &Object) -> Result<Vec<u8>, Refusal> {
    let fits = |name: &Name| name.value.chars().count() <= COMMON_NAME_CHARS_MAX;
    let name = key.names().find(fits).map_or_else(|| key.id.to_string(), |name| name.value);
    x509::issue::common_name(&name).map_err(unwritable)
}

/// A public key as a certificate holds it.
fn public_key(call: &Call<'_, '_, '_>, key: &Object) -> Result<Vec<u8>, Refusal> {
    let opened = call.open(key)?;
    let block = opened.key_block().filter(|block| block.key_wrapping_data.is_none());
    let bytes = block.and_then(|block| Some((block.key_format_type, block.plain_bytes()?)));
    let read = match bytes {
        Some((KeyFormatType::X509, bytes)) => x509::checked_key(bytes.danger_bytes()),
        Some((KeyFormatType::Pkcs1, bytes)) => x509::issue::rsa_public_key(bytes.danger_bytes()),
        _ => {
            let form = block.map_or("wrapped".to_owned(), |block| block.key_format_type.to_string());
            return Err(Refusal::new(
                ResultReason::KeyFormatTypeNotSupported,
                format!(
                    "a public key that is kept as {form} is not certified here; hint: register it as X.509"
                ),
            ));
        }
    };
    read.map_err(|error| Refusal::permission_denied(format!("{} is no public key ({error})", key.id)))
}

/// Links an object that is there to another.
pub(super) fn add_link(call: &mut Call<'_, '_, '_>, object: &Object, link_type: LinkType, id: Id) {
    set_link(call, object, next_index(object), link(link_type, id));
}

pub(super) fn set_link(call: &mut Call<'_, '_, '_>, object: &Object, index: i32, value: Value) {
    let attribute = Attribute { index: Some(index), ..Attribute::new(StandardAttribute::Link, value) };
    call.draft(Event::AttributeSet { id: object.id, at: call.now(), attribute });
}

fn next_index(object: &Object) -> i32 {
    links(object).map(|(index, _)| index).max().map_or(0, |index| index.saturating_add(1))
}

/// An object's links, each with its index.
pub(super) fn links(object: &Object) -> impl Iterator<Item = (i32, Link)> {
    let name = AttributeName::from(StandardAttribute::Link);
    let links = object.attributes.iter().filter(move |attribute| attribute.name == name);
    links.filter_map(|attribute| Some((attribute.index.unwrap_or(0), Link::from_value(&attribute.value)?)))
}
