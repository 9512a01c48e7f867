//! Cancel (KMIP 1.4 sections 4.27 and 11.28): never fails for what it names, and says what came of it.

use kmip::operations::cancel::{Request, Response};

use super::Call;
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    call.cancel(&request.asynchronous_correlation_value)
}
