//! Get Attributes (KMIP 1.4 sections 4.12 and 11.13). An attribute that has no value is simply not there.
//!
//! Departs from KMIP 1.4 11.13: the attributes of an archived object are told, as the public test cases have it.

use std::collections::BTreeSet;

use kmip::Attribute;
use kmip::operations::get_attributes::{Request, Response};

use super::Call;
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object_anywhere(request.unique_identifier.as_deref())?;
    let names = &request.attribute_names;
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(Refusal::invalid_message(format!("the Attribute Name {twice} is there more than once")));
    }
    let attributes: Vec<Attribute> = if names.is_empty() {
        object.all_attributes(call.now())
    } else {
        names.iter().flat_map(|name| object.instances(name, call.now())).collect()
    };
    // What the version of the request has no words for is left out when the answer is written.
    Ok(Response { unique_identifier: object.id.to_string(), attributes })
}
