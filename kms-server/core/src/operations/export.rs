//! Export (KMIP 1.4 sections 4.40 and 11.41): all that is known of an object, with its material as Get gives it.

use kmip::operations::export::{Request, Response};

use super::{Call, get};
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.get.unique_identifier.as_deref())?;
    let mut attributes = object.all_attributes(call.now());
    attributes.retain(|attribute| attribute.known_in(call.version));
    // "If the Managed Object has been Destroyed then the key material for the specified managed object SHALL not be returned"
    let managed = if object.is_destroyed() {
        None
    } else {
        let managed = get::given(&request.get, &object, call)?;
        get::deliver(&object, &managed, call)?;
        Some(Box::new(managed))
    };
    *call.id_placeholder = Some(object.id);
    Ok(Response {
        object_type: object.object_type,
        unique_identifier: object.id.to_string(),
        attributes,
        object: managed,
    })
}
