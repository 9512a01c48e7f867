//! MAC Verify (KMIP 1.4 sections 4.34 and 11.35): whether a message authentication code is right.

use kmip::operations::mac_verify::{Request, Response};
use subtle::ConstantTimeEq;

use super::{Call, data, mac};
use crate::Refusal;
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    data::whole(&request.part)?;
    let data = data::given(request.data.as_ref())?;
    let Some(given) = &request.mac_data else {
        return Err(Refusal::invalid_message("the MAC Data are missing"));
    };
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::MacVerify, data.len())?;
    let kind = mac::kind(&key, &key.parameters(request.cryptographic_parameters.as_ref())?)?;
    let code = call.context.cryptography.mac(kind, key.symmetric()?.danger_bytes(), data)?;
    Ok(Response {
        unique_identifier: key.object.id.to_string(),
        validity_indicator: data::indicator(code.ct_eq(given).into()),
        correlation_value: None,
    })
}
