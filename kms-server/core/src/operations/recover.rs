//! Recover (KMIP 1.4 sections 4.23 and 11.24): an archived object is on-line again; one that is, stays so.

use kmip::StandardAttribute;
use kmip::operations::recover::{Request, Response};

use super::Call;
use crate::{Event, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object_anywhere(request.unique_identifier.as_deref())?;
    let id = object.id;
    if object.is_archived() {
        let name = StandardAttribute::ArchiveDate.into();
        call.draft(Event::AttributeDeleted { id, at: call.now(), name, index: 0 });
    }
    *call.id_placeholder = Some(id);
    Ok(Response { unique_identifier: id.to_string() })
}
