//! Import (KMIP 1.4 sections 4.41 and 11.42): an object with its attributes as another server had them, those that a server sets
//! among them.

use kmip::enumeration::{KeyWrapType, ObjectType, ResultReason, State};
use kmip::operations::import::{Request, Response};
use kmip::{Attribute, ManagedObject, StandardAttribute};
use ttlv::Value;

use super::Call;
use super::register::{describe, digest};
use crate::attributes::NewAttributes;
use crate::{Event, Id, Refusal, wrapping};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let id = place(request, call)?;
    call.check_room()?;
    let object = request.object.as_deref().map(|object| unwrapped(request, object, call)).transpose()?;
    let (own, others): (Vec<_>, Vec<_>) = request.attributes.iter().cloned().partition(is_own);
    let object_type = object_type(object.as_ref(), &own)?;
    let mut attributes = NewAttributes::imported(call, object_type, others)?;
    if let Some(object) = &object {
        wrapping::check_encoding(object)?;
        describe(object, &mut attributes)?;
        if let Some(digest) = digest(object) {
            attributes.set_if_absent(StandardAttribute::Digest, digest.to_value());
        }
    }
    if object_type != ObjectType::Template {
        for (attribute, usual) in [
            (StandardAttribute::Sensitive, false),
            (StandardAttribute::AlwaysSensitive, false),
            (StandardAttribute::Extractable, true),
            (StandardAttribute::NeverExtractable, false),
        ] {
            attributes.set_if_absent(attribute, Value::Boolean(usual));
        }
    }
    let state = state(&own);
    match (&object, matches!(state, State::Destroyed | State::DestroyedCompromised)) {
        (None, false) => {
            return Err(Refusal::invalid_message(
                "the object itself is missing; hint: only one whose State is Destroyed comes without",
            ));
        }
        (Some(_), true) => {
            return Err(Refusal::invalid_field(
                "an object whose State is Destroyed comes without its material; hint: leave one of the two out",
            ));
        }
        (Some(_), false) | (None, true) => {}
    }
    let material = object.as_ref().map(|object| call.seal(id, object)).transpose()?;
    let initial = date(&own, StandardAttribute::InitialDate).unwrap_or(call.now());
    let tenant = call.authorised.tenant().clone();
    let attributes = attributes.into_attributes();
    call.draft(Event::Created { id, tenant, object_type, state, at: initial, attributes, material });
    if let Some(changed) = date(&own, StandardAttribute::LastChangeDate) {
        call.draft(Event::StateChanged { id, at: changed, state });
    }
    if own.iter().any(|it| it.name == StandardAttribute::Fresh.into() && it.value == Value::Boolean(false)) {
        call.draft(Event::Served { id });
    }
    *call.id_placeholder = Some(id);
    Ok(Response { unique_identifier: id.to_string() })
}

/// Where the object goes: under its own identifier, or under a new one where that is none of this server's form, or not this
/// client's to know of.
fn place(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Id, Refusal> {
    let Some(id) = Id::parse(&request.unique_identifier) else {
        return Ok(Id::random(call.context.entropy));
    };
    if call.object(Some(&request.unique_identifier)).is_ok() {
        if request.replace_existing != Some(true) {
            return Err(Refusal::new(
                ResultReason::ObjectAlreadyExists,
                format!("{id} is there already; hint: Replace Existing puts the new one in its place"),
            ));
        }
        // What is replaced is gone.
        call.authorised.may_deactivate()?;
        call.draft(Event::Removed { id });
        return Ok(id);
    }
    if call.draft.is_there(id) { Ok(Id::random(call.context.entropy)) } else { Ok(id) }
}

fn unwrapped(
    request: &Request,
    object: &ManagedObject,
    call: &mut Call<'_, '_, '_>,
) -> Result<ManagedObject, Refusal> {
    match request.key_wrap_type {
        None | Some(KeyWrapType::AsRegistered) => Ok(object.clone()),
        Some(KeyWrapType::NotWrapped) => wrapping::unwrap(call, object.clone()),
        Some(other @ KeyWrapType::Unknown(_)) => {
            Err(Refusal::invalid_field(format!("{other} is no Key Wrap Type here")))
        }
    }
}

/// Attributes that follow from fields of the object's own.
fn is_own(attribute: &Attribute) -> bool {
    use StandardAttribute as A;
    [A::UniqueIdentifier, A::ObjectType, A::State, A::InitialDate, A::LastChangeDate, A::LeaseTime, A::Fresh]
        .into_iter()
        .any(|own| attribute.name == own.into())
}

fn value(own: &[Attribute], attribute: StandardAttribute) -> Option<&Value> {
    own.iter().find(|known| known.name == attribute.into()).map(|known| &known.value)
}

fn date(own: &[Attribute], attribute: StandardAttribute) -> Option<i64> {
    match value(own, attribute) {
        Some(Value::DateTime(date)) => Some(*date),
        _ => None,
    }
}

fn state(own: &[Attribute]) -> State {
    match value(own, StandardAttribute::State) {
        Some(Value::Enumeration(number)) => State::from_number(*number),
        _ => State::PreActive,
    }
}

fn object_type(object: Option<&ManagedObject>, own: &[Attribute]) -> Result<ObjectType, Refusal> {
    let stated = match value(own, StandardAttribute::ObjectType) {
        Some(Value::Enumeration(number)) => Some(ObjectType::from_number(*number)),
        _ => None,
    };
    if let Some(ObjectType::Unknown(number)) = stated {
        return Err(Refusal::invalid_field(format!("Object Type 0x{number:08x} is unknown")));
    }
    match (object.map(ManagedObject::object_type), stated) {
        (Some(found), Some(stated)) if found != stated => {
            Err(Refusal::invalid_field(format!("Object Type says {stated}, the object is a {found}")))
        }
        (Some(known), _) | (None, Some(known)) => Ok(known),
        (None, None) => Err(Refusal::invalid_message("neither the object nor its Object Type is there")),
    }
}
