//! Destroy (KMIP 1.4 sections 4.21 and 11.22): the material is gone for ever; what is known of the object stays.

use kmip::enumeration::ObjectType;
use kmip::operations::destroy::{Request, Response};
use kmip::{Attribute, StandardAttribute};
use ttlv::Value;

use super::Call;
use crate::lifecycle::{Cause, State, transition};
use crate::{Event, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let (id, now) = (object.id, call.now());
    let response = Response { unique_identifier: id.to_string() };
    if object.object_type == ObjectType::Template {
        call.draft(Event::Removed { id });
        return Ok(response);
    }
    if object.is_destroyed() {
        return Err(Refusal::permission_denied("the object was destroyed already"));
    }
    let state = if object.object_type == ObjectType::OpaqueObject {
        // It has no State of its own (KMIP 1.4 section 3.22); it counts as Pre-Active until it is gone.
        State::Destroyed
    } else {
        let current = object.state_at(now);
        transition(current, Cause::Destroy).ok_or_else(|| {
            Refusal::permission_denied(format!(
                "the object is {current}; hint: revoke it before it is destroyed"
            ))
        })?
    };
    let date = StandardAttribute::DestroyDate;
    let attribute = Attribute { name: date.into(), index: Some(0), value: Value::DateTime(now) };
    call.draft(Event::AttributeSet { id, at: now, attribute });
    call.draft(Event::Destroyed { id, at: now, state });
    Ok(response)
}
