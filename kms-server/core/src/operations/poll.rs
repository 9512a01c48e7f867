//! Poll (KMIP 1.4 sections 4.28 and 11.29): the answer is that of the operation that was put off, whatever it is.

use kmip::operations::poll::Request;

use super::{Call, Done};
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Done, Refusal> {
    Ok(Done::Kept(Box::new(call.poll(&request.asynchronous_correlation_value)?)))
}
