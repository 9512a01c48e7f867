//! Sign (KMIP 1.4 sections 4.31 and 11.32): a signature with a key that stays here.

use kmip::enumeration::Operation;
use kmip::operations::sign::{Request, Response};

use super::Call;
use super::parts::{self, Asked};
use super::signature::{self, Step};
use crate::Refusal;
use crate::cryptography::Signed;
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = Asked {
        operation: Operation::Sign,
        part: &request.part,
        unique_identifier: request.unique_identifier.as_deref(),
        purpose: Some(Purpose::Sign),
        parameters: request.cryptographic_parameters.as_ref(),
        data: request.data.as_ref(),
    };
    if let Some(advance) = parts::advance(&asked, call)? {
        let unique_identifier = advance.unique_identifier()?;
        let (signature_data, correlation_value) =
            match signature::in_parts(advance, request.digested_data.as_ref(), call)? {
                Step::Further(value) => (None, Some(value)),
                Step::Digested { advance, kind, digest } => {
                    let cryptography = call.context.cryptography;
                    let key = advance.key()?.asymmetric(cryptography)?;
                    let signature = cryptography.sign(&key.key(), &kind, Signed::Digest(&digest))?;
                    (Some(signature), None)
                }
            };
        return Ok(Response { unique_identifier, signature_data, correlation_value });
    }
    let signed = signature::signed(request.data.as_ref(), request.digested_data.as_deref())?;
    let (Signed::Data(bytes) | Signed::Digest(bytes)) = signed;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Sign, bytes.len())?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let kind = signature::kind(&key, &parameters, matches!(signed, Signed::Digest(_)))?;
    let cryptography = call.context.cryptography;
    let signature = cryptography.sign(&key.asymmetric(cryptography)?.key(), &kind, signed)?;
    Ok(Response {
        unique_identifier: key.object.id.to_string(),
        signature_data: Some(signature),
        correlation_value: None,
    })
}
