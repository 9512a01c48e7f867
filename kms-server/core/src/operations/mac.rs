//! MAC (KMIP 1.4 sections 4.33 and 11.34): a message authentication code with a key that stays here.

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{BlockCipherMode, CryptographicAlgorithm as Algorithm, HashingAlgorithm as Hash};
use kmip::operations::mac::{Request, Response};

use super::{Call, data};
use crate::Refusal;
use crate::cryptography::Mac;
use crate::usage::{InUse, Purpose};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    data::whole(&request.part)?;
    let data = data::given(request.data.as_ref())?;
    let key = call.use_key(request.unique_identifier.as_deref(), Purpose::MacGenerate, data.len())?;
    let kind = kind(&key, &key.parameters(request.cryptographic_parameters.as_ref())?)?;
    let code = call.context.cryptography.mac(kind, key.symmetric()?.danger_bytes(), data)?;
    Ok(Response {
        unique_identifier: key.object.id.to_string(),
        mac_data: Some(code),
        correlation_value: None,
    })
}

/// The kind of code: an HMAC by its own algorithm, or by any with a Hashing Algorithm; a CMAC by its mode.
pub(super) fn kind(key: &InUse, parameters: &CryptographicParameters) -> Result<Mac, Refusal> {
    let Some(algorithm) = key.algorithm(parameters) else {
        return Err(Refusal::invalid_field(
            "neither the key nor the request names a Cryptographic Algorithm",
        ));
    };
    if parameters.block_cipher_mode == Some(BlockCipherMode::Cmac) {
        return Ok(Mac::Cmac(algorithm));
    }
    match algorithm {
        Algorithm::HmacMd5 => Ok(Mac::Hmac(Hash::Md5)),
        Algorithm::HmacSha1 => Ok(Mac::Hmac(Hash::Sha1)),
        Algorithm::HmacSha224 => Ok(Mac::Hmac(Hash::Sha224)),
        Algorithm::HmacSha256 => Ok(Mac::Hmac(Hash::Sha256)),
        Algorithm::HmacSha384 => Ok(Mac::Hmac(Hash::Sha384)),
        Algorithm::HmacSha512 => Ok(Mac::Hmac(Hash::Sha512)),
        Algorithm::HmacSha3_224 => Ok(Mac::Hmac(Hash::Sha3_224)),
        Algorithm::HmacSha3_256 => Ok(Mac::Hmac(Hash::Sha3_256)),
        Algorithm::HmacSha3_384 => Ok(Mac::Hmac(Hash::Sha3_384)),
        Algorithm::HmacSha3_512 => Ok(Mac::Hmac(Hash::Sha3_512)),
        other => Err(Refusal::invalid_field(format!(
            "{other} makes no message authentication code; hint: HMAC_SHA256, or AES in CMAC"
        ))),
    }
}
