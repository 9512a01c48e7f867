//! Archive (KMIP 1.4 sections 4.22 and 11.23): nothing but Recover is done with the object until it is recovered.
//!
//! The archive is this server's own store: the material stays where it is, sealed, and its Archive Date says that it is
//! archived. What the operation is for, that nobody has it by mistake, is kept; there is no slower medium to save on.

use kmip::operations::archive::{Request, Response};
use kmip::{Attribute, StandardAttribute};
use ttlv::Value;

use super::Call;
use crate::{Event, Refusal};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let object = call.object(request.unique_identifier.as_deref())?;
    let (id, now) = (object.id, call.now());
    let date = StandardAttribute::ArchiveDate;
    let attribute = Attribute { name: date.into(), index: Some(0), value: Value::DateTime(now) };
    call.draft(Event::AttributeSet { id, at: now, attribute });
    Ok(Response { unique_identifier: id.to_string() })
}
