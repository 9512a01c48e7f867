//! MAC Verify (KMIP 1.4 sections 4.34 and 11.35): whether a message authentication code is right.

use kmip::enumeration::Operation;
use kmip::operations::mac_verify::{Request, Response};
use subtle::ConstantTimeEq;

use super::mac::{self, Step};
use super::parts::{self, Asked};
use super::{Call, data};
use crate::Refusal;
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = Asked {
        operation: Operation::MacVerify,
        part: &request.part,
        unique_identifier: request.unique_identifier.as_deref(),
        purpose: Some(Purpose::MacVerify),
        parameters: request.cryptographic_parameters.as_ref(),
        data: request.data.as_ref(),
    };
    if let Some(mut advance) = parts::advance(&asked, call)? {
        advance.remembered.expects(request.mac_data.as_ref())?;
        let unique_identifier = advance.unique_identifier()?;
        return match mac::in_parts(advance, call)? {
            Step::Further(value) => {
                Ok(Response { unique_identifier, validity_indicator: None, correlation_value: Some(value) })
            }
            Step::Made { checked: None, .. } => Err(missing()),
            Step::Made { code, checked: Some(given) } => {
                let validity_indicator = Some(data::indicator(code.ct_eq(&given).into()));
                Ok(Response { unique_identifier, validity_indicator, correlation_value: None })
            }
        };
    }
    let data = data::given(request.data.as_ref())?;
    let given = request.mac_data.as_ref().ok_or_else(missing)?;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::MacVerify, data.len())?;
    let kind = mac::kind(&key, &key.parameters(request.cryptographic_parameters.as_ref())?)?;
    let code = call.context.cryptography.mac(kind, key.symmetric()?.danger_bytes(), data)?;
    Ok(Response {
        unique_identifier: key.object.id.to_string(),
        validity_indicator: Some(data::indicator(code.ct_eq(given).into())),
        correlation_value: None,
    })
}

fn missing() -> Refusal {
    Refusal::invalid_message("the MAC Data are missing")
}
