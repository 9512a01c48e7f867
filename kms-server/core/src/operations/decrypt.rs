//! Decrypt (KMIP 1.4 sections 4.30 and 11.31): data back from under a key that stays here.

use kmip::Secret;
use kmip::enumeration::{CryptographicAlgorithm, Operation};
use kmip::operations::decrypt::{Request, Response};

use super::cipher::{self, Iv};
use super::parts::{self, Advance, Asked};
use super::{Call, data};
use crate::Refusal;
use crate::cryptography::{Cipher, Encrypted, Progress, Stream};
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = Asked {
        operation: Operation::Decrypt,
        part: &request.part,
        unique_identifier: request.unique_identifier.as_deref(),
        purpose: Some(Purpose::Decrypt),
        parameters: request.cryptographic_parameters.as_ref(),
        data: request.data.as_ref(),
    };
    if let Some(advance) = parts::advance(&asked, call)? {
        return in_parts(request, advance, call);
    }
    let data = data::given(request.data.as_ref())?;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Decrypt, data.len())?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let unique_identifier = key.object.id.to_string();
    let cryptography = call.context.cryptography;
    let plain = if key.algorithm(&parameters) == Some(CryptographicAlgorithm::Rsa) {
        let padding = cipher::rsa_padding(&parameters)?;
        cryptography.decrypt_with(&key.asymmetric(cryptography)?.key(), &padding, data)?
    } else {
        let form = cipher::Form::of(&key, &parameters)?;
        let iv = iv(request, &form)?;
        let tag = tag(request, &form)?.to_vec();
        let bytes = key.symmetric()?;
        let additional = request.authenticated_encryption_additional_data.as_deref().unwrap_or_default();
        let cipher = Cipher { key: bytes.danger_bytes(), iv, additional, ..form.cipher() };
        cryptography.decrypt(&cipher, &Encrypted { data: data.to_vec(), tag })?
    };
    Ok(Response { unique_identifier, data: Some(Secret::from(plain.as_slice())), correlation_value: None })
}

fn in_parts(
    request: &Request,
    mut advance: Advance<'_>,
    call: &mut Call<'_, '_, '_>,
) -> Result<Response, Refusal> {
    let form =
        cipher::Form::of(cipher::symmetric_key(advance.key()?, &advance.parameters)?, &advance.parameters)?;
    if advance.first {
        advance.remembered.iv = iv(request, &form)?.to_vec();
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
    let (stream, state) = (Stream::Decrypt(cipher), &advance.remembered.state);
    let cryptography = call.context.cryptography;
    if advance.last {
        let finished = cryptography.last_part(&stream, state, advance.data, tag(request, &form)?)?;
        let data = data::made(&finished.rest);
        return Ok(Response { unique_identifier, data, correlation_value: None });
    }
    let Progress { ready, state } = cryptography.part(&stream, state, advance.data)?;
    advance.remembered.state = state;
    let correlation_value = Some(advance.correlation_value(call)?);
    Ok(Response { unique_identifier, data: data::made(&ready), correlation_value })
}

fn iv<'r>(request: &'r Request, form: &cipher::Form) -> Result<&'r [u8], Refusal> {
    match form.iv {
        Iv::None => Ok(&[]),
        Iv::Bytes(_) => request.iv_counter_nonce.as_deref().ok_or_else(cipher::missing_iv),
    }
}

fn tag<'r>(request: &'r Request, form: &cipher::Form) -> Result<&'r [u8], Refusal> {
    let tag = request.authenticated_encryption_tag.as_deref().unwrap_or_default();
    if tag.len() == form.tag_bytes {
        return Ok(tag);
    }
    Err(Refusal::invalid_field(format!(
        "the tag has {} bytes, Tag Length says {}",
        tag.len(),
        form.tag_bytes
    )))
}
