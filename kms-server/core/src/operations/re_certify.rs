//! Re-certify (KMIP 1.4 sections 4.8 and 11.9): another certificate for the same key pair, which takes the old one's names.

use std::sync::Arc;

use kmip::StandardAttribute;
use kmip::attribute::Attribute;
use kmip::enumeration::{CertificateType, LinkType, ObjectType, ResultReason};
use kmip::object::ManagedObject;
use kmip::operations::re_certify::{Request, Response};
use ttlv::Value;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::ext::{Extension, Extensions};

use super::authority::link;
use super::certify::{add_link, another_key, certified, check_state, links, set_link, wanted};
use super::{Call, certificate, certificate_request};
use crate::attributes::NewAttributes;
use crate::x509;
use crate::{Event, Object, Refusal};

/// What is not copied from the old certificate: what KMIP 1.4 table 187 names, and what follows from the new one.
fn is_copied(attribute: &Attribute) -> bool {
    use StandardAttribute as A;
    let Some(rule) = attribute.name.rule() else { return true };
    let derived = rule.applies_to == kmip::attribute::AppliesTo::X509Certificates;
    let own = matches!(
        rule.attribute,
        A::Name
            | A::DestroyDate
            | A::CompromiseOccurrenceDate
            | A::CompromiseDate
            | A::RevocationReason
            | A::ArchiveDate
            | A::Digest
            | A::Link
            | A::OriginalCreationDate
            | A::AlwaysSensitive
            | A::NeverExtractable
            | A::CryptographicAlgorithm
            | A::CryptographicLength
            | A::CertificateLength
            | A::CertificateIdentifier
            | A::CertificateSubject
            | A::CertificateIssuer
            | A::DigitalSignatureAlgorithm
    );
    !derived && !own
}

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let old = call.object(request.unique_identifier.as_deref())?;
    check_old(&old, call.now())?;
    let asked = certificate_request::read(
        call,
        request.certificate_request_type,
        request.certificate_request.as_deref(),
    )?;
    call.check_room()?;
    let ManagedObject::Certificate { certificate_value, .. } = call.open(&old)? else {
        return Err(Refusal::permission_denied(format!("{} is no certificate", old.id)));
    };
    let read = certificate::read(&certificate_value)?;
    let (subject, extensions) = match asked {
        Some(asked) if x509::same_key(&asked.public_key, read.public_key) => {
            (asked.subject, asked.extensions)
        }
        Some(_) => return Err(another_key("certificate")),
        None => (read.subject.to_vec(), kept(&read.extensions)),
    };
    let mut attributes = new_attributes(request, call, &old)?;
    attributes.add(StandardAttribute::Link, link(LinkType::ReplacedObjectLink, old.id));
    let key = public_key(call, &old);
    if let Some(key) = &key {
        attributes.add(StandardAttribute::Link, link(LinkType::PublicKeyLink, key.id));
    }
    let id = certified(call, attributes, &subject, read.public_key, extensions)?;
    add_link(call, &old, LinkType::ReplacementObjectLink, id);
    if let Some(key) = key {
        // "the server SHALL change the Link attribute of Link Type Certificate to point to the new certificate"
        let to_old = links(&key).find(|(_, link)| {
            link.link_type == LinkType::CertificateLink && link.linked_object_identifier == old.id.to_string()
        });
        match to_old {
            Some((index, _)) => set_link(call, &key, index, link(LinkType::CertificateLink, id)),
            None => add_link(call, &key, LinkType::CertificateLink, id),
        }
    }
    Ok(Response { unique_identifier: id.to_string(), template_attribute: None })
}

fn check_old(old: &Object, now: i64) -> Result<(), Refusal> {
    let kind = old.enumeration(StandardAttribute::CertificateType).map(CertificateType::from_number);
    if old.object_type != ObjectType::Certificate || kind != Some(CertificateType::X509) {
        let message = format!("{} is no X.509 certificate, and is not re-certified", old.id);
        return Err(Refusal::permission_denied(message));
    }
    check_state(old, now)?;
    if links(old).any(|(_, link)| link.link_type == LinkType::ReplacementObjectLink) {
        return Err(Refusal::permission_denied(
            "the certificate was replaced already; hint: re-certify its replacement",
        ));
    }
    Ok(())
}

/// The old certificate's attributes, the request's in their place, and the names of both.
fn new_attributes(
    request: &Request,
    call: &mut Call<'_, '_, '_>,
    old: &Object,
) -> Result<NewAttributes, Refusal> {
    use StandardAttribute::{ActivationDate, DeactivationDate, Name};
    // The old certificate's names are the new one's from now on, so they are no longer taken when the request is checked.
    let names: Vec<Attribute> = old.instances(&Name.into(), call.now());
    for name in &names {
        let index = name.index.unwrap_or(0);
        call.draft(Event::AttributeDeleted { id: old.id, at: call.now(), name: name.name.clone(), index });
    }
    let wanted = wanted(call, request.template_attribute.as_ref())?;
    let redated = wanted.date(ActivationDate).is_some() || wanted.date(DeactivationDate).is_some();
    let mut attributes = NewAttributes::from_attributes(
        old.attributes.iter().filter(|known| is_copied(known)).cloned().collect(),
    );
    if let Some(offset) = request.offset {
        if redated {
            return Err(Refusal::invalid_message(
                "Offset stands beside a date that it would set; hint: send the one or the other",
            ));
        }
        shift_dates(call.now(), offset, &mut attributes)?;
    }
    let mut all: Vec<Value> = names.into_iter().map(|name| name.value).collect();
    all.extend(wanted.all(Name).filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>());
    attributes.override_with(wanted);
    attributes.remove(Name);
    all.into_iter().for_each(|name| attributes.add(Name, name));
    if redated {
        attributes.check_dates()?;
    }
    Ok(attributes)
}

/// KMIP 1.4 table 186: the new activation is `offset` seconds from now, and the end keeps its distance to it.
fn shift_dates(now: i64, offset: u32, attributes: &mut NewAttributes) -> Result<(), Refusal> {
    use StandardAttribute::{ActivationDate, DeactivationDate};
    let activation = now.saturating_add(i64::from(offset));
    if let Some(end) = attributes.date(DeactivationDate) {
        let Some(old_activation) = attributes.date(ActivationDate) else {
            let message = "Deactivation Date cannot be shifted, as the certificate has no Activation Date";
            return Err(Refusal::new(ResultReason::IllegalOperation, message));
        };
        let shifted = end.saturating_add(activation.saturating_sub(old_activation));
        attributes.set(DeactivationDate, Value::DateTime(shifted));
    }
    attributes.set(ActivationDate, Value::DateTime(activation));
    Ok(())
}

/// The public key that the old certificate links to, where it is there.
fn public_key(call: &Call<'_, '_, '_>, old: &Object) -> Option<Arc<Object>> {
    let (_, link) = links(old).find(|(_, link)| link.link_type == LinkType::PublicKeyLink)?;
    let key = call.draft.object(&call.authorised, &link.linked_object_identifier).ok()?;
    (key.object_type == ObjectType::PublicKey).then(|| Arc::clone(key))
}

/// What of the old certificate's extensions the new one has too.
fn kept(extensions: &[Extension]) -> Extensions {
    let named = [SubjectAltName::OID, KeyUsage::OID, ExtendedKeyUsage::OID];
    extensions.iter().filter(|extension| named.contains(&extension.extn_id)).cloned().collect()
}
