//! Encrypt (KMIP 1.4 sections 4.29 and 11.30): data under a key that stays here.

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{CryptographicAlgorithm, Operation};
use kmip::operations::encrypt::{Request, Response};
use kmip::{ProtocolVersion, Secret};

use super::cipher::{self, Iv};
use super::parts::{self, Advance, Asked};
use super::{Call, data};
use crate::Refusal;
use crate::cryptography::{Cipher, Finished, Progress, Stream};
use crate::usage::{InUse, Purpose};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = Asked {
        operation: Operation::Encrypt,
        part: &request.part,
        unique_identifier: request.unique_identifier.as_deref(),
        purpose: Some(Purpose::Encrypt),
        parameters: request.cryptographic_parameters.as_ref(),
        data: request.data.as_ref(),
    };
    if let Some(advance) = parts::advance(&asked, call)? {
        return in_parts(request, advance, call);
    }
    let data = data::given(request.data.as_ref())?;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Encrypt, data.len())?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let unique_identifier = key.object.id.to_string();
    let cryptography = call.context.cryptography;
    if key.algorithm(&parameters) == Some(CryptographicAlgorithm::Rsa) {
        let padding = cipher::rsa_padding(&parameters)?;
        let encrypted = cryptography.encrypt_to(&key.asymmetric(cryptography)?.key(), &padding, data)?;
        return Ok(Response { unique_identifier, data: Some(Secret::new(encrypted)), ..Response::default() });
    }
    let form = form(&key, &parameters, call)?;
    let (iv, chosen) = iv(request, &form, &parameters, call)?;
    let bytes = key.symmetric()?;
    let additional = request.authenticated_encryption_additional_data.as_deref().unwrap_or_default();
    let cipher = Cipher { key: bytes.danger_bytes(), iv: &iv, additional, ..form.cipher() };
    let encrypted = cryptography.encrypt(&cipher, data)?;
    Ok(Response {
        unique_identifier,
        data: Some(Secret::new(encrypted.data)),
        iv_counter_nonce: chosen.then_some(iv),
        correlation_value: None,
        authenticated_encryption_tag: (!encrypted.tag.is_empty()).then_some(encrypted.tag),
    })
}

fn in_parts(
    request: &Request,
    mut advance: Advance<'_>,
    call: &mut Call<'_, '_, '_>,
) -> Result<Response, Refusal> {
    let form = form(cipher::symmetric_key(advance.key()?, &advance.parameters)?, &advance.parameters, call)?;
    let mut chosen = false;
    if advance.first {
        (advance.remembered.iv, chosen) = iv(request, &form, &advance.parameters, call)?;
        advance.remembered.additional =
            request.authenticated_encryption_additional_data.clone().unwrap_or_default();
    } else if request.iv_counter_nonce.is_some() || request.authenticated_encryption_additional_data.is_some()
    {
        return Err(cipher::only_first());
    }
    let unique_identifier = advance.unique_identifier()?;
    let key = advance.key()?.symmetric()?;
    let cipher = Cipher {
        key: key.danger_bytes(),
        iv: &advance.remembered.iv,
        additional: &advance.remembered.additional,
        ..form.cipher()
    };
    let (stream, state) = (Stream::Encrypt(cipher), &advance.remembered.state);
    let iv_counter_nonce = chosen.then(|| advance.remembered.iv.clone());
    let cryptography = call.context.cryptography;
    if advance.last {
        let Finished { rest, tag } = cryptography.last_part(&stream, state, advance.data, &[])?;
        return Ok(Response {
            unique_identifier,
            data: data::made(&rest),
            iv_counter_nonce,
            correlation_value: None,
            authenticated_encryption_tag: (!tag.is_empty()).then_some(tag),
        });
    }
    let Progress { ready, state } = cryptography.part(&stream, state, advance.data)?;
    advance.remembered.state = state;
    Ok(Response {
        unique_identifier,
        data: data::made(&ready),
        iv_counter_nonce,
        correlation_value: Some(advance.correlation_value(call)?),
        authenticated_encryption_tag: None,
    })
}

fn form(
    key: &InUse,
    parameters: &CryptographicParameters,
    call: &Call<'_, '_, '_>,
) -> Result<cipher::Form, Refusal> {
    let form = cipher::Form::of(key, parameters)?;
    if form.tag_bytes > 0 && call.version < ProtocolVersion::V1_4 {
        return Err(Refusal::invalid_field(format!(
            "KMIP {} has no field for a tag; hint: ask in KMIP 1.4",
            call.version
        )));
    }
    Ok(form)
}

/// The initialization vector, and whether it was chosen here.
fn iv(
    request: &Request,
    form: &cipher::Form,
    parameters: &CryptographicParameters,
    call: &mut Call<'_, '_, '_>,
) -> Result<(Vec<u8>, bool), Refusal> {
    match (form.iv, &request.iv_counter_nonce) {
        (Iv::None, _) => Ok((Vec::new(), false)),
        (Iv::Bytes(_), Some(given)) => Ok((given.clone(), false)),
        (Iv::Bytes(usual), None) if parameters.random_iv == Some(true) => {
            let mut iv = vec![0; cipher::iv_bytes(parameters, usual)?];
            call.context.entropy.fill(&mut iv);
            Ok((iv, true))
        }
        (Iv::Bytes(_), None) => Err(cipher::missing_iv()),
    }
}
