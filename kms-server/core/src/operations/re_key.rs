//! Re-key (KMIP 1.4 sections 4.4 and 11.5): a new key in the place of an old one, which stays as it is but for its names.

use kmip::StandardAttribute;
use kmip::attribute::{Attribute, Link};
use kmip::enumeration::{LinkType, ObjectType, ResultReason};
use kmip::operations::re_key::{Request, Response};
use ttlv::Value;

use super::Call;
use super::create::{made_here, make_key};
use super::register::draft_created;
use crate::attributes::NewAttributes;
use crate::{Event, Object, Refusal};

/// What is not copied from the old key (KMIP 1.4 table 173).
const NOT_COPIED: [StandardAttribute; 12] = [
    StandardAttribute::DestroyDate,
    StandardAttribute::CompromiseOccurrenceDate,
    StandardAttribute::CompromiseDate,
    StandardAttribute::RevocationReason,
    StandardAttribute::Digest,
    StandardAttribute::Link,
    StandardAttribute::RandomNumberGenerator,
    StandardAttribute::OriginalCreationDate,
    StandardAttribute::AlwaysSensitive,
    StandardAttribute::NeverExtractable,
    StandardAttribute::ArchiveDate,
    StandardAttribute::KeyValuePresent,
];

const DATES: [StandardAttribute; 4] = [
    StandardAttribute::ActivationDate,
    StandardAttribute::ProcessStartDate,
    StandardAttribute::ProtectStopDate,
    StandardAttribute::DeactivationDate,
];

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let old = call.object(request.unique_identifier.as_deref())?;
    check_old(&old)?;
    call.check_room()?;
    give_up_names(call, &old);
    let wanted = match &request.template_attribute {
        Some(template) => NewAttributes::resolve(call, ObjectType::SymmetricKey, template)?,
        None => NewAttributes::default(),
    };
    let mut attributes = replacing(call, &old, wanted, request.offset)?;
    let object = make_key(call, &mut attributes)?;
    made_here(call, &mut attributes);
    let replaced =
        Link { link_type: LinkType::ReplacedObjectLink, linked_object_identifier: old.id.to_string() };
    attributes.add(StandardAttribute::Link, replaced.to_value());
    let id = draft_created(call, &object, attributes)?;
    let replacement =
        Link { link_type: LinkType::ReplacementObjectLink, linked_object_identifier: id.to_string() };
    link_old(call, &old, &replacement);
    Ok(Response { unique_identifier: id.to_string(), template_attribute: None })
}

fn check_old(old: &Object) -> Result<(), Refusal> {
    if old.object_type != ObjectType::SymmetricKey {
        return Err(Refusal::permission_denied(format!("a {} cannot be re-keyed", old.object_type)));
    }
    check_replaceable(old)
}

/// The old key's names are the new key's from now on, so they are no longer taken when the request is checked.
pub(super) fn give_up_names(call: &mut Call<'_, '_, '_>, old: &Object) {
    for name in old.instances(&StandardAttribute::Name.into(), call.now()) {
        let index = name.index.unwrap_or(0);
        call.draft(Event::AttributeDeleted { id: old.id, at: call.now(), name: name.name, index });
    }
}

/// The attributes of a key in the place of an old one: the old one's, but for those that are wanted otherwise, and with its dates
/// shifted where there is an offset.
pub(super) fn replacing(
    call: &Call<'_, '_, '_>,
    old: &Object,
    wanted: NewAttributes,
    offset: Option<u32>,
) -> Result<NewAttributes, Refusal> {
    let mut attributes = copied(old);
    let redated = DATES.into_iter().any(|date| wanted.date(date).is_some());
    if let Some(offset) = offset {
        if redated {
            return Err(Refusal::invalid_message(
                "Offset stands beside a date that it would set; hint: send the one or the other",
            ));
        }
        shift_dates(old, call.now(), offset, &mut attributes)?;
    }
    attributes.override_with(wanted);
    attributes.check_size(call.limits())?;
    // Those that are only copied are as the old key's life has left them.
    if redated {
        attributes.check_dates()?;
    }
    Ok(attributes)
}

pub(super) fn check_replaceable(old: &Object) -> Result<(), Refusal> {
    if old.is_destroyed() {
        return Err(Refusal::permission_denied("the key is destroyed, there is nothing to re-key"));
    }
    if old.first(StandardAttribute::KeyValuePresent) == Some(&Value::Boolean(false)) {
        let message = "the Key Value is not on this server, there is nothing to re-key";
        return Err(Refusal::new(ResultReason::KeyValueNotPresent, message));
    }
    if old.instances(&StandardAttribute::Link.into(), 0).iter().any(is_replacement) {
        return Err(Refusal::permission_denied("the key was replaced already; hint: re-key its replacement"));
    }
    Ok(())
}

fn is_replacement(attribute: &Attribute) -> bool {
    Link::from_value(&attribute.value).is_some_and(|link| link.link_type == LinkType::ReplacementObjectLink)
}

/// The old key's attributes, less those that the new key has of its own.
fn copied(old: &Object) -> NewAttributes {
    let mut attributes = NewAttributes::from_attributes(old.attributes.clone());
    for attribute in NOT_COPIED {
        attributes.remove(attribute);
    }
    attributes
}

/// KMIP 1.4 table 172: the new activation is `offset` seconds from now, and the other dates keep their distance to it.
fn shift_dates(old: &Object, now: i64, offset: u32, attributes: &mut NewAttributes) -> Result<(), Refusal> {
    let activation = now.saturating_add(i64::from(offset));
    for date in DATES.into_iter().skip(1) {
        let Some(seconds) = old.date(date) else { continue };
        let Some(old_activation) = old.date(StandardAttribute::ActivationDate) else {
            let message = format!("{} cannot be shifted, as the key has no Activation Date", date.name());
            return Err(Refusal::new(ResultReason::IllegalOperation, message));
        };
        let shifted = seconds.saturating_add(activation.saturating_sub(old_activation));
        attributes.set(date, Value::DateTime(shifted));
    }
    attributes.set(StandardAttribute::ActivationDate, Value::DateTime(activation));
    Ok(())
}

/// Links an object to one that came after it.
pub(super) fn link_old(call: &mut Call<'_, '_, '_>, old: &Object, link: &Link) {
    let name = StandardAttribute::Link.into();
    let used = old.attributes.iter().filter(|known| known.name == name).filter_map(|known| known.index).max();
    let index = used.map_or(0, |index| index.saturating_add(1));
    let attribute = Attribute { name, index: Some(index), value: link.to_value() };
    call.draft(Event::AttributeSet { id: old.id, at: call.now(), attribute });
}
