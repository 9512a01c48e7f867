//! Activate (KMIP 1.4 sections 4.19 and 11.20): Pre-Active to Active, now.

use kmip::enumeration::ObjectType;
use kmip::operations::activate::{Request, Response};
use kmip::{Attribute, StandardAttribute};
use ttlv::Value;

use super::Call;
use crate::lifecycle::{Cause, transition};
use crate::{Event, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let (id, now) = (object.id, call.now());
    if matches!(object.object_type, ObjectType::Template | ObjectType::OpaqueObject) {
        return Err(Refusal::illegal_operation(format!("a {} has no State to activate", object.object_type)));
    }
    let current = object.state_at(now);
    let Some(state) = transition(current, Cause::Activate) else {
        return Err(Refusal::permission_denied(format!(
            "the object is {current}, Activate needs a PreActive one"
        )));
    };
    let date = StandardAttribute::ActivationDate;
    let attribute = Attribute { name: date.into(), index: Some(0), value: Value::DateTime(now) };
    call.draft(Event::AttributeSet { id, at: now, attribute });
    call.draft(Event::StateChanged { id, at: now, state });
    Ok(Response { unique_identifier: id.to_string() })
}
