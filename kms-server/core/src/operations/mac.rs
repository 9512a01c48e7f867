//! MAC (KMIP 1.4 sections 4.33 and 11.34): a message authentication code with a key that stays here.

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{
    BlockCipherMode, CryptographicAlgorithm as Algorithm, HashingAlgorithm as Hash, Operation,
};
use kmip::operations::mac::{Request, Response};

use super::parts::{self, Advance, Asked};
use super::{Call, data};
use crate::Refusal;
use crate::cryptography::{Mac, MacKey, Stream};
use crate::usage::{InUse, Purpose};

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = Asked {
        operation: Operation::Mac,
        part: &request.part,
        unique_identifier: request.unique_identifier.as_deref(),
        purpose: Some(Purpose::MacGenerate),
        parameters: request.cryptographic_parameters.as_ref(),
        data: request.data.as_ref(),
    };
    if let Some(advance) = parts::advance(&asked, call)? {
        let unique_identifier = advance.unique_identifier()?;
        return Ok(match in_parts(advance, call)? {
            Step::Further(value) => {
                Response { unique_identifier, mac_data: None, correlation_value: Some(value) }
            }
            Step::Made { code, .. } => {
                Response { unique_identifier, mac_data: Some(code), correlation_value: None }
            }
        });
    }
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

/// What a part of MAC or MAC Verify came to.
pub(super) enum Step {
    /// The Correlation Value of the next.
    Further(Vec<u8>),
    /// The code of all parts, and the one that it is to be, where a part brought one.
    Made { code: Vec<u8>, checked: Option<Vec<u8>> },
}

pub(super) fn in_parts(mut advance: Advance<'_>, call: &mut Call<'_, '_, '_>) -> Result<Step, Refusal> {
    let algorithm = kind(advance.key()?, &advance.parameters)?;
    let key = advance.key()?.symmetric()?;
    let stream = Stream::Mac(MacKey { algorithm, key: key.danger_bytes() });
    let (cryptography, state) = (call.context.cryptography, &advance.remembered.state);
    if advance.last {
        let code = cryptography.last_part(&stream, state, advance.data, &[])?.rest.to_vec();
        return Ok(Step::Made { code, checked: advance.remembered.checked });
    }
    advance.remembered.state = cryptography.part(&stream, state, advance.data)?.state;
    Ok(Step::Further(advance.correlation_value(call)?))
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
