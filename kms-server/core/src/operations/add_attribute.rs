//! Add Attribute (KMIP 1.4 sections 4.14 and 11.15).

use kmip::Attribute;
use kmip::operations::add_attribute::{Request, Response};

use super::Call;
use crate::attributes::check_added;
use crate::{Event, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let attribute = check_added(call, &object, &request.attribute)?;
    call.draft(Event::AttributeSet { id: object.id, at: call.now(), attribute: attribute.clone() });
    let shown = Attribute { index: attribute.index.filter(|index| *index != 0), ..attribute };
    Ok(Response { unique_identifier: object.id.to_string(), attribute: shown })
}
