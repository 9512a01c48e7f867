//! RNG Seed (KMIP 1.4 sections 4.36 and 11.37). "The server MAY elect to ignore the information provided by the client": the
//! system's generator needs no client's help, and no client is to have a say in it.

use kmip::operations::rng_seed::{Request, Response};

use super::Call;
use crate::Refusal;

pub(super) fn carry_out(_: &Request, _: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    Ok(Response { data_length: 0 })
}
