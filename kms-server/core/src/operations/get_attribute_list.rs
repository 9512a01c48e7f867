//! Get Attribute List (KMIP 1.4 sections 4.13 and 11.14): the names of the attributes that have a value.

use kmip::AttributeName;
use kmip::operations::get_attribute_list::{Request, Response};

use super::Call;
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object_anywhere(request.unique_identifier.as_deref())?;
    let mut attribute_names: Vec<AttributeName> = Vec::new();
    let version = call.version;
    let all = object.all_attributes(call.now()).into_iter();
    for attribute in all.filter(|attribute| attribute.known_in(version)) {
        if !attribute_names.contains(&attribute.name) {
            attribute_names.push(attribute.name);
        }
    }
    Ok(Response { unique_identifier: object.id.to_string(), attribute_names })
}
