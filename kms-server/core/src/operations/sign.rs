//! Sign (KMIP 1.4 sections 4.31 and 11.32): a signature with a key that stays here.

use kmip::operations::sign::{Request, Response};

use super::{Call, data, signature};
use crate::Refusal;
use crate::cryptography::Signed;
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    data::whole(&request.part)?;
    let signed = signature::signed(request.data.as_ref(), request.digested_data.as_deref())?;
    let (Signed::Data(bytes) | Signed::Digest(bytes)) = signed;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Sign, bytes.len())?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let kind = signature::kind(&key, &parameters)?;
    let signature = call.context.cryptography.sign(&key.asymmetric()?, &kind, signed)?;
    Ok(Response {
        unique_identifier: key.object.id.to_string(),
        signature_data: Some(signature),
        correlation_value: None,
    })
}
