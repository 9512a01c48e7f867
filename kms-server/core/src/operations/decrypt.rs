//! Decrypt (KMIP 1.4 sections 4.30 and 11.31): data back from under a key that stays here.

use kmip::Secret;
use kmip::enumeration::CryptographicAlgorithm;
use kmip::operations::decrypt::{Request, Response};

use super::cipher::{self, Iv};
use super::{Call, data};
use crate::Refusal;
use crate::cryptography::{Cipher, Encrypted};
use crate::usage::Purpose;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    data::whole(&request.part)?;
    let data = data::given(request.data.as_ref())?;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::Decrypt, data.len())?;
    let parameters = key.parameters(request.cryptographic_parameters.as_ref())?;
    let unique_identifier = key.object.id.to_string();
    let cryptography = call.context.cryptography;
    let plain = if key.algorithm(&parameters) == Some(CryptographicAlgorithm::Rsa) {
        let padding = cipher::rsa_padding(&parameters)?;
        cryptography.decrypt_with(&key.asymmetric()?, &padding, data)?
    } else {
        let form = cipher::Form::of(&key, &parameters)?;
        let iv = match form.iv {
            Iv::None => &[],
            Iv::Bytes(_) => request.iv_counter_nonce.as_deref().ok_or_else(cipher::missing_iv)?,
        };
        let tag = request.authenticated_encryption_tag.clone().unwrap_or_default();
        if tag.len() != form.tag_bytes {
            return Err(Refusal::invalid_field(format!(
                "the tag has {} bytes, Tag Length says {}",
                tag.len(),
                form.tag_bytes
            )));
        }
        let bytes = key.symmetric()?;
        let additional = request.authenticated_encryption_additional_data.as_deref().unwrap_or_default();
        let cipher = Cipher { key: bytes.danger_bytes(), iv, additional, ..form.cipher() };
        cryptography.decrypt(&cipher, &Encrypted { data: data.to_vec(), tag })?
    };
    Ok(Response { unique_identifier, data: Some(Secret::from(plain.as_slice())), correlation_value: None })
}
