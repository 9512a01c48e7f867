//! Signature Verify (KMIP 1.4 sections 4.32 and 11.33): whether a signature is good.

use kmip::operations::signature_verify::{Request, Response};

use super::{Call, data, signature};
use crate::Refusal;
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    data::whole(&request.part)?;
    let signed = signature::signed(request.data.as_ref(), request.digested_data.as_deref())?;
    let Some(given) = &request.signature_data else {
        return Err(Refusal::invalid_message("the Signature Data are missing"));
    };
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Verify, 0)?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let kind = signature::kind(&key, &parameters)?;
    let valid = call.context.cryptography.verify(&key.asymmetric()?, &kind, signed, given)?;
    Ok(Response {
        unique_identifier: key.object.id.to_string(),
        validity_indicator: data::indicator(valid),
        data: None,
        correlation_value: None,
    })
}
