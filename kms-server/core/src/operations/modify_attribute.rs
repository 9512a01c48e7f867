//! Modify Attribute (KMIP 1.4 sections 4.15 and 11.16).

use kmip::operations::modify_attribute::{Request, Response};
use kmip::{Attribute, StandardAttribute};
use ttlv::Value;

use super::Call;
use crate::attributes::check_modified;
use crate::{Event, Id, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let attribute = check_modified(call, &object, &request.attribute)?;
    call.draft(Event::AttributeSet { id: object.id, at: call.now(), attribute: attribute.clone() });
    end_always(call, object.id, &attribute);
    let shown = Attribute { index: attribute.index.filter(|index| *index != 0), ..attribute };
    Ok(Response { unique_identifier: object.id.to_string(), attribute: shown })
}

/// An object that was once not sensitive, or once extractable, is not "always" or "never" so any more (KMIP 1.4 sections
/// 3.49 and 3.51).
fn end_always(call: &mut Call<'_, '_, '_>, id: Id, changed: &Attribute) {
    let ended = if changed.name == StandardAttribute::Sensitive.into()
        && changed.value == Value::Boolean(false)
    {
        StandardAttribute::AlwaysSensitive
    } else if changed.name == StandardAttribute::Extractable.into() && changed.value == Value::Boolean(true) {
        StandardAttribute::NeverExtractable
    } else {
        return;
    };
    let attribute = Attribute { name: ended.into(), index: Some(0), value: Value::Boolean(false) };
    call.draft(Event::AttributeSet { id, at: call.now(), attribute });
}
