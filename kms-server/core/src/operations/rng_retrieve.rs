//! RNG Retrieve (KMIP 1.4 sections 4.35 and 11.36): random bytes of the system that the server runs on.

use kmip::Secret;
use kmip::operations::rng_retrieve::{Request, Response};

use super::Call;
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    // More would be too large an answer in any case, and memory until that is known.
    let limit = call.limits().response_bytes_max;
    let Some(bytes) = usize::try_from(request.data_length).ok().filter(|bytes| (1..=limit).contains(bytes))
    else {
        return Err(Refusal::invalid_field(format!(
            "Data Length is 1 to {limit} bytes, got {}",
            request.data_length
        )));
    };
    let mut data = vec![0; bytes];
    call.context.entropy.fill(&mut data);
    Ok(Response { data: Secret::new(data) })
}
