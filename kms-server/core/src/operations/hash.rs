//! Hash (KMIP 1.4 sections 4.37 and 11.38): a digest of what the client sends.

use kmip::operations::hash::{Request, Response};

use super::{Call, data};
use crate::Refusal;
use crate::usage::read_parameters;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    data::whole(&request.part)?;
    let data = data::given(request.data.as_ref())?;
    let Some(algorithm) = read_parameters(&request.cryptographic_parameters)?.hashing_algorithm else {
        return Err(Refusal::invalid_field("the Cryptographic Parameters name no Hashing Algorithm"));
    };
    let digest = call.context.cryptography.hash(algorithm, data)?;
    Ok(Response { data: Some(digest), correlation_value: None })
}
