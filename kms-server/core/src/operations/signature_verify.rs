//! Signature Verify (KMIP 1.4 sections 4.32 and 11.33): whether a signature is good.

use kmip::enumeration::Operation;
use kmip::operations::signature_verify::{Request, Response};

use super::parts::{self, Asked};
use super::signature::{self, Step};
use super::{Call, data};
use crate::Refusal;
use crate::cryptography::Signed;
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = Asked {
        operation: Operation::SignatureVerify,
        part: &request.part,
        unique_identifier: request.unique_identifier.as_deref(),
        purpose: Some(Purpose::Verify),
        parameters: request.cryptographic_parameters.as_ref(),
        data: request.data.as_ref(),
    };
    if let Some(mut advance) = parts::advance(&asked, call)? {
        advance.remembered.expects(request.signature_data.as_ref())?;
        let unique_identifier = advance.unique_identifier()?;
        let (validity_indicator, correlation_value) =
            match signature::in_parts(advance, request.digested_data.as_ref(), call)? {
                Step::Further(value) => (None, Some(value)),
                Step::Digested { advance, kind, digest } => {
                    let given = advance.remembered.checked.as_ref().ok_or_else(missing)?;
                    let cryptography = call.context.cryptography;
                    let key = advance.key()?.asymmetric(cryptography)?;
                    let digest = Signed::Digest(&digest);
                    let valid = cryptography.verify(&key.key(), &kind, digest, given)?;
                    (Some(data::indicator(valid)), None)
                }
            };
        return Ok(Response { unique_identifier, validity_indicator, data: None, correlation_value });
    }
    let signed = signature::signed(request.data.as_ref(), request.digested_data.as_deref())?;
    let given = request.signature_data.as_ref().ok_or_else(missing)?;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Verify, 0)?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let kind = signature::kind(&key, &parameters, matches!(signed, Signed::Digest(_)))?;
    let cryptography = call.context.cryptography;
    let valid = cryptography.verify(&key.asymmetric(cryptography)?.key(), &kind, signed, given)?;
    Ok(Response {
        unique_identifier: key.object.id.to_string(),
        validity_indicator: Some(data::indicator(valid)),
        data: None,
        correlation_value: None,
    })
}

fn missing() -> Refusal {
    Refusal::invalid_message("the Signature Data are missing")
}
