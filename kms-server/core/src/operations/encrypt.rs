//! Encrypt (KMIP 1.4 sections 4.29 and 11.30): data under a key that stays here.

use kmip::ProtocolVersion;
use kmip::Secret;
use kmip::enumeration::CryptographicAlgorithm;
use kmip::operations::encrypt::{Request, Response};

use super::cipher::{self, Iv};
use super::{Call, data};
use crate::Refusal;
use crate::cryptography::Cipher;
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    data::whole(&request.part)?;
    let data = data::given(request.data.as_ref())?;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Encrypt, data.len())?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let unique_identifier = key.object.id.to_string();
    let cryptography = call.context.cryptography;
    if key.algorithm(&parameters) == Some(CryptographicAlgorithm::Rsa) {
        let padding = cipher::rsa_padding(&parameters)?;
        let encrypted = cryptography.encrypt_to(&key.asymmetric()?, &padding, data)?;
        return Ok(Response { unique_identifier, data: Some(Secret::new(encrypted)), ..Response::default() });
    }
    let form = cipher::Form::of(&key, &parameters)?;
    if form.tag_bytes > 0 && call.version < ProtocolVersion::V1_4 {
        return Err(Refusal::invalid_field(format!(
            "KMIP {} has no field for a tag; hint: ask in KMIP 1.4",
            call.version
        )));
    }
    let iv = match form.iv {
        Iv::None => Vec::new(),
        Iv::Bytes(usual) => match &request.iv_counter_nonce {
            Some(given) => given.clone(),
            None if parameters.random_iv == Some(true) => {
                let mut iv = vec![0; cipher::iv_bytes(&parameters, usual)?];
                call.context.entropy.fill(&mut iv);
                iv
            }
            None => return Err(cipher::missing_iv()),
        },
    };
    let chosen = (request.iv_counter_nonce.is_none() && !iv.is_empty()).then(|| iv.clone());
    let bytes = key.symmetric()?;
    let additional = request.authenticated_encryption_additional_data.as_deref().unwrap_or_default();
    let cipher = Cipher { key: bytes.danger_bytes(), iv: &iv, additional, ..form.cipher() };
    let encrypted = cryptography.encrypt(&cipher, data)?;
    Ok(Response {
        unique_identifier,
        data: Some(Secret::new(encrypted.data)),
        iv_counter_nonce: chosen,
        correlation_value: None,
        authenticated_encryption_tag: (!encrypted.tag.is_empty()).then_some(encrypted.tag),
    })
}
