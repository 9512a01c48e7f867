//! Delete Attribute (KMIP 1.4 sections 4.16 and 11.17).

use kmip::operations::delete_attribute::{Request, Response};

use super::Call;
use crate::attributes::check_deleted;
use crate::{Event, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let attribute = check_deleted(call, &object, &request.attribute_name, request.attribute_index)?;
    call.draft(Event::AttributeDeleted {
        id: object.id,
        at: call.now(),
        name: attribute.name.clone(),
        index: attribute.index.unwrap_or(0),
    });
    Ok(Response { unique_identifier: object.id.to_string(), attribute })
}
